//! Hints that help: what each says is done, and then the command succeeds or has another problem.

use std::process::Command;

use crate::support::command::{pybundle, succeed};
use crate::support::uv::Project;

/// A command that ends with a hint.
struct HintCase {
    /// The files besides an application.
    files: &'static [(&'static str, &'static str)],
    arguments: &'static [&'static str],
    /// The hint, as it is printed.
    hint: &'static str,
    /// What follows it: other files and arguments.
    followed: (&'static [(&'static str, &'static str)], &'static [&'static str]),
}

const IMAGE: [&str; 7] = [
    "image",
    "--base=scratch",
    "--python=3.12",
    "--platform=linux/amd64",
    "--output=oci:image",
    "--no-progress",
    "--no-audit",
];

const CASES: &[HintCase] = &[
    HintCase {
        files: &[],
        arguments: &["cache", "size", "--no-cache"],
        hint: "remove --no-cache",
        followed: (&[], &["cache", "size"]),
    },
    HintCase {
        files: &[],
        arguments: &["image", "--expose=80-81"],
        hint: "list each port of the range",
        followed: (&[], &["image", "--expose=80", "--expose=81"]),
    },
    HintCase {
        files: &[],
        arguments: &["image", "--tag=shop:a b"],
        hint: "use the form [HOST[:PORT]/]REPOSITORY[:TAG][@sha256:DIGEST]",
        followed: (&[], &["image", "--tag=host.example:5000/shop:1"]),
    },
    HintCase {
        files: &[],
        arguments: &["lambda", "--include=app.py:/app.py"],
        hint: "remove the leading slash: files of a function are below /var/task",
        followed: (&[], &["lambda", "--include=app.py:app.py"]),
    },
    HintCase {
        files: &[("pyproject.toml", "[tool.pybundle]\ninclude = [{ path = 'app.py', owner = '1:1' }]\n")],
        arguments: &["lambda"],
        hint: "remove `owner`: a function reads files by their mode, and writes to /tmp only",
        followed: (&[("pyproject.toml", "[tool.pybundle]\ninclude = [{ path = 'app.py' }]\n")], &["lambda"]),
    },
    HintCase {
        files: &[("pyproject.toml", "[tool.pybundle]\ninclude = [{ path = 'app.py', mode = '0600' }]\n")],
        arguments: &["lambda"],
        hint: "set the mode to 0644, or 0755 if it is executable",
        followed: (
            &[("pyproject.toml", "[tool.pybundle]\ninclude = [{ path = 'app.py', mode = '0644' }]\n")],
            &["lambda"],
        ),
    },
    HintCase {
        files: &[("handlers.py", "async def handler(event, context): ...\n")],
        arguments: &["lambda", "--handler=handlers.handler"],
        hint: "use a function that calls `asyncio.run(handler(event, context))`",
        followed: (
            &[(
                "handlers.py",
                "import asyncio\nasync def inner(event, context): ...\ndef handler(event, context):\n    return asyncio.run(inner(event, context))\n",
            )],
            &["lambda", "--handler=handlers.handler"],
        ),
    },
    HintCase {
        files: &[("main.py", "from handlers import start\n"), ("handlers.py", "def other(event, context): ...\n")],
        arguments: &["lambda", "--handler=main.start", "--no-audit"],
        hint: "define `def start(event, context)` in handlers.py, or import another name",
        followed: (&[("handlers.py", "def start(event, context): ...\n")], &["lambda", "--handler=main.start"]),
    },
    HintCase {
        files: &[("shop/__init__.py", "")],
        arguments: &["image", "--audit", "--cmd=python -m shop"],
        hint: "add the file __main__.py to the package `shop`, or name one of its modules",
        followed: (&[("shop/__main__.py", "")], &["image", "--audit", "--cmd=python -m shop"]),
    },
    HintCase {
        files: &[("pyproject.toml", "[tool.pybundle]\nhealthcheck-interval = '5s'\n")],
        arguments: &["image"],
        hint: "set the command with --healthcheck COMMAND",
        followed: (&[], &["image", "--healthcheck=true"]),
    },
    HintCase {
        files: &[("requirements.txt", "six==1.17.0\n")],
        arguments: &["plan", "--no-index"],
        hint: "omit --no-index, or name a directory that has it with --find-links",
        followed: (&[], &["plan"]),
    },
    HintCase {
        files: &[("requirements.txt", "six==1.17.0\n")],
        arguments: &["plan", "--find-links=nowhere"],
        hint: "check the paths of --find-links and of the indexes",
        followed: (&[("wheels/README", "")], &["plan", "--find-links=wheels"]),
    },
    HintCase {
        files: &[("requirements-dev.txt", "")],
        arguments: &["lambda", "--group=dev"],
        hint: "pass the requirements file that pins `dev` with --lock, for instance requirements-dev.txt or \
               requirements/dev.txt",
        followed: (&[], &["lambda", "--lock=requirements.txt", "--lock=requirements-dev.txt"]),
    },
    HintCase {
        files: &[],
        arguments: &["image", "--audit", "--user=1:nosuch", "--cmd=/absent", "--allow-missing=/absent"],
        hint: "name the group by its number",
        followed: (&[], &["image", "--audit", "--user=1:5", "--cmd=/absent", "--allow-missing=/absent"]),
    },
];

/// Returns the command in a project with these files; an image has only what the case is about.
fn command(project: &Project, files: &[(&str, &str)], arguments: &[&str]) -> Command {
    files.iter().for_each(|(path, text)| project.write(path, text.as_bytes()));
    let is_audited = arguments.contains(&"--audit");
    let own = arguments.iter().filter(|argument| **argument != "--audit");
    let mut command = if arguments[0] == "image" {
        let common = IMAGE.iter().filter(|argument| !is_audited || **argument != "--no-audit");
        pybundle(&common.chain(own.skip(1)).copied().collect::<Vec<_>>())
    } else {
        pybundle(arguments)
    };
    command.current_dir(project.path());
    command
}

#[test]
fn what_follows_a_hint_succeeds() {
    for HintCase { files, arguments, hint, followed } in CASES {
        let project = Project::new(&[("app.py", ""), ("requirements.txt", "")]);
        let output = command(&project, files, arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said.lines().any(|line| line == format!("hint: {hint}")), "{arguments:?}: {hint}\n{said}");
        let output = command(&project, followed.0, followed.1).output().unwrap();
        assert!(output.status.success(), "{:?}: {}", followed.1, String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn what_follows_a_hint_about_files_succeeds() {
    let project = Project::new(&[("app.py", ""), ("requirements.txt", "")]);
    let run = |arguments: &[&str]| {
        let output = pybundle(arguments).current_dir(project.path()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(run(&IMAGE).0);
    let (_, said) = run(&["inspect", "docker-archive:image"]);
    assert!(said.ends_with("\nhint: use image without a prefix to detect the format\n"), "{said}");
    assert!(run(&["inspect", "image"]).0);
    assert!(run(&["lambda", "--output=app.zip"]).0);
    let mut bytes = std::fs::read(project.path().join("app.zip")).unwrap();
    bytes[35] ^= 1;
    project.write("app.zip", &bytes);
    let (_, said) = run(&["inspect", "app.zip"]);
    assert!(said.ends_with("\nhint: run `pybundle verify` to list all problems\n"), "{said}");
    let (is_valid, said) = run(&["verify", "app.zip"]);
    assert!(!is_valid && said.contains("verification of app.zip failed"), "{said}");
}

#[test]
fn what_follows_a_hint_about_a_project_succeeds() {
    let pyproject = "[project]\nname = \"shop\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n\
                     [project.optional-dependencies]\na = [\"shop\"]\nb = [\"shop\"]\n\
                     [tool.uv]\nconflicts = [[{ extra = \"a\" }, { extra = \"b\" }]]\n\
                     [tool.pybundle.target.api]\nkind = \"lambda\"\n";
    let project = Project::new(&[("pyproject.toml", pyproject), ("app.py", "")]);
    project.uv(&["lock", "--quiet"]);
    for arguments in [
        &["init", "--quiet", "."][..],
        &["add", "--all"],
        &["-c", "user.name=Ann", "-c", "user.email=ann@host.example", "commit", "--quiet", "--message=First"],
        &["tag", "v1"],
    ] {
        succeed(Command::new("git").args(arguments).current_dir(project.path()));
    }
    let run = |arguments: &[&str]| {
        let output = pybundle(arguments).current_dir(project.path()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let profile = succeed(&mut pybundle(&["profile", "show", "python3.12"]));
    project.write("mine.toml", profile.replace("\"x86_64\", \"arm64\"", "\"x86_64\"").as_bytes());
    for (arguments, hint, followed) in [
        (
            &["build", "--list", "--changed-since=nonsense"][..],
            "name a commit, a tag or a branch; `git fetch` gets those of the remote",
            &[&["build", "--list", "--changed-since=v1"][..], &["build", "--list", "--changed-since=HEAD"]][..],
        ),
        (
            &["lambda", "--extra=a", "--extra=b"],
            "select only one of them",
            &[&["lambda", "--extra=a"], &["lambda", "--extra=b"]],
        ),
        (
            &["lambda", "--profile=mine.toml", "--arch=arm64"],
            "run `pybundle profile list` to see the available profiles",
            &[&["profile", "list"]],
        ),
    ] {
        let (is_built, said) = run(arguments);
        assert!(!is_built && said.ends_with(&format!("\nhint: {hint}\n")), "{arguments:?}: {said}");
        for followed in followed {
            let (is_built, said) = run(followed);
            assert!(is_built, "{followed:?}: {said}");
        }
    }
}

#[test]
fn what_follows_a_hint_about_references_succeeds() {
    let project = Project::new(&[("app.py", ""), ("requirements.txt", "")]);
    let run = |arguments: &[&str]| {
        let output = pybundle(arguments).current_dir(project.path()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(run(&IMAGE).0);
    // A layout with two images.
    for tag in ["1", "2"] {
        succeed(
            Command::new("skopeo")
                .args(["--insecure-policy", "copy", "--quiet", "oci:image", &format!("oci:both:{tag}")])
                .current_dir(project.path()),
        );
    }
    let index = project.read("both/index.json");
    let digest = index.split("sha256:").nth(1).unwrap().split('"').next().unwrap();
    // The second is another one.
    assert!(run(&[&IMAGE[..], &["--label=a=b"]].concat()).0);
    succeed(
        Command::new("skopeo")
            .args(["--insecure-policy", "copy", "--quiet", "oci:image", "oci:both:2"])
            .current_dir(project.path()),
    );
    let (_, said) = run(&["inspect", "oci:both"]);
    assert!(said.ends_with("\nhint: select one, as in oci:DIR:NAME or oci:DIR@sha256:…\n"), "{said}");
    assert!(run(&["inspect", "oci:both:2"]).0);
    assert!(run(&["inspect", &format!("oci:both@sha256:{digest}")]).0);
}

#[test]
fn what_follows_a_hint_about_a_script_or_a_requirement_succeeds() {
    let project = Project::new(&[("app.py", ""), ("requirements.txt", ""), ("start.sh", "#!/bin/sh\r\nexit 0\r\n")]);
    let run = |arguments: &[&str]| {
        let output = pybundle(arguments).current_dir(project.path()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let follow = |command: &str| succeed(Command::new("sh").args(["-c", command]).current_dir(project.path()));
    follow("chmod +x start.sh");
    let image = [&IMAGE[..IMAGE.len() - 1], &["--cmd=./start.sh"]].concat();
    let (_, said) = run(&image);
    // The path is that of the file, wherever the command runs.
    let command =
        said.split("for instance with `").nth(1).unwrap_or_else(|| panic!("{said}")).split('`').next().unwrap();
    succeed(Command::new("sh").args(["-c", command]).current_dir("/"));
    assert!(run(&image).0);

    project.write("requirements.txt", b"requests==2.32.3\n");
    let (_, said) = run(&["lambda"]);
    let command =
        said.split("pin everything with `").nth(1).unwrap_or_else(|| panic!("{said}")).split('`').next().unwrap();
    assert!(
        said.contains("` and pass FILE with --lock, or let uv resolve it for this target with --resolve\n"),
        "{said}"
    );
    assert!(said.ends_with("\nhint: pass --no-deps to install the requirements as they are\n"), "{said}");
    follow(&command.replace("FILE", "pinned.txt"));
    for flags in [&["--lock=pinned.txt"][..], &["--resolve"], &["--no-deps", "--no-audit"]] {
        let (is_built, said) = run(&[&["lambda"], flags].concat());
        assert!(is_built, "{flags:?}: {said}");
    }

    // Another problem: there is no registry.
    let digest = "0".repeat(64);
    let (_, said) = run(&["push", "image", &format!("127.0.0.1:1/app:1@sha256:{digest}")]);
    assert!(said.ends_with("\nhint: omit the digest from the reference\n"), "{said}");
    let (_, said) = run(&["push", "image", "127.0.0.1:1/app:1", "--network-timeout=1"]);
    assert!(said.contains("the connection to 127.0.0.1:1 failed"), "{said}");
}
