//! Files with their own mode, owner or destination, users that are added to the base, and commands that would not start.

use std::fs;

use serde_json::Value;

use crate::built::{Built, Kind};
use crate::support::command::{self, succeed};
use crate::tiny::{Content, Tiny};
use crate::workshop::Workshop;

/// A base that is laid out like Debian's, with links and directories that a layer could break.
fn base() -> Tiny {
    Tiny::python().members(&[
        ("bin", 0o777, 0, Content::Link("usr/bin")),
        ("etc", 0o755, 0, Content::Directory),
        ("etc/passwd", 0o644, 0, Content::Text("root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/srv:/bin/sh\n")),
        ("etc/group", 0o644, 0, Content::Text("root:x:0:\nwww:x:33:\n")),
        ("etc/shadow", 0o640, 42, Content::Text("root:*:::::::\n")),
        ("srv/www", 0o2750, 33, Content::Directory),
        ("tmp", 0o1777, 0, Content::Directory),
        ("usr/bin", 0o755, 0, Content::Directory),
        ("usr/bin/sh", 0o755, 0, Content::Text("a shell")),
        ("usr/bin/tini", 0o755, 0, Content::Text("an init")),
    ])
}

/// Returns a project with files of a service, whose pyproject.toml ends with these lines, on that base.
fn workshop(tables: &str) -> Workshop {
    let workshop = Workshop::new();
    base().write(&workshop.path("base"));
    workshop.write("docker/entrypoint.sh", "#!/bin/sh\nexec \"$@\"\n");
    workshop.write("docker/settings.ini", "[web]\nport = 8000\n");
    workshop.write("docker/conf/secret.ini", "password\n");
    workshop.write("docker/conf/more/other.ini", "password\n");
    fs::create_dir(workshop.path("project/docker/data")).unwrap();
    configure(&workshop, tables);
    workshop
}

fn configure(workshop: &Workshop, tables: &str) {
    let path = workshop.path("project/pyproject.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (text, _) = text.split_once("[tool.pybundle]").unwrap_or((&text, ""));
    fs::write(&path, format!("{text}[tool.pybundle]\n{tables}\n")).unwrap();
}

/// Returns what lies below one of these paths, each with its mode, owner and group.
fn listed(image: &Built, below: &[&str]) -> Vec<String> {
    let tree = image.tree();
    let is_below = |path: &str| below.iter().any(|directory| path.starts_with(directory));
    let members = tree.values().filter(|member| is_below(&member.path));
    let slash = |kind: &Kind| if *kind == Kind::Directory { "/" } else { "" };
    members
        .map(|member| {
            let (uid, gid, _) = member.stamp;
            format!("{:04o} {uid}:{gid} {}{}", member.mode, member.path, slash(&member.kind))
        })
        .collect()
}

const SERVICE: &str = r#"include = [
    "app.py", "shop",
    { path = "docker/entrypoint.sh", to = "/usr/local/bin/", mode = "0755" },
    { path = "docker/settings.ini", to = "/srv/www/settings.ini" },
    { path = "docker/conf", to = "conf", mode = "0640", owner = "1000:50" },
    { path = "docker/data", to = "/var/lib/app", owner = "1000" },
    { path = "docker/entrypoint.sh", to = "/bin/again" },
    { path = "docker/settings.ini", to = "/tmp/settings.ini", mode = "0600", owner = "3000000" },
]
add-user = ["app"]
user = "app""#;

