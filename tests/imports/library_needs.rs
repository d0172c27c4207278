//! Modules of distributions that cannot be imported because something that they need is not installed.

use super::support::command::{fail, succeed};
use super::support::uv::Project;
use super::support::wheel_with;
use super::{exception, lambda, unpack};

/// The import of a module that is missing: its line, and the module.
type MissingImport = (&'static str, &'static str);

/// The modules of the distribution `solid` with their sources, and what is missing for each; `None` if it can be imported.
const MODULES: [(&str, &str, Option<MissingImport>); 8] = [
    ("needs", "import os\nimport helper.deep\n", Some(("2", "helper"))),
    (
        "raises",
        "try:\n    import helper\nexcept ImportError as error:\n    raise ImportError('install solid[more]') from error\n",
        Some(("2", "helper")),
    ),
    ("old", "import imp\n", Some(("1", "imp"))),
    ("guarded", "try:\n    import helper\nexcept ImportError:\n    helper = None\n", None),
    ("later", "def run():\n    import helper\n", None),
    ("versions", "import sys\nif sys.version_info < (3, 12):\n    import imp\n", None),
    ("vendors", "import solid.path\nimport vendored\n", None),
    ("makes", "import sys, types\nsys.modules['helper'] = types.ModuleType('helper')\nimport helper\n", None),
];

const PYPROJECT: &str = "[project]\nname = \"a\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"solid\"]\n\
                         [tool.uv]\npackage = false\nno-index = true\nfind-links = [\"wheels\"]\n";

/// Creates a project with the distribution `solid`, which needs `helper` for an extra.
fn project() -> Project {
    let project = Project::new(&[("pyproject.toml", PYPROJECT)]);
    let metadata = b"Metadata-Version: 2.1\nName: solid\nVersion: 1.0\nProvides-Extra: more\n\
        Requires-Dist: helper>=1; extra == \"more\"\n";
    let mut files: Vec<(&str, &[u8])> = vec![("solid/__init__.py", b""), ("solid-1.0.dist-info/METADATA", metadata)];
    // A directory that one of its modules adds to the search path.
    files.push(("solid/_vendor/vendored.py", b""));
    files.push((
        "solid/path.py",
        b"import os, sys\nsys.path.append(os.path.join(os.path.dirname(__file__), '_vendor'))\n",
    ));
    let paths: Vec<String> = MODULES.iter().map(|(name, ..)| format!("solid/{name}.py")).collect();
    files.extend(paths.iter().zip(MODULES).map(|(path, (_, source, _))| (&**path, source.as_bytes())));
    project.write("wheels/solid-1.0-py3-none-any.whl", &wheel_with("solid", "1.0", &files));
    let deep: &[(&str, &[u8])] = &[("helper/__init__.py", b""), ("helper/deep.py", b"")];
    project.write("wheels/helper-1.0-py3-none-any.whl", &wheel_with("helper", "1.0", deep));
    project.uv(&["lock", "--quiet"]);
    project
}

#[test]
fn a_module_of_a_distribution_is_an_error_exactly_if_importing_it_fails() {
    let project = project();
    for (name, _, missing) in MODULES {
        project.write("app.py", format!("from solid import {name}\n").as_bytes());
        let build = |more: &[&str]| lambda(project.path(), "3.12", &[&["--include", "app.py"], more].concat());
        let allowed = missing.map(|(_, module)| format!("--allow-missing={module}"));
        if let Some((line, module)) = missing {
            let said = fail(&mut build(&[]));
            let expected = format!(
                "error: app.py:1 imports `solid.{name}`, but solid/{name}.py:{line} of solid 1.0 imports `{module}`, which is \
                 neither in the artifact nor in Python 3.12\n"
            );
            assert!(said.contains(&expected), "{said}");
            let hint = match module {
                "imp" => "hint: `imp` was removed in Python 3.12",
                _ => {
                    "hint: solid requires helper only for its extra `more`: add solid[more] with `uv add 'solid[more]'`\n"
                }
            };
            assert!(said.contains(hint), "{said}");
        }
        succeed(&mut build(&allowed.iter().map(String::as_str).collect::<Vec<_>>()));
        let tree = tempfile::tempdir().unwrap();
        unpack(&project.path().join("dist/a.zip"), tree.path());
        assert_eq!(exception("3.12", tree.path(), "app").is_some(), missing.is_some(), "{name}");
    }

    // What may not be executed is a warning, and what handles the failure nothing.
    for (source, is_warning) in [
        ("def run():\n    from solid.needs import os\n", true),
        ("try:\n    import solid.needs\nexcept ImportError:\n    pass\n", false),
    ] {
        project.write("app.py", source.as_bytes());
        let output = lambda(project.path(), "3.12", &["--include", "app.py"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let warning = "warning: app.py:2 imports `solid.needs`, but solid/needs.py:2 of solid 1.0 imports `helper`";
        assert_eq!(said.contains(warning), is_warning, "{said}");
    }

    // What the hint says.
    project.write("app.py", b"import solid.needs\n");
    project.uv(&["add", "--quiet", "solid[more]"]);
    succeed(&mut lambda(project.path(), "3.12", &["--include", "app.py"]));
    // Whoever excludes a distribution may have it from somewhere else.
    let output =
        lambda(project.path(), "3.12", &["--include", "app.py", "--no-install-package", "helper"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.starts_with("warning: app.py:1 imports `solid.needs`, but "), "{said}");
}

/// Without uv.lock, the requirements file is where the extra is requested.
#[test]
fn an_extra_is_requested_in_a_requirements_file() {
    let project = project();
    for file in ["pyproject.toml", "uv.lock"] {
        std::fs::remove_file(project.path().join(file)).unwrap();
    }
    project.write("app.py", b"import solid.needs\n");
    project.write("requirements.txt", b"./wheels/solid-1.0-py3-none-any.whl\n");
    let said = fail(&mut lambda(project.path(), "3.12", &["--include", "app.py"]));
    let hint = "hint: solid requires helper only for its extra `more`: add solid[more] to requirements.txt\n";
    assert!(said.contains(hint), "{said}");
}
