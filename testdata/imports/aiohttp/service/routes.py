from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from mypy_extensions import NamedArg


def add(app, upstream, timeout):
    from aiohttp import web

    async def ping(_: web.Request) -> web.Response:
        return web.json_response({"upstream": str(upstream)})

    app.router.add_get("/", ping)
