//! What is installed of the dependencies.

use std::fs;

use super::case::{HANDLER, PeerCase};
use crate::support::command::{pybundle, succeed};

/// Jinja2 with its requirement.
const JINJA: &str = "jinja2==3.1.6\nmarkupsafe==3.0.3\n";

#[test]
fn requirements_are_installed_without_bytecode() {
    PeerCase {
        peer: "serverless-python-requirements: packages flask with default options",
        files: &[("handler.py", HANDLER), ("requirements.txt", JINJA)],
        contains: &["handler.py", "jinja2/__init__.py", "markupsafe/__init__.py"],
        lacks: &["jinja2/__pycache__", "bin/"],
        ..PeerCase::NEW
    }
    .check();
}

#[test]
fn slim_packages_lack_what_is_not_needed_at_run_time() {
    PeerCase {
        peer: "serverless-python-requirements: slim",
        files: &[("handler.py", HANDLER), ("requirements.txt", JINJA)],
        arguments: &["--slim"],
        // It removes *.dist-info, which importlib.metadata reads.
        contains: &["jinja2/__init__.py", "jinja2-3.1.6.dist-info/METADATA"],
        lacks: &["markupsafe/_speedups.pyi"],
        ..PeerCase::NEW
    }
    .check();
}

#[test]
fn a_distribution_is_omitted_by_its_name() {
    PeerCase {
        peer: "serverless-python-requirements: noDeploy",
        files: &[("handler.py", HANDLER), ("requirements.txt", "bottle==0.13.4\nsix==1.17.0\n")],
        arguments: &["--no-install-package", "bottle"],
        contains: &["six.py"],
        lacks: &["bottle"],
        ..PeerCase::NEW
    }
    .check();
}

#[test]
fn requirements_files_include_others() {
    PeerCase {
        peer: "serverless-python-requirements, Heroku, pip: nested -r and comments",
        files: &[
            ("handler.py", HANDLER),
            ("requirements.txt", "# production\n-r requirements/common.txt\n\nsix==1.17.0  # py2\n"),
            ("requirements/common.txt", "-c limits.txt\nbottle\n"),
            ("requirements/limits.txt", "bottle==0.13.4\n"),
        ],
        contains: &["bottle.py", "six.py"],
        lacks: &["requirements"],
        ..PeerCase::NEW
    }
    .check();
}

#[test]
fn markers_are_those_of_the_target() {
    PeerCase {
        peer: "rules_py, pex, aws-lambda-builders: environment markers",
        files: &[
            ("handler.py", HANDLER),
            (
                "requirements.txt",
                "six==1.17.0 ; python_version >= '3.12'\nbottle==0.13.4 ; python_version < '3.12'\n\
                 colorama==0.4.6 ; sys_platform == 'win32'\nmarkupsafe==3.0.3 ; platform_machine == 'aarch64'\n",
            ),
        ],
        arguments: &["--arch", "arm64"],
        contains: &["six.py", "markupsafe/_speedups.cpython-313-aarch64-linux-gnu.so"],
        lacks: &["bottle", "colorama"],
        ..PeerCase::NEW
    }
    .check();
}

#[test]
fn hashes_are_enforced() {
    let good = "six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274\n";
    let case = PeerCase {
        peer: "CDK poetryIncludeHashes, Heroku: --require-hashes",
        files: &[("handler.py", HANDLER)],
        contains: &["six.py"],
        ..PeerCase::NEW
    };
    let fixture = case.fixture();
    let requirements = fixture.path().join("requirements.txt");
    fs::write(&requirements, good).unwrap();
    let zip = fixture.path().join("function.zip");
    let build = ["lambda", "--require-hashes", "--output"];
    succeed(pybundle(&build).arg(&zip).current_dir(fixture.path()));
    case.check_zip(&zip);
    fs::write(&requirements, good.replace("4721f391", "00000000")).unwrap();
    let said = crate::support::command::fail(pybundle(&build).arg(&zip).current_dir(fixture.path()));
    assert!(said.contains("six"), "{said}");
}

#[test]
fn a_requirement_that_does_not_exist_is_an_error() {
    let said = PeerCase {
        peer: "aws-lambda-builders, python_pip: a requirement that is not on the index",
        files: &[("handler.py", HANDLER), ("requirements.txt", "six==1.999\n")],
        ..PeerCase::NEW
    }
    .refused();
    assert!(said.contains("six") && said.contains("1.999"), "{said}");
}

#[test]
fn compiled_distributions_are_those_of_the_runtime() {
    for (architecture, expected) in [
        ("x86_64", &["markupsafe/_speedups.cpython-313-x86_64-linux-gnu.so"]),
        ("arm64", &["markupsafe/_speedups.cpython-313-aarch64-linux-gnu.so"]),
    ] {
        let case = PeerCase {
            peer: "aws-lambda-builders, python_pip: wheels for the runtime, not for this machine",
            files: &[("handler.py", HANDLER), ("requirements.txt", JINJA)],
            contains: expected,
            ..PeerCase::NEW
        };
        let fixture = case.fixture();
        let zip = fixture.path().join("function.zip");
        let build = ["lambda", "--runtime", "python3.13", "--arch", architecture, "--output"];
        succeed(pybundle(&build).arg(&zip).current_dir(fixture.path()));
        case.check_zip(&zip);
    }
}

#[test]
fn a_layer_has_the_dependencies_below_python() {
    let case = PeerCase {
        peer: "serverless-python-requirements: layer",
        files: &[("handler.py", HANDLER), ("requirements.txt", "six==1.17.0\n")],
        // It writes python/six.py. Both directories are in the search path of a runtime.
        contains: &["python/lib/python3.13/site-packages/six.py"],
        lacks: &["handler.py", "python/handler.py"],
        ..PeerCase::NEW
    };
    let fixture = case.fixture();
    let (zip, layer) = (fixture.path().join("function.zip"), fixture.path().join("layer.zip"));
    let build = ["lambda", "--runtime", "python3.13", "--output"];
    succeed(pybundle(&build).arg(&zip).arg("--layer").arg(&layer).current_dir(fixture.path()));
    case.check_zip(&layer);
    PeerCase { contains: &["handler.py"], lacks: &["six", "python"], ..case }.check_zip(&zip);
}

#[test]
fn development_groups_are_not_installed() {
    let case = PeerCase {
        peer: "aws-lambda-builders, python_uv: no development dependencies",
        files: &[
            (
                "pyproject.toml",
                "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.12'\ndependencies = ['six==1.17.0']\n\
                 [dependency-groups]\ndev = ['bottle==0.13.4']\n",
            ),
            ("main.py", HANDLER),
        ],
        before: &[&["uv", "lock", "--quiet"]],
        contains: &["main.py", "six.py"],
        lacks: &["bottle", "pyproject.toml", "uv.lock"],
        ..PeerCase::NEW
    };
    case.check();
    PeerCase { arguments: &["--group", "dev"], contains: &["six.py", "bottle.py"], lacks: &[], ..case }.check();
}

#[test]
fn equal_inputs_give_equal_packages() {
    let case = PeerCase {
        peer: "serverless-python-requirements: packages have the same hash",
        files: &[("handler.py", HANDLER), ("requirements.txt", JINJA)],
        ..PeerCase::NEW
    };
    let digests = [(); 2].map(|()| {
        let fixture = case.fixture();
        let zip = fixture.path().join("function.zip");
        succeed(pybundle(&["lambda", "--no-cache", "--output"]).arg(&zip).current_dir(fixture.path()));
        fs::read(zip).unwrap()
    });
    assert!(digests[0] == digests[1]);
}
