//! Extension modules by their suffixes: the audit finds those that each real interpreter finds.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use pybundle::platform::{Architecture, CLibrary, ExtensionSuffixes, PythonVendor, PythonVersion};

use super::support::bases::{musl, platform};
use super::support::command::{fail, pybundle, repository, succeed};
use super::support::lambda::{architecture, pythons};
use super::support::sandbox::Sandbox;
use super::support::uv::Project;
use super::support::wheel_with;
use super::{exception, interpreter, lambda};

const ASK: &str = "import importlib.machinery as m; print(*m.EXTENSION_SUFFIXES)";

/// Returns the interpreter's own list.
fn answer(command: &mut Command) -> Vec<String> {
    succeed(command).split_whitespace().map(str::to_owned).collect()
}

/// Returns the list for this machine.
fn expected(python: &str, libc: CLibrary, vendor: PythonVendor) -> Vec<String> {
    let architecture = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };
    let python: PythonVersion = python.parse().unwrap();
    ExtensionSuffixes::new(python, libc, architecture, vendor).as_slice().to_vec()
}

/// Returns who built the interpreter of a version on this machine: Debian's prefix is `/usr`.
fn vendor(python: &str) -> PythonVendor {
    let is_debian = interpreter(python).parent().and_then(Path::parent).is_some_and(|prefix| prefix.ends_with("usr"));
    if is_debian { PythonVendor::Debian } else { PythonVendor::Upstream }
}

#[test]
fn every_interpreter_looks_for_these_suffixes_in_this_order() {
    let glibc = CLibrary::Glibc("2.36".parse().unwrap());
    for python in pythons() {
        let own = answer(Command::new(interpreter(&python)).args(["-I", "-c", ASK]));
        assert_eq!(expected(&python, glibc, vendor(&python)), own, "Python {python}");
    }
    let base = musl("newer");
    let own = answer(&mut Sandbox::unpack(&base.layout).program(&["python3", "-I", "-c", ASK]));
    let musl = CLibrary::Musl("1.2.5".parse().unwrap());
    assert_eq!(expected(&base.python, musl, PythonVendor::Upstream), own);
}

#[test]
fn an_extension_module_that_python_does_not_look_at_is_missing() {
    let triplet = format!("{}-linux", std::env::consts::ARCH);
    let mut suffixes = vec![
        ".so".to_owned(),
        ".abi3.so".to_owned(),
        ".abi3t.so".to_owned(),
        format!(".abi3t-{triplet}-gnu.so"),
        format!(".abi3-{triplet}-musl.so"),
        ".cpython-315.so".to_owned(),
        format!(".pypy311-pp73-{triplet}-gnu.so"),
    ];
    for minor in 9..=15 {
        suffixes.push(format!(".cpython-3{minor}-{triplet}-gnu.so"));
        suffixes.push(format!(".cpython-3{minor}-{triplet}-musl.so"));
        suffixes.push(format!(".cpython-3{minor}t-{triplet}-gnu.so"));
    }
    let modules: Vec<String> = (0..suffixes.len()).map(|at| format!("m{at}")).collect();
    let project = Project::new(&[("requirements.txt", "")]);
    let app: String = modules.iter().map(|module| format!("import {module}\n")).collect();
    project.write("app.py", format!("{app}def handler(event, context): ...\n").as_bytes());
    for (module, suffix) in modules.iter().zip(&suffixes) {
        project.write(&format!("{module}{suffix}"), b"");
    }
    let ask = format!(
        "import importlib.util as u, sys; sys.path.insert(0, '.')\n\
         print(*[name for name in '{}'.split() if u.find_spec(name) is None])",
        modules.join(" ")
    );
    for python in pythons() {
        let mut command = Command::new(interpreter(&python));
        let missing: BTreeSet<String> =
            answer(command.args(["-I", "-c", &ask]).current_dir(project.path())).into_iter().collect();
        assert!(missing.len() > suffixes.len() / 2, "{missing:?}");
        let output = lambda(project.path(), &python, &["--handler=app.handler", "-v", "-o", "-"]).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        let is_refused = |module: &&String| message.contains(&format!(" imports `{module}`, but {module}."));
        let refused: BTreeSet<String> = modules.iter().filter(is_refused).cloned().collect();
        assert_eq!(refused, missing, "Python {python}: {message}");
        let own = format!("end in `.cpython-{}-{triplet}-gnu.so`", python.replace('.', ""));
        assert!(message.contains(&own) && !output.status.success(), "{message}");
        let hint = format!("hint: compile m6{} for the target, as `.cpython-", suffixes[6]);
        assert!(message.contains(&hint), "{message}");
    }
}

/// CPython on musl looks at no module for glibc, whatever the module needs.
#[test]
fn a_module_for_glibc_is_missing_on_musl() {
    let triplet = format!("{}-linux", std::env::consts::ARCH);
    let base = musl("newer");
    let project = Project::new(&[("requirements.txt", ""), ("main.py", "import of_glibc, of_musl\n")]);
    project.write(&format!("of_glibc.cpython-311-{triplet}-gnu.so"), b"");
    project.write(&format!("of_musl.cpython-311-{triplet}-musl.so"), b"");
    let mut command = pybundle(&["image", "--no-progress", "--platform", platform(), "--cmd", "python main.py"]);
    command.args(["--base", &base.argument(), "-o"]).arg(format!("oci:{}", project.path().join("image").display()));
    let message = fail(command.arg("--no-compile-bytecode").arg(project.path()));
    let expected = format!("imports `of_glibc`, but app/of_glibc.cpython-311-{triplet}-gnu.so is for another Python");
    assert!(message.contains(&expected) && !message.contains("of_musl"), "{message}");
    assert!(message.contains(&format!("end in `.cpython-311-{triplet}-musl.so`")), "{message}");
}

/// A wheel may have a module for another Python only, whatever its tags promise.
#[test]
fn a_module_of_a_distribution_for_another_python_is_an_error() {
    let modules = repository().join("target/test-tools/newer/root/usr/lib/python3.14/lib-dynload");
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let name = format!("_quick.cpython-314-{triplet}.so");
    let module = std::fs::read(modules.join(format!("_queue.cpython-314-{triplet}.so"))).unwrap();
    let wheel = format!("quick-1.0-py3-none-linux_{}.whl", std::env::consts::ARCH);
    let project = Project::new(&[("app.py", "import quick\n"), ("requirements.txt", &format!("./{wheel}\n"))]);
    let path = format!("quick/{name}");
    let files: [(&str, &[u8]); 2] = [("quick/__init__.py", b"from . import _quick\n"), (&path, &module)];
    project.write(&wheel, &wheel_with("quick", "1.0", &files));
    let output = project.path().join("out");
    let flags = ["--no-compile-bytecode", "-o", &format!("dir:{}", output.display())];
    let message = fail(&mut lambda(project.path(), "3.15", &flags));
    let expected = format!(
        "{name} of quick 1.0 is not a module of python3.15 on {}, where extension modules end in `.cpython-315-{triplet}.so`",
        architecture()
    );
    assert!(message.contains(&expected), "{message}");
    assert!(message.contains("hint: lock a version of quick whose wheel has a module for the target\n"), "{message}");
    succeed(lambda(project.path(), "3.15", &flags).arg("--no-audit"));
    let raised = exception("3.15", &output, "quick").unwrap();
    assert!(raised.contains("cannot import name '_quick'"), "{raised}");
}
