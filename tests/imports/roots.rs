//! Hints about modules whose directory Python does not search: vendored ones, and code one level down.

use crate::support::command::{fail, succeed};
use crate::support::uv::Project;
use crate::{exception, lambda, unpack};

/// Each hint is followed, and the interpreter then imports what it could not.
#[test]
fn a_directory_of_modules_is_included_at_the_root() {
    for (files, started, hint) in [
        (
            &[("app.py", "import helpers\n\ndef handler(event, context): ...\n"), ("vendor/helpers.py", "")][..],
            "app",
            "`helpers` is in vendor, where Python does not look: include it at the root with --include . --include vendor:.",
        ),
        (
            &[
                ("service/main.py", "import helpers\nimport more\n\ndef handler(event, context): ...\n"),
                ("service/helpers.py", ""),
                ("service/more/__init__.py", ""),
            ],
            "service.main",
            "`helpers` is in service, where Python does not look: include it at the root with --include . --include service:.",
        ),
        // What only happens to have the name is included by itself.
        (
            &[
                ("app.py", "import helpers\n\ndef handler(event, context): ...\n"),
                ("tools/helpers.py", ""),
                ("tools/other.py", ""),
            ],
            "app",
            "tools/helpers.py is not in the artifact: include it with --include . --include tools/helpers.py",
        ),
    ] {
        let project = Project::new(&[("pyproject.toml", "[project]\nname = \"shop\"\nversion = \"1\"\n")]);
        files.iter().for_each(|(path, text)| project.write(path, text.as_bytes()));
        let handler = format!("--handler={started}.handler");
        let said = fail(&mut lambda(project.path(), "3.12", &[&handler]));
        assert!(said.contains(&format!("hint: {hint}\n")), "{said}");
        let (_, flags) = hint.split_once(" with ").unwrap();
        let zip = project.path().join("out.zip");
        let mut command = lambda(project.path(), "3.12", &[&handler]);
        succeed(command.args(flags.split(' ')).arg("--output").arg(&zip));
        let unpacked = tempfile::tempdir().unwrap();
        unpack(&zip, unpacked.path());
        assert_eq!(exception("3.12", unpacked.path(), started), None, "{hint}");
    }
}
