//! What requires what: `plan --tree` and `why`, which agree with `uv tree`.

use crate::support::artifact::sha256;
use crate::support::uv::Project;
use crate::support::wheel_with;
use crate::test_project::TestProject;

/// Writes the wheel of a distribution whose metadata has these lines besides.
fn write_wheel(project: &Project, name: &str, metadata: &[&str]) {
    let metadata: String = metadata.iter().map(|line| format!("{line}\n")).collect();
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{metadata}");
    let path = format!("{name}-1.0.dist-info/METADATA");
    let wheel = wheel_with(name, "1.0", &[(&path, metadata.as_bytes())]);
    project.write(&format!("wheels/{name}-1.0-py3-none-any.whl"), &wheel);
}

/// Returns a project whose dependencies require each other, with the wheels beside it.
fn diamond() -> TestProject {
    let project = Project::new(&[]);
    for (name, requires) in [
        ("base", &[][..]),
        ("left", &["Requires-Dist: base"]),
        ("right", &["Requires-Dist: base", "Provides-Extra: more", "Requires-Dist: spare; extra == 'more'"]),
        ("spare", &[]),
        ("tests", &["Requires-Dist: left"]),
    ] {
        write_wheel(&project, name, requires);
    }
    project.write(
        "pyproject.toml",
        b"[project]\nname = \"shop\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\ndependencies = [\"left\", \"right[more]\"]\n\
          [dependency-groups]\ndev = [\"tests\"]\n[tool.uv]\nno-index = true\nfind-links = [\"wheels\"]\n",
    );
    project.write("app.py", b"import left, right\n");
    project.uv(&["lock", "--quiet"]);
    TestProject(project)
}

/// Returns the lines of a tree, without what is printed around it.
fn tree(page: &str) -> Vec<&str> {
    page.lines().skip_while(|line| *line != "shop").take_while(|line| !line.contains("application: ")).collect()
}

#[test]
fn a_plan_is_shown_as_a_tree() {
    let project = diamond();
    let page = project.run(&["plan", "--tree", "--runtime=3.12"]);
    let expected = [
        "shop",
        "├── left v1.0",
        "│   └── base v1.0",
        "└── right v1.0",
        "    ├── base v1.0",
        "    └── spare v1.0 (extra: more)",
    ];
    assert_eq!(tree(&page), expected, "{page}");
    // As uv, apart from how it names the extra of an edge.
    let (uv, _) = project.0.uv(&["tree", "--quiet", "--no-dev", "--frozen", "--offline"]);
    let without_extras =
        |line: &str| line.replace(" (extra: more)", "").replace("[more]", "").replace("shop v1.0", "shop");
    let uv: Vec<String> = uv.lines().map(without_extras).collect();
    assert_eq!(uv, expected.map(without_extras));
    // With a group that requires the same again.
    let page = project.run(&["plan", "--tree", "--runtime=3.12", "--group=dev"]);
    assert!(page.contains("└── tests v1.0 (group: dev)\n    └── left v1.0 (*)\n"), "{page}");
    assert!(page.contains("(*) what follows is shown above\n"), "{page}");
}

#[test]
fn a_distribution_has_every_path_to_the_project() {
    let project = diamond();
    let page = project.run(&["why", "base", "--runtime=3.12", "--group=dev"]);
    let expected = "base v1.0\n\
                    ├── left v1.0\n\
                    │   ├── shop\n\
                    │   └── tests v1.0\n\
                    │       └── shop (group: dev)\n\
                    └── right v1.0\n    \
                        └── shop (extra: more)\n";
    assert_eq!(page.replace(" (extra: more)", ""), expected.replace(" (extra: more)", ""));
    let report = project.json(&["why", "Spare", "--runtime=3.12"]);
    let names: Vec<&str> = report["targets"][0]["distributions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|distribution| distribution["name"].as_str().unwrap())
        .collect();
    assert_eq!((report["name"].as_str().unwrap(), names), ("spare", vec!["right", "spare"]));
    let (_, said) = project.ends(1, &["why", "bas", "--runtime=3.12"]);
    assert_eq!(said, "error: bas is not selected for any target\nhint: did you mean `base`?\n");
    let (_, said) = project.ends(1, &["why", "numpy", "--runtime=3.12"]);
    assert_eq!(
        said,
        "error: numpy is not selected for any target\nhint: run `pybundle plan --tree` to see what is selected\n"
    );
}

/// Targets that get it for the same reason are named together.
#[test]
fn every_target_says_why() {
    let project = diamond();
    let targets = "[tool.pybundle.target.api]\nkind = \"lambda\"\nruntime = \"python3.12\"\n\
                   [tool.pybundle.target.job]\nextends = \"api\"\n\
                   [tool.pybundle.target.check]\nextends = \"api\"\ngroup = [\"dev\"]\n";
    project.0.write("pyproject.toml", format!("{}{targets}", project.0.read("pyproject.toml")).as_bytes());
    let page = project.run(&["why", "left"]);
    let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).collect();
    assert_eq!(headings, ["  api, job", "  check"], "{page}");
    assert!(!project.run(&["why", "left", "--target=api"]).contains("tests"));
}

