"""What the benchmarks share: the sets of distributions, how commands are measured, and how results are shown."""

import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "bench"
PYBUNDLE = ROOT / "target" / "release" / "pybundle"
PYTHON = "3.12"
SETS = {
    "S": ["requests", "boto3", "pydantic"],
    "M": ["numpy", "pandas", "fastapi", "uvicorn", "sqlalchemy"],
    "L": ["numpy", "pandas", "scipy", "pyarrow", "scikit-learn"],
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
