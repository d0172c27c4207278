import asyncio

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

app = Starlette(routes=[Mount("/", StaticFiles(directory="static", html=True))])


async def get(path):
    body = []

    async def receive():
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message):
        body.append(message.get("body", b""))

    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": [], "query_string": b""}
    await app(scope, receive, send)
    return b"".join(body).decode()


def handler(event, context):
    return asyncio.run(get("/index.html"))
