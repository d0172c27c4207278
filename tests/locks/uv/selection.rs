//! Selection from locks of real projects, compared with what uv itself would install.

use std::path::Path;

use pybundle::digest::Sha256;
use pybundle::hints::Hints;
use pybundle::lock::{Dependent, FileLocation, Freshness, Lock, SelectedSource, SelectionRequest};

use crate::support::case::{Case, chosen, local, wheels};
use crate::support::uv::{Project, targets};

const PYTHONS: [&str; 5] = ["3.9", "3.11", "3.12", "3.13", "3.14"];

#[test]
fn a_web_application_with_extras() {
    let project = Project::locked(
        r#"
        [project]
        name = "web"
        version = "1.0"
        requires-python = ">=3.9"
        dependencies = ["fastapi[standard]", "boto3"]
        [project.optional-dependencies]
        database = ["sqlalchemy[asyncio]", "asyncpg ; python_version >= '3.10'"]
        cache = ["redis[hiredis]"]
        "#,
    );
    Case::default().agrees(&project, &PYTHONS);
    Case::default().extra("database").agrees(&project, &PYTHONS);
    Case::default().all_extras().agrees(&project, &["3.9", "3.13"]);
    assert_eq!(project.check_locked(&[""]).unwrap(), Freshness::Current);
}

#[test]
fn compiled_wheels_and_forks_by_python_version() {
    let project = Project::locked(
        r#"
        [project]
        name = "data"
        version = "1.0"
        requires-python = ">=3.9"
        dependencies = ["numpy", "pandas", "cryptography", "pyyaml"]
        "#,
    );
    assert!(project.read("uv.lock").contains("resolution-markers"));
    Case::default().agrees(&project, &PYTHONS);
}

#[test]
fn forks_by_platform_and_by_python() {
    let project = Project::locked(
        r#"
        [project]
        name = "forks"
        version = "1.0"
        requires-python = ">=3.9"
        dependencies = [
            "idna==3.6 ; platform_machine == 'aarch64'",
            "idna==3.10 ; platform_machine != 'aarch64'",
            "markupsafe==2.1.5 ; python_full_version < '3.12'",
            "markupsafe==3.0.3 ; python_full_version >= '3.12'",
            "colorama ; sys_platform == 'win32'",
            "requests",
        ]
        "#,
    );
    Case::default().agrees(&project, &PYTHONS);
}

#[test]
fn groups_and_included_groups() {
    let project = Project::locked(
        r#"
        [project]
        name = "groups"
        version = "1.0"
        requires-python = ">=3.9"
        dependencies = ["six"]
        [project.optional-dependencies]
        fast = ["orjson", "groups[base]"]
        base = ["idna"]
        [dependency-groups]
        dev = ["pytest", { include-group = "lint" }]
        lint = ["packaging", "groups[fast]"]
        empty = []
        "#,
    );
    for case in [
        Case::default(),
        Case::default().extra("fast"),
        Case::default().group("dev"),
        Case::default().group("lint").extra("base"),
        Case::default().group("empty"),
        Case::default().only_group("dev"),
    ] {
        case.agrees(&project, &["3.9", "3.12", "3.14"]);
    }
    // The group `lint` requires the project itself, which `--only-group` would otherwise exclude.
    assert_eq!(local(&Case::default().only_group("lint").selection(&project)), ["groups"]);
    assert_eq!(local(&Case::default().only_group("empty").selection(&project)), Vec::<String>::new());
    let error = Case::default().group("lnit").error(&project);
    assert!(error.to_string().ends_with("`groups` has no dependency group `lnit`"), "{error}");
    assert_eq!(error.hints(), ["did you mean `lint`? The groups are `dev`, `empty` and `lint`"]);
    let error = Case::default().extra("nothing").error(&project);
    assert!(error.to_string().ends_with("`groups` has no extra `nothing`"), "{error}");
}

#[test]
fn dependents_of_distributions() {
    let project = Project::locked(
        r#"
        [project]
        name = "why"
        version = "1.0"
        requires-python = ">=3.9"
        dependencies = ["requests[socks]"]
        [dependency-groups]
        dev = ["idna"]
        "#,
    );
    let selection = Case::default().group("dev").selection(&project);
    let required_by = |name: &str| {
        let selected = selection.distributions.iter().find(|selected| selected.name.as_str() == name).unwrap();
        selected.required_by.clone()
    };
    let why = "why".parse().unwrap();
    assert_eq!(required_by("why"), [Dependent::Root]);
    let requests = "requests".parse().unwrap();
    assert_eq!(required_by("pysocks"), [Dependent::Distribution(requests, Some("socks".parse().unwrap()))]);
    let expected =
        [Dependent::Distribution("requests".parse().unwrap(), None), Dependent::Group(why, "dev".parse().unwrap())];
    assert_eq!(required_by("idna"), expected);
}

