"""Prints what Poetry would install of a locked project, as JSON: a list with, for each request, the versions by name.

Poetry's own installer is run with an environment that says it is the target, and with an executor that notes the
operations in place of performing them. What Poetry would skip is left out.

Usage: selections.py FOLDER, with the requests as JSON on standard input: a list of objects with `python` (3.12.0),
`machine`, `groups` and `extras`.
"""

import json
import pathlib
import sys

from cleo.io.null_io import NullIO
from packaging.utils import canonicalize_name
from poetry.factory import Factory
from poetry.installation.installer import Installer
from poetry.poetry import Poetry
from poetry.repositories.installed_repository import InstalledRepository
from poetry.utils.env import MockEnv


class Executor:
    """Notes the operations of an installer."""

    enabled = True
    removals_count = 0

    def execute(self, operations):
        installs = [operation for operation in operations if operation.job_type == "install" and not operation.skipped]
        self.selected = {operation.package.name: str(operation.package.version) for operation in installs}
        self.count = len(installs)
        return 0

    def verbose(self, _):
        return self

    def disable(self):
        return self


def environment(python: str, machine: str) -> MockEnv:
    """Returns an environment that is CPython on Linux."""
    version = tuple(int(part) for part in python.split("."))
    env = MockEnv(version, platform="linux", platform_machine=machine)
    env.marker_env.update(
        {
            "implementation_name": "cpython",
            "implementation_version": python,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "os_name": "posix",
        }
    )
    return env


def select(poetry: Poetry, request: dict) -> dict:
    """Returns the versions that a request selects."""
    executor = Executor()
    installer = Installer(
        NullIO(),
        environment(request["python"], request["machine"]),
        poetry.package,
        poetry.locker,
        poetry.pool,
        poetry.config,
        InstalledRepository(),
        executor,
    )
    installer.only_groups([canonicalize_name(group) for group in request["groups"]])
    installer.extras(request["extras"])
    assert installer.run() == 0
    assert len(executor.selected) == executor.count, "Poetry selects two versions of one distribution"
    return executor.selected


def main() -> None:
    poetry = Factory().create_poetry(pathlib.Path(sys.argv[1]))
    json.dump([select(poetry, request) for request in json.load(sys.stdin)], sys.stdout)


main()
