import importlib
import sys

import click
from rich.console import Console
from rich.table import Table

import tool
from tool import commands
from tool.commands import *

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if sys.platform == "win32":
    import colorama
    import winreg

console = Console()


@click.group()
@click.version_option(tool.__version__)
def main():
    """A tool."""


for name in commands.__all__:
    main.add_command(importlib.import_module("tool.commands." + name).command)

importlib.import_module(".report", package="tool.commands")
