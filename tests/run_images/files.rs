//! A service as it is deployed: with a start script, its own user, a secret and a writable directory.

use serde_json::json;

use crate::projects::image;
use crate::support::bases;
use crate::support::command::succeed;
use crate::support::docker::docker;
use crate::support::uv::Project;

const PROJECT: &str = r#"[project]
name = "service"
version = "1"
requires-python = ">=3.9"

[tool.pybundle]
include = [
    "service.py",
    { path = "docker/entrypoint.sh", to = "/usr/local/bin/", mode = "0755" },
    { path = "docker/secret.ini", to = "/etc/service/secret.ini", mode = "0640", owner = "1000:1000" },
    { path = "docker/data", to = "/var/lib/service", owner = "1000:1000" },
    { path = "docker/secret.ini", to = "/bin/linked.ini" },
    { path = "docker/secret.ini", to = "/tmp/seed.ini" },
]
add-user = ["app:1000"]
user = "app"
entrypoint = ["entrypoint.sh", "--"]
cmd = ["python", "service.py"]
"#;

const SERVICE: &str = r#"import grp, json, os, pathlib, pwd, stat

data = pathlib.Path("/var/lib/service/written")
data.write_text("here")
home = pathlib.Path.home()
(home / "written").write_text("here")
facts = {
    "user": [pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name, os.getuid()],
    "secret": pathlib.Path("/etc/service/secret.ini").read_text(),
    "linked": pathlib.Path("/usr/bin/linked.ini").exists(),
    "home": str(home),
    "started": os.environ["STARTED"],
    "temporary": oct(stat.S_IMODE(os.stat("/tmp").st_mode)),
}
print(json.dumps(facts, sort_keys=True))
"#;

#[test]
fn a_service_starts_by_its_script_as_its_user() {
    let project = Project::new(&[
        ("pyproject.toml", PROJECT),
        ("service.py", SERVICE),
        ("docker/entrypoint.sh", "#!/bin/sh\nset -e\nshift\nSTARTED=\"by $1\" exec \"$@\"\n"),
        ("docker/secret.ini", "password"),
    ]);
    std::fs::create_dir(project.path().join("docker/data")).unwrap();
    project.uv(&["lock"]);
    let archive = project.path().join("service.tar");
    let output = format!("docker-archive:{}", archive.display());
    let base = bases::slim().argument();
    let report = image(&project, &["--base", &base, "--output", &output, "--tag", "service:1"]);
    assert_eq!((&report["warnings"], &report["start"]["user"]), (&json!([]), &json!("1000:1000")));

    assert_eq!(docker().load(&archive), ["service:1"]);
    let printed = succeed(&mut docker().run("service:1", &[], &[]));
    let expected = json!({
        "user": ["app", "app", 1000],
        "secret": "password",
        "linked": true,
        "home": "/home/app",
        "started": "by python",
        "temporary": "0o1777",
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), expected);
}
