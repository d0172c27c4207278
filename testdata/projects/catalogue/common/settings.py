"""The configuration in `config/`, which lies beside this folder, in the repository as in what is deployed."""

import json
from pathlib import Path

CONFIG = Path(__file__).resolve().parent.parent / "config"


def load(name: str) -> dict:
    """Returns a configuration file by its name."""
    return json.loads((CONFIG / f"{name}.json").read_text(encoding="utf-8"))
