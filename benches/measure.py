"""What the benchmarks share: the sets of distributions, how commands are measured, and how results are shown."""

import contextlib
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "bench"
PYBUNDLE = ROOT / "target" / "release" / "pybundle"
PYTHON = "3.12"
BASE = ROOT / "target" / "test-tools" / "bases" / f"slim-{PYTHON}"
SETS = {
    "S": ["requests", "boto3", "pydantic"],
    "M": ["numpy", "pandas", "fastapi", "uvicorn", "sqlalchemy"],
    "L": ["numpy", "pandas", "scipy", "pyarrow", "scikit-learn"],
    "F": ["alembic", "beautifulsoup4", "boto3", "celery[redis]", "fastapi[standard]", "gunicorn", "httpx", "jinja2", "lxml",
          "numpy", "opentelemetry-exporter-otlp", "opentelemetry-instrumentation-fastapi", "opentelemetry-sdk", "orjson",
          "prometheus-client", "psycopg[binary]", "pyjwt[crypto]", "requests", "rich", "sentry-sdk[fastapi]",
          "sqlalchemy[asyncio]", "structlog", "tenacity", "typer"],
}
os.environ["UV_PYTHON_DOWNLOADS"] = "never"


def measure(*commands, **options):
    """Runs commands one after the other; returns the seconds, and the largest resident set in megabytes."""
    start, largest = time.perf_counter(), 0
    for command in commands:
        process = subprocess.Popen([str(part) for part in command], **options)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{sys.argv[0]}: exit status {process.returncode}: {' '.join(map(str, command))}")
        largest = max(largest, usage.ru_maxrss / (1 if sys.platform != "darwin" else 1024))
    return time.perf_counter() - start, largest / 1024


def lock(project, name):
    """Makes a project of a set's distributions, and locks it."""
    project.mkdir(parents=True, exist_ok=True)
    (project / "app.py").write_text("def handler(event, context):\n    return event\n")
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "bench"\nversion = "1.0"\nrequires-python = ">=3.9"\n'
        f"dependencies = {SETS[name]}\n".replace("'", '"'))
    subprocess.run(["uv", "lock", "--quiet", "--project", project], check=True)


def table(rows):
    """Prints medians, ranges and ratios to the first row; rows without runs are left out."""
    rows = [row for row in rows if row[1]]
    base = statistics.median(seconds for seconds, _ in rows[0][1])
    print(f"{'':24} {'median':>9} {'fastest':>9} {'slowest':>9} {'ratio':>7} {'memory':>8}")
    for name, runs in rows:
        times = [seconds for seconds, _ in runs]
        median, memory = statistics.median(times), max(memory for _, memory in runs)
        print(f"{name:24} {median:8.3f}s {min(times):8.3f}s {max(times):8.3f}s {median / base:7.2f} {memory:5.0f} MB")


def wait_for(port):
    """Waits until something listens on a port of the loopback."""
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        if time.monotonic() > deadline:
            sys.exit(f"benches: nothing listens on port {port}")
        time.sleep(0.02)


def free_port():
    """Returns a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Registry:
    """A registry on the loopback, empty at first."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=WORK, prefix="registry-"))
        self.port, self.log = free_port(), self.folder / "log"
        (self.folder / "config.yml").write_text(
            f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: 127.0.0.1:{self.port}, secret: bench}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder}/storage}}}}\n")

    def __enter__(self):
        with self.log.open("w") as log:
            command = ["docker-registry", "serve", self.folder / "config.yml"]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        wait_for(self.port)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)

    def reference(self, port=None):
        """Returns the tag that is pushed to, by way of another port if one is given."""
        return f"127.0.0.1:{port or self.port}/bench:1"

    def requests(self):
        """Returns the requests so far, as the access log has them, without their queries."""
        lines = self.log.read_text().splitlines()
        return [line.split('"')[1].split("?")[0] for line in lines if "HTTP/1." in line]


class Meter:
    """Forwards connections to a server on the loopback, and counts the bytes that are sent to it. They are sent at a rate in
    bytes a second, all connections together, if one is given."""

    def __init__(self, port, rate=None):
        self.upstream, self.sent, self.rate, self.free_at = port, 0, rate, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        """Forwards each connection in both directions."""
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.upstream))
            threading.Thread(target=self.forward, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self.forward, args=(server, client, False), daemon=True).start()

    def forward(self, source, target, is_upload):
        """Copies what one end sends to the other, until it has no more."""
        with contextlib.suppress(OSError):
            while chunk := source.recv(1 << 16):
                if is_upload:
                    self.send(len(chunk))
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)

    def send(self, count):
        """Counts bytes, and waits as long as the link needs for them."""
        with self.lock:
            self.sent += count
            if self.rate:
                self.free_at = max(self.free_at, time.monotonic()) + count / self.rate
        if self.rate:
            time.sleep(max(0, self.free_at - time.monotonic()))
