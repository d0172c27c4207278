//! Selection from the locks of workspaces, compared with what uv itself would install.

use pybundle::hints::Hints;
use pybundle::lock::{DistributionSource, Freshness, LockError};

use crate::support::case::{Case, local};
use crate::support::uv::Project;

const MEMBER_WITH_ACCELERATORS: &str = r#"
    [project]
    name = "model"
    version = "1.0"
    requires-python = ">=3.9"
    dependencies = ["packaging"]
    [project.optional-dependencies]
    cpu = ["idna==3.6"]
    gpu = ["idna==3.10"]
    [build-system]
    requires = ["hatchling"]
    build-backend = "hatchling.build"
"#;

/// The extra of a member is active because another member requires it.
#[test]
fn conflicting_extras_that_dependencies_activate() {
    let project = Project::new(&[
        (
            "pyproject.toml",
            r#"
            [project]
            name = "serve"
            version = "1.0"
            requires-python = ">=3.9"
            dependencies = ["requests"]
            [project.optional-dependencies]
            small = ["model[cpu]"]
            large = ["model[gpu]"]
            [tool.uv]
            conflicts = [
                [{ package = "model", extra = "cpu" }, { package = "model", extra = "gpu" }],
                [{ package = "serve", extra = "small" }, { package = "serve", extra = "large" }],
            ]
            [tool.uv.workspace]
            members = ["model"]
            [tool.uv.sources]
            model = { workspace = true }
            "#,
        ),
        ("model/pyproject.toml", MEMBER_WITH_ACCELERATORS),
    ]);
    project.uv(&["lock"]);
    for case in [
        Case::default(),
        Case::default().extra("small"),
        Case::default().extra("large"),
        Case::default().package("model").extra("gpu"),
        Case::default().folder("model", "model").extra("cpu"),
    ] {
        case.agrees(&project, &["3.9", "3.13"]);
    }
    let error = Case::default().extra("small").extra("large").error(&project);
    assert!(matches!(error, LockError::DeclaredConflict { .. }), "{error}");
    assert_eq!(project.check_locked(&["", "model"]).unwrap(), Freshness::Current);
}

fn workspace(root: &str) -> Project {
    let member = |name: &str, rest: &str| {
        format!(
            r#"
            [project]
            name = "{name}"
            version = "1.0"
            requires-python = ">=3.9"
            {rest}
            [build-system]
            requires = ["hatchling"]
            build-backend = "hatchling.build"
            "#
        )
    };
    let api = r#"dependencies = ["core[fast]", "requests"]
        [tool.uv.sources]
        core = { workspace = true }"#;
    let core = r#"dependencies = ["six"]
        [project.optional-dependencies]
        fast = ["orjson"]
        [dependency-groups]
        test = ["iniconfig"]"#;
    let project = Project::new(&[
        ("pyproject.toml", root),
        ("packages/api/pyproject.toml", &member("api", api)),
        ("packages/core/pyproject.toml", &member("core", core)),
    ]);
    project.uv(&["lock"]);
    project
}

#[test]
fn a_workspace_with_a_project_as_its_root() {
    let project = workspace(
        r#"
        [project]
        name = "root"
        version = "1.0"
        requires-python = ">=3.9"
        dependencies = ["idna"]
        [dependency-groups]
        shared = ["packaging"]
        [tool.uv.workspace]
        members = ["packages/*"]
        "#,
    );
    for case in [
        Case::default(),
        Case::default().package("api"),
        Case::default().package("core").extra("fast"),
        Case::default().folder("packages/api", "api"),
        Case::default().package("core").group("test"),
        Case::default().package("core").group("shared"),
    ] {
        case.agrees(&project, &["3.9", "3.12"]);
    }
    let selection = Case::default().package("api").selection(&project);
    assert_eq!(local(&selection), ["api", "core"]);
    let folders = selection.distributions.iter().filter_map(|selected| match &selected.source {
        DistributionSource::Directory(path) => Some(path.clone()),
        _ => None,
    });
    let folder = |name: &str| project.path().join("packages").join(name);
    assert_eq!(folders.collect::<Vec<_>>(), [folder("api"), folder("core")]);
    let error = Case::default().package("aip").error(&project);
    assert!(error.to_string().ends_with("the workspace has no member `aip`"), "{error}");
    assert_eq!(error.hints(), ["did you mean `api`? The members are `api`, `core` and `root`"]);
    let mut leave_out = Case::default().package("api");
    leave_out.request.no_install_workspace = true;
    leave_out.request.no_install_packages.insert("urllib3".parse().unwrap());
    let names = leave_out
        .selection(&project)
        .distributions
        .iter()
        .map(|selected| selected.name.to_string())
        .collect::<Vec<_>>();
    assert_eq!(names, ["certifi", "charset-normalizer", "idna", "orjson", "requests", "six"]);
    assert_eq!(project.check_locked(&["", "packages/api", "packages/core"]).unwrap(), Freshness::Current);
}

#[test]
fn a_workspace_whose_root_is_not_a_project() {
    let project = workspace(
        r#"
        [tool.uv.workspace]
        members = ["packages/*"]
        [dependency-groups]
        tools = ["packaging", "pluggy ; python_version < '3.10'"]
        "#,
    );
    for case in [
        Case::default(),
        Case::default().package("core"),
        Case::default().group("tools"),
        Case::default().only_group("tools"),
        Case::default().group("test"),
    ] {
        case.agrees(&project, &["3.9", "3.12"]);
    }
    assert_eq!(local(&Case::default().selection(&project)), ["api", "core"]);
    assert_eq!(project.check_locked(&["", "packages/api", "packages/core"]).unwrap(), Freshness::Current);
}
