//! The tree in the zip is the one that uv installs from the same lock for the same target, file by file.
//!
//! Files that an installer writes about itself, and the text of launchers in `bin`, are not compared.

use std::path::Path;

use crate::support::artifact::{Leaves, comparable, differences, leaves_of_folder, leaves_of_zip};
use crate::support::command::{fail, pybundle, repository, succeed};
use crate::support::sample::is_tried;
use crate::support::uv::Project;

/// The runtimes that are compared.
const PYTHONS: [&str; 5] = ["3.9", "3.11", "3.12", "3.13", "3.14"];

/// The names of the architectures at AWS and in wheels.
const ARCHITECTURES: [(&str, &str); 2] = [("x86_64", "x86_64"), ("arm64", "aarch64")];

struct Comparison<'a> {
    /// The relative path of the project or workspace member.
    member: &'a str,
    /// Further arguments, for both pybundle and `uv export`.
    arguments: &'a [&'a str],
    /// The application's files, which uv does not install.
    application: &'a [&'a str],
}

impl Comparison<'_> {
    /// Asserts that the trees are equal for each runtime and architecture.
    fn holds_for(&self, project: &Project, pythons: &[&str]) {
        for (series, python) in pythons.iter().enumerate() {
            let tried = ARCHITECTURES.into_iter().enumerate().filter(|(number, _)| is_tried(number + series, 2));
            for (_, (architecture, machine)) in tried {
                let ours = self.ours(project, python, architecture);
                let theirs = self.theirs(project, python, machine);
                let differing = differences(&ours, &theirs);
                assert!(differing.is_empty(), "Python {python}, {architecture}:\n{}", differing.join("\n"));
                assert!(!ours.is_empty());
            }
        }
    }

    /// Returns the tree in pybundle's zip.
    fn ours(&self, project: &Project, python: &str, architecture: &str) -> Leaves {
        let folder = tempfile::tempdir().unwrap();
        let zip = folder.path().join("function.zip");
        let runtime = format!("python{python}");
        let mut command = pybundle(&["lambda", "--runtime", &runtime, "--arch", architecture, "--allow-oversize"]);
        succeed(command.args(self.arguments).arg("-o").arg(&zip).arg(project.path().join(self.member)));
        let mut leaves = leaves_of_zip(&zip);
        for path in self.application {
            assert!(leaves.remove(*path).is_some(), "{path} is not in the zip");
        }
        comparable(leaves)
    }

    /// Returns the tree that uv installs.
    fn theirs(&self, project: &Project, python: &str, machine: &str) -> Leaves {
        let folder = tempfile::tempdir().unwrap();
        let requirements = folder.path().join("requirements.txt");
        let member = project.path().join(self.member);
        let mut export = uv(&[
            "export",
            "--frozen",
            "--no-default-groups",
            "--no-editable",
            "--no-hashes",
            "--quiet",
            "--directory",
        ]);
        succeed(export.arg(&member).args(self.arguments).arg("--output-file").arg(&requirements));
        let install = |platform: &str| {
            let target = folder.path().join(platform);
            let platform = format!("{machine}-{platform}");
            let mut install = uv(&["pip", "install", "--no-deps", "--quiet", "--directory"]);
            // Paths of local projects are relative to the workspace root.
            install.arg(project.path()).args(["--python-platform", &platform, "--python-version", python]);
            // Both build local projects with the target's Python where it is installed: another one gets another release
            // of the build backend.
            if crate::support::lambda::pythons().iter().any(|installed| installed == python) {
                install.args(["--python", &format!("python{python}")]);
            }
            if self.member.is_empty() {
                install.args(["--only-binary", ":all:"]);
            }
            succeed(install.arg("--target").arg(&target).arg("--requirements").arg(&requirements));
            remove_generators_of_local_projects(&target);
            target
        };
        let minor: u32 = python.split_once('.').unwrap().1.parse().unwrap();
        if minor >= 12 {
            return comparable(leaves_of_folder(&install("manylinux_2_34")));
        }
        // Amazon Linux 2 has glibc 2.26, for which uv has no platform: try 2.28, unless it selects wheels that need more.
        let newer = install("manylinux_2_28");
        let target = if needs_more_than_2_26(&newer) { install("manylinux_2_17") } else { newer };
        comparable(leaves_of_folder(&target))
    }
}

