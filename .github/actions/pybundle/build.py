"""Runs `pybundle build` for the action beside this file: outputs, a summary of the job, and annotations of what failed."""

import base64
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path


def main():
    inputs = os.environ
    document = run(inputs)
    targets = {target["name"]: facts(target) for target in document.get("targets", [])}
    with open(inputs["GITHUB_OUTPUT"], "a", encoding="utf-8") as outputs:
        outputs.write("".join(f"{name}={value}\n" for name, value in single(targets).items()))
        outputs.write(f"json={document['path']}\ntargets={json.dumps(targets)}\n")
        files = [file for target in targets.values() for file in target.get("files", [])]
        outputs.write("\n".join(["files<<end-of-files", *files, "end-of-files", ""]))
    with open(inputs["GITHUB_STEP_SUMMARY"], "a", encoding="utf-8") as page:
        page.write(summary(document, targets))
    for line in annotations(document):
        print(line)
    return document["status"]


def run(inputs):
    """Runs pybundle, and returns its document, with the exit status and where the document lies."""
    command = [inputs["PROGRAM"], "build", *inputs["TARGETS"].split(), "--project", inputs["PROJECT"], "--json"]
    if inputs["WORKSPACE"] == "true":
        command.append("--workspace")
    if inputs["CHANGED_SINCE"]:
        command.append(f"--changed-since={inputs['CHANGED_SINCE']}")
    if inputs["PUSH"] == "true":
        command.append("--push")
    command += shlex.split(inputs["ARGUMENTS"])
    # The log says what to repeat on a laptop.
    print(shlex.join(["pybundle", *command[1:]]), flush=True)
    temporary = tempfile.mkdtemp(prefix="pybundle-", dir=inputs.get("RUNNER_TEMP"))
    path = Path(temporary, "build.json")
    with tempfile.TemporaryDirectory() as login, path.open("wb") as printed:
        status = subprocess.run(command, stdout=printed, env=environment(inputs, login), check=False).returncode
    text = path.read_text(encoding="utf-8")
    document = json.loads(text) if text.strip() else {}
    return {**document, "status": status, "path": str(path)}


def environment(inputs, folder):
    """Returns pybundle's environment: with a login of its own, in this folder, if there is one."""
    if not inputs["REGISTRY"]:
        return inputs
    existing = Path(inputs.get("DOCKER_CONFIG") or Path.home() / ".docker", "config.json")
    config = json.loads(existing.read_text(encoding="utf-8")) if existing.exists() else {}
    login = f"{inputs['REGISTRY_USERNAME']}:{inputs['REGISTRY_PASSWORD']}".encode()
    config.setdefault("auths", {})[inputs["REGISTRY"]] = {"auth": base64.b64encode(login).decode()}
    config.get("credHelpers", {}).pop(inputs["REGISTRY"], None)
    Path(folder, "config.json").write_text(json.dumps(config), encoding="utf-8")
    return {**inputs, "DOCKER_CONFIG": folder}


def facts(target):
    """Returns what later steps want to know of a target."""
    known = {"kind": target["kind"], "project": target["project"], "status": target["status"]}
    if zips := target.get("lambda", {}).get("artifacts"):
        function = next((file for file in zips if file["kind"] == "function"), zips[0])
        known["zip"] = str(Path(function["path"]).absolute())
        known.update({key: function[key] for key in ("sha256", "code_sha256", "size")})
        known["files"] = [str(Path(file["path"]).absolute()) for file in zips]
    if image := target.get("image"):
        known.update(digest=image["digest"], size=max(platform["size"] for platform in image["platforms"]))
        known["references"] = [tag["reference"] for tag in (image.get("pushed") or {}).get("tags", [])]
        places = [output.partition(":") for output in image["outputs"]]
        known["files"] = [str(Path(place).absolute()) for _, _, place in places]
    return known


def single(targets):
    """Returns the outputs of the one target, if there is one."""
    if len(targets) != 1:
        return {}
    (target,) = targets.values()
    return {name: target[name] for name in ("digest", "zip", "sha256", "size") if name in target}


def summary(document, targets):
    """Returns the summary of the job, as Markdown."""
    failures = [target for target in document.get("targets", []) if "error" in target]
    if not targets:
        result = "there was nothing to build" if document["status"] == 0 else "the build failed, see the log"
        return f"### pybundle: {result}\n" + failure("", document)
    built = sum(target["status"] != "failed" for target in targets.values())
    lines = [f"### pybundle: {built} of {len(targets)} targets", "", "| target | kind | | size | |", "| --- | --- | --- | ---: | --- |"]
    for name, target in targets.items():
        marks = {"built": "built", "unchanged": "unchanged", "failed": ":x: failed"}
        size = f"{target['size'] / 1e6:.1f} MB" if "size" in target else ""
        known = [target.get("digest"), target.get("sha256"), *target.get("references", [])]
        code = "<br>".join(f"`{word}`" for word in known if word)
        lines.append(f"| {name} | {target['kind']} | {marks.get(target['status'], target['status'])} | {size} | {code} |")
    return "\n".join(lines) + "\n" + "".join(failure(target["name"], target) for target in failures)


def failure(name, failed):
    """Returns the section of the summary on what failed."""
    if "error" not in failed:
        return ""
    error = failed["error"]
    lines = [error["message"], *error["causes"]]
    hints = "".join(f"- {hint}\n" for hint in error["hints"])
    return f"\n#### {name}\n\n```text\n" + "\n".join(lines) + f"\n```\n\n{hints}"


def annotations(document):
    """Yields GitHub's lines for what failed, and for what the build warns of."""
    for target in [document, *document.get("targets", [])]:
        title = f"pybundle: {target['name']}" if "name" in target else "pybundle"
        built = target.get("lambda") or target.get("image") or {}
        for warning in built.get("warnings", []):
            yield f"::warning title={escaped(title, ':,')}::{escaped(warning)}"
        if error := target.get("error"):
            lines = [error["message"], *error["causes"], *error["hints"]]
            yield f"::error title={escaped(title, ':,')}::" + escaped("\n".join(lines))


def escaped(text, also=""):
    """Returns text as it stands in a command of GitHub's log."""
    return "".join(f"%{ord(letter):02X}" if letter in "%\r\n" + also else letter for letter in text)


if __name__ == "__main__":
    sys.exit(main())
