//! Whether a lock is up to date with its project after each of some edits, compared with `uv lock --check`.

use pybundle::hints::Hints;
use pybundle::lock::{Freshness, LockError};

use crate::support::sample::is_tried;
use crate::support::uv::Project;

const PYPROJECT: &str = r#"
[project]
name = "app"
version = "1.2.0"
requires-python = ">=3.9"
dependencies = [
    "requests[socks]>=2.30,<3",
    "idna>=3.0 ; python_version >= '3.8'",
    "six ; python_version < '3.12' and sys_platform != 'win32'",
    "Typing.Extensions",
    "colorama ; sys_platform == 'win32' or platform_system == 'Windows'",
    "packaging (>=20)",
    "iniconfig>=2",
    "futures ; python_version < '3'",
]

[project.optional-dependencies]
fast = ["orjson ; implementation_name == 'cpython'"]
All_Of = ["app[fast]"]
none = []

[dependency-groups]
dev = ["pluggy", { include-group = "Lint_It" }]
Lint_It = ["certifi>=2023", "iniconfig"]

[tool.uv]
constraint-dependencies = ["urllib3<3"]
override-dependencies = ["charset-normalizer>=2"]

[tool.uv.dependency-groups]
dev = { requires-python = ">=3.10" }

[tool.uv.sources]
iniconfig = [{ index = "other", marker = "sys_platform == 'linux'" }]

[[tool.uv.index]]
name = "other"
url = "https://pypi.org/simple"
explicit = true
"#;

/// Each edit with the expected difference, or `None` if the lock stays up to date.
const EDITS: [(&str, &str, Option<&str>); 31] = [
    ("\n[project]", "\n[project]\ndescription = 'x'", None),
    ("requests[socks]>=2.30,<3", "REQUESTS[Socks] < 3, >= 2.30.0", None),
    ("idna>=3.0 ; python_version >= '3.8'", "idna>=3.0", None),
    (
        "python_version < '3.12' and sys_platform != 'win32'",
        "sys_platform!=\\\"win32\\\" and python_full_version<'3.12'",
        None,
    ),
    ("    \"packaging (>=20)\",\n    \"iniconfig>=2\",\n", "    \"iniconfig>=2\",\n    \"packaging>=20\",\n", None),
    ("Typing.Extensions", "typing_extensions", None),
    ("All_Of", "all-of", None),
    ("\"certifi>=2023\", \"iniconfig\"", "\"iniconfig\", \"certifi>=2023\"", None),
    ("1.2.0", "1.2", None),
    ("1.2.0", "1.3.0", Some("its version changed from 1.2.0 to 1.3.0")),
    (">=2.30,<3", ">=2.31,<3", Some("`requests[socks]<3,>=2.30` changed to `requests[socks]<3,>=2.31`")),
    ("[socks]", "", Some("`requests[socks]<3,>=2.30` changed to `requests<3,>=2.30`")),
    ("\"Typing.Extensions\",", "", Some("`typing-extensions` was removed")),
    ("\"Typing.Extensions\",", "\"Typing.Extensions\", \"attrs\",", Some("`attrs` was added")),
    ("< '3.12'", "< '3.11'", Some("the marker of `six` changed")),
    ("!= 'win32'", "== 'linux'", Some("the marker of `six` changed")),
    (
        "implementation_name == 'cpython'",
        "implementation_name == 'pypy'",
        Some("the marker of `orjson` of the extra `fast` changed"),
    ),
    ("none = []", "", Some("the extra `none` was removed")),
    ("none = []", "none = []\nmore = []", Some("the extra `more` was added")),
    ("app[fast]", "app", Some("`app[fast]` of the extra `all-of` changed to `app` of the extra `all-of`")),
    ("certifi>=2023", "certifi>=2024", Some("in the group `dev`, `certifi>=2023` changed to `certifi>=2024`")),
    (", { include-group = \"Lint_It\" }", "", Some("in the group `dev`, `certifi>=2023` was removed")),
    ("[dependency-groups]", "[dependency-groups]\nnew = []", Some("the group `new` was added")),
    (
        "requires-python = \">=3.9\"",
        "requires-python = \">=3.10\"",
        Some("requires-python changed from `>=3.9` to `>=3.10`"),
    ),
    (
        "requires-python = \">=3.10\"",
        "requires-python = \">=3.11\"",
        Some("in the group `dev`, the marker of `pluggy` changed"),
    ),
    ("urllib3<3", "urllib3<4", Some("the constraint `urllib3<3` changed to `urllib3<4`")),
    ("charset-normalizer>=2", "charset-normalizer>=3", Some("the override `charset-normalizer>=2` changed to")),
    (", marker = \"sys_platform == 'linux'\"", "", Some("`iniconfig>=2 from https://pypi.org/simple` changed")),
    ("iniconfig = [{ index", "#iniconfig = [{ index", Some("`iniconfig>=2 from https://pypi.org/simple` was removed")),
    (
        "[tool.uv]",
        "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n[tool.uv]",
        Some("it is now a package"),
    ),
    ("[tool.uv]", "[tool.uv]\npackage = false", None),
];

