"""A proxy that makes a registry behave like Amazon ECR: it uses TLS, and repositories have to be created.

    ecr.py CERTIFICATE KEY PORT MOTO

Listens on 127.0.0.1:443. Authenticated requests for a repository that moto does not know are answered as by ECR. All other
requests are forwarded to the registry at PORT, each on a new connection.
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


def pump(source, sink):
    """Copies bytes until the end of the source."""
    try:
        while chunk := source.recv(1 << 16):
            sink.sendall(chunk)
    except OSError:
        pass  # One side closed its connection; the other thread notices it, too.


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
        if b"/team/apart/" in line:
            # As without the account setting BLOB_MOUNTING: an upload begins instead.
            line = line.replace(b"mount=", b"ignored=")
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
