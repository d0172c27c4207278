"""Sends one HTTP request as soon as a server answers, and prints the status and the body as JSON.

    python -c request.py URL BODY SECONDS [PROGRAM [ARGUMENT…]]

Runs in a container next to the server, with the image's interpreter, and therefore is one file that needs only the standard
library. BODY is sent with POST; without it, the request is a GET. PROGRAM is started before the request and stopped after it.
"""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

url, body, seconds, *command = sys.argv[1:]
deadline = time.monotonic() + float(seconds)
server = subprocess.Popen(command, stdout=sys.stderr) if command else None
while True:
    try:
        with urllib.request.urlopen(url, body.encode() or None, timeout=float(seconds)) as response:
            status, answer = response.status, response.read()
        break
    except urllib.error.HTTPError as error:
        status, answer = error.code, error.read()
        break
    except urllib.error.URLError as error:
        # Connections are refused until the server listens.
        ended = server is not None and server.poll() is not None
        if ended or time.monotonic() > deadline or not isinstance(error.reason, ConnectionRefusedError):
            sys.exit(f"no answer from {url}: {error.reason}" + (f"; the server ended with {server.returncode}" if ended else ""))
        time.sleep(0.02)
print(json.dumps({"status": status, "body": answer.decode(errors="replace")}))
if server:
    server.terminate()
