//! Extension modules that lack a library: an error where they are imported, and a warning where nothing imports them or their
//! failure is handled.

use serde_json::json;

use crate::WheelProject;
use crate::compiled::{Compiler, platform_wheel, wheel};
use crate::support::command::{fail, succeed};
use crate::support::lambda::{invoke, newest_python};

struct LoadCase {
    /// The body of `lib/__init__.py`.
    package: &'static str,
    /// The body of `lib/other/__init__.py`.
    other: &'static str,
    /// What the application imports.
    import: &'static str,
    fails: bool,
}

const CASES: [LoadCase; 9] = [
    LoadCase { package: "from . import demo\n", other: "", import: "lib", fails: true },
    LoadCase { package: "", other: "", import: "lib", fails: false },
    LoadCase { package: "", other: "", import: "lib.demo", fails: true },
    LoadCase {
        package: "try:\n    from . import demo\nexcept ImportError:\n    demo = None\n",
        other: "",
        import: "lib",
        fails: false,
    },
    LoadCase {
        package: "try:\n    from . import other\nexcept ImportError:\n    other = None\n",
        other: "from .. import demo\n",
        import: "lib",
        fails: false,
    },
    LoadCase { package: "", other: "from lib import demo\n", import: "lib", fails: false },
    LoadCase { package: "", other: "from lib import demo\n", import: "lib.other", fails: true },
    LoadCase {
        package: "import importlib\nimportlib.import_module('lib.demo')\n",
        other: "",
        import: "lib",
        fails: true,
    },
    LoadCase {
        package: "import importlib\n\n\ndef __getattr__(name):\n    return importlib.import_module(f'lib.{name}')\n",
        other: "",
        import: "lib; lib.demo",
        fails: true,
    },
];

#[test]
fn a_module_that_lacks_a_library_is_an_error_exactly_if_it_is_imported() {
    let lacking = Compiler::new().lacking("libabsent.so.7");
    let python = newest_python();
    let runtime = format!("python{python}");
    for LoadCase { package, other, import, fails } in CASES {
        let files = [
            ("lib/__init__.py", package.as_bytes()),
            ("lib/other/__init__.py", other.as_bytes()),
            ("lib/demo.abi3.so", &lacking),
        ];
        let project = WheelProject::new(&[(&platform_wheel("lib"), wheel("lib", &files))]);
        let handler = format!("import {import}\n\ndef handler(event, context):\n    return 'started'\n");
        project.files.write("app.py", handler.as_bytes());
        let finding = "lib/demo.abi3.so of lib 1.0 needs libabsent.so.7, which is neither in the artifact nor in";
        let mut build = project.lambda(&runtime);
        build.args(["--handler", "app.handler"]);
        if fails {
            let said = fail(&mut build);
            assert!(said.contains(&format!("error: {finding}")), "{package} {other} {import}: {said}");
            succeed(build.arg("--no-audit"));
        } else {
            let output = build.output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{package} {other} {import}: {said}");
            assert!(said.contains(&format!("warning: {finding}")), "{package} {other} {import}: {said}");
        }
        let answer = invoke(&python, "app.handler", &json!({}), &[&project.output()]);
        if fails {
            assert_eq!(answer.error(), "Runtime.ImportModuleError", "{package} {other} {import}");
        } else {
            assert_eq!(answer.answer(), "started", "{package} {other} {import}");
        }
    }
}