#[test]
fn each_relevant_edit_is_detected() {
    let project = Project::locked(PYPROJECT);
    assert_eq!(project.check_locked(&[""]).unwrap(), Freshness::Current);
    let lock = project.read("uv.lock");
    for (number, (old, new, expected)) in EDITS.into_iter().enumerate() {
        let edited = PYPROJECT.replacen(old, new, 1);
        assert_ne!(edited, PYPROJECT, "{old}");
        project.write("pyproject.toml", edited.as_bytes());
        if is_tried(number, 3) {
            let accepted = project.try_uv(&["lock", "--check"]).status.success();
            assert_eq!(accepted, expected.is_none(), "uv does not agree on {new}");
        }
        match (project.check_locked(&[""]), expected) {
            (Ok(Freshness::Current), None) => {}
            (Err(error @ LockError::Outdated { .. }), Some(expected)) => {
                assert!(error.to_string().contains(expected), "{error}");
                assert_eq!(error.hints(), ["run `uv lock`, or pass --frozen to use the lock without checking it"]);
            }
            (result, _) => panic!("{new}: {result:?}"),
        }
    }
    assert_eq!(project.read("uv.lock"), lock);
}

/// Edits after which uv requires a new lock, although the bundled files cannot change.
#[test]
fn edits_without_effect_are_ignored() {
    let project = Project::locked(PYPROJECT);
    for (old, new) in
        [("\"futures ; python_version < '3'\",", ""), ("https://pypi.org/simple", "https://pypi.org/simple/")]
    {
        project.write("pyproject.toml", PYPROJECT.replacen(old, new, 1).as_bytes());
        assert_eq!(project.check_locked(&[""]).unwrap(), Freshness::Current, "{new}");
    }
}

/// uv compares the bounds of requires-python alone, in locks of every revision.
#[test]
fn exclusions_from_requires_python_make_no_difference() {
    let with = |range: &str| {
        format!("[project]\nname = 'a'\nversion = '1'\nrequires-python = '{range}'\ndependencies = ['six']\n")
    };
    let ranges = [">=3.9,<3.16", ">=3.9,!=3.10.*,<3.16", ">=3.9,!=3.11.2,<3.16"];
    let (wider, narrower) = (">=3.9,!=3.10.*", ">=3.9,!=3.10.*,<3.15");
    for locked in ranges {
        let project = Project::locked(&with(locked));
        let lock = project.read("uv.lock").replacen("revision = 5", "revision = 3", 1);
        project.write("uv.lock", lock.as_bytes());
        for declared in ranges.into_iter().chain([wider, narrower]) {
            project.write("pyproject.toml", with(declared).as_bytes());
            let accepted = project.try_uv(&["lock", "--check"]).status.success();
            assert_eq!(accepted, ranges.contains(&declared), "uv does not agree on {locked} and {declared}");
            assert_eq!(project.check_locked(&[""]).is_ok(), accepted, "{locked} {declared}");
        }
    }
}

#[test]
fn dynamic_metadata_is_left_to_uv() {
    let project = Project::locked("[project]\nname = 'a'\nversion = '1'\nrequires-python = '>=3.9'\n");
    let dynamic = "[project]\nname = 'a'\nversion = '1'\nrequires-python = '>=3.9'\ndynamic = ['dependencies']\n";
    project.write("pyproject.toml", dynamic.as_bytes());
    let reasons = vec!["`a`: its dependencies are dynamic".to_owned()];
    assert_eq!(project.check_locked(&[""]).unwrap(), Freshness::Unknown(reasons));
}

#[test]
fn sources_of_every_kind_are_compared() {
    let wheel = crate::support::wheel("local_wheel", "1.0");
    let pyproject = r#"
        [project]
        name = "sources"
        version = "1"
        requires-python = ">=3.9"
        dependencies = ["local-wheel", "folder", "member>=1", "flat==2", "linked"]
        [project.optional-dependencies]
        direct = ["direct @ file:///nowhere"]
        [tool.uv.sources]
        local-wheel = { path = "./wheels/local_wheel-1.0-py3-none-any.whl" }
        folder = { path = "folder", editable = true }
        linked = { path = "linked" }
        member = { workspace = true }
        flat = { index = "flat" }
        [[tool.uv.index]]
        name = "flat"
        url = "flat"
        format = "flat"
        [tool.uv.workspace]
        members = ["member"]
    "#;
    let package = |name: &str| {
        format!(
            "[project]\nname = '{name}'\nversion = '1'\nrequires-python = '>=3.9'\n\
             [build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n"
        )
    };
    let project = Project::new(&[
        ("folder/pyproject.toml", &package("folder")),
        ("linked/pyproject.toml", &package("linked")),
        ("member/pyproject.toml", &package("member")),
    ]);
    project.write("wheels/local_wheel-1.0-py3-none-any.whl", &wheel);
    project.write("flat/flat-2.0-py3-none-any.whl", &crate::support::wheel("flat", "2.0"));
    project.write("direct/direct-1.0-py3-none-any.whl", &crate::support::wheel("direct", "1.0"));
    let direct = format!("file://{}/direct/direct-1.0-py3-none-any.whl", project.path().display());
    let pyproject = pyproject.replace("file:///nowhere", &direct);
    project.write("pyproject.toml", pyproject.as_bytes());
    project.uv(&["lock"]);
    assert_eq!(project.check_locked(&["", "member"]).unwrap(), Freshness::Current);
    for (old, new, expected) in [
        ("./wheels/local", "wheels/../wheels/local", None),
        (", editable = true", "", None),
        (
            "member = { workspace = true }",
            "member = { workspace = true, marker = \"sys_platform == 'linux'\" }",
            Some("`member"),
        ),
        ("path = \"folder\"", "path = \"linked\"", Some("`folder from")),
        ("flat = { index = \"flat\" }", "", Some("`flat==2 from a local index` changed to `flat==2`")),
    ] {
        project.write("pyproject.toml", pyproject.replacen(old, new, 1).as_bytes());
        match (project.check_locked(&["", "member"]), expected) {
            (Ok(Freshness::Current), None) => {}
            (Err(error), Some(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (result, _) => panic!("{new}: {result:?}"),
        }
    }
}
