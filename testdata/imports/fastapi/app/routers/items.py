from fastapi import APIRouter

from ..db.models import Item

router = APIRouter(prefix="/items")
