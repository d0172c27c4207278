"""Stands before a registry as Amazon's ECR does: by TLS, and for repositories alone that were created.

    ecr.py CERTIFICATE KEY PORT MOTO

Listens on 127.0.0.1:443. What is asked of a repository that moto does not know, with a login, is answered as ECR answers
it. Everything else goes to the registry at PORT, each request on a connection of its own.
"""

import json
import re
import socket
import ssl
import sys
import threading

import boto3

certificate, key, port, moto = sys.argv[1:]
ecr = boto3.client("ecr", endpoint_url=moto, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")


def exists(name):
    """Tells whether a repository was created."""
    try:
        ecr.describe_repositories(repositoryNames=[name])
        return True
    except ecr.exceptions.RepositoryNotFoundException:
        return False


def refusal(name):
    """Returns the answer for a repository that is not there."""
    message = f"The repository with name '{name}' does not exist in the registry with id '123456789012'"
    body = json.dumps({"errors": [{"code": "NAME_UNKNOWN", "message": message}]})
    head = "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def pump(source, sink):
    """Passes bytes on until there are no more."""
    try:
        while chunk := source.recv(1 << 16):
            sink.sendall(chunk)
    except OSError:
        pass  # One side went away, and the other one will notice.


def serve(connection):
    """Answers one request."""
    with tls.wrap_socket(connection, server_side=True) as client:
        head = b""
        while b"\r\n\r\n" not in head:
            chunk = client.recv(1 << 16)
            if not chunk:
                return
            head += chunk
        line, rest = head.split(b"\r\n", 1)
        name = re.match(rb"\w+ /v2/(.+)/(?:manifests|blobs)/", line)
        if name and b"\r\nauthorization:" in head.lower() and not exists(name[1].decode()):
            client.sendall(refusal(name[1].decode()))
            return
        with socket.create_connection(("127.0.0.1", int(port))) as registry:
            registry.sendall(line + b"\r\nConnection: close\r\nX-Forwarded-Proto: https\r\n" + rest)
            threading.Thread(target=pump, args=(client, registry), daemon=True).start()
            pump(registry, client)


tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(certificate, key)
listener = socket.create_server(("127.0.0.1", 443))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
