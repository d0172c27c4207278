//! Modules of the application with the names of others: what the audit says is what Python does.

use std::path::Path;
use std::process::Command;

use super::support::command::{fail, pybundle, succeed};
use super::support::uv::Project;
use super::support::wheel_with;
use super::{exception, interpreter, lambda, unpack};

/// A project whose dependency `lib` has these modules.
fn project(application: &[(&str, &str)], library: &[(&str, &str)]) -> Project {
    let project = Project::new(&[&[("requirements.txt", "./lib-1.0-py3-none-any.whl\n")], application].concat());
    let files: Vec<(&str, &[u8])> = library.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    project.write("lib-1.0-py3-none-any.whl", &wheel_with("lib", "1.0", &files));
    project
}

struct ShadowCase {
    application: &'static [(&'static str, &'static str)],
    library: &'static [(&'static str, &'static str)],
    /// The finding; `None` if there is none.
    finding: Option<&'static str>,
    /// Whether importing `app` fails.
    fails: bool,
}

const CASES: [ShadowCase; 14] = [
    ShadowCase {
        application: &[("app.py", "import lib\n"), ("http.py", "")],
        library: &[("lib.py", "import sys\nfrom http import cookiejar\n")],
        finding: Some(
            "http.py replaces the module `http` of the standard library, but lib.py:2 of lib 1.0 imports `cookiejar` from it",
        ),
        fails: true,
    },
    ShadowCase {
        application: &[("app.py", "import http.cookiejar\n"), ("calendar.py", "")],
        library: &[],
        finding: Some(
            "calendar.py replaces the module `calendar` of the standard library, but app.py:1 imports `http.cookiejar`, which needs it",
        ),
        fails: true,
    },
    ShadowCase {
        application: &[("app.py", "import lib.inner\n"), ("calendar.py", "")],
        library: &[
            ("lib/__init__.py", ""),
            ("lib/inner.py", "from . import other\n"),
            ("lib/other.py", "from http import cookiejar\n"),
        ],
        finding: Some(
            "calendar.py replaces the module `calendar` of the standard library, but lib/other.py:1 of lib 1.0 imports `http.cookiejar`, which needs it",
        ),
        fails: true,
    },
    ShadowCase {
        application: &[("app.py", "import json\n"), ("calendar.py", "")],
        library: &[],
        finding: Some("calendar.py replaces the module `calendar` of the standard library"),
        fails: false,
    },
    ShadowCase {
        application: &[("app.py", "import lib\n"), ("email/__init__.py", "")],
        library: &[("lib.py", "import email.utils\n")],
        finding: Some(
            "email/__init__.py replaces the module `email` of the standard library, but lib.py:1 of lib 1.0 imports `email.utils`",
        ),
        fails: true,
    },
    ShadowCase {
        application: &[
            ("app.py", "import lib\n"),
            ("email/__init__.py", ""),
            ("email/utils.py", "def formatdate(): ...\n"),
        ],
        library: &[("lib.py", "from email.utils import formatdate\n")],
        finding: Some("email/__init__.py replaces the module `email` of the standard library"),
        fails: false,
    },
    ShadowCase {
        application: &[("app.py", "import lib\n"), ("sched.py", "")],
        library: &[("lib.py", "import sched\nclass Q(sched.scheduler): ...\n")],
        finding: Some(
            "sched.py replaces the module `sched` of the standard library, but lib.py:1 of lib 1.0 uses `scheduler` of it",
        ),
        fails: true,
    },
    ShadowCase {
        application: &[("app.py", "import lib\n"), ("sched.py", "")],
        library: &[("lib.py", "import sched\ndef run():\n    sched.scheduler()\n")],
        finding: Some("sched.py replaces the module `sched` of the standard library"),
        fails: false,
    },
    ShadowCase {
        application: &[("app.py", "import lib\n"), ("sched.py", "")],
        library: &[("lib.py", "try:\n    from sched import scheduler\nexcept ImportError:\n    pass\n")],
        finding: Some("sched.py replaces the module `sched` of the standard library"),
        fails: false,
    },
    ShadowCase {
        application: &[("app.py", "import sched\nQ = sched.scheduler\n"), ("sched.py", "")],
        library: &[],
        finding: Some(
            "sched.py replaces the module `sched` of the standard library, but app.py:1 uses `scheduler` of it",
        ),
        fails: true,
    },
    // Beside a package, a module is never imported.
    ShadowCase {
        application: &[("app.py", "import lib\n"), ("lib.py", "def helper(): ...\n")],
        library: &[("lib/__init__.py", "VALUE = 1\n")],
        finding: Some("lib.py is never imported, because lib/__init__.py of lib 1.0 takes precedence"),
        fails: false,
    },
    ShadowCase {
        application: &[("app.py", "from lib import helper\n"), ("lib.py", "def helper(): ...\n")],
        library: &[("lib/__init__.py", "VALUE = 1\n")],
        finding: Some(
            "lib.py is never imported, because lib/__init__.py of lib 1.0 takes precedence, but app.py:1 imports `helper` from it",
        ),
        fails: true,
    },
    // A package takes the place of a module of a distribution, which another module of it needs.
    ShadowCase {
        application: &[("app.py", "import lib_user\n"), ("lib/__init__.py", "")],
        library: &[("lib.py", "VALUE = 1\n"), ("lib_user.py", "from lib import VALUE\n")],
        finding: Some(
            "lib/__init__.py replaces the module `lib` of lib 1.0, but lib_user.py:1 of lib 1.0 imports `VALUE` from it",
        ),
        fails: true,
    },
    ShadowCase {
        application: &[("app.py", "import lib\n"), ("email/data.txt", "")],
        library: &[("lib.py", "import email.utils\n")],
        finding: None,
        fails: false,
    },
];

