//! Images on real Pythons 3.14 and 3.15, those of Debian's next release.

use serde_json::{Value, json};

use crate::support::bases::{newer, platform};
use crate::support::command::{pybundle, succeed};
use crate::support::sandbox::Sandbox;
use crate::support::uv::Project;

/// Prints what each Python says of itself and of what was built for it: the magic number of the bytecode, the prefix of the
/// virtual environment, the file of a compiled module, and the distribution that is built from source.
const MAIN: &str = r#"import importlib.util
import json
import sys

import docopt
from cryptography.hazmat.bindings import _rust


def main():
    with open(docopt.__spec__.cached, "rb") as file:
        header = file.read(8)
    print(json.dumps({
        "python": ".".join(map(str, sys.version_info[:2])),
        "magic": header[:4] == importlib.util.MAGIC_NUMBER,
        "flags": header[4],
        "environment": [sys.prefix, sys.base_prefix],
        "suffix": _rust.__file__.partition(".abi3")[2],
        "version": docopt.__version__,
    }))
"#;

#[test]
fn bytecode_environments_wheels_and_sources_are_those_of_each_python() {
    let project = Project::locked(
        "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.14\"\n\
         dependencies = [\"cryptography==50.0.2\", \"docopt==0.6.2\"]\n[project.scripts]\napp = \"app:main\"\n\
         [build-system]\nrequires = [\"uv_build>=0.8,<1\"]\nbuild-backend = \"uv_build\"\n",
    );
    project.write("src/app/__init__.py", MAIN.as_bytes());
    project.uv(&["lock"]);
    for (python, suffix) in [("3.14", ".so"), ("3.15", "t.so")] {
        let base = newer(python);
        let layout = project.path().join(format!("image-{python}"));
        let mut command = pybundle(&["image", "--no-progress", "--platform", platform(), "--base", &base.argument()]);
        command.args(["--python", python, "-o"]).arg(format!("oci:{}", layout.display())).arg(project.path());
        succeed(&mut command);
        let said: Value = serde_json::from_str(&succeed(&mut Sandbox::unpack(&layout).run(&[]))).unwrap();
        let expected = json!({
            "python": python,
            "magic": true,
            // An unchecked hash (PEP 552).
            "flags": 1,
            "environment": ["/app/.venv", "/usr"],
            "suffix": suffix,
            "version": "0.6.2",
        });
        assert_eq!(said, expected);
    }
}
