from store import database


def handler(event, context):
    return database.names()