#[test]
fn files_have_their_destinations_modes_and_owners() {
    let workshop = workshop(SERVICE);
    let image = workshop.build(&[]);
    assert_eq!(
        listed(&image, &["app/conf", "bin", "etc", "home", "srv", "tmp", "usr", "var"]),
        [
            "0755 1000:50 app/conf/",
            "0755 1000:50 app/conf/more/",
            "0640 1000:50 app/conf/more/other.ini",
            "0640 1000:50 app/conf/secret.ini",
            "0755 0:0 etc/",
            "0644 0:0 etc/group",
            "0644 0:0 etc/passwd",
            "0640 42:42 etc/shadow",
            "0755 0:0 home/",
            "0755 1000:1000 home/app/",
            "0755 0:0 srv/",
            "2750 33:33 srv/www/",
            "0644 0:0 srv/www/settings.ini",
            "1777 0:0 tmp/",
            "0600 3000000:3000000 tmp/settings.ini",
            "0755 0:0 usr/",
            "0755 0:0 usr/bin/",
            "0644 0:0 usr/bin/again",
            "0755 0:0 usr/local/",
            "0755 0:0 usr/local/bin/",
            "0755 0:0 usr/local/bin/entrypoint.sh",
            "0755 0:0 var/",
            "0755 0:0 var/lib/",
            "0755 1000:1000 var/lib/app/",
        ]
    );
    assert!(image.file("etc/passwd").ends_with("www:x:33:33::/srv:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"));
    assert_eq!(image.file("etc/group"), "root:x:0:\nwww:x:33:\napp:x:1000:\n");
    assert_eq!(image.file("etc/shadow"), "root:*:::::::\napp:!:::::::\n");
    assert_eq!((image.holds()[0], image.holds().last()), ("the user app", Some(&"the application")));
    // By number, as Kubernetes needs it.
    assert_eq!(image.execution()["User"], "1000:1000");

    // The same bytes again, with what is noted of the base and without, whatever the files' own modes are.
    succeed(std::process::Command::new("chmod").arg("-R").arg("go-rwx").arg(workshop.path("project/docker")));
    assert_eq!(workshop.build(&[]), image);
    let mut elsewhere = workshop.command(&[]);
    assert_eq!(workshop.run(elsewhere.env("PYBUNDLE_CACHE_DIR", workshop.path("cache-2"))), image);
    let zstd = workshop.build(&["--compression=zstd"]);
    assert_eq!(zstd.tree(), image.tree());
    // In one layer, a directory is whose it is as well.
    let one = workshop.build(&["--max-layers=1"]);
    assert_eq!(listed(&one, &["home/app", "srv", "tmp"]), listed(&image, &["home/app", "srv", "tmp"]));
}

#[test]
fn built_images_are_verified_and_compared() {
    let workshop = workshop(SERVICE);
    let (_place, before) = workshop.layout(&mut workshop.command(&[]));
    configure(&workshop, &SERVICE.replace("mode = \"0640\", owner = \"1000:50\"", "mode = \"0600\", owner = \"7\""));
    let (_place, after) = workshop.layout(&mut workshop.command(&[]));
    let [before, after] = [before, after].map(|layout| format!("oci:{}", layout.display()));
    succeed(&mut command::pybundle(&["verify", &before]));
    let output = command::pybundle(&["diff", "--json", &before, &after]).output().unwrap();
    let difference: Value = serde_json::from_slice(&output.stdout).unwrap();
    let changed = difference["files"].as_array().unwrap();
    assert_eq!(changed.len(), 2, "{difference:#}");
    for file in changed {
        assert_eq!(file["change"], "mode and owner");
        assert_eq!((&file["mode_before"], &file["mode_after"]), (&"0640".into(), &"0600".into()));
        assert_eq!((&file["owner_before"], &file["owner_after"]), (&"1000:50".into(), &"7:7".into()));
    }
    let shown = command::pybundle(&["diff", &before, &after]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("mode and owner, 0640 → 0600, 1000:50 → 7:7"), "{shown}");
    let inspected = succeed(&mut command::pybundle(&["inspect", "--json", "--files", &after]));
    assert!(inspected.contains("\"user\": \"7:7\"") || inspected.contains("\"user\":\"7:7\""), "{inspected}");
}

/// An upper layer says nothing of the directories of a lower one, and shares the layers of what it extends.
#[test]
fn a_target_that_extends_another_leaves_its_directories_alone() {
    let tables = r#"
        [tool.pybundle.target.web]
        kind = "image"
        base = "oci:../base"
        include = ["app.py", { path = "shop", owner = "1000" }, { path = "docker/data", to = "/data", owner = "1000" }]
        add-user = ["app"]
        [tool.pybundle.target.test]
        extends = "web"
        include = ["tests:shop/tests", { path = "docker/conf", to = "/data/conf" }, "docker/settings.ini:/home/app/"]
    "#;
    let workshop = workshop(tables);
    let build = |target: &str| workshop.run(&mut workshop.without_base(&["--target", target]));
    let (web, test) = (build("web"), build("test"));
    assert_eq!(test.digests()[..web.own().len()], web.digests());
    assert!(test.own().len() > web.own().len());
    for path in ["app/shop", "data", "home/app"] {
        let directories = || test.own().iter().flat_map(|layer| &layer.members).filter(|member| member.path == path);
        assert_eq!(directories().count(), 2, "{path}");
        assert!(directories().all(|member| member.stamp.0 == 1000), "{path}");
    }
}

