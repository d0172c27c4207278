//! Hints for modules whose distribution is locked for an extra, a group or another file, in each lock format.

use super::lambda;
use super::support::command::{fail, succeed};
use super::support::uv::Project;
use super::support::{wheel, wheel_with};

/// Creates a project that imports `solid` and `helper`, with wheels of both.
fn project(pyproject: &str) -> Project {
    let project = Project::new(&[("pyproject.toml", pyproject), ("app.py", "import solid\nimport helper\n")]);
    project.write("wheels/solid-1.0-py3-none-any.whl", &wheel("solid", "1.0"));
    project.write("wheels/py_helper-1.0-py3-none-any.whl", &wheel_with("py_helper", "1.0", &[("helper.py", b"")]));
    project.write("wheels/helper-1.0-py3-none-any.whl", &wheel("helper", "1.0"));
    project
}

/// Asserts that a build fails only because `helper` is missing, has a hint, and succeeds with these flags.
fn assert_hint(project: &Project, hint: &str, flags: &[&str]) {
    let common = ["--include", "app.py"];
    let said = fail(&mut lambda(project.path(), "3.12", &common));
    assert!(said.contains("error: app.py:2 imports `helper`, which is neither"), "{said}");
    assert!(said.contains(&format!("hint: {hint}\n")), "{said}");
    if !flags.is_empty() {
        succeed(&mut lambda(project.path(), "3.12", &[&common[..], flags].concat()));
    }
}

#[test]
fn a_group_or_extra_of_uv_lock_is_suggested() {
    let project = project(
        "[project]\nname = \"a\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"solid\"]\n\
         [project.optional-dependencies]\nfull = [\"helper\"]\n[dependency-groups]\ndev = [\"helper\"]\n\
         [tool.uv]\npackage = false\nno-index = true\nfind-links = [\"wheels\"]\n",
    );
    project.uv(&["lock", "--quiet"]);
    let hint =
        "helper is only locked for the extra `full`: move it to the project's dependencies, or pass --extra full";
    assert_hint(&project, hint, &["--extra", "full"]);
    let pyproject = project.read("pyproject.toml").replace("full = [\"helper\"]", "full = []");
    project.write("pyproject.toml", pyproject.as_bytes());
    project.uv(&["lock", "--quiet"]);
    let hint = "helper is only locked for the group `dev`: move it to the project's dependencies, or pass --group dev";
    assert_hint(&project, hint, &["--group", "dev"]);
    let said = fail(&mut lambda(
        project.path(),
        "3.12",
        &["--include", "app.py", "--group", "dev", "--no-install-package", "helper"],
    ));
    assert!(said.contains("hint: helper is excluded by --no-install-package\n"), "{said}");
}

#[test]
fn a_group_of_pylock_toml_is_suggested() {
    let project =
        project("[project]\nname = \"a\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"solid\"]\n");
    let wheel = |name: &str, marker: &str| {
        let path = format!("wheels/{name}-1.0-py3-none-any.whl");
        let sha256 = crate::support::artifact::sha256(&std::fs::read(project.path().join(&path)).unwrap());
        format!(
            "[[packages]]\nname = \"{name}\"\nversion = \"1.0\"\n{marker}wheels = [{{ path = \"{path}\", hashes = {{ sha256 = \"{sha256}\" }} }}]\n"
        )
    };
    let head =
        "lock-version = \"1.0\"\nrequires-python = \">=3.9\"\ndependency-groups = [\"dev\"]\ncreated-by = \"hand\"\n";
    let lock = [head, &wheel("solid", ""), &wheel("helper", "marker = \"'dev' in dependency_groups\"\n")].concat();
    project.write("pylock.toml", lock.as_bytes());
    let hint = "helper is only locked for the group `dev`: move it to the project's dependencies, or pass --group dev";
    assert_hint(&project, hint, &["--group", "dev"]);
}

#[test]
fn a_group_of_poetry_lock_is_suggested() {
    let project = project(
        "[tool.poetry]\nname = \"a\"\nversion = \"1\"\npackage-mode = false\n[tool.poetry.dependencies]\npython = \">=3.9\"\n\
         solid = { path = \"wheels/solid-1.0-py3-none-any.whl\" }\n[tool.poetry.group.dev.dependencies]\n\
         helper = { path = \"wheels/helper-1.0-py3-none-any.whl\" }\n",
    );
    let package = |name: &str, group: &str| {
        let path = format!("wheels/{name}-1.0-py3-none-any.whl");
        let sha256 = crate::support::artifact::sha256(&std::fs::read(project.path().join(&path)).unwrap());
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"1.0\"\ndescription = \"\"\noptional = false\npython-versions = \"*\"\n\
             groups = [\"{group}\"]\nfiles = [{{file = \"{name}-1.0-py3-none-any.whl\", hash = \"sha256:{sha256}\"}}]\n\
             [package.source]\ntype = \"file\"\nurl = \"{path}\"\n"
        )
    };
    let tail = "[metadata]\nlock-version = \"2.1\"\npython-versions = \">=3.9\"\ncontent-hash = \"\"\n";
    project.write("poetry.lock", [&package("helper", "dev"), &package("solid", "main"), tail].concat().as_bytes());
    let hint = "helper is only locked for the group `dev`: move it to the project's dependencies, or pass --group dev";
    let said = fail(&mut lambda(project.path(), "3.12", &["--frozen", "--include", "app.py"]));
    assert!(said.contains(hint), "{said}");
    succeed(&mut lambda(project.path(), "3.12", &["--frozen", "--include", "app.py", "--group", "dev"]));
}

