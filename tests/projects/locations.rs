//! Which project and target a command is about, and where its output goes.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::artifact::paths_of_zip;
use crate::support::command::{fail, pybundle, repository, succeed};

/// A copy of the example, in a directory of its own.
struct Example(tempfile::TempDir);

impl Example {
    fn new() -> Self {
        let example = Self(tempfile::tempdir().unwrap());
        let source = repository().join("testdata/example");
        succeed(Command::new("cp").arg("-r").arg(source).arg(example.path("project")));
        example
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// Adds tables to the project's pyproject.toml.
    fn configure(&self, text: &str) {
        let path = self.path("project/pyproject.toml");
        fs::write(&path, format!("{}\n{text}", fs::read_to_string(&path).unwrap())).unwrap();
    }

    /// Returns the command in a directory.
    fn command(&self, directory: &str, arguments: &[&str]) -> Command {
        let mut command = pybundle(arguments);
        command.current_dir(self.path(directory));
        command
    }
}

#[test]
fn a_build_from_a_subdirectory_writes_into_the_project_and_is_no_input_of_the_next() {
    let example = Example::new();
    let build = |directory: &str| {
        succeed(&mut example.command(directory, &["lambda"]));
        fs::read(example.path("project/dist/example.zip")).unwrap()
    };
    let first = build("project");
    for _ in 0..2 {
        assert!(build("project/shop") == first);
    }
    assert!(!example.path("project/shop/dist").exists());
    // Wherever an artifact is and whatever its name is, it is recognized.
    succeed(&mut example.command("project", &["lambda", "--output", "shop/function.zip"]));
    succeed(&mut example.command("project", &["lambda", "--output", "bundle"]));
    assert!(build("project") == first);
}

#[test]
fn what_is_printed_into_the_project_is_no_input() {
    let example = Example::new();
    succeed(&mut example.command("project", &["lambda"]));
    let expected = fs::read(example.path("project/dist/example.zip")).unwrap();
    let (log, zip) = (example.path("project/build.log"), example.path("project/function.zip"));
    fs::write(&log, "earlier lines\n").unwrap();
    let mut command = example.command("project", &["lambda", "--output", "-"]);
    let log = Stdio::from(File::options().append(true).open(log).unwrap());
    let status = command.stdout(File::create(&zip).unwrap()).stderr(log).status().unwrap();
    assert!(status.success());
    assert!(fs::read(zip).unwrap() == expected);
}

#[test]
fn a_directory_that_is_named_is_a_project_itself() {
    let example = Example::new();
    example.write("project/functions/resize/handler.py", "def handler(event, context): ...");
    let output = example.path("out.zip");
    let output = output.to_str().unwrap();
    let said = fail(&mut example.command("project", &["lambda", "functions/resize", "--output", output]));
    assert!(
        said.contains("error: functions/resize is not a project: it contains no pyproject.toml and no lock"),
        "{said}"
    );
    let project = example.path("project").canonicalize().unwrap();
    let hint = format!(
        "hint: pass {} to bundle the project that contains it; add --include functions/resize:. to",
        project.display()
    );
    assert!(said.contains(&hint), "{said}");
    assert!(!Path::new(output).exists());

    let project = project.to_str().unwrap();
    let arguments = ["lambda", project, "--include", "functions/resize:.", "--handler", "handler.handler"];
    succeed(example.command("project", &arguments).args(["--output", output]));
    let names = paths_of_zip(Path::new(output));
    assert!(names.contains(&"handler.py".to_owned()) && !names.contains(&"app.py".to_owned()), "{names:?}");
}

#[test]
fn a_value_of_slim_is_not_taken_for_a_project() {
    let example = Example::new();
    let said = fail(&mut example.command("project", &["lambda", "--slim", "tests"]));
    assert!(said.contains("error: tests is not a project"), "{said}");
    assert!(said.contains("hint: if it is meant for --slim, write --slim=tests\n"), "{said}");
    succeed(&mut example.command("project", &["lambda", "--slim=tests"]));
}

#[test]
fn the_name_of_a_target_stands_for_the_target() {
    let example = Example::new();
    example.configure(
        "[tool.pybundle.target.api]\nkind = \"lambda\"\nruntime = \"python3.12\"\nhandler = \"app.handler\"\n\
         [tool.pybundle.target.web]\nkind = \"image\"\nbase = \"scratch\"\npython = \"3.12\"\n",
    );
    let said = |output: Output| {
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}{text}", String::from_utf8(output.stderr).unwrap());
        text
    };
    let plan = |arguments: &[&str]| said(example.command("project", arguments).output().unwrap());
    assert!(plan(&["plan", "api"]).starts_with("example for python3.12 on x86_64"));
    assert!(plan(&["plan", "web"]).contains("would write oci-archive:dist/web.tar"));
    assert!(plan(&["lambda", "api", "--dry-run"]).contains("would write dist/api.zip"));
    assert!(plan(&["image", "web", "--dry-run"]).contains("would write oci-archive:dist/web.tar"));

