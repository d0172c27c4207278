//! pdm.lock, compared with what PDM exports, and with what it calls up to date.

use std::path::{Path, PathBuf};
use std::process::Command;

use pybundle::hints::Hints;
use pybundle::lock::{Freshness, LocalProject, Lock, LockError, SelectionRequest};

use crate::support::case::{assert_direct, local, versions};
use crate::support::command::{cache, lock_tool, succeed};
use crate::support::uv::{Project, targets};

const PYPROJECT: &str = r#"[project]
name = "shop"
version = "1.0"
requires-python = ">=3.10,<3.14"
dependencies = [
    "requests[socks]",
    "colorama; sys_platform == 'win32'",
    "tomli; python_version < '3.11'",
    "uvloop; sys_platform == 'linux' and platform_machine == 'x86_64'",
    "plain @ file:///${PROJECT_ROOT}/plain",
]
[project.optional-dependencies]
extra = ["mistune"]
[dependency-groups]
test = ["iniconfig", { include-group = "more" }]
more = ["packaging"]
direct = []
[tool.pdm]
distribution = false
[tool.pdm.dev-dependencies]
edit = ["-e file:///${PROJECT_ROOT}/edit#egg=edit"]
"#;

/// A group with a URL, and with a distribution that has no wheel.
const DIRECT: &str = r#"direct = ["six @ https://files.pythonhosted.org/packages/b7/ce/149a00dd41f10bc29e5921b496af8b574d8413afcd5e30dfa0ed46c2cc5e/six-1.17.0-py2.py3-none-any.whl", "docopt==0.6.2"]
"#;

/// A local project without dependencies.
fn member(name: &str) -> String {
    format!(
        "[project]\nname = '{name}'\nversion = '0.1'\ndependencies = ['attrs']\n\
         [build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n"
    )
}

/// A project that PDM has locked.
struct PdmProject {
    directory: Project,
}

impl PdmProject {
    fn new(pyproject: &str) -> Self {
        let (plain, edit) = (member("plain"), member("edit"));
        let files = [
            ("pyproject.toml", pyproject),
            ("plain/pyproject.toml", &plain),
            ("plain/plain.py", ""),
            ("edit/pyproject.toml", &edit),
            ("edit/edit.py", ""),
        ];
        Self { directory: Project::new(&files) }
    }

    fn locked(arguments: &[&str]) -> Self {
        let project = Self::new(PYPROJECT);
        project.pdm(&[&["lock", "--quiet"], arguments].concat());
        project
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(lock_tool("pdm"));
        command.args(arguments).current_dir(self.directory.path()).env_remove("VIRTUAL_ENV");
        command.env("PDM_CACHE_DIR", cache().join("pdm")).env("PDM_CHECK_UPDATE", "false");
        command
    }

    fn pdm(&self, arguments: &[&str]) -> String {
        succeed(&mut self.command(arguments))
    }

    fn declared(&self) -> LocalProject {
        let table = self.directory.read("pyproject.toml").parse().unwrap();
        LocalProject { path: PathBuf::new(), script: false, table, is_package: false }
    }

    fn parsed(&self) -> Result<Lock, LockError> {
        let path = self.directory.path().join("pdm.lock");
        Lock::parse_pdm(&self.directory.read("pdm.lock"), &path, &self.declared(), &|_| None)
    }

    fn lock(&self) -> Lock {
        self.parsed().unwrap_or_else(|error| panic!("{error}"))
    }

    fn check(&self) -> Result<Freshness, LockError> {
        self.lock().check_locked(&[self.declared()])
    }

    /// Asserts that the selection equals PDM's for every target; `export` selects the same as the request.
    fn agrees(&self, request: &SelectionRequest, export: &[&str], pythons: &[&str]) {
        let arguments = [&["export", "--no-hashes", "-f", "requirements"], export].concat();
        let exported = self.pdm(&arguments);
        let from_index: Vec<&str> =
            exported.lines().filter(|line| line.contains("==") || line.starts_with('#')).collect();
        let lock = self.lock();
        for target in targets(pythons) {
            let selection = lock.select(request, Path::new(""), &target).unwrap();
            let installed = self.directory.installed(&target, &from_index.join("\n"));
            let expected = installed.into_iter().map(|(name, (version, _))| (name, version)).collect();
            assert_eq!(versions(&selection), expected, "{} on {}", target.name, target.architecture);
        }
    }
}

