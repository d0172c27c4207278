from flask import Blueprint, current_app, jsonify, request
from markupsafe import escape
from werkzeug.exceptions import HTTPException, abort

from shop import db

bp = Blueprint("shop", __name__)
