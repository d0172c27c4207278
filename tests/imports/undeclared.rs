//! Hints for modules of projects that have no lock, since they declare nothing: what the hints say is done.

use std::path::Path;
use std::process::Command;

use super::lambda;
use super::support::command::{fail, succeed};
use super::support::uv::Project;

/// Returns the lines of a message that are hints.
fn hints(said: &str) -> impl Iterator<Item = &str> {
    said.lines().filter_map(|line| line.strip_prefix("hint: "))
}

/// Runs the commands of a hint, in their order.
fn follow(hint: &str, directory: &Path) {
    for command in hint.split('`').skip(1).step_by(2) {
        succeed(Command::new("sh").args(["-c", command]).current_dir(directory));
    }
}

const APPLICATION: &str = "import idna\n\n\ndef handler(event, context): ...\n";

#[test]
fn a_script_that_is_alone_is_suggested_as_the_project() {
    let handler = ["--handler=job.handler"];
    for (metadata, expected) in [
        ("", "if it belongs to the distribution idna, add it with `uv add --script JOB idna`, lock it with "),
        (
            "# /// script\n# dependencies = []\n# ///\n",
            "if it belongs to the distribution idna, add it with `uv add --script JOB idna`, lock it with ",
        ),
        ("# /// script\n# dependencies = [\"idna==3.10\"]\n# ///\n", "JOB requires idna: lock it with "),
    ] {
        let project = Project::new(&[("job.py", &format!("{metadata}{APPLICATION}"))]);
        let job = project.path().join("job.py");
        let said = fail(&mut lambda(project.path(), "3.12", &handler));
        let name = job.to_str().unwrap();
        let expected = format!("{expected}`uv lock --script JOB`, and pass JOB as the project").replace("JOB", name);
        assert!(hints(&said).any(|hint| hint == expected), "{metadata}: {said}");
        assert!(!said.contains("requirements.txt"), "{said}");
        follow(&expected, Path::new("/"));
        succeed(&mut lambda(&job, "3.12", &handler));
        // Its lock does not make the directory a project.
        let said = fail(&mut lambda(project.path(), "3.12", &handler));
        let expected = format!("{name} requires idna: pass {name} as the project");
        assert!(hints(&said).any(|hint| hint == expected), "{said}");
    }
}

#[test]
fn a_script_that_is_the_project_is_completed() {
    let project = Project::new(&[("job.py", &format!("# /// script\n# dependencies = []\n# ///\n{APPLICATION}"))]);
    let job = project.path().join("job.py");
    let said = fail(&mut lambda(&job, "3.12", &[]));
    let expected = "if it belongs to the distribution idna, add it with `uv add --script JOB idna`, and lock it with `uv lock --script JOB`";
    let expected = expected.replace("JOB", job.to_str().unwrap());
    assert!(hints(&said).any(|hint| hint == expected), "{said}");
    follow(&expected, Path::new("/"));
    succeed(&mut lambda(&job, "3.12", &[]));
}

/// A requirements file that helps is that of an application with several modules, none of which is a script.
#[test]
fn several_modules_get_a_requirements_file() {
    let project = Project::new(&[("job.py", APPLICATION), ("other.py", "")]);
    let handler = ["--handler=job.handler"];
    let said = fail(&mut lambda(project.path(), "3.12", &handler));
    let expected = "if it belongs to the distribution idna, add it to requirements.txt";
    assert!(hints(&said).any(|hint| hint == expected), "{said}");
    project.write("requirements.txt", b"idna==3.10\n");
    succeed(&mut lambda(project.path(), "3.12", &handler));
}

#[test]
fn a_project_that_declares_nothing_is_completed_by_its_tool() {
    let pyproject =
        "[project]\nname = \"shop\"\nversion = \"1\"\nrequires-python = \">=3.12\"\n[tool.uv]\npackage = false\n";
    let project = Project::new(&[("pyproject.toml", pyproject), ("app.py", APPLICATION)]);
    let handler = ["--handler=app.handler"];
    let said = fail(&mut lambda(project.path(), "3.12", &handler));
    let expected = "if it belongs to the distribution idna, add it with `uv add idna`";
    assert!(hints(&said).any(|hint| hint == expected), "{said}");
    // Only the lock is of interest.
    follow(&expected.replace("uv add", "uv add --no-sync"), project.path());
    succeed(&mut lambda(project.path(), "3.12", &handler));
}

#[test]
fn a_directory_with_nothing_to_resolve_has_a_script() {
    let project = Project::new(&[
        ("job.py", &format!("# /// script\n# dependencies = [\"idna\"]\n# ///\n{APPLICATION}")),
        ("helper.py", ""),
    ]);
    let job = project.path().join("job.py");
    let said = fail(&mut lambda(project.path(), "3.12", &["--resolve"]));
    let expected = format!("pass {} as the project", job.display());
    assert!(hints(&said).any(|hint| hint == expected), "{said}");
    succeed(&mut lambda(&job, "3.12", &["--resolve"]));
}

/// What is not audited has no other message about it.
#[test]
fn a_script_whose_dependencies_are_not_bundled_is_warned_of() {
    let metadata = "# /// script\n# dependencies = [\"idna==3.10\"]\n# ///\n";
    let project = Project::new(&[("job.py", &format!("{metadata}{APPLICATION}"))]);
    let job = project.path().join("job.py");
    let said = |path: &Path| {
        let output = lambda(path, "3.12", &["--resolve", "--dry-run"]).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let warning =
        format!("warning: {0} declares dependencies, which are not bundled: pass {0} as the project", job.display());
    let bundled = lambda(project.path(), "3.12", &["--no-audit"]).output().unwrap();
    assert!(bundled.status.success() && String::from_utf8(bundled.stderr).unwrap().contains(&warning));
    assert!(!said(&job).contains("declares dependencies"), "{}", said(&job));
    // A module beside it may be what is bundled, and a script without dependencies lacks none.
    for (path, text) in [("app.py", ""), ("job.py", "# /// script\n# dependencies = []\n# ///\n")] {
        let project = Project::new(&[("job.py", metadata)]);
        project.write(path, text.as_bytes());
        let bundled = lambda(project.path(), "3.12", &["--no-audit"]).output().unwrap();
        assert!(!String::from_utf8(bundled.stderr).unwrap().contains("declares dependencies"), "{path}");
    }
}
