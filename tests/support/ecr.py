"""A proxy that makes a registry behave like Amazon ECR: it uses TLS, and repositories have to be created.

    ecr.py CERTIFICATE KEY PORT MOTO

Listens on 127.0.0.1:443. Authenticated requests for a repository that moto does not know are answered as by ECR. All other
requests are forwarded to the registry at PORT, each on a new connection.
"""

import asyncio
import json
import re
import ssl
import sys

import boto3

certificate, key, port, moto = sys.argv[1:]
ecr = boto3.client("ecr", endpoint_url=moto, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")


def exists(name):
    """Returns whether a repository was created."""
    try:
        ecr.describe_repositories(repositoryNames=[name])
        return True
    except ecr.exceptions.RepositoryNotFoundException:
        return False


def refusal(name):
    """Returns the answer for a repository that does not exist."""
    message = f"The repository with name '{name}' does not exist in the registry with id '123456789012'"
    body = json.dumps({"errors": [{"code": "NAME_UNKNOWN", "message": message}]})
    head = "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


async def copy(source, sink):
    """Copies bytes until the end of the source."""
    try:
        while chunk := await source.read(1 << 16):
            sink.write(chunk)
            await sink.drain()
    except OSError:
        pass  # One side closed its connection; its other direction ends, too.


async def forward(head, client, answers):
    """Sends a request to the registry, or answers it as ECR does, until the answer ends."""
    line, rest = head.split(b"\r\n", 1)
    if b"/team/apart/" in line:
        # As without the account setting BLOB_MOUNTING: an upload begins instead.
        line = line.replace(b"mount=", b"ignored=")
    name = re.match(rb"\w+ /v2/(.+)/(?:manifests|blobs)/", line)
    if name and b"\r\nauthorization:" in head.lower():
        if not await asyncio.to_thread(exists, name[1].decode()):
            answers.write(refusal(name[1].decode()))
            await answers.drain()
            return
    from_registry, registry = await asyncio.open_connection("127.0.0.1", int(port))
    registry.write(line + b"\r\nConnection: close\r\nX-Forwarded-Proto: https\r\n" + rest)
    body = asyncio.create_task(copy(client, registry))
    await copy(from_registry, answers)
    body.cancel()
    registry.close()


async def serve(client, answers):
    """Answers one request."""
    try:
        await forward(await client.readuntil(b"\r\n\r\n"), client, answers)
    except (OSError, asyncio.IncompleteReadError):
        pass  # The client closed the connection, as it may at any time.
    finally:
        answers.close()


async def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    # One thread for all: two threads that read and write one TLS connection at a time damage it (python/cpython#151508).
    server = await asyncio.start_server(serve, "127.0.0.1", 443, ssl=tls, backlog=128)
    await server.serve_forever()


asyncio.run(main())
