import asyncio
import logging.config

import aiohttp
from aiohttp import ClientTimeout, web
from yarl import URL

from . import routes
from .settings import UPSTREAM

try:
    import uvloop
except ImportError:
    uvloop = None
else:
    from uvloop import install


def build() -> web.Application:
    if uvloop is not None:
        install()
    app = web.Application()
    routes.add(app, URL(UPSTREAM), ClientTimeout(total=5))
    return app


app = build()
