//! Projects that are locked while the test runs: version 2.1 of the format.

use std::path::Path;
use std::process::Command;

use pybundle::hints::Hints;
use pybundle::lock::{
    AcceptedFiles, Dependent, DistributionSource, FileLocation, Freshness, LockError, QueriedIndexes, SelectionRequest,
};
use pybundle::platform::LambdaProfile;

use super::oracle::{Case, agree};
use super::project::Project;
use crate::support::command::succeed;
use crate::support::wheel;

const PYTHONS: [&str; 4] = ["3.9", "3.10", "3.12", "3.14"];

/// Creates a repository with a project in its directory `sub`, and returns its commit.
fn repository(folder: &Path) -> String {
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    std::fs::write(folder.join("sub/pyproject.toml"), MINIMAL.replace("NAME", "kept")).unwrap();
    std::fs::write(folder.join("sub/kept.py"), "").unwrap();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"];
        succeed(Command::new("git").args(identity).args(arguments).current_dir(folder))
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "start"]);
    git(&["rev-parse", "HEAD"]).trim().to_owned()
}

const MINIMAL: &str = "
[tool.poetry]
name = \"NAME\"
version = \"0.1\"
description = \"\"
authors = []
[tool.poetry.dependencies]
python = \">=3.9\"
[build-system]
requires = [\"poetry-core\"]
build-backend = \"poetry.core.masonry.api\"
";

const SHOP: &str = r#"
[tool.poetry]
name = "Shop"
version = "1.0"
description = "Everything that Poetry knows"
authors = []

[tool.poetry.dependencies]
python = ">=3.9,<4.0"
flask = "^3.0"
httpx = { version = "^0.27", extras = ["http2"] }
idna = [{ version = "3.6", python = "<3.11" }, { version = "3.10", python = ">=3.11" }]
markupsafe = [
    { version = "2.1.4", markers = "platform_machine == 'aarch64'" },
    { version = "2.1.5", markers = "platform_machine != 'aarch64'" },
]
colorama = { version = "*", platform = "win32" }
tomli = { version = "^2.0", python = "<3.11" }
sqlalchemy = { version = "~2.0", optional = true }
redis = { version = "^5", extras = ["hiredis"], optional = true }
six = { url = "https://files.pythonhosted.org/packages/b7/ce/149a00dd41f10bc29e5921b496af8b574d8413afcd5e30dfa0ed46c2cc5e/six-1.17.0-py2.py3-none-any.whl" }
nearby = { path = "nearby", develop = true }
packed = { path = "wheels/packed-2.0-py3-none-any.whl" }
kept = { git = "file://REPOSITORY", branch = "main", subdirectory = "sub" }

[tool.poetry.extras]
database = ["sqlalchemy"]
All_Caches = ["redis"]
everything = ["sqlalchemy", "redis"]

[tool.poetry.group.dev.dependencies]
pytest = "^8"

[tool.poetry.group.lint.dependencies]
packaging = "*"

[tool.poetry.group.docs]
optional = true
include-groups = ["lint"]

[tool.poetry.group.docs.dependencies]
markdown = { version = "^3", python = ">=3.10" }

"#;

#[test]
fn a_project_of_tool_poetry_with_every_kind_of_source() {
    let repository_folder = tempfile::tempdir().unwrap();
    let commit = repository(repository_folder.path());
    let pyproject = SHOP.replace("REPOSITORY", repository_folder.path().to_str().unwrap());
    let nearby = MINIMAL.replace("NAME", "nearby");
    let packed = wheel("packed", "2.0");
    let files: [(&str, &[u8]); 3] = [
        ("nearby/pyproject.toml", nearby.as_bytes()),
        ("nearby/nearby.py", b""),
        ("wheels/packed-2.0-py3-none-any.whl", &packed),
    ];
    let project = Project::locked(&pyproject, &files);
    let cases = [
        Case::default(),
        Case::default().extra("database"),
        Case::default().extra("all-caches").group("dev"),
        Case::default().all_extras(),
        Case::default().group("docs"),
        Case::default().only_group("docs"),
        Case::default().only_group("dev").only_group("lint"),
    ];
    agree(&project, &cases, &["database", "all-caches", "everything"], &PYTHONS);
    assert_eq!(project.check_locked().unwrap(), Freshness::Current);
    sources(&project, repository_folder.path(), &commit);
    dependents(&project);
    refusals(&project);
    exclusions(&project);
}

fn sources(project: &Project, repository_folder: &Path, commit: &str) {
    let selection = Case::default().select(project).unwrap();
    let source =
        |name: &str| &selection.distributions.iter().find(|pinned| pinned.name.as_str() == name).unwrap().source;
    let DistributionSource::Index(query) = source("markupsafe") else { panic!("{:?}", source("markupsafe")) };
    assert_eq!(query.indexes, QueriedIndexes::Only("https://pypi.org/simple".parse().unwrap()));
    assert_eq!(query.version.to_string(), "2.1.5");
    let AcceptedFiles::Named(files) = &query.accepted else { panic!("{:?}", query.accepted) };
    let wheel = &files["MarkupSafe-2.1.5-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"];
    assert!(files.len() > 20 && wheel.len() == 1);
    let DistributionSource::Files(six) = source("six") else { panic!("{:?}", source("six")) };
    assert!(
        matches!(&six.wheels[0].location, FileLocation::Url { url, index: None } if url.path().ends_with("-none-any.whl"))
    );
    assert_eq!(six.wheels[0].digests.len(), 1);
    let DistributionSource::Files(packed) = source("packed") else { panic!("{:?}", source("packed")) };
    let path = project.path().join("wheels/packed-2.0-py3-none-any.whl");
    assert!(matches!(&packed.wheels[0].location, FileLocation::Path(found) if *found == path));
    assert!(
        matches!(source("nearby"), DistributionSource::Directory(folder) if *folder == project.path().join("nearby"))
    );
    let DistributionSource::Git(kept) = source("kept") else { panic!("{:?}", source("kept")) };
    assert_eq!((kept.commit.as_str(), kept.subdirectory.as_deref()), (commit, Some("sub")));
    assert!(kept.url.ends_with(repository_folder.to_str().unwrap()) && !kept.lfs, "{}", kept.url);
    assert!(matches!(source("shop"), DistributionSource::Directory(folder) if folder == project.path()));
}

fn dependents(project: &Project) {
    let selection = Case::default().extra("database").group("dev").select(project).unwrap();
    let by = |name: &str| -> Vec<String> {
        let pinned = selection.distributions.iter().find(|pinned| pinned.name.as_str() == name).unwrap();
        pinned.required_by.iter().map(ToString::to_string).collect()
    };
    assert_eq!(by("shop"), ["the request"]);
    assert_eq!(by("flask"), ["shop"]);
    assert_eq!(by("sqlalchemy"), ["shop[database]"]);
    assert_eq!(by("pytest"), ["the group `dev` of shop"]);
    assert_eq!(by("h2"), ["httpx[http2]"]);
    assert_eq!(by("idna"), ["anyio", "httpx", "shop"]);
}

fn refusals(project: &Project) {
    let error = Case::default().extra("databse").select(project).unwrap_err();
    assert!(error.to_string().ends_with("poetry.lock: `shop` has no extra `databse`"), "{error}");
    assert!(error.hints()[0].starts_with("did you mean `database`?"), "{:?}", error.hints());
    let error = Case::default().group("deploy").select(project).unwrap_err();
    assert!(error.to_string().ends_with("poetry.lock: `shop` has no dependency group `deploy`"), "{error}");
    let other = SelectionRequest { package: Some("other".parse().unwrap()), ..SelectionRequest::default() };
    assert!(matches!(Case(other).select(project), Err(LockError::UnknownMember { .. })));
}

fn exclusions(project: &Project) {
    let names = |request: SelectionRequest| -> Vec<String> {
        let selection = Case(request).select(project).unwrap();
        selection.distributions.iter().map(|pinned| pinned.name.to_string()).collect()
    };
    let all = names(SelectionRequest::default());
    let without = |name: &str| -> Vec<String> { all.iter().filter(|other| *other != name).cloned().collect() };
    assert_eq!(names(SelectionRequest { no_install_project: true, ..SelectionRequest::default() }), without("shop"));
    assert_eq!(names(SelectionRequest { no_install_workspace: true, ..SelectionRequest::default() }), without("shop"));
    let no_flask =
        SelectionRequest { no_install_packages: ["flask".parse().unwrap()].into(), ..SelectionRequest::default() };
    assert_eq!(names(no_flask), without("flask"));
    assert!(!names(Case::default().only_group("dev").0).contains(&"shop".to_owned()));
}

#[test]
fn a_standard_project_with_parts_of_tool_poetry() {
    let project = Project::locked(
        r#"
        [project]
        name = "standard"
        version = "1.0"
        requires-python = ">=3.10,<3.14"
        dependencies = [
            "click>=8",
            "idna==3.6 ; python_version < '3.12'",
            "idna==3.10 ; python_version >= '3.12'",
        ]
        [project.optional-dependencies]
        arrays = ["attrs>=23 ; platform_machine == 'x86_64'", "iniconfig"]
        words = ["iniconfig", "pyyaml ; python_version >= '3.11'"]
        [dependency-groups]
        test = ["pytest>=8", { include-group = "Type_Checks" }]
        type-checks = ["typing-extensions", "tomli ; python_version < '3.11'"]
        [tool.poetry]
        package-mode = false
        [tool.poetry.group.test]
        optional = true
        [tool.poetry.group.docs.dependencies]
        markdown = "^3.5"
        [tool.poetry.dependencies]
        click = { source = "simple" }
        "#,
        &[],
    );
    let cases = [
        Case::default(),
        Case::default().extra("arrays"),
        Case::default().extra("words").group("docs"),
        Case::default().all_extras().group("test"),
        Case::default().only_group("type-checks"),
        Case::default().only_group("test").only_group("docs"),
    ];
    agree(&project, &cases, &["arrays", "words"], &["3.10", "3.11", "3.13"]);
    assert_eq!(project.check_locked().unwrap(), Freshness::Current);
    let selection = Case::default().select(&project).unwrap();
    let root = selection.distributions.iter().find(|pinned| pinned.required_by == [Dependent::Root]).unwrap();
    assert!(matches!(&root.source, DistributionSource::Virtual(folder) if folder == project.path()));
    let target = LambdaProfile::built_in("python3.14").unwrap().target(pybundle::platform::Architecture::X86_64);
    let error = project.lock().select(&SelectionRequest::default(), Path::new(""), &target).unwrap_err();
    assert!(error.to_string().contains("the lock requires Python >=3.10, <3.14, but the target python3.14"), "{error}");
    assert!(error.hints()[0].contains("python3.13"), "{:?}", error.hints());
    let text = project.read("pyproject.toml").replace("\"click>=8\"", "\"click>=8.1\"");
    project.write("pyproject.toml", text.as_bytes());
    let error = project.check_locked().unwrap_err();
    assert!(error.to_string().contains("the lock does not match the project `standard`"), "{error}");
    assert!(error.hints()[0].contains("`poetry lock`"), "{:?}", error.hints());
}
