//! What is selected from locks that uv makes of real projects, compared with what uv itself would install.

use std::path::Path;

use pybundle::lock::{Dependent, LockError, Request, SelectedSource, Selection};

mod support;

use support::uv::{Oracle, Project, targets};

const PYTHONS: [&str; 5] = ["3.9", "3.11", "3.12", "3.13", "3.14"];

/// A request, and the arguments of `uv export` that mean the same.
#[derive(Default)]
struct Case {
    request: Request,
    export: Vec<String>,
    folder: &'static str,
}

impl Case {
    fn extra(mut self, name: &str) -> Self {
        self.request.extras.insert(name.parse().unwrap());
        self.export.push(format!("--extra={name}"));
        self
    }

    fn all_extras(mut self) -> Self {
        self.request.all_extras = true;
        self.export.push("--all-extras".to_owned());
        self
    }

    fn group(mut self, name: &str) -> Self {
        self.request.groups.insert(name.parse().unwrap());
        self.export.push(format!("--group={name}"));
        self
    }

    fn only_group(mut self, name: &str) -> Self {
        self.request.only_groups.insert(name.parse().unwrap());
        self.export.push(format!("--only-group={name}"));
        self
    }

    fn package(mut self, name: &str) -> Self {
        self.request.package = Some(name.parse().unwrap());
        self.export.push(format!("--package={name}"));
        self
    }

    /// The project of a member's folder, which is the same as naming the member.
    fn folder(mut self, folder: &'static str, name: &str) -> Self {
        self.folder = folder;
        self.export.push(format!("--package={name}"));
        self
    }

    /// Asserts that the selection is uv's, for each runtime and architecture.
    fn agrees(&self, project: &Project, pythons: &[&str]) {
        let lock = project.lock();
        let export: Vec<&str> = self.export.iter().map(String::as_str).collect();
        for target in targets(pythons) {
            let selection = lock.select(&self.request, Path::new(self.folder), &target).unwrap();
            let place = format!("{} on {:?}, {export:?}", target.profile.name, target.architecture);
            assert_eq!(wheels(&selection), project.oracle(&target, &export), "{place}");
        }
    }

    /// Returns the error for each runtime, which is the same for all.
    fn error(&self, project: &Project) -> LockError {
        let target = targets(&["3.12"]).remove(0);
        project.lock().select(&self.request, Path::new(self.folder), &target).unwrap_err()
    }

    fn selection(&self, project: &Project) -> Selection {
        let target = targets(&["3.12"]).remove(0);
        project.lock().select(&self.request, Path::new(self.folder), &target).unwrap()
    }
}

fn wheels(selection: &Selection) -> Oracle {
    let wheels = selection.distributions.iter().filter_map(|selected| match &selected.source {
        SelectedSource::Wheel(wheel) => {
            let version = selected.version.as_ref().unwrap().to_string();
            Some((selected.name.to_string(), (version, wheel.filename.to_string())))
        }
        SelectedSource::Directory(_) | SelectedSource::Virtual(_) => None,
    });
    wheels.collect()
}

fn local(selection: &Selection) -> Vec<String> {
    let local = selection.distributions.iter().filter(|selected| !matches!(selected.source, SelectedSource::Wheel(_)));
    local.map(|selected| selected.name.to_string()).collect()
}

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
    assert_eq!(project.check_locked(&[""]).unwrap(), pybundle::lock::Freshness::Current);
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
fn groups_and_what_they_include() {
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
    // The group `lint` names the project itself, so `--only-group` brings it back.
    assert_eq!(local(&Case::default().only_group("lint").selection(&project)), ["groups"]);
    assert_eq!(local(&Case::default().only_group("empty").selection(&project)), Vec::<String>::new());
    let error = Case::default().group("lnit").error(&project);
    assert!(error.to_string().ends_with("`groups` has no dependency group `lnit`"), "{error}");
    assert_eq!(error.hints(), ["did you mean `lint`? The groups are `dev`, `empty` and `lint`"]);
    let error = Case::default().extra("nothing").error(&project);
    assert!(error.to_string().ends_with("`groups` has no extra `nothing`"), "{error}");
}