    // Without a name, all of them are planned; flags of functions mean a function.
    let all = plan(&["plan"]);
    assert!(all.contains("would write dist/api.zip") && all.contains("dist/web.tar"), "{all}");
    assert!(all.contains("2 targets: 2 planned, in "), "{all}");
    let one = plan(&["plan", "--runtime", "python3.11"]);
    assert!(one.starts_with("example for python3.11") && !one.contains("web.tar"), "{one}");

    let wrong = fail(&mut example.command("project", &["lambda", "web"]));
    assert!(wrong.contains("cannot build target `web` as `lambda`: its kind is `image`"), "{wrong}");
    let unknown = fail(&mut example.command("project", &["image", "wbe"]));
    assert!(unknown.contains("`wbe` is neither a directory nor a target of this project"), "{unknown}");
    assert!(unknown.contains("hint: did you mean `web`?"), "{unknown}");
    // A directory is written with a slash.
    fs::create_dir(example.path("project/api")).unwrap();
    assert!(plan(&["plan", "api"]).starts_with("example for python3.12"));
    assert!(fail(&mut example.command("project", &["plan", "api/"])).contains("api/ is not a project"));
}

#[test]
fn a_link_out_of_the_project_is_followed_in_its_repository() {
    let example = Example::new();
    example.write("shared/common.py", "NAME = 'common'\n");
    symlink("../shared", example.path("project/shared")).unwrap();
    let output = example.path("out.zip");
    let build = ["lambda", "--output", output.to_str().unwrap()];
    let said = fail(&mut example.command("project", &build));
    assert!(said.contains("points outside the workspace, to "), "{said}");
    let shared = example.path("shared").canonicalize().unwrap();
    let recipe = format!("--include . --include {}:shared --exclude /shared", shared.display());
    assert!(said.contains(&format!("or include its target in its place with {recipe}\n")), "{said}");
    succeed(example.command("project", &build).args(recipe.split(' ')));
    assert!(paths_of_zip(&output).contains(&"shared/common.py".to_owned()));
    assert!(paths_of_zip(&output).contains(&"shop/__init__.py".to_owned()));
    succeed(example.command("project", &build).args(["--exclude", "/shared"]));

    succeed(Command::new("git").args(["init", "--quiet"]).current_dir(example.path("")));
    succeed(&mut example.command("project", &build));
    assert!(paths_of_zip(&output).contains(&"shared/common.py".to_owned()));
}

#[test]
fn a_lock_that_a_member_has_kept_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        fs::create_dir_all(directory.path().join(path).parent().unwrap()).unwrap();
        fs::write(directory.path().join(path), text).unwrap();
    };
    write(
        "pyproject.toml",
        "[project]\nname = \"root\"\nversion = \"1\"\nrequires-python = \">=3.12\"\n\
         [tool.uv.workspace]\nmembers = [\"member\"]\n",
    );
    write("member/pyproject.toml", "[project]\nname = \"member\"\nversion = \"1\"\nrequires-python = \">=3.12\"\n");
    write("member/main.py", "");
    succeed(Command::new("uv").args(["lock", "--quiet"]).current_dir(directory.path()));
    write("member/uv.lock", "version = 1\nrequires-python = \">=3.8\"\n");
    let output = directory.path().join("out.zip");
    succeed(pybundle(&["lambda", "--output"]).arg(&output).current_dir(directory.path().join("member")));
    assert_eq!(paths_of_zip(&output), ["main.py"]);
}

#[test]
fn the_root_of_a_workspace_names_its_members() {
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        fs::create_dir_all(directory.path().join(path).parent().unwrap()).unwrap();
        fs::write(directory.path().join(path), text).unwrap();
    };
    let project = |name: &str| format!("[project]\nname = \"{name}\"\nversion = \"1\"\nrequires-python = \">=3.12\"\n");
    write("pyproject.toml", &format!("{}[tool.uv.workspace]\nmembers = [\"services/*\"]\n", project("root")));
    for name in ["api", "worker"] {
        write(&format!("services/{name}/pyproject.toml"), &project(name));
        write(&format!("services/{name}/{name}.py"), "");
    }
    succeed(Command::new("uv").args(["lock", "--quiet"]).current_dir(directory.path()));
    let said = fail(pybundle(&["lambda"]).current_dir(directory.path()));
    assert!(said.contains("has no Python module to bundle: it is the root of a workspace\n"), "{said}");
    assert!(said.contains("hint: choose a member: --package api, --package worker\n"), "{said}");
    let output = directory.path().join("out.zip");
    succeed(pybundle(&["lambda", "--package", "worker", "--output"]).arg(&output).current_dir(directory.path()));
    assert_eq!(paths_of_zip(&output), ["worker.py"]);
}

#[test]
fn a_mistake_in_the_configuration_is_said_where_a_target_is_named() {
    let example = Example::new();
    example.configure("[tool.pybundle.target.api]\nkind = \"lambda\"\nhandlr = \"app.handler\"\n");
    let said = fail(&mut example.command("project", &["lambda", "api"]));
    assert!(said.contains("unknown key `handlr`") && said.contains("did you mean `handler`?"), "{said}");
    let said = fail(&mut example.command("project", &["lambda", "app.py"]));
    assert!(said.contains("/app.py has no inline script metadata\n"), "{said}");
}
