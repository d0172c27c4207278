from pathlib import Path

from jinja2 import Environment, FileSystemLoader

ROOT = Path(__file__).resolve().parent.parent
environment = Environment(loader=FileSystemLoader([ROOT / "templates", "shared-templates"]))


def handler(event, context):
    return [environment.get_template(name).render(name="jinja") for name in ("mail.txt", "footer.txt")]
