//! Images with operating-system packages: on a base without Python, and without any base.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::roots;
use crate::support::answer::Request;
use crate::support::command::{pybundle, succeed, tool};
use crate::support::docker::docker;
use crate::support::sample::is_every_case;
use crate::support::uv::Project;

/// Imports what is linked to packages, or opens their libraries by name; reads who is process 1.
const CHECK: &str = r#"
import json, os, pathlib
import cv2, magic, psycopg

print(json.dumps({
    "psycopg": psycopg.pq.__impl__,
    "magic": magic.from_buffer(b"%PDF-1.4", mime=True),
    "cv2": cv2.__version__ != "",
    "first": pathlib.Path("/proc/1/comm").read_text().strip(),
    "uid": os.getuid(),
}))
"#;

/// An application that needs compiled modules of the standard library, the C++ library, certificates and the user database.
const SERVICE: &str = r#"
import asyncio, ctypes, os, pathlib, pwd, sqlite3, ssl, zoneinfo
import numpy
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
def index():
    return {
        "sum": int(numpy.arange(5).sum()),
        "uid": os.getuid(),
        "root": pwd.getpwuid(0).pw_name,
        "certificates": len(ssl.create_default_context().get_ca_certs()) > 100,
        "zone": str(zoneinfo.ZoneInfo("Europe/Berlin")),
        "shell": os.path.exists("/bin/sh"),
        "bytecode": os.path.exists(asyncio.__cached__),
    }
"#;

/// Returns a slim Debian 12 without Python, as an OCI layout.
fn debian(directory: &Path) -> PathBuf {
    let (_, archive) = roots::root("bookworm");
    let layout = directory.join("debian");
    let image = format!("{}:latest", layout.display());
    succeed(Command::new("umoci").args(["init", "--layout"]).arg(&layout));
    succeed(Command::new("umoci").args(["new", "--image", &image]));
    succeed(Command::new("umoci").args(["raw", "add-layer", "--image", &image]).arg(archive));
    layout
}

/// Builds the only target of a project, and loads its image into Docker.
fn build(project: &Project, name: &str) -> Value {
    let build = |arguments: &[&str]| {
        let mut command = pybundle(arguments);
        command.current_dir(project.path()).args(["--cache-dir", "cache"]);
        command
    };
    succeed(&mut build(&["apt", "lock"]));
    let archive = project.path().join("image.tar");
    let output = format!("docker-archive:{}", archive.display());
    // Compiling a standard library takes several seconds.
    let bytecode = if is_every_case() { "--compile-bytecode" } else { "--no-compile-bytecode" };
    let report = succeed(&mut build(&["image", "--json", bytecode, "-t", name, "-o", &output]));
    docker().load(&archive);
    serde_json::from_str(&report).unwrap()
}

#[test]
fn wheels_find_the_libraries_of_packages() {
    let project = Project::new(&[
        ("app.py", CHECK),
        (
            "pyproject.toml",
            "[project]\nname = \"shop\"\nversion = \"1\"\nrequires-python = \"==3.11.*\"\n\
             dependencies = [\"psycopg\", \"python-magic\", \"opencv-python\", \"numpy\"]\n\
             [tool.pybundle]\nbase = \"oci:debian\"\npython = { apt = \"python3.11\" }\n\
             apt = [\"tini\", \"libpq5\", \"libmagic1\", \"libgl1\", \"libglib2.0-0\"]\n\
             entrypoint = [\"tini\", \"--\"]\ncmd = [\"python\", \"app.py\"]\nuser = \"1000\"\n\
             [tool.pybundle.target.web]\nkind = \"image\"\n",
        ),
    ]);
    debian(project.path());
    project.uv(&["lock", "--quiet"]);
    let report = build(&project, "packages:1");
    let printed = succeed(&mut docker().run("packages:1", &[], &[]));
    let found: Value = serde_json::from_str(&printed).unwrap();
    let expected = serde_json::json!({
        "psycopg": "python", "magic": "application/pdf", "cv2": true, "first": "tini", "uid": 1000
    });
    assert_eq!(found, expected);

    // dpkg knows every package, of the base and above it, and so does a scanner; nothing is left to configure.
    let dpkg =
        |arguments: &[&str]| succeed(&mut docker().run("packages:1", &["--entrypoint=dpkg", "--user=0"], arguments));
    let installed = dpkg(&["-l"]).lines().filter(|line| line.starts_with("ii ")).count();
    assert_eq!(dpkg(&["--audit"]), "");
    let name = format!("docker-archive:{}", project.path().join("image.tar").display());
    let mut syft = Command::new(tool("syft"));
    let scanned = succeed(syft.args(["scan", "--output=json", &name]).env("SYFT_CHECK_FOR_APP_UPDATE", "false"));
    let scanned: Value = serde_json::from_str(&scanned).unwrap();
    let debs = scanned["artifacts"].as_array().unwrap().iter().filter(|artifact| artifact["type"] == "deb").count();
    assert_eq!(debs, installed);
    let added = report["platforms"][0]["packages"].as_array().unwrap();
    let requested = added.iter().filter(|package| package["requested"] == true).count();
    assert_eq!(requested, 6);
    assert!(added.len() > 50 && installed > added.len(), "{} {installed}", added.len());
    // Their files are not the application's.
    let archive = format!("docker-archive:{}", project.path().join("image.tar").display());
    let inspected = succeed(&mut pybundle(&["inspect", "--json", &archive]));
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let files = |kind: &str| {
        let mut owners = inspected["contents"].as_array().unwrap().iter();
        owners.find(|owner| owner["kind"] == kind).map(|owner| owner["files"].as_u64().unwrap())
    };
    assert!(files("system-packages").is_some_and(|files| files > 500), "{inspected}");
    // app.py, perhaps its bytecode, pyvenv.cfg and three links.
    assert_eq!(files("application"), Some(5 + u64::from(is_every_case())));
    // The linker's cache is that of ldconfig.
    let script = "cp /etc/ld.so.cache /tmp/ours && ldconfig && cmp /tmp/ours /etc/ld.so.cache && echo same";
    let compared = succeed(&mut docker().run("packages:1", &["--entrypoint=sh", "--user=0"], &["-c", script]));
    assert_eq!(compared, "same\n");
}

#[test]
fn an_image_without_a_base_serves() {
    let project = Project::new(&[
        ("main.py", SERVICE),
        (
            "pyproject.toml",
            "[project]\nname = \"api\"\nversion = \"1\"\nrequires-python = \"==3.13.*\"\n\
             dependencies = [\"fastapi\", \"numpy\", \"uvicorn\"]\n\
             [tool.pybundle]\npython = { apt = \"python3.13\" }\ncmd = [\"uvicorn\", \"main:app\", \"--port\", \"8000\"]\n\
             [tool.pybundle.target.web]\nkind = \"image\"\n",
        ),
    ]);
    project.uv(&["lock", "--quiet"]);
    let report = build(&project, "alone:1");
    assert_eq!(report["platforms"][0]["base_layers"], 0);
    assert_eq!(report["platforms"][0]["interpreter"], "/usr/bin/python3.13");
    let container = docker().container("alone:1", &[], &[]);
    let answer = container.answer(&Request::get("http://127.0.0.1:8000/"));
    let expected = serde_json::json!({
        "sum": 10, "uid": 65532, "root": "root", "certificates": true, "zone": "Europe/Berlin", "shell": false,
        "bytecode": is_every_case()
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(container.stop(), 0);
}
