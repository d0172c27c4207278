"""Searches the works of the catalogue over HTTP."""

import json
from pathlib import Path

from fastapi import FastAPI
from works import Work

from common import settings

INDEX = settings.load("index")
WORKS = [Work.model_validate(record) for record in json.loads(Path(__file__).with_name("works.json").read_bytes())]

app = FastAPI(title="Catalogue")


@app.get("/works")
def works(query: str = "") -> list[Work]:
    """Returns the works that have all words of a query in their titles."""
    return [work for work in WORKS if work.format in INDEX["visible"] and work.matches(query)]