#[test]
fn conflicting_extras_and_groups() {
    let project = Project::locked(
        r#"
        [project]
        name = "conflicts"
        version = "1.0"
        requires-python = ">=3.9"
        dependencies = ["requests"]
        [project.optional-dependencies]
        old = ["idna==3.6"]
        new = ["idna==3.10", "conflicts[more]"]
        more = ["six"]
        [dependency-groups]
        past = ["certifi==2024.2.2"]
        present = ["certifi==2024.7.4"]
        [tool.uv]
        conflicts = [[{ extra = "old" }, { extra = "new" }], [{ group = "past" }, { group = "present" }]]
        "#,
    );
    for case in [
        Case::default(),
        Case::default().extra("old"),
        Case::default().extra("new"),
        Case::default().group("past"),
        Case::default().extra("new").group("present"),
        Case::default().only_group("past"),
    ] {
        case.agrees(&project, &["3.9", "3.12", "3.14"]);
    }
    let error = Case::default().extra("old").extra("new").error(&project).to_string();
    let expected = "the extra `new` of `conflicts` and the extra `old` of `conflicts` are declared as conflicting";
    assert!(error.ends_with(expected), "{error}");
    let error = Case::default().group("past").group("present").error(&project).to_string();
    assert!(error.contains("the group `past` of `conflicts`"), "{error}");
    assert!(!project.try_uv(&["export", "--frozen", "--extra=old", "--extra=new"]).status.success());
}

/// Wheels in a flat index, at a path and at a `file:` URL, and projects in directories.
#[test]
fn local_files_and_directories() {
    let member = "[project]\nname = 'NAME'\nversion = '1'\nrequires-python = '>=3.9'\n\
                  [build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n";
    let project = Project::new(&[
        ("outside/pyproject.toml", &member.replace("NAME", "outside")),
        ("app/inside/pyproject.toml", &member.replace("NAME", "inside")),
        ("app/plain/pyproject.toml", "[project]\nname = 'plain'\nversion = '1'\nrequires-python = '>=3.9'\n"),
    ]);
    for name in ["flat", "path", "url"] {
        project.write(&format!("wheels/{name}-1.0-py3-none-any.whl"), &crate::support::wheel(name, "1.0"));
    }
    let url = format!("file://{}/wheels/url-1.0-py3-none-any.whl", project.path().display());
    let pyproject = format!(
        r#"
        [project]
        name = "app"
        version = "1"
        requires-python = ">=3.9"
        dependencies = ["flat", "path", "url @ {url}", "inside", "outside", "plain"]
        [tool.uv.sources]
        flat = {{ index = "flat" }}
        path = {{ path = "../wheels/path-1.0-py3-none-any.whl" }}
        inside = {{ path = "inside", editable = true }}
        outside = {{ path = "../outside" }}
        plain = {{ path = "plain", package = false }}
        [[tool.uv.index]]
        name = "flat"
        url = "../wheels"
        format = "flat"
        "#
    );
    project.write("app/pyproject.toml", pyproject.as_bytes());
    project.uv(&["lock", "--directory", "app"]);
    let path = project.path().join("app/uv.lock");
    let lock = Lock::parse_uv(&project.read("app/uv.lock"), &path).unwrap();
    let target = targets(&["3.12"]).remove(0);
    let selection = lock.select(&SelectionRequest::default(), Path::new(""), &target).unwrap();
    let mut places = Vec::new();
    for selected in &chosen(&selection, &target).unwrap() {
        let path = match &selected.source {
            SelectedSource::Wheel(wheel, _) => {
                let FileLocation::Path(path) = &wheel.location else { panic!("{wheel:?}") };
                let digest = Sha256::of(&std::fs::read(path).unwrap());
                assert!(wheel.digest().is_none_or(|locked| *locked == digest.into()), "{wheel:?}");
                path
            }
            SelectedSource::Directory(path) | SelectedSource::Virtual(path) => path,
            built => panic!("{built:?}"),
        };
        places.push((selected.name.to_string(), path.strip_prefix(project.path()).unwrap().display().to_string()));
    }
    let expected = [
        ("app", "app"),
        ("flat", "wheels/flat-1.0-py3-none-any.whl"),
        ("inside", "app/inside"),
        ("outside", "outside"),
        ("path", "wheels/path-1.0-py3-none-any.whl"),
        ("plain", "app/plain"),
        ("url", "wheels/url-1.0-py3-none-any.whl"),
    ];
    assert_eq!(places, expected.map(|(name, path)| (name.to_owned(), path.to_owned())));
}

/// A script's lock has no project, only requirements.
#[test]
fn a_script() {
    let project = Project::new(&[(
        "tool.py",
        "# /// script\n# requires-python = '>=3.9'\n# dependencies = [\"requests[socks]\", \"six ; python_version < '3'\"]\n# ///\n",
    )]);
    project.uv(&["lock", "--script", "tool.py"]);
    let lock = Lock::parse_uv(&project.read("tool.py.lock"), &project.path().join("tool.py.lock")).unwrap();
    for target in targets(&["3.9", "3.12"]) {
        let selection = lock.select(&SelectionRequest::default(), Path::new(""), &target).unwrap();
        assert_eq!(wheels(&selection, &target), project.oracle(&target, &["--script=tool.py"]));
    }
}