fn uv(arguments: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new("uv");
    command.args(arguments).env_remove("VIRTUAL_ENV").env("SOURCE_DATE_EPOCH", "315532800");
    command
}

/// Removes the versions of back ends from the WHEEL files of what uv has built, as pybundle does.
fn remove_generators_of_local_projects(target: &Path) {
    for entry in std::fs::read_dir(target).unwrap() {
        let folder = entry.unwrap().path();
        if folder.join("direct_url.json").is_file() {
            let wheel = std::fs::read_to_string(folder.join("WHEEL")).unwrap();
            let (before, rest) = wheel.split_once("Generator: ").unwrap();
            let (generator, after) = rest.split_once('\n').unwrap();
            let name = generator.split(' ').next().unwrap();
            std::fs::write(folder.join("WHEEL"), format!("{before}Generator: {name}\n{after}")).unwrap();
        }
    }
}

/// Returns whether a distribution is installed whose tags all need a glibc newer than 2.26.
fn needs_more_than_2_26(target: &Path) -> bool {
    let folders = std::fs::read_dir(target).unwrap().map(|entry| entry.unwrap().path());
    let wheels = folders.filter_map(|folder| std::fs::read_to_string(folder.join("WHEEL")).ok());
    wheels.into_iter().any(|wheel| {
        let tags = wheel.lines().filter_map(|line| line.strip_prefix("Tag: "));
        let glibc = |tag: &str| Some(tag.split_once("-manylinux_2_")?.1.split_once('_')?.0.parse::<u32>().unwrap());
        tags.map(glibc).min().flatten().is_some_and(|minor| minor > 26)
    })
}

/// Locks a project that is not a package and has a module `app`.
fn locked(pyproject: &str) -> Project {
    let project = Project::locked(pyproject);
    project.write("app.py", b"def handler(event, context):\n    return event\n");
    project
}

const FLAT: Comparison<'static> = Comparison { member: "", arguments: &[], application: &["app.py"] };

#[test]
fn the_example() {
    let project = Project::new(&[]);
    let example = repository().join("testdata/example");
    succeed(std::process::Command::new("cp").arg("-R").arg(example.join(".")).arg(project.path()));
    let application = &["app.py", "shop/__init__.py", "shop/prices.json"];
    Comparison { application, ..FLAT }.holds_for(&project, &PYTHONS);
}

#[test]
fn fastapi_with_extras() {
    let project = locked(
        r#"
[project]
name = "api"
version = "1.0"
requires-python = ">=3.9"
dependencies = ["fastapi[standard]", "sqlalchemy[asyncio]"]
"#,
    );
    FLAT.holds_for(&project, &PYTHONS);
}

#[test]
fn boto3_with_groups_and_extras() {
    let project = locked(
        r#"
[project]
name = "worker"
version = "1.0"
requires-python = ">=3.9"
dependencies = ["boto3"]

[project.optional-dependencies]
queue = ["redis"]

[dependency-groups]
dev = ["pytest"]
ops = ["pyyaml", { include-group = "more" }]
more = ["cryptography"]
"#,
    );
    FLAT.holds_for(&project, &["3.9", "3.13"]);
    Comparison { arguments: &["--extra", "queue", "--group", "ops"], ..FLAT }.holds_for(&project, &["3.11", "3.12"]);
}

