//! Directories that an application adds to `sys.path`.

use super::support::command::{fail, succeed};
use super::support::uv::Project;
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
