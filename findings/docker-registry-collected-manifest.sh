#!/usr/bin/env bash
# docker-registry 2.8.2 with the descriptor cache of Debian's own configuration (`cache: blobdescriptor: inmemory`), while it
# runs: after `garbage-collect` a deleted manifest that is pushed again, byte for byte, is accepted with 201, and its tag exists,
# but it is never stored: GET answers 404 however often it is put. A blob that was collected with it is found (HEAD 200, with its
# size), and its GET promises that size and sends no byte. A client that believes HEAD and 201 pushes an image that nobody can
# pull. Until the blobs are uploaded again, only reading them tells.
#
# Seen with docker-registry 2.8.2+ds1-1+b4 or later builds of Debian 12 (distribution issues 2966 and 4569 are about the cache).
#
# needs: apt-get and dpkg-deb of Debian 12; curl; the registry of Debian packages
set -euo pipefail
work=$(mktemp -d)
registry=
trap '[ -z "$registry" ] || kill "$registry"; rm -rf "$work"' EXIT
cd "$work"

apt-get download -q docker-registry >/dev/null
dpkg-deb -x docker-registry_*.deb root
version=$(dpkg-deb -f docker-registry_*.deb Version)
case $version in 2.8.2*) ;; *) echo "docker-registry is $version, not 2.8.2"; exit 1 ;; esac
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -e "s#/var/lib/docker-registry#$work/storage#; s#addr: :5000#addr: 127.0.0.1:$port#" \
    -e '/^auth:/,/^[a-z]/{/^auth:/d;/^  /d}' root/etc/docker/registry/config.yml >config.yml
grep -q 'blobdescriptor: inmemory' config.yml
root/usr/bin/docker-registry serve config.yml >log 2>&1 &
registry=$!
url=http://127.0.0.1:$port/v2/team/app
until curl -s -o answer "http://127.0.0.1:$port/v2/"; do sleep 0.1; done

head -c 100000 /dev/urandom >layer
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}' >config
digest() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }
size() { stat -c %s "$1"; }
upload() {
    local location
    location=$(curl -sf -X POST -D - -o answer "$url/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    curl -sf -o answer -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" "$location&digest=$(digest "$1")"
}
kind=application/vnd.oci.image.manifest.v1+json
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"%s","size":%s}]}' \
    "$kind" "$(digest config)" "$(size config)" "$(digest layer)" "$(size layer)" >manifest
status() { curl -s -o answer -w '%{http_code}' "$@" || true; }
put() { status -X PUT -H "Content-Type: $kind" --data-binary @manifest "$url/manifests/1"; }

upload config
upload layer
echo "first push of the manifest: $(put)"
deleted=$(status -X DELETE "$url/manifests/$(digest manifest)")
echo "manifest deleted: $deleted"
root/usr/bin/docker-registry garbage-collect config.yml >collected
test ! -e "storage/docker/registry/v2/blobs/sha256/$(digest layer | cut -c8-9)/$(digest layer | cut -c8-)"

head=$(status -I "$url/blobs/$(digest layer)")
again=$(put)
got=$(status -H "Accept: $kind" "$url/manifests/1")
rm -f body
curl -s --max-time 10 -D headers -o body "$url/blobs/$(digest layer)" || true
promised=$(tr -d '\r' <headers | sed -n 's/^[Cc]ontent-[Ll]ength: //p')
received=$(stat -c %s body 2>/dev/null || echo 0)
echo "HEAD of the collected layer: $head; the manifest put again: $again; its tag: $got"
echo "GET of the layer: $promised bytes promised, $received received"
[ "$head $again $got $promised $received" = "200 201 404 $(size layer) 0" ]