#[test]
fn numpy_and_pandas() {
    let project = locked(
        r#"
[project]
name = "science"
version = "1.0"
requires-python = ">=3.9"
dependencies = [
    "numpy<2.3; python_version < '3.12'",
    "numpy; python_version >= '3.12'",
    "pandas<3; python_version < '3.12'",
    "pandas; python_version >= '3.12'",
]
"#,
    );
    FLAT.holds_for(&project, &["3.9", "3.14"]);
}

#[test]
fn wheels_for_a_later_glibc_are_refused() {
    let project = locked(
        r#"
[project]
name = "late"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["numpy==2.3.5"]
"#,
    );
    let refused = fail(pybundle(&["lambda", "--runtime", "python3.11", "--no-build"]).arg(project.path()));
    for part in ["numpy", "2.3.5", "2_26", "manylinux_2_27"] {
        assert!(refused.contains(part), "{part} is not in: {refused}");
    }
    assert!(!project.path().join("dist").exists());
    FLAT.holds_for(&project, &["3.12"]);
}

#[test]
fn forks_and_markers() {
    let project = locked(
        r#"
[project]
name = "forks"
version = "1.0"
requires-python = ">=3.9"
dependencies = [
    "attrs==22.2.0; python_version < '3.12'",
    "attrs==24.2.0; python_version >= '3.12'",
    "click==8.1.7; platform_machine == 'x86_64'",
    "click==8.1.8; platform_machine != 'x86_64'",
    "colorama; sys_platform == 'win32'",
    "typing-extensions; python_version < '3.11'",
    "importlib-metadata",
]
"#,
    );
    FLAT.holds_for(&project, &PYTHONS);
}

#[test]
fn conflicting_extras() {
    let project = locked(
        r#"
[project]
name = "conflicts"
version = "1.0"
requires-python = ">=3.9"

[project.optional-dependencies]
old = ["idna==3.6"]
new = ["idna==3.10"]

[tool.uv]
conflicts = [[{ extra = "old" }, { extra = "new" }]]
"#,
    );
    for extra in ["old", "new"] {
        Comparison { arguments: &["--extra", extra], ..FLAT }.holds_for(&project, &["3.9", "3.14"]);
    }
    let refused = fail(pybundle(&["lambda", "--runtime", "python3.12", "--all-extras"]).arg(project.path()));
    assert!(refused.contains("old") && refused.contains("new"), "{refused}");
}

/// Creates a workspace whose members use different build back ends.
fn workspace() -> Project {
    let member = |name: &str, dependencies: &str, backend: &str| {
        format!(
            "[project]\nname = \"{name}\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\ndependencies = {dependencies}\n\
             [project.scripts]\n{name} = \"{name}:main\"\n[tool.uv.sources]\ncore = {{ workspace = true }}\n\
             [build-system]\n{backend}\n"
        )
    };
    let project = Project::new(&[
        ("pyproject.toml", "[tool.uv.workspace]\nmembers = [\"members/*\"]\n"),
        (
            "members/core/pyproject.toml",
            &member("core", r#"["idna"]"#, "requires = [\"hatchling==1.27.0\"]\nbuild-backend = \"hatchling.build\""),
        ),
        ("members/core/src/core/__init__.py", "def main():\n    print('core')\n"),
        ("members/core/src/core/words.txt", "a\nb\n"),
        (
            "members/service/pyproject.toml",
            &member("service", r#"["core", "anyio"]"#, "requires = [\"uv_build\"]\nbuild-backend = \"uv_build\""),
        ),
        ("members/service/src/service/__init__.py", "import core\n\n\ndef main():\n    core.main()\n"),
    ]);
    project.uv(&["lock"]);
    project
}

#[test]
fn members_of_a_workspace() {
    let project = workspace();
    let service = Comparison { member: "members/service", arguments: &[], application: &[] };
    service.holds_for(&project, &["3.9", "3.13"]);
    Comparison { member: "members/core", ..service }.holds_for(&project, &["3.12"]);
}
