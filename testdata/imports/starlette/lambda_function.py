from mangum import Mangum
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from web import pages

app = Starlette(routes=[Route("/", pages.home)])
lambda_handler = Mangum(app)
