"""Validates JSON documents with the schemas in schemas/, which must be valid in the version of JSON Schema that they name.

    documents.py < DOCUMENTS

DOCUMENTS is an array of [NAME, WHAT, DOCUMENT]: the name of the schema, what printed the document, and the document. A
property that the schema does not describe is an error, too. Prints one line for each error, or the number of documents.
"""

import json
import pathlib
import sys

from jsonschema.validators import validator_for

# Keywords whose values are schemas by arbitrary names.
NAMED = ("properties", "$defs")
# Keywords that describe the properties of an object.
COMPOSED = {"$ref", "allOf", "anyOf", "oneOf", "properties"}
SCHEMAS = pathlib.Path(__file__).resolve().parent.parent.parent / "schemas"


def strict(schema):
    """Returns a schema by which objects have only the properties that it describes."""
    if isinstance(schema, list):
        return [strict(value) for value in schema]
    if not isinstance(schema, dict):
        return schema
    named = lambda parts: {name: strict(part) for name, part in parts.items()}
    schema = {key: named(value) if key in NAMED else strict(value) for key, value in schema.items()}
    # Only the schema of a whole value is closed, not the parts that it is composed of.
    if "properties" in schema:
        schema["properties"] = {name: closed(part) for name, part in schema["properties"].items()}
    if "items" in schema:
        schema["items"] = closed(schema["items"])
    return schema


def closed(schema):
    """Returns the closed schema of a value, if it describes an object."""
    describes = isinstance(schema, dict) and not COMPOSED.isdisjoint(schema)
    return {**schema, "unevaluatedProperties": False} if describes else schema


def main():
    validators, wrong = {}, []
    for path in SCHEMAS.glob("*.json"):
        schema = json.loads(path.read_text())
        validator = validator_for(schema)
        validator.check_schema(schema)
        validators[path.stem] = validator(closed(strict(schema)))
    documents = json.load(sys.stdin)
    for name, what, document in documents:
        for error in validators[name].iter_errors(document):
            wrong.append(f"{name}: {what}: {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}")
    if wrong:
        sys.exit("\n".join(wrong))
    print(len(documents))


if __name__ == "__main__":
    main()
