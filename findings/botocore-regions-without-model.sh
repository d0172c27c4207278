#!/usr/bin/env bash
# Without the model of a service, botocore's clients fail with an error that lists the services, but
# `Session.get_available_regions` returns an empty list and no error: it reads the endpoint's prefix from the model first, and
# takes an unknown service for one without regions. Regions are in endpoints.json, so whoever removes models to save space
# expects the list to stay as it was. The directory listing is what counts as the list of services.
#
# Seen with botocore 1.44.8.
#
# needs: python3 of 3.10 or later with pip; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m pip install --quiet --disable-pip-version-check --target "$work" botocore==1.44.8
ask() {
    PYTHONPATH=$work python3 -B -c '
from botocore.exceptions import UnknownServiceError
from botocore.session import Session
session = Session()
print("regions:", len(session.get_available_regions("ec2")) > 0)
print("listed:", "ec2" in session.get_available_services())
try:
    session.create_client("ec2", region_name="eu-west-1")
    print("client: created")
except UnknownServiceError as error:
    print("client:", str(error).split(".")[0])
'
}
whole=$(ask)
rm -r "$work/botocore/data/ec2"
without=$(ask)
printf '%s\n' "with the model of ec2:" "$whole" "without it:" "$without"

[ "$whole" = "regions: True
listed: True
client: created" ]
[ "$without" = "regions: False
listed: False
client: Unknown service: 'ec2'" ]
