//! Directories that an application adds to `sys.path`.

use super::support::command::{fail, succeed};
use super::support::uv::Project;
use super::support::wheel_with;
use super::{exception, lambda, unpack};

#[test]
fn directories_below_the_project_are_searched() {
    for (add, library) in [
        ("import sys\nsys.path.append('lib')\n", "lib"),
        ("import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))\n", "lib"),
        (
            "import sys\nfrom pathlib import Path\nsys.path.append(str(Path(__file__).resolve().parent / 'lib' / 'inner'))\n",
            "lib/inner",
        ),
        ("import sys\nsys.path += ['lib']\n", "lib"),
        ("import sys\nsys.path.extend(['other', 'lib'])\n", "lib"),
        ("import os, site\nHERE = os.path.abspath(os.path.dirname(__file__))\nsite.addsitedir(f'{HERE}/lib')\n", "lib"),
    ] {
        let app = format!("{add}import helper\nfrom tools import hammer\ndef handler(event, context): ...\n");
        let helper = format!("{library}/helper.py");
        let tools = format!("{library}/tools/__init__.py");
        let project = Project::new(&[
            ("requirements.txt", ""),
            ("app.py", &app),
            (&helper, "import tools\n"),
            (&tools, "hammer = 1\n"),
        ]);
        let zip = project.path().join("function.zip");
        let flags = ["--handler", "app.handler", "--include", "app.py", "--include", "lib"];
        succeed(lambda(project.path(), "3.12", &flags).arg("-o").arg(&zip));
        unpack(&zip, &project.path().join("tree"));
        assert_eq!(exception("3.12", &project.path().join("tree"), "app"), None, "{add}");

        // What the directory does not have is still an error, also in its own modules.
        project.write(&tools, b"nail = 1\n");
        project.write(&helper, b"import absent\n");
        let said = fail(&mut lambda(project.path(), "3.12", &flags));
        let expected = [format!("{helper}:1 imports `absent`"), "imports `hammer` from `tools`".to_owned()];
        assert!(expected.iter().all(|expected| said.contains(expected)), "{add}: {said}");
    }
}

#[test]
fn a_directory_that_only_running_tells_may_have_any_module() {
    let files = [("requirements.txt", ""), ("app.py", "import sys\nsys.path.append('/mnt/efs/lib')\nimport heavy\n")];
    let project = Project::new(&files);
    let output = lambda(project.path(), "3.12", &["--include", "app.py"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("warning: app.py:3 imports `heavy`"), "{said}");
}

/// The `.pth` file of setuptools puts its copy of distutils into place, but Lambda reads no such files.
#[test]
fn distutils_is_there_after_an_import_of_setuptools() {
    let project = Project::locked(
        "[project]\nname = \"a\"\nversion = \"1\"\nrequires-python = \">=3.12\"\n\
         dependencies = [\"setuptools==84.2.1\"]\n[tool.uv]\npackage = false\n",
    );
    let zip = project.path().join("function.zip");
    let import = "from distutils.version import LooseVersion\n";
    project.write("app.py", import.as_bytes());
    let said = fail(&mut lambda(project.path(), "3.12", &["--include", "app.py"]));
    assert!(said.contains("error: app.py:1 imports `distutils`, which is neither"), "{said}");
    let hint = "hint: write `import setuptools` before this import: setuptools provides it, but its .pth file is only read in \
                site-packages\n";
    assert!(said.contains(hint) && !said.contains("does not contain"), "{said}");
    succeed(lambda(project.path(), "3.12", &["--no-audit", "--include", "app.py", "-o"]).arg(&zip));
    let tree = project.path().join("tree");
    unpack(&zip, &tree);
    assert_eq!(exception("3.12", &tree, "app").as_deref(), Some("ModuleNotFoundError No module named 'distutils'"));

    project.write("app.py", format!("import setuptools\n{import}").as_bytes());
    succeed(lambda(project.path(), "3.12", &["--include", "app.py", "-o"]).arg(&zip));
    unpack(&zip, &tree);
    assert_eq!(exception("3.12", &tree, "app"), None);
}

#[test]
fn libraries_find_distutils_if_one_imports_setuptools() {
    let project = Project::new(&[
        (
            "pyproject.toml",
            "[project]\nname = \"a\"\nversion = \"1\"\nrequires-python = \">=3.12\"\n\
             dependencies = [\"legacy\", \"setuptools==84.2.1\"]\n[tool.uv]\npackage = false\n[tool.uv.sources]\n\
             legacy = { path = \"legacy-1.0-py3-none-any.whl\" }\n",
        ),
        ("app.py", "import legacy.versions\n"),
    ]);
    for (init, is_missing) in [("", true), ("import setuptools\n", false)] {
        let files = [("legacy/__init__.py", init.as_bytes()), ("legacy/versions.py", b"import distutils.version\n")];
        project.write("legacy-1.0-py3-none-any.whl", &wheel_with("legacy", "1.0", &files));
        // uv keeps the digest of a wheel with the same path.
        let _ = std::fs::remove_file(project.path().join("uv.lock"));
        project.uv(&["lock", "--quiet"]);
        let zip = project.path().join("function.zip");
        let flags = ["--include", "app.py", "-o", zip.to_str().unwrap()];
        if is_missing {
            let said = fail(&mut lambda(project.path(), "3.12", &flags));
            assert!(
                said.contains("legacy/versions.py:1 of legacy 1.0 imports `distutils`, which is neither"),
                "{said}"
            );
        }
        succeed(lambda(project.path(), "3.12", &flags).args(is_missing.then_some("--no-audit")));
        let tree = project.path().join("tree");
        unpack(&zip, &tree);
        assert_eq!(exception("3.12", &tree, "app").is_some(), is_missing, "{init}");
    }
}

/// fs 2.4.16 requires setuptools, of any version.
#[test]
fn a_version_of_setuptools_with_pkg_resources_is_suggested() {
    let pyproject = |more: &str| {
        format!(
            "[project]\nname = \"a\"\nversion = \"1\"\nrequires-python = \">=3.12\"\n\
             dependencies = [\"fs==2.4.16\"{more}]\n[tool.uv]\npackage = false\n"
        )
    };
    let project = Project::locked(&pyproject(", \"setuptools>=82\""));
    project.write("app.py", b"import fs\n");
    let said = fail(&mut lambda(project.path(), "3.12", &["--include", "app.py"]));
    assert!(said.contains("of fs 2.4.16 imports `pkg_resources`, which is neither"), "{said}");
    let hint = "hint: setuptools has not contained `pkg_resources` since version 82: add setuptools<82 with `uv add 'setuptools<82'`";
    assert!(said.contains(hint), "{said}");
    project.write("pyproject.toml", pyproject(", \"setuptools<82\"").as_bytes());
    project.uv(&["lock", "--quiet"]);
    succeed(&mut lambda(project.path(), "3.12", &["--include", "app.py"]));
}
