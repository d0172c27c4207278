"""Selects from a pylock.toml with PyPA's packaging: a question on standard input, an answer on standard output, both JSON."""

import json
import sys

try:
    import tomllib
except ModuleNotFoundError:
    from pip._vendor import tomli as tomllib

from packaging.pylock import PackageArchive, PackageDirectory, PackageVcs, Pylock
from packaging.tags import Tag


def what(source):
    if isinstance(source, PackageDirectory):
        return f"folder {source.path}"
    if isinstance(source, PackageVcs):
        return f"commit {source.commit_id}"
    if isinstance(source, PackageArchive):
        return "file " + (source.path or source.url).rsplit("/", 1)[-1]
    return f"file {source.filename}"


question = json.load(sys.stdin)
with open(question["lock"], "rb") as file:
    lock = Pylock.from_dict(tomllib.load(file))
selected = lock.select(
    environment=question["environment"],
    tags=[Tag(*tag) for tag in question["tags"]],
    extras=question["extras"],
    dependency_groups=question["groups"],
)
try:
    json.dump({package.name: [package.version and str(package.version), what(source)] for package, source in selected}, sys.stdout)
except Exception as error:
    json.dump({"error": str(error)}, sys.stdout)
