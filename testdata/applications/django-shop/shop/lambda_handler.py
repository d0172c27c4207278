import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

import django

django.setup()

from django.test import Client


def handler(event, context):
    return Client().get("/").content.decode()
