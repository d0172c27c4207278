import contextlib
from importlib import import_module, metadata, resources
from importlib.util import find_spec

import requests
import typer
from requests.adapters import HTTPAdapter
from requests.packages.urllib3.util import Retry
from typing_extensions import Annotated
from urllib3.util.retry import Retry as Same

from greet import formats

if find_spec("ujson"):
    import ujson as json
else:
    import json

with contextlib.suppress(ImportError):
    import win32api

if typer.get_app_dir("greet") == "":
    import_module("greet.formats")

app = typer.Typer()


@app.command()
def hello(name: Annotated[str, typer.Argument()] = "world"):
    typer.echo(formats.of(name))
