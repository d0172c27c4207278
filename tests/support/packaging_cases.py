"""Prints the results of PyPA's `packaging` as JSON: the cases of tests/locks/packaging.rs.

Runs packaging's own tests and records the calls of its entry points, so that every version, specifier, marker and requirement
in them becomes a case with packaging's result. Compatibility tags are computed directly.

Usage: packaging_cases.py DIRECTORY, where DIRECTORY caches packaging's sdist between runs.
"""

import contextlib
import importlib
import inspect
import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import types

VERSION = "26.3"
TESTS = ["test_version", "test_specifiers", "test_markers", "test_requirements"]

# Every variable of the specification with its value in a Lambda function.
ENVIRONMENT = {
    "implementation_name": "cpython",
    "implementation_version": "3.12.0",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.12.0",
    "python_version": "3.12",
    "sys_platform": "linux",
}


def unpacked_sdist(folder: pathlib.Path) -> pathlib.Path:
    """Returns packaging's source tree, and downloads it from PyPI if necessary."""
    name = f"packaging-{VERSION}"
    if not (folder / name / "tests").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        command += ["--dest", str(folder), f"packaging=={VERSION}"]
        if subprocess.run(command, stdout=sys.stderr).returncode != 0:
            sys.exit(f"cannot download packaging's sdist: {' '.join(command)}")
        shutil.unpack_archive(folder / f"{name}.tar.gz", folder)
    return folder / name


def stand_in_for_pytest() -> None:
    """Replaces pytest and pretend by modules with just what is needed to call the tests."""

    def parametrize(names, values, **_):
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)

        def mark(function):
            rows = [getattr(value, "values", value) for value in values]
            rows = [(row,) if len(names) == 1 and not hasattr(value, "values") else row for row, value in zip(rows, values)]
            function.__dict__.setdefault("parameters", []).append((names, rows))
            return function

        return mark

    def param(*values, **_):
        return types.SimpleNamespace(values=values)

    @contextlib.contextmanager
    def raises(expected, **_):
        caught = types.SimpleNamespace(value=None)
        try:
            yield caught
        except expected as error:
            caught.value = error

    class Marks:
        def __getattr__(self, _):
            return lambda *_, **__: lambda function: function

    Marks.parametrize = staticmethod(parametrize)
    pytest = types.ModuleType("pytest")
    pytest.mark, pytest.param, pytest.raises = Marks(), param, raises
    pytest.fixture = lambda function=None, **_: function or (lambda function: function)
    pretend = types.ModuleType("pretend")
    pretend.stub = types.SimpleNamespace
    sys.modules.update(pytest=pytest, pretend=pretend)


def run_tests(module) -> int:
    """Calls each test function of a module with each of its parameters, and returns the number of calls."""
    owners = [module] + [owner() for name, owner in vars(module).items() if name.startswith("Test")]
    calls = 0
    for owner in owners:
        for name in [name for name in dir(owner) if name.startswith("test_")]:
            function = getattr(owner, name)
            parameters = getattr(function, "parameters", [])
            given = {name for names, _ in parameters for name in names}
            if set(inspect.signature(function).parameters) - given:
                continue  # It needs a pytest fixture that changes the host.
            for rows in itertools.product(*(rows for _, rows in parameters)):
                arguments = {}
                for (names, _), row in zip(parameters, rows):
                    arguments.update(zip(names, row))
                calls += 1
                # Failed assertions do not matter: the calls are recorded before.
                with contextlib.suppress(Exception):
                    function(**arguments)
    return calls


def record(cls, texts: list) -> None:
    """Records each string that the class is constructed from."""
    construct = cls.__init__

    def recording(self, text="", *arguments, **options):
        if isinstance(text, str):
            texts.append(text)
        construct(self, text, *arguments, **options)

    cls.__init__ = recording


def outcome(function, *arguments):
    """Returns what the function returns, or None if it refuses the arguments."""
    try:
        return function(*arguments)
    except (ValueError, KeyError):
        return None


