import json
import os
import pkgutil

HERE = os.path.dirname(os.path.abspath(__file__))

with open(os.path.join(HERE, "models", "model.ubj"), "rb") as file:
    WEIGHTS = list(file.read())


def handler(event, context):
    labels = json.loads(pkgutil.get_data("labels", "labels.json"))
    return labels[WEIGHTS[0] - ord("A")]
