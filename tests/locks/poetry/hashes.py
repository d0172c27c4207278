"""Prints, as JSON, the content hashes that Poetry computes of the pyproject.toml texts on standard input, a JSON list.

For each there are two: as Poetry computes it now, and as it did before dependency groups counted.
"""

import json
import pathlib
import sys
import tomllib

from poetry.packages.locker import Locker


def hashes(text: str) -> list[str]:
    """Returns both hashes of a text."""
    locker = Locker(pathlib.Path("poetry.lock"), tomllib.loads(text))
    return [locker._get_content_hash(with_dependency_groups=counts) for counts in (True, False)]


json.dump([hashes(text) for text in json.load(sys.stdin)], sys.stdout)
