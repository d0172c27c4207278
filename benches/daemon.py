"""A Docker daemon of a benchmark's own."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

from measure import ROOT, WORK, measure


class Daemon:
    """A daemon without images, and a client that has BuildKit."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-docker-"))
        state = tempfile.mkdtemp(dir=WORK, prefix="docker-")
        self.log = (WORK / "dockerd.log").open("w")
        script = ROOT / "tests/support/dockerd.sh"
        self.guard = subprocess.Popen(["sh", script, state, self.folder], stdin=subprocess.PIPE, stdout=self.log,
                                      stderr=subprocess.STDOUT)
        self.environment = {**os.environ, "DOCKER_HOST": f"unix://{self.folder}/docker.sock", "DOCKER_BUILDKIT": "1",
                            "DOCKER_CONFIG": str(self.folder / "client")}
        self.program = self.client()

    def client(self):
        """Returns a client that has BuildKit: one with buildx, or one that is old enough to have it built in."""
        deadline = time.monotonic() + 60
        while subprocess.run(["docker", "version"], env=self.environment, capture_output=True).returncode != 0:
            if time.monotonic() > deadline or self.guard.poll() is not None:
                sys.exit(f"{sys.argv[0]}: Docker does not run here, see {self.log.name}")
            time.sleep(0.1)
        for program in ("docker", "/usr/bin/docker"):
            modern = subprocess.run([program, "buildx", "version"], env=self.environment, capture_output=True)
            version = subprocess.run([program, "version", "--format", "{{.Client.Version}}"], env=self.environment,
                                     capture_output=True, text=True).stdout
            if modern.returncode == 0 or int((version or "99").split(".")[0]) < 23:
                return program
        sys.exit(f"{sys.argv[0]}: docker has no BuildKit: install buildx")

    def run(self, *arguments):
        """Runs a command of the client, and returns its time and memory."""
        return measure([self.program, *arguments], env=self.environment, stdout=subprocess.DEVNULL)

    def load(self, source, name):
        """Copies an image into the daemon."""
        with tempfile.TemporaryDirectory(dir=WORK) as folder:
            archive = f"{folder}/image.tar"
            measure(["skopeo", "copy", "--quiet", "--insecure-policy", source, f"docker-archive:{archive}:{name}:latest"])
            self.run("load", "--quiet", "--input", archive)

    def build(self, context, tag, *options):
        """Builds an image of a folder."""
        return self.run("build", "--quiet", "--tag", tag, *options, context)

    def push(self, reference):
        """Pushes an image."""
        return self.run("push", "--quiet", reference)

    def close(self):
        """Ends the daemon, which removes its folders."""
        self.guard.stdin.close()
        self.guard.wait()
