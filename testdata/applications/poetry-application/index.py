import pathlib


def handler(event, context):
    return pathlib.Path("query.sql").read_text().strip()
