"""Validates every document of an OCI layout with the JSON schemas of the image specification.

    schemas.py LAYOUT

Follows index.json and referrers.json to image indexes, manifests and configurations, and checks the digest and the size of each blob. Prints one
line for each error, or the number of documents that were checked.
"""

import hashlib
import json
import pathlib
import sys

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

SCHEMAS = pathlib.Path(__file__).resolve().parent.parent.parent / "testdata/schemas"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"
SCHEMA_OF = {INDEX: "image-index-schema.json", MANIFEST: "image-manifest-schema.json", CONFIGURATION: "config-schema.json"}


def without_ids(schema):
    """Returns a schema without its `id`s, because relative references would resolve against them to other files."""
    if isinstance(schema, list):
        return [without_ids(value) for value in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: without_ids(value) for key, value in schema.items() if not (key == "id" and isinstance(value, str))}


def load_schemas():
    """Returns the schemas by their file names."""
    schemas = {path.name: without_ids(json.loads(path.read_text())) for path in SCHEMAS.glob("*.json")}
    resources = {f"https://schemas/{name}": Resource(contents=schema, specification=DRAFT4) for name, schema in schemas.items()}
    registry = Registry().with_resources(resources.items())
    return {name: jsonschema.Draft4Validator({"$ref": f"https://schemas/{name}"}, registry=registry) for name in schemas}


class Layout:
    """A layout, the number of documents that were checked, and the errors."""

    def __init__(self, folder):
        self.folder, self.validators = pathlib.Path(folder), load_schemas()
        self.checked, self.wrong = 0, []

    def check(self, name, document, schema):
        """Validates a document with a schema."""
        self.checked += 1
        for error in self.validators[schema].iter_errors(document):
            self.wrong.append(f"{name}: {'.'.join(map(str, error.absolute_path))}: {error.message}")

    def blob(self, descriptor):
        """Checks the digest and the size of a blob, and the document that it contains."""
        algorithm, encoded = descriptor["digest"].split(":")
        path = self.folder / "blobs" / algorithm / encoded
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, algorithm).hexdigest()
        if actual != encoded or path.stat().st_size != descriptor["size"]:
            self.wrong.append(f"{descriptor}: the blob has digest {actual} and {path.stat().st_size} bytes")
        if schema := SCHEMA_OF.get(descriptor["mediaType"]):
            document = json.loads(path.read_text())
            self.check(descriptor["digest"], document, schema)
            if document.get("mediaType", descriptor["mediaType"]) != descriptor["mediaType"]:
                self.wrong.append(f"{descriptor}: the document says {document['mediaType']}")
            self.children(document, descriptor["mediaType"])

    def children(self, document, media_type):
        """Checks the blobs that a document refers to."""
        if media_type == INDEX:
            for child in document["manifests"]:
                self.blob(child)
        elif media_type == MANIFEST:
            for child in [document["config"], *document["layers"]]:
                self.blob(child)


def main():
    layout = Layout(sys.argv[1])
    layout.check("oci-layout", json.loads((layout.folder / "oci-layout").read_text()), "image-layout-schema.json")
    for name in ["index.json", "referrers.json"]:
        if (layout.folder / name).exists():
            index = json.loads((layout.folder / name).read_text())
            layout.check(name, index, "image-index-schema.json")
            layout.children(index, INDEX)
    if layout.wrong:
        sys.exit("\n".join(layout.wrong))
    print(layout.checked)


if __name__ == "__main__":
    main()