def main(folder: pathlib.Path) -> None:
    root = unpacked_sdist(folder)
    stand_in_for_pytest()
    sys.path[:0] = [str(root / "src"), str(root)]
    from packaging import _manylinux, _musllinux, tags
    from packaging.markers import Marker
    from packaging.requirements import Requirement
    from packaging.specifiers import Specifier, SpecifierSet
    from packaging.version import Version

    asked = {cls: [] for cls in (Version, Specifier, SpecifierSet, Marker, Requirement)}
    originals = {cls: cls.__init__ for cls in asked}
    contained, evaluated = [], []
    contains, set_contains, evaluate = Specifier.contains, SpecifierSet.contains, Marker.evaluate

    def recording_contains(original):
        def recording(self, item, *arguments, **options):
            contained.append((str(self), str(item)))
            return original(self, item, *arguments, **options)

        return recording

    def recording_evaluate(self, environment=None, context="metadata"):
        evaluated.append((str(self), environment or {}, context))
        return evaluate(self, environment, context)

    for cls, texts in asked.items():
        record(cls, texts)
    Specifier.contains, SpecifierSet.contains = recording_contains(contains), recording_contains(set_contains)
    Marker.evaluate = recording_evaluate
    modules = [importlib.import_module(f"tests.{name}") for name in TESTS]
    calls = sum(run_tests(module) for module in modules)
    for cls, original in originals.items():
        cls.__init__ = original
    Specifier.contains, SpecifierSet.contains, Marker.evaluate = contains, set_contains, evaluate

    versions, specifiers = modules[0].VERSIONS, modules[1].SPECIFIERS
    contained += itertools.product(specifiers, versions)
    # Python's limit on the digits of an integer, and therefore packaging's result, differs between releases.
    for cls, texts in asked.items():
        asked[cls] = [text for text in dict.fromkeys(texts) if len(text) < 1000]
    evaluated += [(marker, {}, context(marker)) for marker in asked[Marker] if outcome(Marker, marker)]
    evaluated += version_comparisons()
    print(json.dumps({
        "calls": calls,
        "versions": {text: outcome(lambda: str(Version(text))) for text in asked[Version]},
        # VERSIONS is in ascending order.
        "ascending": versions,
        "specifiers": {text: bool(outcome(Specifier, text)) for text in asked[Specifier]},
        "contained": contained_cases(dict.fromkeys(contained), SpecifierSet),
        "markers": {text: outcome(lambda: str(Marker(text))) for text in asked[Marker]},
        "evaluated": evaluated_cases(evaluated, Marker),
        "requirements": {text: requirement(outcome(Requirement, text)) for text in asked[Requirement]},
        "tags": tag_cases(tags, _manylinux, _musllinux),
    }))


def contained_cases(pairs, specifier_set) -> list:
    """Pre-releases are always accepted: choosing between versions is up to the resolver."""
    return [
        {"specifiers": specifiers, "version": version, "expected": expected}
        for specifiers, version in pairs
        if (expected := outcome(lambda: specifier_set(specifiers).contains(version, prereleases=True))) is not None
    ]


def context(marker) -> str:
    """Returns packaging's name of the context in which the marker's variables have values."""
    return "lock_file" if "extras" in marker or "dependency_groups" in marker else "metadata"


def version_comparisons():
    """Yields markers with versions close to those of the environment, which packaging's tests rarely have."""
    variables = ["python_version", "python_full_version", "implementation_version", "platform_release"]
    operators = ["===", "==", ">=", "<=", "!=", "~=", ">", "<", "in", "not in"]
    values = ["3", "3.*", "3.12", " 3.12 ", "3.12.*", "3.12.1.*", "3.12.0", "3.12.0rc1", "3.13", "v3.12", "3.11, 3.12", "", "*"]
    for variable, operator, value in itertools.product(variables, operators, values):
        for release in ["", "6.1", "6.1.0-9-amd64"]:
            yield f'{variable} {operator} "{value}"', {"platform_release": release}, "metadata"
            yield f'"{value}" {operator} {variable}', {"platform_release": release}, "metadata"


def evaluated_cases(calls, marker_class) -> list:
    cases = {}
    for marker, environment, context in calls:
        environment = ENVIRONMENT | {key: value or "" for key, value in environment.items()}
        # None if packaging raises an error, because the comparison is undefined or the variable has no value.
        expected = outcome(lambda: marker_class(marker).evaluate(environment, context))
        text = json.dumps({"marker": marker, "environment": environment, "expected": expected}, default=sorted)
        cases[text] = json.loads(text)
    return list(cases.values())


def requirement(parsed):
    return parsed and {
        "name": parsed.name,
        "extras": sorted(parsed.extras),
        "specifiers": sorted(str(specifier) for specifier in parsed.specifier),
        "url": parsed.url,
        "marker": parsed.marker and str(parsed.marker),
    }


def tag_cases(tags, manylinux, musllinux) -> list:
    """The tags of CPython 3.9–3.15 and the free-threaded 3.13–3.15 for each C library and architecture; plain `linux` comes last, as in uv."""
    cases = []
    manylinux._have_compatible_abi = lambda *_: True
    libraries = [f"glibc 2.{minor}" for minor in (5, 12, 16, 17, 26, 28, 34, 39)] + ["musl 1.1.24", "musl 1.2.3", "musl 1.2.5"]
    pythons = [*((minor, "") for minor in range(9, 16)), *((minor, "t") for minor in range(13, 16))]
    for (minor, flag), libc, machine in itertools.product(pythons, libraries, ["x86_64", "aarch64"]):
        name, version = libc.split()
        numbers = [int(number) for number in version.split(".")][:2]
        if name == "glibc":
            manylinux._get_glibc_version = lambda numbers=numbers: manylinux._GLibCVersion(*numbers)
            platforms = [*manylinux.platform_tags([machine])]
        else:
            musllinux._get_musl_version = lambda _, numbers=numbers: musllinux._MuslVersion(*numbers)
            platforms = [*musllinux.platform_tags([machine])]
        platforms.append(f"linux_{machine}")
        python, abi = (3, minor), f"cp3{minor}{flag}"
        accepted = [*tags.cpython_tags(python, [abi], platforms), *tags.compatible_tags(python, f"cp3{minor}", platforms)]
        names = [str(tag) for tag in accepted]
        cases.append({"python": f"3.{minor}{flag}", "libc": libc, "machine": machine, "tags": names})
    return cases


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
