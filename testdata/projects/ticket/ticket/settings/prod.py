"""Production: what is secret, or different in each place, comes from the environment."""

import os

from .base import *  # noqa: F403

DEBUG = False
SECRET_KEY = os.environ["TICKET_SECRET_KEY"]
ALLOWED_HOSTS = os.environ.get("TICKET_HOSTS", "localhost").split(",")
