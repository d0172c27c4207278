import yaml
from jinja2 import Environment, FileSystemLoader, pass_context
from jinja2.ext import Extension
from markupsafe import Markup

try:
    from yaml import CSafeLoader as Loader
except ImportError:
    from yaml import SafeLoader as Loader

environment = Environment(loader=FileSystemLoader("templates"))