#[test]
fn who_asks_for_what() {
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

/// The extra of a member is active because another member asks for it.
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
    assert!(matches!(error, LockError::Conflict { .. }), "{error}");
    assert_eq!(project.check_locked(&["", "model"]).unwrap(), pybundle::lock::Freshness::Current);
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
        SelectedSource::Directory(path) => Some(path.clone()),
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
    let names = leave_out.selection(&project).distributions.iter().map(|selected| selected.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names, ["certifi", "charset-normalizer", "idna", "orjson", "requests", "six"]);
    assert_eq!(project.check_locked(&["", "packages/api", "packages/core"]).unwrap(), pybundle::lock::Freshness::Current);
}

#[test]
fn a_workspace_whose_root_is_no_project() {
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
    assert_eq!(project.check_locked(&["", "packages/api", "packages/core"]).unwrap(), pybundle::lock::Freshness::Current);
}

#[test]
fn targets_outside_of_the_lock_are_refused() {
    let project = Project::locked(
        r#"
        [project]
        name = "narrow"
        version = "1.0"
        requires-python = ">=3.10,<3.13"
        dependencies = ["six"]
        [tool.uv]
        environments = ["sys_platform == 'linux' and platform_machine == 'x86_64'"]
        "#,
    );
    let lock = project.lock();
    let select = |python: &str, architecture: usize| {
        let target = targets(&[python]).remove(architecture);
        lock.select(&Request::default(), Path::new(""), &target).map_err(|error| error.to_string())
    };
    assert!(select("3.12", 0).is_ok());
    let error = select("3.13", 0).unwrap_err();
    assert!(error.ends_with("the lock is for Python >=3.10, <3.13, the target python3.13 has Python 3.13"), "{error}");
    let error = select("3.12", 1).unwrap_err();
    assert!(error.ends_with("which the target python3.12 on aarch64 is not"), "{error}");
    assert!(error.contains("platform_machine == 'x86_64'"), "{error}");
}

/// A range that begins within a minor version: some patch version of the runtime is in it.
#[test]
fn a_range_of_patch_versions() {
    let project = Project::locked(
        r#"
        [project]
        name = "patch"
        version = "1.0"
        requires-python = ">=3.11.4"
        dependencies = ["six ; python_full_version >= '3.11.4'", "idna ; python_full_version < '3.11.4'"]
        "#,
    );
    let target = targets(&["3.11"]).remove(0);
    let selection = project.lock().select(&Request::default(), Path::new(""), &target).unwrap();
    assert_eq!(wheels(&selection).into_keys().collect::<Vec<_>>(), ["six"]);
}

#[test]
fn distributions_without_a_wheel_that_fits() {
    let project = Project::locked(
        r#"
        [project]
        name = "missing"
        version = "1.0"
        requires-python = ">=3.9"
        dependencies = ["numpy==1.26.4"]
        [project.optional-dependencies]
        sdist = ["docopt==0.6.2"]
        "#,
    );
    let error = |case: Case, python: &str| {
        let target = targets(&[python]).remove(0);
        project.lock().select(&case.request, Path::new(""), &target).unwrap_err()
    };
    let numpy = error(Case::default(), "3.13");
    let expected = "numpy 1.26.4 has no wheel for cp313 on manylinux_2_34_x86_64; \
                    it has wheels for cp310, cp311, cp312, cp39 and pp39-pypy39_pp73";
    assert_eq!(numpy.to_string(), expected);
    assert!(numpy.hints().iter().any(|hint| hint.contains("python3.12")), "{:?}", numpy.hints());
    let sdist = error(Case::default().extra("sdist"), "3.12").to_string();
    assert!(sdist.ends_with("it has only the source distribution `docopt-0.6.2.tar.gz`"), "{sdist}");
}