/// A target whose base cannot be read does not stop the others from answering.
#[test]
fn a_target_that_cannot_be_planned_is_said_to_be_left_out() {
    let project = diamond();
    let targets = "[tool.pybundle.target.api]\nkind = \"lambda\"\nruntime = \"python3.12\"\n\
                   [tool.pybundle.target.web]\nkind = \"image\"\nbase = \"oci:gone\"\n";
    project.0.write("pyproject.toml", format!("{}{targets}", project.0.read("pyproject.toml")).as_bytes());
    let (page, said) = project.ends(0, &["why", "left"]);
    assert_eq!(page, "  api\nleft v1.0\n└── shop\n");
    assert!(said.starts_with("warning: web: not considered: cannot read "), "{said}");
    let report = project.json(&["why", "left"]);
    assert_eq!((&report["targets"][0]["targets"][0], &report["failed"][0]["target"]), (&"api".into(), &"web".into()));
    assert!(project.ends(1, &["why", "left", "--target=web"]).1.starts_with("error: cannot read "));
}

#[test]
fn the_largest_distributions_are_first() {
    let project = diamond();
    write_wheel(&project.0, "right", &["Requires-Dist: base", &format!("Summary: {}", "long ".repeat(400))]);
    project.0.write("pyproject.toml", project.0.read("pyproject.toml").replace("right[more]", "right").as_bytes());
    std::fs::remove_file(project.0.path().join("uv.lock")).unwrap();
    project.0.uv(&["lock", "--quiet"]);
    // The sizes of local wheels are known once they are in the cache.
    project.run(&["lambda", "--runtime=3.12", "--no-audit"]);
    let order = |flags: &[&str]| {
        let page = project.run(&[&["plan", "--runtime=3.12"], flags].concat());
        let rows = page.lines().filter(|line| line.contains(" 1.0 ") || line.contains(" v1.0"));
        rows.filter_map(|row| Some(row.trim_start_matches(['│', '├', '└', '─', ' ']).split(' ').next()?.to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(order(&[])[..3], ["base", "left", "right"]);
    assert_eq!(order(&["--sort=size"])[0], "right");
    assert_eq!(order(&["--tree", "--sort=size"])[0], "right");
}

/// Writes a project whose dependencies depend on the platform and on Python, in a lock of uv.
fn conditional() -> TestProject {
    let project = Project::new(&[]);
    for (name, requires) in [
        ("backport", &[][..]),
        (
            "console",
            &["Requires-Dist: shell; sys_platform == 'win32'", "Requires-Dist: backport; python_version < '3.13'"],
        ),
        ("shell", &["Requires-Dist: registry"]),
        ("registry", &[]),
    ] {
        write_wheel(&project, name, requires);
    }
    project.write(
        "pyproject.toml",
        b"[project]\nname = \"shop\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\ndependencies = [\"console\"]\n\
          [tool.uv]\nno-index = true\nfind-links = [\"wheels\"]\n",
    );
    project.write("app.py", b"import console\n");
    project.uv(&["lock", "--quiet"]);
    TestProject(project)
}

#[test]
fn a_marker_says_why_a_distribution_is_selected_or_not() {
    let project = conditional();
    let condition = "if python_full_version < \"3.13\"";
    let page = project.run(&["why", "backport", "--runtime=3.12"]);
    assert_eq!(page, format!("backport v1.0\n└── console v1.0 ({condition})\n    └── shop\n"));
    let report = project.json(&["why", "backport", "--runtime=3.12"]);
    let expected = serde_json::json!([{
        "name": "backport", "required_by": "console", "condition": "python_full_version < \"3.13\"", "applies": true
    }]);
    assert_eq!(report["targets"][0]["conditions"], expected);
    for (name, expected) in [
        ("backport", "console requires it only if `python_full_version < \"3.13\"`\n"),
        ("shell", "console requires it only if `sys_platform == \"win32\"`\n"),
        // The hint is followed above.
        ("registry", "shell requires it, but is not selected\nhint: run `pybundle why shell` to see why not\n"),
    ] {
        let (_, said) = project.ends(1, &["why", name, "--runtime=3.13"]);
        assert_eq!(said, format!("error: {name} is not selected for any target: {expected}"));
    }
}

/// Locks that have one marker for each distribution say it of that one.
#[test]
fn every_format_of_locks_knows_its_markers() {
    let project = conditional();
    let export = |name: &str, format: &str| {
        project.0.uv(&["export", "--quiet", "--no-emit-project", format!("--format={format}").as_str(), "-o", name]);
    };
    export("pylock.toml", "pylock.toml");
    export("requirements.txt", "requirements.txt");
    for (lock, selected, kept_out) in [
        ("pylock.toml", "backport v1.0 (if python_full_version < \"3.13\")\n", "pylock.toml"),
        (
            "requirements.txt",
            "backport v1.0\n└── console v1.0 (if python_full_version < \"3.13\")\n    └── shop\n",
            "console",
        ),
    ] {
        let lock = format!("--lock={lock}");
        assert_eq!(project.run(&["why", "backport", "--runtime=3.12", &lock]), selected, "{lock}");
        let (_, said) = project.ends(1, &["why", "shell", "--runtime=3.12", &lock]);
        let expected = format!(
            "error: shell is not selected for any target: {kept_out} requires it only if `sys_platform == \"win32\"`\n"
        );
        assert_eq!(said, expected, "{lock}");
    }
}

/// Returns a project with an extra and a group that require others, and a member of its workspace with its own.
fn optional() -> TestProject {
    let project = Project::new(&[]);
    for (name, requires) in [
        ("base", &[][..]),
        ("proxy", &["Provides-Extra: socks", "Requires-Dist: socks; extra == 'socks'"]),
        ("socks", &[]),
        ("tests", &["Requires-Dist: pretty", "Requires-Dist: shell; sys_platform == 'win32'"]),
        ("pretty", &[]),
        ("shell", &[]),
        ("queue", &[]),
        ("driver", &[]),
    ] {
        write_wheel(&project, name, requires);
    }
    project.write(
        "pyproject.toml",
        b"[project]\nname = \"shop\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\ndependencies = [\"base\"]\n\
          [project.optional-dependencies]\nremote = [\"proxy[socks]\"]\n[dependency-groups]\ndev = [\"tests\"]\n\
          ci = [\"pretty\"]\n[tool.uv]\nno-index = true\nfind-links = [\"wheels\"]\n\
          [tool.uv.workspace]\nmembers = [\"worker\"]\n",
    );
    project.write(
        "worker/pyproject.toml",
        b"[project]\nname = \"worker\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\ndependencies = [\"queue\"]\n\
          [project.optional-dependencies]\nfast = [\"driver\"]\n",
    );
    project.write("app.py", b"import base\n");
    project.write("worker/main.py", b"");
    project.uv(&["lock", "--quiet"]);
    TestProject(project)
}

#[test]
fn flags_that_would_select_a_distribution_are_named() {
    let project = optional();
    for (name, what, flags) in [
        ("proxy", "the extra `remote`", &["--extra remote"][..]),
        // Through other distributions.
        ("socks", "the extra `remote`", &["--extra remote"]),
        ("tests", "the group `dev`", &["--group dev"]),
        ("pretty", "the group `ci` and the group `dev`", &["--group ci", "--group dev"]),
        ("queue", "the workspace member `worker`", &["--package worker"]),
        ("driver", "the extra `fast` of the workspace member `worker`", &["--package worker --extra fast"]),
    ] {
        let (_, said) = project.ends(1, &["why", name, "--runtime=3.12"]);
        let expected = format!(
            "error: {name} is not selected for any target: it is locked for {what}\nhint: pass {} to select it\n",
            flags.join(" or ")
        );
        assert_eq!(said, expected);
        for flags in flags {
            let flags: Vec<&str> = flags.split(' ').collect();
            let page = project.run(&[&["why", name, "--runtime=3.12"][..], &flags].concat());
            assert!(page.starts_with(&format!("{name} v1.0\n")), "{flags:?}: {page}");
        }
    }
    // Its marker does not hold, whatever is selected.
    let (_, said) = project.ends(1, &["why", "shell", "--runtime=3.12", "--group=dev"]);
    assert_eq!(
        said,
        "error: shell is not selected for any target: tests requires it only if `sys_platform == \"win32\"`\n"
    );
}

#[test]
fn a_flag_that_excludes_a_distribution_is_named() {
    let project = optional();
    for (name, arguments, flag) in [
        ("base", &["--no-install-package=base"][..], "--no-install-package"),
        ("base", &["--only-group=dev"], "--only-group"),
    ] {
        let command = ["why", name, "--runtime=3.12"];
        let (_, said) = project.ends(1, &[&command[..], arguments].concat());
        let expected = format!(
            "error: {name} is not selected for any target: {flag} excludes it\n\
             hint: omit {flag} (or its key in [tool.pybundle]) to select it\n"
        );
        assert_eq!(said, expected);
        project.run(&command);
    }
    // The group is excluded although it is named, so its flag alone would not help.
    for arguments in [&["--no-dev"][..], &["--no-dev", "--group=dev"]] {
        let (_, said) = project.ends(1, &[&["why", "tests", "--runtime=3.12"], arguments].concat());
        assert_eq!(
            said,
            "error: tests is not selected for any target: --no-dev excludes it\n\
             hint: omit --no-dev (or its key in [tool.pybundle]) and pass --group dev to select it\n"
        );
    }
    project.run(&["why", "tests", "--runtime=3.12", "--group=dev"]);
    // What is only in another group is added to those that are named.
    let (_, said) = project.ends(1, &["why", "tests", "--runtime=3.12", "--only-group=ci"]);
    assert!(said.ends_with("\nhint: pass --only-group dev to select it\n"), "{said}");
    project.run(&["why", "tests", "--runtime=3.12", "--only-group=ci", "--only-group=dev"]);
}

/// The project and the members of its workspace, and the default groups of a pylock.toml.
#[test]
fn a_flag_that_excludes_projects_or_groups_is_named() {
    let backend = "[build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n";
    let root = "dependencies = [\"worker\", \"base\"]\n[tool.uv]\nno-index = true\nfind-links = [\"wheels\"]\n\
                [tool.uv.sources]\nworker = { workspace = true }\n[tool.uv.workspace]\nmembers = [\"worker\"]\n";
    let lock = "lock-version = \"1.0\"\ncreated-by = \"test\"\ndependency-groups = [\"dev\"]\ndefault-groups = [\"dev\"]\n\
                [[packages]]\nname = \"tests\"\nversion = \"1.0\"\nmarker = \"'dev' in dependency_groups\"\n\
                wheels = [{ path = \"wheels/tests-1.0-py3-none-any.whl\", hashes = { sha256 = \"HASH\" } }]\n";
    let project = Project::new(&[("src/shop/__init__.py", ""), ("worker/src/worker/__init__.py", "")]);
    write_wheel(&project, "base", &[]);
    write_wheel(&project, "tests", &[]);
    let digest = sha256(&std::fs::read(project.path().join("wheels/tests-1.0-py3-none-any.whl")).unwrap());
    let head = "version = \"1.0\"\nrequires-python = \">=3.9\"\n";
    project.write("pyproject.toml", format!("[project]\nname = \"shop\"\n{head}{root}{backend}").as_bytes());
    project.write("worker/pyproject.toml", format!("[project]\nname = \"worker\"\n{head}{backend}").as_bytes());
    project.write("other/pylock.toml", lock.replace("HASH", &digest).replace("wheels/", "../wheels/").as_bytes());
    project.uv(&["lock", "--quiet"]);
    let project = TestProject(project);
    let other = "--lock=other/pylock.toml";
    for (name, flag, arguments) in [
        ("shop", "--no-install-project", &[][..]),
        ("worker", "--no-install-workspace", &[]),
        ("tests", "--no-default-groups", &[other]),
    ] {
        let command = [&["why", name, "--runtime=3.12"], arguments].concat();
        let (_, said) = project.ends(1, &[&command[..], &[flag]].concat());
        let expected = format!(
            "error: {name} is not selected for any target: {flag} excludes it\n\
             hint: omit {flag} (or its key in [tool.pybundle]) to select it\n"
        );
        assert_eq!(said, expected);
        project.run(&command);
    }
    // Of other locks, the group is only selected if it is named.
    let (_, said) = project.ends(1, &["why", "tests", "--runtime=3.12", other, "--no-dev"]);
    assert!(said.starts_with("error: tests is not selected for any target: --no-dev excludes it\n"), "{said}");
    project.run(&["why", "tests", "--runtime=3.12", other, "--group=dev"]);
}

/// Each target is asked with what it selects.
#[test]
fn each_target_names_its_flags() {
    let project = optional();
    let targets = "[tool.pybundle.target.api]\nkind = \"lambda\"\nruntime = \"python3.12\"\n\
                   [tool.pybundle.target.job]\nextends = \"api\"\ngroup = [\"dev\"]\n";
    project.0.write("pyproject.toml", format!("{}{targets}", project.0.read("pyproject.toml")).as_bytes());
    let (_, said) = project.ends(1, &["why", "socks"]);
    assert!(said.ends_with("\nhint: pass --extra remote to select it\n"), "{said}");
    assert!(project.run(&["why", "socks", "--extra", "remote"]).contains("socks v1.0\n"));
    let (_, said) = project.ends(1, &["why", "tests", "--target=api"]);
    assert!(said.ends_with("\nhint: pass --group dev to select it\n"), "{said}");
    assert!(project.run(&["why", "tests", "--target=api", "--group", "dev"]).starts_with("tests v1.0\n"));
}
