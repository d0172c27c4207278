//! The report of distributions that nothing imports.

use serde_json::Value;

use super::support::command::succeed;
use super::support::uv::Project;
use super::support::wheel_with;
use super::{Files, lambda};

#[test]
fn distributions_that_nothing_imports_are_reported() {
    let app = "import used\nimport importlib\nDRIVER = 'sqlite+mentioned://'\nif False:\n    import hidden\n";
    let project = Project::new(&[("src/app.py", app)]);
    let mut requirements = String::new();
    let wheels: [(&str, Files); 6] = [
        ("used", &[("used.py", b"")]),
        ("mentioned", &[("mentioned.py", b"")]),
        ("plugin", &[("plugin.py", b""), ("plugin-1.0.dist-info/entry_points.txt", b"[pytest11]\nplugin = plugin\n")]),
        ("psycopg2_binary", &[("psycopg2/__init__.py", b"")]),
        ("forgotten", &[("forgotten.py", b"")]),
        ("other_name", &[("othername/__init__.py", b"")]),
    ];
    for (name, files) in wheels {
        let path = format!("wheels/{name}-1.0-py3-none-any.whl");
        project.write(&path, &wheel_with(name, "1.0", files));
        requirements.push_str(&format!("./{path}\n"));
    }
    project.write("requirements.txt", requirements.as_bytes());
    let page = succeed(&mut lambda(project.path(), "3.12", &["--include", "src:."]));
    assert!(page.contains("unused    2 distributions that nothing imports: forgotten, other-name\n"), "{page}");
    let report: Value =
        serde_json::from_str(&succeed(&mut lambda(project.path(), "3.12", &["--include", "src:.", "--json"]))).unwrap();
    assert_eq!(report["audit"]["unused"], serde_json::json!(["forgotten", "other-name"]));
}

/// The handler of a wrapper, as of Datadog's: nothing of the application imports it.
#[test]
fn the_distribution_of_the_handler_is_used() {
    let project = Project::new(&[("app.py", "")]);
    let wrapper: Files = &[("wrapper/__init__.py", b""), ("wrapper/start.py", b"def handler(event, context): ...\n")];
    project.write("wrapper-1.0-py3-none-any.whl", &wheel_with("wrapper", "1.0", wrapper));
    project.write("requirements.txt", b"./wrapper-1.0-py3-none-any.whl\n");
    let page = succeed(&mut lambda(project.path(), "3.12", &[]));
    assert!(page.contains("unused    1 distribution that nothing imports: wrapper\n"), "{page}");
    let page = succeed(&mut lambda(project.path(), "3.12", &["--handler", "wrapper.start.handler"]));
    assert!(!page.contains("unused"), "{page}");
}