fn request(extras: &[&str], groups: &[&str]) -> SelectionRequest {
    SelectionRequest {
        extras: extras.iter().map(|extra| extra.parse().unwrap()).collect(),
        groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
        ..SelectionRequest::default()
    }
}

#[test]
fn what_pdm_exports_is_selected() {
    let project = PdmProject::new(&PYPROJECT.replace("direct = []\n", DIRECT));
    project.pdm(&["lock", "--quiet", "--group", ":all"]);
    project.agrees(&request(&[], &[]), &["--prod"], &["3.10", "3.12"]);
    project.agrees(&request(&["extra"], &[]), &["--prod", "--group", "extra"], &["3.12"]);
    project.agrees(&request(&[], &["test", "edit"]), &["--group", "test", "--group", "edit"], &["3.12"]);
    let only = SelectionRequest { only_groups: request(&[], &["more"]).groups, ..SelectionRequest::default() };
    project.agrees(&only, &["--no-default", "--group", "more"], &["3.12"]);
    let only = SelectionRequest { only_groups: request(&[], &["direct"]).groups, ..SelectionRequest::default() };
    for target in targets(&["3.10", "3.13"]) {
        assert_direct(&project.lock().select(&only, Path::new(""), &target).unwrap());
    }
    let target = targets(&["3.12"]).remove(0);
    let selection = project.lock().select(&request(&[], &["edit"]), Path::new(""), &target).unwrap();
    assert_eq!(local(&selection), ["edit", "plain"]);
    let by = |name: &str| {
        let pinned = selection.distributions.iter().find(|pinned| pinned.name.as_str() == name).unwrap();
        pinned.required_by.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!((by("requests"), by("pysocks")), (vec!["shop".to_owned()], vec!["requests[socks]".to_owned()]));
    assert_eq!(
        (by("attrs"), by("edit")),
        (vec!["edit".to_owned(), "plain".to_owned()], vec!["the group `edit` of shop".to_owned()])
    );
}

/// Without the strategy `inherit_metadata`, entries have no groups and no markers; PDM exports no such lock, but it selects the
/// same as the other.
#[test]
fn every_strategy_selects_the_same() {
    let expected = PdmProject::locked(&["--group", ":all"]);
    for strategy in ["no_inherit_metadata", "static_urls", "direct_minimal_versions,no_direct_minimal_versions"] {
        let project = PdmProject::locked(&["--group", ":all", "--strategy", strategy]);
        for target in targets(&["3.10", "3.13"]) {
            let request = request(&["extra"], &["test", "edit"]);
            let selected = |project: &PdmProject| {
                let selection = project.lock().select(&request, Path::new(""), &target).unwrap();
                (versions(&selection), local(&selection))
            };
            assert_eq!(
                selected(&project),
                selected(&expected),
                "{strategy}: {} on {}",
                target.name,
                target.architecture
            );
        }
    }
}

#[test]
fn what_is_not_locked_is_refused_with_the_command_that_locks_it() {
    let project = PdmProject::locked(&[]);
    let target = targets(&["3.12"]).remove(0);
    let select = |project: &PdmProject| project.lock().select(&request(&["extra"], &[]), Path::new(""), &target);
    let error = select(&project).unwrap_err();
    assert!(error.to_string().ends_with("pdm.lock: the group `extra` is not locked"), "{error}");
    assert_eq!(error.hints(), ["lock all groups and extras with `pdm lock --group :all`"]);
    project.pdm(&["lock", "--quiet", "--group", ":all"]);
    assert!(select(&project).unwrap().distributions.iter().any(|pinned| pinned.name.as_str() == "mistune"));
    let unknown = project.lock().select(&request(&["other"], &[]), Path::new(""), &target).unwrap_err();
    assert!(unknown.to_string().ends_with("`shop` has no extra `other`"), "{unknown}");
    let unknown = project.lock().select(&request(&[], &["tests"]), Path::new(""), &target).unwrap_err();
    assert_eq!(unknown.hints(), ["did you mean `test`? The groups are `direct`, `edit`, `more` and `test`"]);
}

/// PDM 2.29 refuses to install on what is not among the targets, and locks no files for it.
#[test]
fn targets_that_are_not_locked_are_refused() {
    let project = PdmProject::locked(&["--python", "==3.12.*", "--platform", "manylinux_2_28_x86_64"]);
    let select = |project: &PdmProject, position: usize| {
        let target = targets(&["3.12", "3.13"]).remove(position);
        project.lock().select(&SelectionRequest::default(), Path::new(""), &target)
    };
    select(&project, 0).unwrap();
    for position in 1..4 {
        let error = select(&project, position).unwrap_err();
        assert!(matches!(error, LockError::UnsupportedTarget { .. }), "{error}");
        assert!(error.to_string().contains("Python ==3.12.* manylinux_2_28_x86_64"), "{error}");
        let [hint] = &error.hints()[..] else { panic!("{:?}", error.hints()) };
        assert!(hint.contains("`pdm lock --append --platform manylinux_2_28_aarch64 --python '==3.13.*'`"), "{hint}");
    }
    // What the hint says.
    project.pdm(&["lock", "--quiet", "--append", "--platform", "manylinux_2_28_aarch64", "--python", "==3.13.*"]);
    select(&project, 3).unwrap();
    assert!(select(&project, 2).is_err());
}

#[test]
fn a_lock_is_up_to_date_as_pdm_says() {
    let edits: [(&str, &str); 7] = [
        ("version = \"1.0\"", "version = \"2.0\""),
        ("distribution = false", "distribution = true"),
        ("\"requests[socks]\"", "\"requests[socks]>=2\""),
        ("\"mistune\"", "\"mistune>=3\""),
        ("\"iniconfig\"", "\"iniconfig>=1\""),
        (">=3.10,<3.14", ">=3.10, <3.14"),
        ("[tool.pdm]\n", "[[tool.pdm.source]]\nname = \"more\"\nurl = \"https://example.org/simple\"\n[tool.pdm]\n"),
    ];
    let project = PdmProject::locked(&[]);
    assert_eq!(project.check(), Ok(Freshness::Current));
    let text = project.directory.read("pyproject.toml");
    let mut stale = 0;
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        project.directory.write("pyproject.toml", text.replace(from, to).as_bytes());
        let is_fresh = project.command(&["lock", "--check"]).output().unwrap().status.success();
        assert_eq!(project.check().is_ok(), is_fresh, "{to}");
        stale += usize::from(!is_fresh);
    }
    assert_eq!(stale, 5);
}