#[test]
fn another_requirements_file_is_suggested() {
    let project = project("");
    std::fs::remove_file(project.path().join("pyproject.toml")).unwrap();
    project.write("requirements.txt", b"./wheels/solid-1.0-py3-none-any.whl\n");
    project.write("requirements-dev.txt", b"-r requirements.txt\nHelper>=1  # for tests\n");
    assert_hint(&project, "helper is in requirements-dev.txt, but not in requirements.txt: add it to the latter", &[]);
}

#[test]
fn a_workspace_member_is_suggested() {
    let project = project(
        "[project]\nname = \"a\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"solid\"]\n\
         [tool.uv]\npackage = false\nno-index = true\nfind-links = [\"wheels\"]\n[tool.uv.workspace]\nmembers = [\"libs/*\"]\n",
    );
    project.write("libs/tools/pyproject.toml", b"[project]\nname = \"our-tools\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n[build-system]\nrequires = []\nbuild-backend = \"backend\"\n");
    project.write("libs/tools/src/helper/__init__.py", b"");
    project.uv(&["lock", "--quiet"]);
    assert_hint(
        &project,
        "`helper` belongs to the workspace member our-tools, which no selected distribution requires: add it to the dependencies",
        &[],
    );
}

/// A module that nothing knows: whoever registers its name could be installed by a hint.
const UNKNOWN: &str = "helpers_of_ours";

#[test]
fn no_distribution_is_suggested_whose_name_is_guessed() {
    let pyproject = "[project]\nname = \"a\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = []\n\
                     [tool.uv]\npackage = false\nno-index = true\n";
    let project = Project::new(&[("pyproject.toml", pyproject)]);
    project.uv(&["lock", "--quiet"]);
    let said = |module: &str| {
        project.write("app.py", format!("import {module}\n").as_bytes());
        fail(&mut lambda(project.path(), "3.12", &["--include", "app.py"]))
    };
    let unknown = said(UNKNOWN);
    let hint = format!(
        "hint: if another distribution provides `{UNKNOWN}`, add it to the project's dependencies, and lock again\n"
    );
    assert!(unknown.contains(&hint), "{unknown}");
    assert!(!unknown.contains("uv add") && !unknown.contains("helpers-of-ours"), "{unknown}");
    let known = said("yaml");
    assert!(known.contains("hint: if it belongs to the distribution pyyaml, add it with `uv add pyyaml`\n"), "{known}");

    // A module of the project is suggested instead, wherever it is, even if its name is that of a distribution.
    project.write("shared/deep/requests/api.py", b"");
    let own = said("requests");
    let hint = "hint: shared/deep/requests is not in the artifact: include it with --include shared/deep/requests\n";
    assert!(own.contains(hint) && !own.contains("uv add"), "{own}");
    succeed(&mut lambda(project.path(), "3.12", &["--include", "app.py", "--include", "shared/deep/requests"]));

    // Without uv.lock, a requirements file.
    std::fs::remove_file(project.path().join("uv.lock")).unwrap();
    project.write("requirements.txt", b"");
    let unknown = said(UNKNOWN);
    let hint = format!("hint: if another distribution provides `{UNKNOWN}`, add it to requirements.txt\n");
    assert!(unknown.contains(&hint) && !unknown.contains("helpers-of-ours"), "{unknown}");
}

#[test]
fn a_distribution_that_another_requires_for_an_extra_is_suggested() {
    let project = Project::new(&[("app.py", &format!("import solid\nimport {UNKNOWN}\n"))]);
    let metadata =
        b"Metadata-Version: 2.1\nName: solid\nVersion: 1.0\nRequires-Dist: helpers-of-ours; extra == 'more'\n";
    let files: &[(&str, &[u8])] = &[("solid.py", b""), ("solid-1.0.dist-info/METADATA", metadata)];
    project.write("wheels/solid-1.0-py3-none-any.whl", &wheel_with("solid", "1.0", files));
    project.write("requirements.txt", b"./wheels/solid-1.0-py3-none-any.whl\n");
    let said = fail(&mut lambda(project.path(), "3.12", &["--include", "app.py"]));
    assert!(
        said.contains("hint: if it belongs to the distribution helpers-of-ours, add it to requirements.txt\n"),
        "{said}"
    );
}