#[test]
fn functions_with_modules_of_the_same_name_fail_exactly_if_the_audit_says_so() {
    for ShadowCase { application, library, finding, fails } in CASES {
        let project = project(application, library);
        let zip = project.path().join("function.zip");
        let flags = ["--handler", "app.handler", "--no-compile-bytecode", "--output", zip.to_str().unwrap()];
        // The handler is not what is checked here.
        let path = project.path().join("app.py");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}def handler(event, context): ...\n")).unwrap();
        let output = lambda(project.path(), "3.12", &flags).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(!output.status.success(), fails, "{application:?}: {said}");
        match finding {
            Some(finding) => assert!(said.lines().any(|line| line.ends_with(finding)), "{finding}: {said}"),
            None => assert!(!said.contains("warning: "), "{said}"),
        }
        succeed(lambda(project.path(), "3.12", &flags).arg("--no-audit"));
        let folder = tempfile::tempdir().unwrap();
        unpack(&zip, folder.path());
        let raised = exception("3.12", folder.path(), "app");
        assert_eq!(raised.is_some(), fails, "{application:?}: {raised:?}");
    }
}

#[test]
fn a_renamed_module_replaces_nothing() {
    let wanted = "def helper(): ...\n";
    for (name, library) in [("http", "from http import cookiejar\n"), ("calendar", "import http.cookiejar\n")] {
        let file = format!("{name}.py");
        let app = format!("import lib\nfrom {name} import helper\ndef handler(event, context): ...\n");
        let before = project(&[("app.py", &app), (&file, wanted)], &[("lib.py", library)]);
        let said = fail(&mut lambda(before.path(), "3.12", &["--handler", "app.handler"]));
        assert!(said.contains(&format!("\nhint: rename the module, for instance to `app_{name}`\n")), "{said}");
        let (file, app) =
            (format!("app_{name}.py"), app.replace(&format!("from {name} "), &format!("from app_{name} ")));
        let after = project(&[("app.py", &app), (&file, wanted)], &[("lib.py", library)]);
        succeed(&mut lambda(after.path(), "3.12", &["--handler", "app.handler"]));
    }
}

/// In images, the application precedes the standard library (PYTHONPATH), which precedes the distributions.
#[test]
fn images_with_modules_of_the_same_name_fail_exactly_if_the_audit_says_so() {
    for (application, library, error) in [
        (
            &[("app.py", "import lib\n"), ("http.py", "")][..],
            &[("lib.py", "from http import cookiejar\n")][..],
            Some("app/http.py replaces the module `http` of the standard library, but"),
        ),
        (
            &[("app.py", "import http.cookiejar\n"), ("calendar.py", "")],
            &[],
            Some(
                "app/calendar.py replaces the module `calendar` of the standard library, but app/app.py:1 imports `http.cookiejar`, which needs it",
            ),
        ),
        (
            &[("app.py", "import enum\n"), ("types.py", "")],
            &[("lib.py", "")],
            Some("app/types.py replaces the module `types` of the standard library, but "),
        ),
        (&[("app.py", "import json\n"), ("sched.py", "")], &[], None),
        (&[("app.py", ""), ("io.py", ""), ("os.py", "")], &[], None),
        (
            &[("app.py", "import lib_user\n"), ("lib.py", "")],
            &[("lib.py", "VALUE = 1\n"), ("lib_user.py", "from lib import VALUE\n")],
            Some("app/lib.py replaces the module `lib` of lib 1.0, but "),
        ),
        (&[("app.py", "import lib\n")], &[("lib.py", "import sched\nsched.scheduler\n"), ("sched.py", "")], None),
    ] {
        let project = project(application, library);
        let mut image =
            pybundle(&["image", "--no-progress", "--python=3.12", "--platform=linux/amd64", "--base=scratch"]);
        image.args(["--no-compile-bytecode", "--cmd=python -m app"]);
        image.arg("-o").arg(format!("oci:{}", project.path().join("image").display())).arg(project.path());
        match error {
            Some(error) => assert!(fail(&mut image).contains(error), "{error}: {}", fail(&mut image)),
            None => assert!(!succeed(&mut image).contains("replaces"), "{application:?}"),
        }
        let site = tempfile::tempdir().unwrap();
        library.iter().for_each(|(path, text)| std::fs::write(site.path().join(path), text).unwrap());
        assert_eq!(starts(project.path(), site.path()), error.is_none(), "{application:?}");
    }
}

