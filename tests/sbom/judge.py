"""Checks SBOMs and provenance statements with the tools of each format.

    judge.py CASES

CASES is a JSON file: a list of objects, each with the documents about one artifact: `cyclonedx`, `spdx` and `provenance`,
any of them, as paths; and for a zip whose graph is to be compared, `zip`, `python`, `project`, `extras` by distribution,
and `asked`, what the project asks for beyond its metadata: a list, or a text for all that nothing else needs.

Each document is held against its published schema, read by its own library, and checked by that; every package URL is
read and written again; and the graph is compared with the one that `packaging` gives for the metadata in the zip. Prints
what is wrong, a line for each, and the number of documents.
"""

import email
import json
import pathlib
import re
import sys
import zipfile

import jsonschema
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from spdx_tools.spdx.model import RelationshipType
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

SCHEMAS = pathlib.Path(__file__).resolve().parent.parent.parent / "testdata/schemas"
CYCLONEDX = JsonStrictValidator(SchemaVersion.V1_6)
SPDX = jsonschema.Draft7Validator(json.loads((SCHEMAS / "spdx-schema.json").read_text()))


def name_of(purl):
    """Returns the name in a package URL, which must be in canonical form."""
    parsed = PackageURL.from_string(purl)
    again = PackageURL.from_string(parsed.to_string())
    if parsed != again:
        raise ValueError(f"{purl} is read as {parsed} and then as {again}")
    for qualifier in ("file_name", "vcs_url", "repository_url", "download_url"):
        if "//" in parsed.qualifiers.get(qualifier, "") and not re.match(r"(git\+)?https?://", parsed.qualifiers[qualifier]):
            raise ValueError(f"{purl} has the address {parsed.qualifiers[qualifier]}")
    return parsed.name


def cyclonedx(path):
    """Checks an SBOM and returns its graph: the names of dependencies by name."""
    text = pathlib.Path(path).read_text()
    if error := CYCLONEDX.validate_str(text):
        raise ValueError(str(error))
    document = json.loads(text)
    bom = Bom.from_json(document)
    bom.validate()
    components = [document["metadata"]["component"], *document["components"]]
    if len(bom.components) != len(document["components"]):
        raise ValueError("two components are the same")
    # Software within distributions is not in the graph.
    inner = [inner for component in components for inner in component.get("components", [])]
    references = [component["bom-ref"] for component in components + inner]
    if len(references) != len(set(references)):
        raise ValueError("two components have the same reference")
    for component in inner:
        if "purl" in component:
            name_of(component["purl"])
    names = {component["bom-ref"]: component["name"] for component in components}
    for component in components:
        if "purl" in component and name_of(component["purl"]) != component["name"].rsplit("/", 1)[-1]:
            raise ValueError(f"{component['purl']} is not {component['name']}")
    graph = {names[entry["ref"]]: {names[other] for other in entry["dependsOn"]} for entry in document["dependencies"]}
    if set(graph) != set(names.values()):
        raise ValueError("not everything is in the graph")
    bases = {component["name"] for component in components if component["type"] == "container"}
    return {name: needs - bases for name, needs in graph.items() if name not in bases}


def spdx(path):
    """Checks an SBOM and returns its graph: the names of dependencies by name."""
    wrong = [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in SPDX.iter_errors(json.loads(pathlib.Path(path).read_text()))]
    document = parse_file(str(path))
    wrong += [message.validation_message for message in validate_full_spdx_document(document, "SPDX-2.3")]
    if wrong:
        raise ValueError("; ".join(wrong))
    names = {package.spdx_id: package.name for package in document.packages}
    for package in document.packages:
        for reference in package.external_references:
            name_of(reference.locator)
    inside = {relationship.related_spdx_element_id for relationship in document.relationships if relationship.relationship_type == RelationshipType.CONTAINS}
    graph = {name: set() for id, name in names.items() if id != "SPDXRef-Base" and id not in inside}
    for relationship in document.relationships:
        if relationship.relationship_type == RelationshipType.DEPENDS_ON:
            graph[names[relationship.spdx_element_id]].add(names[relationship.related_spdx_element_id])
    return graph