#[test]
fn a_distribution_that_is_locked_for_another_target_is_named() {
    let pyproject = |dependency: &str| {
        format!(
            "[project]\nname = \"a\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"solid\", \"{dependency}\"]\n\
                 [tool.uv]\npackage = false\nno-index = true\nfind-links = [\"wheels\"]\n"
        )
    };
    let project = project(&pyproject("helper ; sys_platform == 'win32'"));
    project.uv(&["lock", "--quiet"]);
    let hint =
        "helper is locked, but not selected for python3.12 on x86_64: check its marker, and which project requires it";
    assert_hint(&project, hint, &[]);
    std::fs::remove_file(project.path().join("uv.lock")).unwrap();
    project.write("requirements.txt", b"./wheels/solid-1.0-py3-none-any.whl\nhelper==1.0 ; sys_platform == 'win32'\n");
    std::fs::remove_file(project.path().join("pyproject.toml")).unwrap();
    assert_hint(&project, hint, &[]);
    // What the hint says to check.
    project.write("requirements.txt", b"./wheels/solid-1.0-py3-none-any.whl\n./wheels/helper-1.0-py3-none-any.whl\n");
    succeed(&mut lambda(project.path(), "3.12", &["--include", "app.py"]));
}

/// A distribution whose metadata names the module (PEP 794), but from whose files it is excluded.
#[test]
fn a_distribution_that_says_it_provides_a_module_is_named() {
    let metadata = "Metadata-Version: 2.5\nName: store\nVersion: 1.0\nImport-Name: shelves\nImport-Namespace: vendor\n";
    let files = [
        ("shelves/__init__.py", &b""[..]),
        ("vendor/store.py", b""),
        ("store-1.0.dist-info/METADATA", metadata.as_bytes()),
    ];
    let project = Project::new(&[
        ("pyproject.toml", "[tool.pybundle]\nexclude-dependency-files = [\"shelves/**\", \"vendor/**\"]\n"),
        ("requirements.txt", "--no-index\n--find-links wheels\nstore==1.0\n"),
        ("app.py", "import shelves.top\nimport vendor.store\n\n\ndef handler(event, context): ...\n"),
    ]);
    project.write("wheels/store-1.0-py3-none-any.whl", &wheel_with("store", "1.0", &files));
    let said = fail(&mut lambda(project.path(), "3.13", &["--handler=app.handler", "--no-deps"]));
    for module in ["shelves", "vendor"] {
        let hint = format!("hint: store 1.0 is in the artifact, but does not contain `{module}");
        assert!(said.contains(&hint), "{said}");
    }
}

/// A member or another directory with a package that its backend omits.
#[test]
fn what_the_wheel_of_a_local_project_lacks_is_explained() {
    let head = "[project]\nname = \"a\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"reports\"]\n\
                [tool.uv]\npackage = false\n";
    let member = "[tool.uv.workspace]\nmembers = [\"libs/*\"]\n[tool.uv.sources]\nreports = { workspace = true }\n";
    let directory = "[tool.uv.sources]\nreports = { path = \"libs/reports\" }\n";
    let back_end = "[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n\
                    [project]\nname = \"reports\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n";
    for sources in [member, directory] {
        let project = Project::new(&[
            ("pyproject.toml", &format!("{head}{sources}")),
            ("app.py", "import reports.daily\n"),
            (".gitignore", "*.sqlite\n/reports/\n"),
            ("libs/reports/pyproject.toml", back_end),
            ("libs/reports/reports/__init__.py", ""),
            ("libs/reports/reports/daily.py", ""),
        ]);
        project.uv(&["lock", "--quiet"]);
        let common = ["--include", "app.py"];
        let said = fail(&mut lambda(project.path(), "3.12", &common));
        let hint = "hint: `reports` is in libs/reports, but not in the wheel that is built of it: hatchling omits what \
                    `/reports/` of .gitignore matches below the project: set `ignore-vcs = true` in [tool.hatch.build]\n";
        assert!(said.contains(hint), "{said}");
        let followed = format!("{back_end}[tool.hatch.build]\nignore-vcs = true\n");
        project.write("libs/reports/pyproject.toml", followed.as_bytes());
        succeed(&mut lambda(project.path(), "3.12", &common));
        let excluded = format!("{followed}exclude = [\"daily.py\"]\n");
        project.write("libs/reports/pyproject.toml", excluded.as_bytes());
        let said = fail(&mut lambda(project.path(), "3.12", &common));
        let hint = "hint: `reports.daily` is in libs/reports, but not in the wheel that is built of it: \
                    check which files its build backend includes\n";
        assert!(said.contains(hint), "{said}");
    }
}
