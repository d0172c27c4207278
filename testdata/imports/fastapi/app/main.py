from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel, EmailStr
from sqlalchemy.orm import Session

from app.core.config import settings
from app.db import get_db, models
from app.routers import items, users


class Message(BaseModel):
    to: EmailStr


@asynccontextmanager
async def lifespan(app: FastAPI):
    from app import db

    db.Base.metadata.create_all(db.engine)
    yield


app = FastAPI(title=settings.title, lifespan=lifespan)
app.add_middleware(CORSMiddleware, allow_origins=["*"])
for router in (items.router, users.router):
    app.include_router(router)

if __name__ == "__main__":
    import uvicorn
    import reloader_of_developers

    uvicorn.run("app.main:app", reload=True)
