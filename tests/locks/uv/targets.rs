//! Targets that a lock does not support, or has no wheels for.

use std::path::Path;

use pybundle::hints::Hints;
use pybundle::lock::{DistributionSet, FileChooser, FormatControl, SelectionRequest};

use crate::support::case::{Case, wheels};
use crate::support::command::pybundle;
use crate::support::uv::{Project, musl_targets, targets};

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
        lock.select(&SelectionRequest::default(), Path::new(""), &target).map_err(|error| error.to_string())
    };
    assert!(select("3.12", 0).is_ok());
    let error = select("3.13", 0).unwrap_err();
    assert!(
        error.ends_with("the lock requires Python >=3.10, <3.13, but the target python3.13 has Python 3.13"),
        "{error}"
    );
    let target = targets(&["3.13"]).remove(0);
    let hints = lock.select(&SelectionRequest::default(), Path::new(""), &target).unwrap_err().hints();
    assert_eq!(
        hints[0],
        "pass one of --runtime python3.10, --runtime python3.11 and --runtime python3.12, which the lock supports"
    );
    let error = select("3.12", 1).unwrap_err();
    assert!(error.ends_with("the target python3.12 on aarch64 does not match"), "{error}");
    assert!(error.contains("platform_machine == 'x86_64'"), "{error}");
}

/// A range that begins within a minor version, and contains some patch version of the runtime.
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
    let selection = project.lock().select(&SelectionRequest::default(), Path::new(""), &target).unwrap();
    assert_eq!(wheels(&selection, &target).into_keys().collect::<Vec<_>>(), ["six"]);
}

#[test]
fn distributions_without_a_compatible_wheel() {
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
        let selection = project.lock().select(&case.request, Path::new(""), &target).unwrap();
        let formats = FormatControl { no_build: DistributionSet::All, ..FormatControl::default() };
        FileChooser::new(&target, &formats).choose(selection).unwrap_err()
    };
    let numpy = error(Case::default(), "3.13");
    let expected = "numpy 1.26.4 has no wheel for cp313 on manylinux_2_34_x86_64; \
                    it has wheels for cp310, cp311, cp312, cp39 and pp39-pypy39_pp73";
    assert_eq!(numpy.to_string(), expected);
    assert!(numpy.hints().iter().any(|hint| hint.contains("python3.12")), "{:?}", numpy.hints());
    let sdist = error(Case::default().extra("sdist"), "3.12").to_string();
    assert!(sdist.ends_with("it has only the source distribution `docopt-0.6.2.tar.gz`"), "{sdist}");
}

