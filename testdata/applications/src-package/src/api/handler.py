from src.core.settings import SETTINGS


def handler(event, context):
    return SETTINGS["name"]
