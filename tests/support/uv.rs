//! Temporary projects, with uv as the oracle for what a lock selects.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use pybundle::lock::{Freshness, LocalProject, Lock, LockError};
use pybundle::platform::{Architecture, CLibrary, Glibc, LambdaProfile, TargetPlatform};

/// A project in a temporary directory.
pub struct Project {
    folder: tempfile::TempDir,
}

/// The version and the wheel of each distribution that uv would install.
pub type Oracle = BTreeMap<String, (String, String)>;

impl Project {
    /// Creates a project with these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        for (path, text) in files {
            project.write(path, text.as_bytes());
        }
        project
    }

    /// Creates a project with only a pyproject.toml, and locks it.
    pub fn locked(pyproject: &str) -> Self {
        let project = Self::new(&[("pyproject.toml", pyproject)]);
        project.uv(&["lock"]);
        project
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, and creates its parent directories.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).unwrap()
    }

    /// Runs uv in the project; it may fail.
    pub fn try_uv(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("uv");
        command.args(arguments).current_dir(self.path()).env_remove("VIRTUAL_ENV").env("NO_COLOR", "1");
        command.output().unwrap_or_else(|error| panic!("uv is missing; install it with `pip install uv` ({error})"))
    }

    /// Runs uv in the project, and returns its standard output and standard error.
    pub fn uv(&self, arguments: &[&str]) -> (String, String) {
        let output = self.try_uv(arguments);
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        let end: Vec<_> = stderr.lines().filter(|line| !line.starts_with("DEBUG")).collect();
        assert!(output.status.success(), "uv {}: {}", arguments.join(" "), end.join("\n"));
        (stdout, stderr)
    }

    /// Parses the lock.
    pub fn lock(&self) -> Lock {
        Lock::parse_uv(&self.read("uv.lock"), &self.path().join("uv.lock")).unwrap()
    }

    /// Checks the lock against the projects in these directories.
    pub fn check_locked(&self, folders: &[&str]) -> Result<Freshness, LockError> {
        let project = |folder: &&str| LocalProject {
            path: folder.into(),
            script: false,
            table: self.read(format!("{folder}/pyproject.toml").trim_start_matches('/')).parse().unwrap(),
            is_package: true,
        };
        self.lock().check_locked(&folders.iter().map(project).collect::<Vec<_>>())
    }

    /// Returns the distributions, except local projects, that uv would install for a target from the output of `uv export` with
    /// these arguments.
    pub fn oracle(&self, target: &TargetPlatform, export: &[&str]) -> Oracle {
        let common = ["export", "--frozen", "--no-default-groups", "--no-emit-local", "--no-hashes", "--quiet"];
        let (requirements, _) = self.uv(&[&common[..], export].concat());
        self.installed(target, &requirements)
    }

    /// Returns the distributions that uv would install for a target from requirements, without their dependencies.
    pub fn installed(&self, target: &TargetPlatform, requirements: &str) -> Oracle {
        self.write("requirements.txt", requirements.as_bytes());
        let python = target.python.to_string();
        let platform = platform(target);
        let (_, log) =
            self.uv(
                &[
                    &[
                        "pip",
                        "install",
                        "--no-config",
                        "--dry-run",
                        "--verbose",
                        "--no-deps",
                        "--no-build",
                        "--target",
                        "target",
                    ],
                    &[
                        "--python-platform",
                        &platform,
                        "--python-version",
                        &python,
                        "--requirements",
                        "requirements.txt",
                    ][..],
                ]
                .concat(),
            );
        // `Selecting: idna==3.10 [compatible] (idna-3.10-py3-none-any.whl)`
        let selecting = log.lines().filter_map(|line| line.split_once("Selecting: "));
        let chosen: Oracle = selecting
            .filter_map(|(_, rest)| {
                let (name, rest) = rest.split_once("==")?;
                let (version, rest) = rest.split_once(' ')?;
                let filename = rest.split_once('(')?.1.strip_suffix(')')?;
                Some((name.to_owned(), (version.to_owned(), filename.to_owned())))
            })
            .collect();
        let installed = log.lines().filter_map(|line| line.strip_prefix(" + "));
        installed
            .map(|line| {
                let name = line.split("==").next().unwrap();
                (
                    name.to_owned(),
                    chosen.get(name).unwrap_or_else(|| panic!("uv did not print the wheel of `{name}`")).clone(),
                )
            })
            .collect()
    }
}

/// Returns the value of `--python-platform` for a target.
pub fn platform(target: &TargetPlatform) -> String {
    let machine = target.architecture.wheel_name();
    match target.libc {
        CLibrary::Glibc(Glibc { major, minor }) => format!("{machine}-manylinux_{major}_{minor}"),
        CLibrary::Musl(_) => format!("{machine}-unknown-linux-musl"),
    }
}

/// Returns the targets on musl 1.2 of these versions of Python on each architecture.
pub fn musl_targets(pythons: &[&str]) -> Vec<TargetPlatform> {
    let libc = CLibrary::Musl("1.2.5".parse().unwrap());
    targets(pythons).into_iter().map(|target| TargetPlatform { libc, ..target }).collect()
}

/// Returns the targets of these versions of Python (`3.12`) on each architecture. The glibc of older runtimes is raised from
/// 2.26 to 2.28, because uv knows no platform with 2.26.
pub fn targets(pythons: &[&str]) -> Vec<TargetPlatform> {
    let profiles = pythons.iter().map(|python| {
        let mut profile = LambdaProfile::built_in(&format!("python{python}")).unwrap();
        profile.glibc = profile.glibc.max(Glibc { major: 2, minor: 28 });
        profile
    });
    profiles.flat_map(|profile| Architecture::ALL.map(|architecture| profile.target(architecture))).collect()
}
