"""Runs `pybundle build` for action.yml: sets the outputs, writes the job summary and annotates failures."""

import base64
import json
import os
import re
import secrets
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path


def main():
    inputs = os.environ
    document = run(inputs)
    targets = {target["name"]: facts(target) for target in document.get("targets", [])}
    files = [file for target in targets.values() for file in target.get("files", [])]
    with open(inputs["GITHUB_OUTPUT"], "a", encoding="utf-8") as outputs:
        for name, value in {**single(targets), "json": document["path"], "targets": json.dumps(targets)}.items():
            outputs.write(output(name, [str(value)]))
        outputs.write(output("files", files))
    sizes = Path(inputs["SIZES"]) if inputs.get("SIZES") else None
    with open(inputs["GITHUB_STEP_SUMMARY"], "a", encoding="utf-8") as page:
        page.write(summary(document, targets, previous(sizes)))
    remember(sizes, targets)
    for line in annotations(document):
        print(line)
    return document["status"]


def output(name, lines):
    """Returns the entry of an output in GITHUB_OUTPUT. The delimiter is random, so that no value can end it and begin
    another output; a line break in a value would look like two values."""
    for line in lines:
        if any(not letter.isprintable() for letter in line):
            sys.exit(f"error: the output `{name}` would contain a control character: {line!r}")
    delimiter = secrets.token_hex(16)
    return "\n".join([f"{name}<<{delimiter}", *lines, delimiter, ""])


def run(inputs):
    """Runs pybundle and returns its JSON document, extended by the exit status and the path of the document."""
    command = [inputs["PROGRAM"], "build", *inputs["TARGETS"].split(), "--project", inputs["PROJECT"], "--json"]
    if inputs["WORKSPACE"] == "true":
        command.append("--workspace")
    if inputs["CHANGED_SINCE"]:
        command.append(f"--changed-since={inputs['CHANGED_SINCE']}")
    if inputs["PUSH"] == "true":
        command.append("--push")
    command += shlex.split(inputs["ARGUMENTS"])
    # What pybundle prints may quote files that others wrote, so nothing in it is a workflow command. All of it goes to one
    # stream, because the runner reads the two streams independently.
    token = secrets.token_hex(16)
    # Prints the command so that it can be repeated elsewhere.
    shown = shlex.join(["pybundle", *command[1:]])
    print(f"::stop-commands::{token}\n{shown}", file=sys.stderr, flush=True)
    path = Path(tempfile.mkdtemp(prefix="pybundle-", dir=inputs.get("RUNNER_TEMP")), "build.json")
    messages = []
    with tempfile.TemporaryDirectory() as login, path.open("wb") as printed:
        child = subprocess.Popen(command, stdout=printed, stderr=subprocess.PIPE, env=environment(inputs, login))
        for line in child.stderr:
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
            messages.append(line.decode(errors="replace").rstrip())
        status = child.wait()
    print(f"::{token}::", file=sys.stderr, flush=True)
    text = path.read_text(encoding="utf-8")
    document = json.loads(text) if text.strip() else {"error": last_error(messages)}
    return {**document, "status": status, "path": str(path)}


def last_error(messages):
    """Returns the error that pybundle printed instead of a document."""
    start = next((at for at, line in enumerate(messages) if line.startswith("error: ")), 0)
    message, *causes = [*messages[start:], "pybundle printed no message"]
    return {"message": message.replace("error: ", "", 1), "causes": causes[:-1], "hints": []}


def environment(inputs, directory):
    """Returns pybundle's environment. A login given as input goes to a Docker configuration in this directory."""
    known = {name: value for name, value in inputs.items() if name != "REGISTRY_PASSWORD"}
    # What is merged is built from what others can read; a pull request must not write what other builds believe.
    if inputs["PUSH"] == "true" and not inputs.get("GITHUB_EVENT_NAME", "").startswith("pull_request"):
        known.setdefault("PYBUNDLE_REMOTE_CACHE", "auto")
    if not inputs["REGISTRY"]:
        return known
    existing = Path(inputs.get("DOCKER_CONFIG") or Path.home() / ".docker", "config.json")
    config = json.loads(existing.read_text(encoding="utf-8")) if existing.exists() else {}
    login = f"{inputs['REGISTRY_USERNAME']}:{inputs['REGISTRY_PASSWORD']}".encode()
    config.setdefault("auths", {})[inputs["REGISTRY"]] = {"auth": base64.b64encode(login).decode()}
    config.get("credHelpers", {}).pop(inputs["REGISTRY"], None)
    Path(directory, "config.json").write_text(json.dumps(config), encoding="utf-8")
    return {**known, "DOCKER_CONFIG": directory}


