from starlette.responses import JSONResponse

from web.text import *


async def home(request):
    return JSONResponse({"hello": GREETING})