def provenance(path):
    """Checks a statement."""
    text = pathlib.Path(path).read_text()
    # Unknown fields are an error.
    message = json_format.Parse(text, statement_pb2.Statement())
    Statement.copy_from_pb(message).validate()
    predicate = json_format.ParseDict(json.loads(text)["predicate"], provenance_pb2.Provenance())
    definition, details = predicate.build_definition, predicate.run_details
    if message.predicate_type != "https://slsa.dev/provenance/v1":
        raise ValueError(message.predicate_type)
    for uri in (definition.build_type, details.builder.id):
        if not uri.startswith("https://"):
            raise ValueError(f"{uri} is no type")
    if not definition.external_parameters or not definition.resolved_dependencies:
        raise ValueError("it says nothing of its inputs")
    for dependency in definition.resolved_dependencies:
        if not dependency.digest or not (dependency.uri or dependency.name):
            raise ValueError(f"{dependency} is not resolved")


def installed(path, python):
    """Returns the requirements of the distributions in a zip, and the marker environment."""
    requires = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.count("/") == 1 and name.endswith(".dist-info/METADATA"):
                metadata = email.message_from_bytes(archive.read(name))
                requires[canonicalize_name(metadata["Name"])] = list(parsed(metadata.get_all("Requires-Dist", [])))
    environment = {
        "implementation_name": "cpython", "implementation_version": f"{python}.0", "os_name": "posix",
        "platform_machine": "x86_64", "platform_python_implementation": "CPython", "platform_release": "",
        "platform_system": "Linux", "platform_version": "", "python_full_version": f"{python}.0",
        "python_version": python, "sys_platform": "linux",
    }
    return requires, environment


def parsed(requirements):
    for requirement in requirements:
        try:
            yield Requirement(requirement)
        except InvalidRequirement:
            pass


def expected(case):
    """Returns the dependency graph of installed distributions according to packaging."""
    requires, environment = installed(case["zip"], case["python"])
    extras = {name: {""} for name in requires}
    for name, more in case["extras"].items():
        extras[name] |= set(more)
    graph = {}
    while True:
        before = {name: set(found) for name, found in extras.items()}
        graph = {name: set() for name in requires}
        for name, requirements in requires.items():
            for requirement in requirements:
                holds = [requirement.marker is None or requirement.marker.evaluate(environment | {"extra": extra}) for extra in extras[name]]
                other = canonicalize_name(requirement.name)
                if any(holds) and other in requires:
                    graph[name] |= {other} - {name}
                    extras[other] |= {canonicalize_name(extra) for extra in requirement.extras}
        if before == extras:
            return graph


def compare(case, graph):
    """Returns the differences between a graph and the expected one, given the project's requirements beyond its metadata."""
    differences, wanted = [], expected(case)
    asked = case["asked"]
    if isinstance(asked, str):
        asked = set(wanted) - set().union(*wanted.values())
    wanted.setdefault(case["project"], set())
    for name, needs in wanted.items():
        more = set(asked) if name == case["project"] else set()
        if graph.get(name) != needs | more:
            differences.append(f"{name} needs {sorted(graph.get(name, ()))}, and by packaging {sorted(needs | more)}")
    return differences


def main():
    wrong, count = [], 0
    for case in json.loads(pathlib.Path(sys.argv[1]).read_text()):
        for form, read in (("cyclonedx", cyclonedx), ("spdx", spdx), ("provenance", provenance)):
            if form not in case:
                continue
            count += 1
            try:
                graph = read(case[form])
                if graph is not None and "zip" in case:
                    wrong += [f"{case[form]}: {difference}" for difference in compare(case, graph)]
            except Exception as error:
                wrong.append(f"{case[form]}: {type(error).__name__}: {error}")
    if wrong:
        sys.exit("\n".join(wrong))
    print(count)


if __name__ == "__main__":
    main()
