import configparser
import json
from pathlib import Path

with open("config.json") as file:
    CONFIG = json.load(file)


def handler(event, context):
    parser = configparser.ConfigParser()
    parser.read(Path(__file__).with_name("settings.ini"))
    return [CONFIG["name"], parser["app"]["name"]]
