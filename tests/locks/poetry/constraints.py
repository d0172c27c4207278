"""Prints, as JSON, which versions Poetry's constraints allow. Standard input is JSON: a list of constraints and versions.

The answer has a list for each constraint: for each version, whether it is allowed.
"""

import json
import sys

from poetry.core.constraints.version import Version, parse_constraint

constraints, versions = json.load(sys.stdin)
versions = [Version.parse(version) for version in versions]
json.dump([[parse_constraint(text).allows(version) for version in versions] for text in constraints], sys.stdout)