def facts(target):
    """Returns what the output `targets` contains about a target."""
    known = {"kind": target["kind"], "project": target["project"], "status": target["status"]}
    if zips := target.get("lambda", {}).get("artifacts"):
        function = next((file for file in zips if file["kind"] == "function"), zips[0])
        known["zip"] = str(Path(function["path"]).absolute())
        known.update({key: function[key] for key in ("sha256", "code_sha256", "size")})
        known["files"] = [str(Path(file["path"]).absolute()) for file in zips]
    if image := target.get("image"):
        known.update(digest=image["digest"], size=max(platform["size"] for platform in image["platforms"]))
        known["references"] = [tag["reference"] for tag in (image.get("pushed") or {}).get("tags", [])]
        outputs = [output.partition(":") for output in image["outputs"]]
        known["files"] = [str(Path(path).absolute()) for _, _, path in outputs]
    return known


def single(targets):
    """Returns the outputs that are only set if exactly one target was built."""
    if len(targets) != 1:
        return {}
    (target,) = targets.values()
    return {name: target[name] for name in ("digest", "zip", "sha256", "size") if name in target}


def previous(path):
    """Returns the sizes of the targets as an earlier run left them in the cache, by the names of the targets."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}


def remember(path, targets):
    """Keeps the sizes of the targets that were built for the next run."""
    if path and path.parent.is_dir():
        sizes = {name: target["size"] for name, target in targets.items() if "size" in target}
        path.write_text(json.dumps({**previous(path), **sizes}, sort_keys=True), encoding="utf-8")


def growth(size, before):
    """Formats how a size differs from that of the previous build."""
    if before is None:
        return ""
    if size == before:
        return " (unchanged)"
    sign = "+" if size > before else "−"
    return f" ({sign}{format_size(abs(size - before))}, {sign}{100 * abs(size - before) / before:.1f} %)"


def summary(document, targets, before):
    """Returns the job summary as Markdown. `before` has the sizes of the previous build."""
    if "error" in document:
        return "### pybundle failed\n" + failure(document["error"])
    built = sum(target["status"] != "failed" for target in targets.values())
    lines = [f"### pybundle: {built} of {len(targets)} targets", ""]
    lines += ["| target | kind | | size | |", "| --- | --- | --- | ---: | --- |"]
    for name, target in targets.items():
        status = ":x: failed" if target["status"] == "failed" else target["status"]
        size = format_size(target["size"]) + growth(target["size"], before.get(name)) if "size" in target else ""
        known = target.get("references") or [target.get("digest") or target.get("sha256")]
        code = "<br>".join(f"`{digest}`" for digest in known if digest)
        lines.append(f"| {name} | {target['kind']} | {status} | {size} | {code} |")
    failures = [target for target in document["targets"] if "error" in target]
    sections = [f"\n#### {target['name']}\n" + failure(target["error"]) for target in failures]
    return "\n".join(lines) + "\n" + "".join(sections)


def format_size(size):
    """Formats a size as pybundle does."""
    units = ["B", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.1f} {units[0]}" if units[0] != "B" else f"{size} B"


def failure(error):
    """Formats an error and its hints as Markdown."""
    text = "\n".join([error["message"], *error["causes"]])
    # A fence is longer than any in the text (CommonMark 0.31, fenced code blocks).
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`+", text))])
    hints = "".join(f"- {hint}\n" for hint in error["hints"])
    return f"\n{fence}text\n{text}\n{fence}\n\n{hints}"


def annotations(document):
    """Yields a workflow command for each error and warning."""
    for target in [document, *document.get("targets", [])]:
        title = f"pybundle: {target['name']}" if "name" in target else "pybundle"
        built = target.get("lambda") or target.get("image") or {}
        for warning in built.get("warnings", []):
            yield f"::warning title={escaped(title, ':,')}::{escaped(warning)}"
        if error := target.get("error"):
            lines = [error["message"], *error["causes"], *error["hints"]]
            # A message that begins with a file and line is shown there in the pull request.
            location = re.match(r"([^\s:]+):([0-9]+): ", error["message"])
            properties = f",file={escaped(location[1], ':,')},line={location[2]}" if location else ""
            yield f"::error title={escaped(title, ':,')}{properties}::" + escaped("\n".join(lines))


def escaped(text, also=""):
    """Escapes text for a workflow command."""
    return "".join(f"%{ord(letter):02X}" if letter in "%\r\n" + also else letter for letter in text)


if __name__ == "__main__":
    sys.exit(main())
