import tomllib
from pathlib import Path

SETTINGS = tomllib.loads((Path(__file__).parents[1] / "settings.toml").read_text())