#[test]
fn files_that_would_break_the_base_are_errors() {
    for (tables, expected) in [
        (r#"include = ["app.py:/usr/bin"]"#, "`usr/bin` cannot be included: the base image has a directory there"),
        (r#"include = ["app.py:/bin"]"#, "`bin` cannot be included: the base image has a directory there"),
        (r#"include = ["app.py", "shop:/app/app.py"]"#, "`app/app.py` is a file in one and a directory in the other"),
        (r#"include = ["app.py", "docker/settings.ini:/app/app.py"]"#, "the application contains `app/app.py` twice"),
        (r#"include = ["app.py:/app/.venv/pyvenv.cfg"]"#, "contains `app/.venv/pyvenv.cfg` twice"),
        (r#"add-user = ["www"]"#, "cannot add user www:1000:1000: the base's /etc/passwd has `www:x:33:33:"),
        (r#"add-user = ["app:33"]"#, "cannot add user app:33:33"),
        (r#"include = [{ path = "app.py", mode = "4755" }]"#, "setuid, setgid or sticky bit"),
        (r#"include = [{ path = "app.py", owner = "app" }]"#, "`app` is not a valid owner: expected UID or UID:GID"),
        (r#"include = [{ path = "app.py", dest = "a" }]"#, "unknown field `dest`"),
        (r#"add-user = ["App"]"#, "`App` is not a valid user, expected NAME[:UID[:GID]]"),
    ] {
        let workshop = workshop(tables);
        let said = workshop.fail(&mut workshop.command(&["--output=oci:out"]));
        assert!(said.contains(expected), "{tables}: {said}");
    }
    let workshop = workshop("");
    let run = workshop.command(&["--add-user", "root:0"]).output().unwrap();
    assert_eq!(run.status.code(), Some(2));
}

#[test]
fn commands_that_would_not_start_are_reported() {
    let include = |mode: &str| {
        format!("include = [\"app.py\", \"shop\", {{ path = \"docker/entrypoint.sh\", to = \"/bin/\"{mode} }}]")
    };
    let workshop = workshop(&include(""));
    let fails = |arguments: &[&str]| workshop.fail(&mut workshop.command(&[arguments, &["--output=oci:out"]].concat()));
    for program in ["/bin/entrypoint.sh", "/usr/bin/entrypoint.sh", "entrypoint.sh"] {
        let said = fails(&["--entrypoint", program]);
        assert!(
            said.contains(&format!("cannot start `{program}`: /usr/bin/entrypoint.sh is not executable")),
            "{said}"
        );
        assert!(said.contains("hint: run `chmod +x` on it, or set its include's mode = \"0755\""), "{said}");
    }
    for program in ["bash", "/usr/local/bin/run", "./app"] {
        let said = fails(&["--cmd", program]);
        let expected = format!("cannot start `{program}`: it exists neither in the image nor in its base");
        assert!(said.contains(&expected) && said.contains(&format!("pass --allow-missing {program}\n")), "{said}");
        workshop.build(&["--cmd", program, "--allow-missing", program]);
        workshop.build(&["--cmd", program, "--no-audit"]);
    }
    for program in ["sh", "/bin/sh", "tini -- sh", "python app.py", "/app/.venv/bin/python", "python3.12"] {
        workshop.build(&["--cmd", program]);
    }
    workshop.build(&["--cmd=sh", "--user=www"]);
    workshop.build(&["--cmd=sh", "--user=app", "--add-user=app"]);
    let said = fails(&["--cmd=sh", "--user=app"]);
    assert!(said.contains("the base image has no user `app`\nhint: add it with --add-user app\n"), "{said}");
    configure(&workshop, &include(", mode = \"0755\""));
    workshop.build(&["--entrypoint", "/bin/entrypoint.sh", "--cmd", "sh"]);
}