/// The wheel with a label is a variant (PEP 825): pybundle does not know what its label promises.
#[test]
fn wheels_whose_names_cannot_be_parsed_are_skipped_with_a_warning() {
    let lock = "version = 1\nrevision = 3\nrequires-python = '>=3.9'\n\
                [[package]]\nname = 'app'\nversion = '1'\nsource = { virtual = '.' }\ndependencies = [{ name = 'demo' }]\n\
                [[package]]\nname = 'demo'\nversion = '1.0'\nsource = { registry = 'wheels' }\n\
                wheels = [{ path = 'demo-1.0-py3-none-any-x86_64_v3.whl' }, { path = 'demo-1.0-py3-none-any.whl' }]\n";
    let project = Project::new(&[
        ("pyproject.toml", "[project]\nname = 'app'\nversion = '1'\ndependencies = ['demo']\n"),
        ("uv.lock", lock),
        ("app.py", ""),
    ]);
    project.write("wheels/demo-1.0-py3-none-any.whl", &crate::support::wheel("demo", "1.0"));
    let mut command = pybundle(&["lambda", "--runtime=python3.12", "--frozen", "--no-audit", "-o"]);
    let output = command.arg(project.path().join("f.zip")).arg(project.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let warning = "warning: demo 1.0: `demo-1.0-py3-none-any-x86_64_v3.whl` is ignored: its name is not a valid wheel file name (variants, PEP 825, are not supported)\n";
    assert!(output.status.success() && said.contains(warning), "{said}");
}

/// `[tool.uv]` has the meaning that it has for uv: it concerns dependencies, and a name takes precedence.
#[test]
fn what_uv_does_not_build_is_not_built() {
    let directory = "[project]\nname = 'apart'\nversion = '1'\nrequires-python = '>=3.9'\n\
                     [build-system]\nrequires = ['uv_build']\nbuild-backend = 'uv_build'\n";
    let head = "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.9'\n";
    let tail = "[build-system]\nrequires = ['uv_build']\nbuild-backend = 'uv_build'\n\
                [tool.uv.sources]\napart = { path = 'apart' }\nmember = { workspace = true }\n\
                [tool.uv.workspace]\nmembers = ['member']\n";
    let project = Project::new(&[
        ("apart/pyproject.toml", directory),
        ("apart/src/apart/__init__.py", ""),
        ("member/pyproject.toml", &directory.replace("apart", "member")),
        ("member/src/member/__init__.py", ""),
        ("src/app/__init__.py", ""),
    ]);
    for (dependencies, options, is_accepted) in [
        ("'member'", "no-build = true", true),
        ("'member'", "no-build-package = ['app', 'member']", true),
        ("'apart'", "no-build = true", false),
        ("'apart'", "no-build-package = ['apart']", false),
        ("'apart'", "no-build = true\nno-binary-package = ['apart']", true),
        ("'docopt==0.6.2'", "no-build = true", false),
        ("'docopt==0.6.2', 'six'", "no-build = true\nno-binary-package = ['docopt']", true),
    ] {
        // uv locks no distribution that it could not build.
        let text = format!("{head}dependencies = [{dependencies}]\n{tail}[tool.uv]\n");
        project.write("pyproject.toml", text.as_bytes());
        project.uv(&["lock"]);
        project.write("pyproject.toml", format!("{text}{options}\n").as_bytes());
        let accepted = project.try_uv(&["sync", "--frozen", "--dry-run"]).status.success();
        assert_eq!(accepted, is_accepted, "uv does not agree on {dependencies} and {options}");
        let output = pybundle(&["plan", "--runtime=python3.12"]).arg(project.path()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.success(), is_accepted, "{dependencies} {options}: {said}");
        let output = pybundle(&["plan", "--runtime=python3.12", "--no-build"]).arg(project.path()).output().unwrap();
        assert!(!output.status.success(), "the user's own --no-build applies to everything");
    }
}

/// A distribution that is only excluded, or only built because its wheels are, needs no other version: the settings are named,
/// and without them it is selected.
#[test]
fn what_excludes_wheels_and_builds_is_named() {
    let head = "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.12'\n";
    let (host, other) = if std::env::consts::ARCH == "x86_64" { ("x86_64", "arm64") } else { ("arm64", "x86_64") };
    let uv = "[tool.uv] of PYPROJECT";
    let pybundle_key = "(or its key in [tool.pybundle])";
    let is_built = "allow the wheels of markupsafe, of which one is compatible with the target: they are excluded by";
    let has_no_source = ", and it has no source distribution";
    for (dependency, options, arguments, hint) in [
        // It would be compiled for this machine.
        (
            "markupsafe==3.0.2",
            "no-binary-package = ['markupsafe']",
            "",
            format!("{is_built} `no-binary-package` in {uv}"),
        ),
        ("markupsafe==3.0.2", "no-binary = true", "", format!("{is_built} `no-binary` in {uv}")),
        (
            "markupsafe==3.0.2",
            "no-binary-package = ['markupsafe']",
            "--no-binary",
            format!("{is_built} --no-binary {pybundle_key} and `no-binary-package` in {uv}"),
        ),
        // It has only a wheel.
        (
            "demo",
            "no-binary-package = ['demo']",
            "",
            format!("allow the wheels of demo: they are excluded by `no-binary-package` in {uv}{has_no_source}"),
        ),
        (
            "demo",
            "",
            "--no-binary-package=demo",
            format!("allow the wheels of demo: they are excluded by --no-binary-package {pybundle_key}{has_no_source}"),
        ),
        // It has only a source distribution.
        (
            "docopt==0.6.2",
            "no-build-package = ['docopt']",
            "",
            format!("allow `docopt-0.6.2.tar.gz` to be built: it is excluded by `no-build-package` in {uv}"),
        ),
    ] {
        let project = Project::new(&[("app.py", "")]);
        project.write("wheels/demo-1.0-py3-none-any.whl", &crate::support::wheel("demo", "1.0"));
        let text = format!("{head}dependencies = ['{dependency}']\n[tool.uv]\nfind-links = ['wheels']\n");
        project.write("pyproject.toml", text.as_bytes());
        project.uv(&["lock"]);
        project.write("pyproject.toml", format!("{text}{options}\n").as_bytes());
        let planned = |arguments: &[&str]| {
            let architecture = if dependency.starts_with("markupsafe") { other } else { host };
            let mut command = pybundle(&["plan", "--runtime=python3.12", "--frozen", "--arch", architecture]);
            command.args(arguments).arg(project.path()).output().unwrap()
        };
        let arguments: Vec<&str> = arguments.split_terminator(' ').collect();
        let output = planned(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        let hint = hint.replace("PYPROJECT", project.path().join("pyproject.toml").to_str().unwrap());
        assert!(said.lines().any(|line| line == format!("hint: {hint}")), "{hint}\n{said}");
        assert!(!output.status.success() && !said.contains("elsewhere"), "{said}");
        project.write("pyproject.toml", text.as_bytes());
        assert!(planned(&[]).status.success(), "{hint}");
    }
}

/// To allow only one of both would not help with a target that no wheel of this version is for: the hints are true together.
#[test]
fn excluded_builds_and_wheels_are_both_named() {
    let pyproject =
        "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.12'\ndependencies = ['markupsafe==3.0.2']\n";
    let project = Project::new(&[("app.py", ""), ("pyproject.toml", pyproject)]);
    project.uv(&["lock"]);
    let planned = |arguments: &[&str]| pybundle(&["plan"]).args(arguments).arg(project.path()).output().unwrap();
    let excluded = ["--no-build-package=markupsafe", "--no-binary-package=markupsafe"];
    let output = planned(&[&excluded[..], &["--runtime=python3.14"]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    let key = "(or its key in [tool.pybundle])";
    for hint in [
        &format!("allow `markupsafe-3.0.2.tar.gz` to be built: it is excluded by --no-build-package {key}"),
        "pass one of --runtime python3.12 and --runtime python3.13, for which it has a wheel",
        &format!("then allow the wheels of markupsafe, too: they are excluded by --no-binary-package {key}"),
    ] {
        assert!(said.lines().any(|line| line == format!("hint: {hint}")), "{hint}\n{said}");
    }
    for (arguments, is_enough) in [
        (&["--runtime=python3.13", excluded[0], excluded[1]][..], false),
        (&["--runtime=python3.14", excluded[0]], false),
        (&["--runtime=python3.13", excluded[0]], true),
    ] {
        assert_eq!(planned(arguments).status.success(), is_enough, "{arguments:?}");
    }
}

/// Most have wheels for musl and for glibc, and some for musl 1.1, too.
#[test]
fn wheels_for_musl_are_those_of_uv() {
    let project = Project::locked(
        r#"
        [project]
        name = "alpine"
        version = "1.0"
        requires-python = ">=3.11"
        dependencies = ["aiohttp", "cryptography", "grpcio", "lxml", "numpy", "orjson", "pandas", "pillow",
            "psycopg2-binary", "pydantic-core", "pyyaml"]
        "#,
    );
    let targets = musl_targets(&["3.11", "3.13"]);
    Case::default().agrees_on(&project, targets.clone());
    for target in &targets {
        let selection = project.lock().select(&SelectionRequest::default(), Path::new(""), target).unwrap();
        let wheels = wheels(&selection, target);
        let compiled: Vec<_> = wheels.values().filter(|(_, wheel)| !wheel.ends_with("-any.whl")).collect();
        assert!(compiled.len() >= 11, "{wheels:?}");
        assert!(compiled.iter().all(|(_, wheel)| wheel.contains("musllinux_1_")), "{wheels:?}");
    }
}