/// Returns whether `python -m app` succeeds as in an image.
fn starts(application: &Path, site_packages: &Path) -> bool {
    let directory = tempfile::tempdir().unwrap();
    for entry in
        application.read_dir().unwrap().flatten().filter(|entry| entry.file_name().to_string_lossy().ends_with(".py"))
    {
        std::fs::copy(entry.path(), directory.path().join(entry.file_name())).unwrap();
    }
    std::fs::write(
        directory.path().join("sitecustomize.py"),
        format!("import sys\nsys.path.append({site_packages:?})\n"),
    )
    .unwrap();
    let mut command = Command::new(interpreter("3.12"));
    command.args(["-m", "app"]).current_dir(directory.path()).env_clear().env("PYTHONPATH", directory.path());
    command.output().unwrap().status.success()
}

/// A package whose directories are in a function and in its layer: an `__init__.py` in one hides the modules of the other.
#[test]
fn an_init_file_hides_the_other_directories_of_a_package() {
    let app = "import shop.orders\ndef handler(event, context): ...\n";
    let orders = ("shop/orders.py", "");
    let with_init = project(&[("app.py", app), ("shop/__init__.py", ""), ("shop/own.py", "")], &[orders]);
    let layer = with_init.path().join("layer.zip");
    let zip = with_init.path().join("function.zip");
    let flags = ["--handler", "app.handler", "--layer", layer.to_str().unwrap(), "--output", zip.to_str().unwrap()];
    let said = fail(&mut lambda(with_init.path(), "3.12", &flags));
    let expected = "app.py:1 imports `shop.orders`, but python/lib/python3.12/site-packages/shop/orders.py is never imported, because shop/__init__.py of \
                    the application takes precedence\nhint: remove shop/__init__.py, so that Python searches every directory \
                    of the package, or move python/lib/python3.12/site-packages/shop/orders.py\n";
    assert!(said.contains(expected), "{said}");
    assert_eq!(raised(&with_init, &flags, true).unwrap(), "ModuleNotFoundError No module named 'shop.orders'");
    with_init.write("app.py", app.replace("import shop.orders", "from shop import orders").as_bytes());
    let said = fail(&mut lambda(with_init.path(), "3.12", &flags));
    assert!(said.contains(expected), "{said}");
    assert!(raised(&with_init, &flags, true).unwrap().starts_with("ImportError cannot import name 'orders'"));
    // The hint works.
    std::fs::remove_file(with_init.path().join("shop/__init__.py")).unwrap();
    assert_eq!(raised(&with_init, &flags, false), None);

    // The other way round, the handler is hidden by a distribution, which is in the layer.
    let handler = ("shop/main.py", "def handler(event, context): ...\n");
    let hidden = project(&[handler], &[("shop/__init__.py", "")]);
    let layer = hidden.path().join("layer.zip");
    let zip = hidden.path().join("function.zip");
    let mut flags =
        ["--handler", "shop.main.handler", "--layer", layer.to_str().unwrap(), "--output", zip.to_str().unwrap()];
    let said = fail(&mut lambda(hidden.path(), "3.12", &flags));
    let expected = "cannot run the handler `shop.main.handler`: shop/main.py is never imported, because \
                    python/lib/python3.12/site-packages/shop/__init__.py of lib 1.0 takes precedence\nhint: give the package of shop/main.py another name, \
                    or move the file\n";
    assert!(said.contains(expected), "{said}");
    std::fs::rename(hidden.path().join("shop"), hidden.path().join("store")).unwrap();
    flags[1] = "store.main.handler";
    succeed(&mut lambda(hidden.path(), "3.12", &flags));
}

/// Builds a function with a layer, and returns what importing `app` raises with both on the search path, as on Lambda.
fn raised(project: &Project, flags: &[&str], skips_audit: bool) -> Option<String> {
    let mut build = lambda(project.path(), "3.12", flags);
    succeed(if skips_audit { build.arg("--no-audit") } else { &mut build });
    let directory = tempfile::tempdir().unwrap();
    unpack(&project.path().join("function.zip"), directory.path());
    unpack(&project.path().join("layer.zip"), directory.path());
    let site = directory.path().join("python/lib/python3.12/site-packages");
    std::fs::write(directory.path().join("start.py"), format!("sys = __import__('sys')\nsys.path.append({site:?})\n"))
        .unwrap();
    exception("3.12", directory.path(), "start, app")
}
