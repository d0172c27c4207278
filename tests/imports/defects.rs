//! Small projects with one defect each: the build reports it, and Python fails with the corresponding exception.

use super::support::command::{fail, succeed};
use super::support::uv::Project;
use super::support::wheel_with;
use super::{Files, exception, lambda, unpack};

/// A project with one defect.
struct Defect {
    /// The files of the application. The first is the module `app`, which is imported.
    files: &'static [(&'static str, &'static str)],
    /// The target's Python.
    python: &'static str,
    /// Parts of the build's message.
    expected: &'static [&'static str],
    /// The beginning of Python's exception.
    raises: &'static str,
}

/// The distributions of every project.
const WHEELS: [(&str, Files); 4] = [
    ("solid", &[("solid/__init__.py", b""), ("solid/inner.py", b"")]),
    ("cloud_core", &[("cloud/core.py", b"")]),
    (
        "cloud_old",
        &[
            ("old/__init__.py", b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"),
            ("old/part.py", b""),
        ],
    ),
    ("Cased", &[("Cased/__init__.py", b"")]),
];

const DEFECTS: [Defect; 26] = [
    Defect {
        files: &[("app.py", "import os\n\nimport requests\n")],
        python: "3.12",
        expected: &[
            "app.py:3 imports `requests`",
            "hint: if it belongs to the distribution requests, add it to requirements.txt",
        ],
        raises: "ModuleNotFoundError No module named 'requests'",
    },
    Defect {
        files: &[("app.py", "from google.cloud import storage\n")],
        python: "3.12",
        expected: &[
            "app.py:1 imports `google.cloud.storage`",
            "if it belongs to the distribution google-cloud-storage",
        ],
        raises: "ModuleNotFoundError No module named 'google'",
    },
    Defect {
        files: &[("app.py", "from PIL import Image\n")],
        python: "3.13",
        expected: &["app.py:1 imports `PIL`", "the distribution pillow"],
        raises: "ModuleNotFoundError No module named 'PIL'",
    },
    Defect {
        files: &[("app.py", "import solid.inner, solid.outer\n")],
        python: "3.12",
        expected: &[
            "app.py:1 imports `solid.outer`",
            "solid 1.0 is in the artifact, but does not contain `solid.outer`",
        ],
        raises: "ModuleNotFoundError No module named 'solid.outer'",
    },
    Defect {
        files: &[("app.py", "import cloud.core\nimport cloud.storage.client\n")],
        python: "3.12",
        expected: &["app.py:2 imports `cloud.storage`"],
        raises: "ModuleNotFoundError No module named 'cloud.storage'",
    },
    Defect {
        files: &[("app.py", "from cloud import core, storage\n")],
        python: "3.12",
        expected: &["app.py:1 imports `cloud.storage`"],
        raises: "ImportError cannot import name 'storage' from 'cloud'",
    },
    Defect {
        files: &[("app.py", "import old.part\nimport old.new\n")],
        python: "3.12",
        expected: &["app.py:2 imports `old.new`"],
        raises: "ModuleNotFoundError No module named 'old.new'",
    },
    Defect {
        files: &[("app/__init__.py", "from . import sibling\n")],
        python: "3.12",
        expected: &["app/__init__.py:1 imports `sibling` from `app`, which does not define it"],
        raises: "ImportError cannot import name 'sibling' from",
    },
    Defect {
        files: &[("app/__init__.py", "from .sibling import x\n")],
        python: "3.12",
        expected: &["app/__init__.py:1 imports `app.sibling`"],
        raises: "ModuleNotFoundError No module named 'app.sibling'",
    },
    Defect {
        files: &[
            ("app/__init__.py", "from .a import f\n"),
            ("app/a.py", "\n\nfrom ..b import f\n"),
            ("b.py", "f = 1\n"),
        ],
        python: "3.12",
        expected: &["app/a.py:3 imports `..b`, which is beyond its top-level package"],
        raises: "ImportError attempted relative import beyond top-level package",
    },
    Defect {
        files: &[("app.py", "from . import helper\n"), ("helper.py", "")],
        python: "3.12",
        expected: &["app.py:1 imports `.`, which is beyond its top-level package"],
        raises: "ImportError attempted relative import with no known parent package",
    },
    Defect {
        files: &[("app.py", "from models import User, Group\n"), ("models.py", "class User: ...\nclass Groups: ...\n")],
        python: "3.12",
        expected: &["app.py:1 imports `Group` from `models`, which does not define it", "hint: did you mean `Groups`?"],
        raises: "ImportError cannot import name 'Group' from 'models'",
    },
    Defect {
        files: &[("app.py", "from models import config\n"), ("models.py", "def f():\n    config = 1\n")],
        python: "3.12",
        expected: &["app.py:1 imports `config` from `models`"],
        raises: "ImportError cannot import name 'config' from 'models'",
    },
    Defect {
        files: &[("app.py", "import helper\n"), ("helper.py", "type Pair = tuple[int, int]\n")],
        python: "3.11",
        expected: &["helper.py:1:1 is not valid Python 3.11"],
        raises: "SyntaxError invalid syntax",
    },
    Defect {
        files: &[("app.py", "def f(x):\n    match x:\n        case 1:\n            pass\n")],
        python: "3.9",
        expected: &["app.py:2:5 is not valid Python 3.9"],
        raises: "SyntaxError invalid syntax",
    },
    Defect {
        files: &[("app.py", "import helper\n"), ("helper.py", "x = 1\n\ndef f(:\n    pass\n")],
        python: "3.12",
        expected: &["helper.py:3:7 is not valid Python 3.12"],
        raises: "SyntaxError invalid syntax",
    },
    Defect {
        files: &[("app.py", "print 'hello'\n")],
        python: "3.12",
        expected: &["app.py:1:7 is not valid Python 3.12"],
        raises: "SyntaxError Missing parentheses",
    },
    Defect {
        files: &[("app.py", "import cgi\n")],
        python: "3.13",
        expected: &[
            "app.py:1 imports `cgi`",
            "hint: `cgi` was removed in Python 3.13: add the distribution legacy-cgi, which provides it",
        ],
        raises: "ModuleNotFoundError No module named 'cgi'",
    },
    Defect {
        files: &[("app.py", "from distutils.version import LooseVersion\n")],
        python: "3.12",
        expected: &[
            "app.py:1 imports `distutils`",
            "removed in Python 3.12: add the distribution setuptools, and write `import setuptools` before this import",
        ],
        raises: "ModuleNotFoundError No module named 'distutils'",
    },
    Defect {
        files: &[("app.py", "import asyncore\n")],
        python: "3.12",
        expected: &["app.py:1 imports `asyncore`", "add the distribution pyasyncore, which provides it"],
        raises: "ModuleNotFoundError No module named 'asyncore'",
    },
    Defect {
        files: &[("app.py", "import tomllib\n")],
        python: "3.10",
        expected: &[
            "app.py:1 imports `tomllib`",
            "`tomllib` was added in Python 3.11: for older versions, use the distribution tomli and import `tomli`",
        ],
        raises: "ModuleNotFoundError No module named 'tomllib'",
    },
    Defect {
        files: &[("app.py", "import cased\n")],
        python: "3.12",
        expected: &["app.py:1 imports `cased`", "hint: did you mean `Cased`? Names of modules are case-sensitive"],
        raises: "ModuleNotFoundError No module named 'cased'",
    },
    Defect {
        files: &[
            ("app.py", "import importlib\n\nplugin = importlib.import_module(\"plugins.first\")\n"),
            ("plugins/second.py", ""),
        ],
        python: "3.12",
        expected: &["app.py:3 imports `plugins.first`"],
        raises: "ModuleNotFoundError No module named 'plugins.first'",
    },
    Defect {
        files: &[("app.py", "try:\n    import fast\nexcept ImportError:\n    import slow\n")],
        python: "3.12",
        expected: &["app.py:4 imports `slow`"],
        raises: "ModuleNotFoundError No module named 'slow'",
    },
    Defect {
        files: &[(
            "app.py",
            "try:\n    import fast\nexcept ImportError as error:\n    raise RuntimeError('install fast') from error\n",
        )],
        python: "3.12",
        expected: &["app.py:2 imports `fast`"],
        raises: "RuntimeError install fast",
    },
    Defect {
        files: &[
            ("app.py", "import sys\nif sys.version_info >= (3, 11):\n    import newer\nelse:\n    import older\n"),
            ("newer.py", ""),
        ],
        python: "3.10",
        expected: &["app.py:5 imports `older`"],
        raises: "ModuleNotFoundError No module named 'older'",
    },
];

/// Creates the project of a defect.
fn project(defect: &Defect) -> Project {
    let project = Project::new(&[]);
    let mut requirements = String::new();
    for (name, files) in WHEELS {
        let path = format!("wheels/{name}-1.0-py3-none-any.whl");
        project.write(&path, &wheel_with(name, "1.0", files));
        requirements.push_str(&format!("./{path}\n"));
    }
    project.write("requirements.txt", requirements.as_bytes());
    defect.files.iter().for_each(|(path, text)| project.write(&format!("src/{path}"), text.as_bytes()));
    project
}

#[test]
fn each_defect_is_the_only_error() {
    for defect in &DEFECTS {
        let project = project(defect);
        let said = fail(&mut lambda(project.path(), defect.python, &["--include", "src:."]));
        for expected in defect.expected {
            assert!(said.contains(expected), "{expected} in\n{said}");
        }
        assert!(said.starts_with("error: ") && !said.contains("problems that fail"), "{said}");

        let tree = project.path().join("tree");
        WHEELS
            .iter()
            .for_each(|(name, _)| unpack(&project.path().join(format!("wheels/{name}-1.0-py3-none-any.whl")), &tree));
        for (path, text) in defect.files {
            project.write(&format!("tree/{path}"), text.as_bytes());
        }
        let raised = exception(defect.python, &tree, "app").unwrap_or_default();
        assert!(raised.starts_with(defect.raises), "{}: {raised}", defect.raises);
    }
}

#[test]
fn all_defects_are_told_at_once_unless_they_are_allowed() {
    let files: &[(&str, &str)] =
        &[("app.py", "import one.inner\nimport two\nimport one\n"), ("bad.py", "def f(:\n"), ("worse.py", "x = = 1\n")];
    let project = project(&Defect { files, python: "3.12", expected: &[], raises: "" });
    let said = fail(&mut lambda(project.path(), "3.12", &["--include", "src:."]));
    for expected in [
        "the artifact has 4 problems that fail at run time:",
        "\n  app.py:1 imports `one`, which is neither in the artifact nor in Python 3.12 (and 1 more import)",
        "\n  app.py:2 imports `two`",
        "\n  bad.py:1:7 ",
        "\n  worse.py:1:5 ",
        "pass --allow-missing one --allow-missing two",
    ] {
        assert!(said.contains(expected), "{expected} in\n{said}");
    }
    let allowed = ["--include", "src/app.py", "--allow-missing", "one", "--allow-missing", "two"];
    succeed(&mut lambda(project.path(), "3.12", &allowed));
}

#[test]
fn what_is_not_run_for_certain_is_a_warning() {
    let files: &[(&str, &str)] = &[
        ("app.py", "import used\ndef handler(event, context):\n    import lazy\n"),
        ("used.py", ""),
        ("other.py", "import absent\n"),
        ("test_app.py", "import pytest\n"),
    ];
    let project = project(&Defect { files, python: "3.12", expected: &[], raises: "" });
    let mut command = lambda(project.path(), "3.12", &["--include", "src:.", "--handler", "app.handler"]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let warnings: Vec<&str> = said.lines().collect();
    assert_eq!(warnings.len(), 2, "{said}");
    assert!(said.contains("app.py:3 imports `lazy`") && said.contains("other.py:1 imports `absent`"), "{said}");
}

#[test]
fn a_library_of_the_workspace_may_have_what_nobody_imports() {
    let member = |name: &str, more: &str| {
        format!("[project]\nname = \"{name}\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n{more}")
    };
    let backend = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";
    let root = "dependencies = [\"common\"]\n[tool.uv]\npackage = false\nno-index = true\n[tool.uv.sources]\n\
                common = { workspace = true }\n[tool.uv.workspace]\nmembers = [\"common\"]\n";
    let project = Project::new(&[
        ("pyproject.toml", &member("application", root)),
        ("app.py", "import common.used\n"),
        ("common/pyproject.toml", &member("common", backend)),
        ("common/backend.py", BACKEND),
        ("common/common/__init__.py", ""),
        ("common/common/used.py", ""),
        ("common/common/optional.py", "import absent\n"),
    ]);
    project.uv(&["lock", "--quiet"]);
    let output = lambda(project.path(), "3.12", &["--include", "app.py"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("warning: common/optional.py:1 imports `absent`"), "{said}");
    project.write("app.py", b"import common.optional\n");
    let said = fail(&mut lambda(project.path(), "3.12", &["--include", "app.py"]));
    assert!(said.contains("error: common/optional.py:1 imports `absent`"), "{said}");
}

/// A build backend without dependencies, which zips the package next to it.
const BACKEND: &str = r#"
import pathlib, zipfile


def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "common-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        files = sorted(str(path) for path in pathlib.Path("common").glob("*.py"))
        for path in files:
            wheel.write(path)
        info = "common-1.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: common\nVersion: 1\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        rows = [*files, info + "METADATA", info + "WHEEL", info + "RECORD"]
        wheel.writestr(info + "RECORD", "".join(row + ",,\n" for row in rows))
    return name
"#;

#[test]
fn a_module_of_the_project_that_is_not_included_is_suggested() {
    let files: &[(&str, &str)] = &[("app.py", "import helper\nfrom package import part\nimport deep\n")];
    let project = project(&Defect { files, python: "3.12", expected: &[], raises: "" });
    project.write("helper.py", b"");
    project.write("package/__init__.py", b"part = 1\n");
    project.write("lib/shared/deep.py", b"");
    let included = ["--include", "src/app.py"];
    let said = fail(&mut lambda(project.path(), "3.12", &included));
    let hints = ["helper.py", "package", "lib/shared/deep.py"]
        .map(|path| format!("hint: {path} is not in the artifact: include it with --include {path}\n"));
    assert!(hints.iter().all(|hint| said.contains(hint)), "{said}");
    let more = ["--include", "helper.py", "--include", "package", "--include", "lib/shared/deep.py"];
    succeed(&mut lambda(project.path(), "3.12", &[&included[..], &more].concat()));
}

#[test]
fn a_module_that_is_excluded_is_suggested() {
    let files = [("requirements.txt", ""), ("app.py", "import helper\nfrom tests import fake\n"), ("helper.py", "")];
    let project = Project::new(&files);
    project.write("tests/fake.py", b"");
    let excluded = ["--exclude", "helper.py", "--exclude", "tests/"];
    let said = fail(&mut lambda(project.path(), "3.12", &excluded));
    for hint in [
        "helper.py is not in the artifact: include it with --exclude '!/helper.py'",
        "include it with --exclude '!/tests/'",
    ] {
        assert!(said.contains(hint), "{said}");
    }
    let more = ["--exclude", "!/helper.py", "--exclude", "!/tests/"];
    succeed(&mut lambda(project.path(), "3.12", &[&excluded[..], &more].concat()));
}