#[test]
fn locks_that_are_not_what_they_should_be_are_refused() {
    let entry = "[[package]]\nname = \"six\"\nversion = \"1.17.0\"\ngroups = [\"default\"]\n";
    let metadata = "[metadata]\nstrategy = [\"inherit_metadata\"]\nlock_version = \"4.5.1\"\n";
    for (text, expected) in [
        (
            "[metadata]\nlock_version = \"4.6\"\n".to_owned(),
            "unsupported lock version 4.6 (only versions 4.3 to 4.5 are supported)",
        ),
        ("[metadata]\n".to_owned(), "the lock has no lock version (only versions 4.3 to 4.5 are supported)"),
        (format!("{metadata}{entry}{entry}"), "`six 1.17.0` is listed twice"),
        (format!("{metadata}{}", entry.replace("1.17.0", "one")), "`six`: expected version to start with a number"),
        (
            format!("{metadata}{entry}git = \"https://host/six\"\n"),
            "`six 1.17.0` comes from a Git repository, but has no full commit hash",
        ),
        (
            format!("{metadata}{entry}hg = \"https://host/six\"\n"),
            "six 1.17.0 comes from a hg repository; only Git is supported",
        ),
        (format!("{metadata}{entry}url = \"ftp://host/six-1.17.0.tar.gz\"\n"), "unsupported scheme `ftp`"),
        (
            format!("{metadata}{}", entry.replace("version = \"1.17.0\"\n", "")),
            "`six` comes from an index, but has no version",
        ),
        (format!("{metadata}{entry}{}", entry.replace("1.17", "1.16")), "two versions are selected"),
        (
            format!("{}[[package]]\nname = \"six\"\n", metadata.replace("inherit_metadata", "static_urls")),
            "`shop` depends on `requests`, which is not in the lock",
        ),
    ] {
        let project = PdmProject::new(PYPROJECT);
        project.directory.write("pdm.lock", text.as_bytes());
        let target = targets(&["3.12"]).remove(0);
        let selection =
            project.parsed().and_then(|lock| lock.select(&SelectionRequest::default(), Path::new(""), &target));
        let error = selection.unwrap_err().to_string();
        assert!(error.contains(expected), "{text}\n{error}");
    }
}
