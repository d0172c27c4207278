"""Turns records of the library's systems into works: those that are valid, and of a format that is shown."""

from pydantic import ValidationError
from works import Work

from common import settings

INDEX = settings.load("index")


def handler(event, context):
    """Returns the works for the index, and why the other records are none."""
    works, rejected = [], {}
    for record in event["records"]:
        try:
            work = Work.model_validate(record)
        except ValidationError as error:
            rejected[record.get("id", "?")] = [problem["msg"] for problem in error.errors()]
            continue
        if work.format in INDEX["visible"]:
            works.append(work.model_dump())
    return {"index": INDEX["name"], "works": works, "rejected": rejected}
