//! Pipfile.lock, compared with what pipenv exports, and with what it calls up to date.

use std::path::Path;
use std::process::Command;

use pybundle::hints::Hints;
use pybundle::lock::{
    DistributionSource, Freshness, Lock, LockError, PipfileEnvironment, QueriedIndexes, SelectionRequest,
};

use crate::support::artifact::sha256;
use crate::support::case::{assert_direct, local, versions};
use crate::support::command::{cache, lock_tool, pybundle, succeed};
use crate::support::uv::{Project, targets};

const PIPFILE: &str = r#"[[source]]
name = "pypi"
url = "https://pypi.org/simple"
verify_ssl = true

[packages]
requests = { extras = ["socks"], version = "*" }
Markdown = "==3.7"
colorama = { version = "*", markers = "sys_platform == 'win32'" }
uvloop = { version = "*", markers = "sys_platform == 'linux' and platform_machine == 'x86_64'" }
plain = { path = "./plain" }
edit = { path = "./edit", editable = true }

[dev-packages]
iniconfig = "*"

[docs]
mistune = "*"

[direct]
six = { file = "https://files.pythonhosted.org/packages/b7/ce/149a00dd41f10bc29e5921b496af8b574d8413afcd5e30dfa0ed46c2cc5e/six-1.17.0-py2.py3-none-any.whl" }
docopt = "==0.6.2"

[scripts]
serve = "python serve.py"
"#;

fn member(name: &str) -> String {
    format!(
        "[project]\nname = '{name}'\nversion = '0.1'\n\
         [build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n"
    )
}

/// A project with a Pipfile.
struct PipenvProject {
    directory: Project,
}

impl PipenvProject {
    fn new(pipfile: &str, lock: &str) -> Self {
        let (plain, edit) = (member("plain"), member("edit"));
        let files = [
            ("Pipfile", pipfile),
            ("Pipfile.lock", lock),
            ("plain/pyproject.toml", &plain),
            ("plain/plain.py", ""),
            ("edit/pyproject.toml", &edit),
            ("edit/edit.py", ""),
        ];
        Self { directory: Project::new(&files) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(lock_tool("pipenv"));
        command.args(arguments).current_dir(self.directory.path()).env_remove("VIRTUAL_ENV");
        command.env("PIPENV_CACHE_DIR", cache().join("pipenv")).env("PIPENV_VENV_IN_PROJECT", "1");
        command.env("PIPENV_IGNORE_VIRTUALENVS", "1").env("PIPENV_NOSPIN", "1");
        command
    }

    fn parsed(&self) -> Result<Lock, LockError> {
        let pipfile = self.directory.read("Pipfile");
        let environment = PipfileEnvironment { pipfile: Some(&pipfile), variable: &|_| None };
        let path = self.directory.path().join("Pipfile.lock");
        Lock::parse_pipfile(&self.directory.read("Pipfile.lock"), &path, &environment)
    }

    fn lock(&self) -> Lock {
        self.parsed().unwrap_or_else(|error| panic!("{error}"))
    }

    fn check(&self) -> Result<Freshness, LockError> {
        self.lock().check_locked(&[])
    }
}

fn groups(names: &[&str]) -> SelectionRequest {
    let groups = names.iter().map(|name| name.parse().unwrap()).collect();
    SelectionRequest { groups, ..SelectionRequest::default() }
}

#[test]
fn what_pipenv_exports_is_selected_and_what_it_calls_outdated_is_refused() {
    let project = PipenvProject::new(PIPFILE, "");
    std::fs::remove_file(project.directory.path().join("Pipfile.lock")).unwrap();
    succeed(&mut project.command(&["lock", "--categories=packages dev-packages docs direct"]));
    let lock = project.lock();
    for (group, categories) in [
        (&[][..], "packages"),
        (&["dev"], "packages dev-packages"),
        (&["dev-packages", "docs"], "packages dev-packages docs"),
    ] {
        let exported = succeed(&mut project.command(&["requirements", &format!("--categories={categories}")]));
        let from_index: Vec<&str> =
            exported.lines().filter(|line| line.contains("==") && !line.starts_with('-')).collect();
        for target in targets(&["3.12", "3.13"]) {
            let selection = lock.select(&groups(group), Path::new(""), &target).unwrap();
            // pipenv exports colorama, which it has locked as `*`, with its marker.
            let from_index = from_index.iter().filter(|line| !line.starts_with("colorama")).copied();
            let installed = project.directory.installed(&target, &from_index.collect::<Vec<_>>().join("\n"));
            let expected = installed.into_iter().map(|(name, (version, _))| (name, version)).collect();
            assert_eq!(versions(&selection), expected, "{categories}: {} on {}", target.name, target.architecture);
            assert_eq!(local(&selection), ["edit", "plain"]);
        }
    }
    for target in targets(&["3.10", "3.13"]) {
        assert_direct(&lock.select(&groups(&["direct"]), Path::new(""), &target).unwrap());
    }
    assert_eq!(project.check(), Ok(Freshness::Current));
    assert_equal_to_export(&project);
    let mut stale = 0;
    for (from, to) in [
        ("Markdown", "markdown"),
        ("python serve.py", "python other.py"),
        ("==3.7", "== 3.7"),
        ("verify_ssl = true", "verify_ssl = false"),
        ("mistune = \"*\"", "mistune = \">=3\""),
        ("[scripts]", "[requires]\npython_version = \"3.12\"\n[scripts]"),
    ] {
        project.directory.write("Pipfile", PIPFILE.replace(from, to).as_bytes());
        let is_fresh = project.command(&["verify"]).output().unwrap().status.success();
        assert_eq!(project.check().is_ok(), is_fresh, "{to}");
        stale += usize::from(!is_fresh);
    }
    assert_eq!(stale, 4);
    project.directory.write("Pipfile", PIPFILE.replace("==3.7", "==3.8").as_bytes());
    let error = project.check().unwrap_err();
    assert_eq!(error.hints(), ["run `pipenv lock`, or pass --frozen to use the lock without checking it"]);
}

/// Asserts that the zip is that of the requirements that pipenv exports, and that a lock without something that another
/// distribution requires is refused, with a hint that helps.
fn assert_equal_to_export(project: &PipenvProject) {
    let path = project.directory.path();
    project.directory.write("app.py", b"def handler(event, context):\n    return event\n");
    let exported = succeed(&mut project.command(&["requirements", "--hash"]));
    let is_local = |line: &&str| line.starts_with("./") || line.starts_with("-e") || line.starts_with("colorama");
    let exported: Vec<&str> = exported.lines().filter(|line| !is_local(line)).collect();
    project.directory.write("requirements.txt", exported.join("\n").as_bytes());
    let zip = |arguments: &[&str]| {
        let common =
            ["lambda", "--runtime=python3.12", "--handler=app.handler", "--output=-", "--exclude=requirements.txt"];
        let without = ["--no-install-package=plain", "--no-install-package=edit"];
        let output = pybundle(&[&common[..], &without, arguments].concat()).current_dir(path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        sha256(&output.stdout)
    };
    assert_eq!(zip(&[]), zip(&["--lock=requirements.txt"]));
    let text = project.directory.read("Pipfile.lock");
    project.directory.write("Pipfile.lock", text.replace("\"idna\"", "\"toolz\"").as_bytes());
    let plan = |arguments: &[&str]| {
        let common = ["plan", "--runtime=python3.12", "--no-install-package=plain", "--no-install-package=edit"];
        pybundle(&[&common[..], arguments].concat()).current_dir(path).output().unwrap()
    };
    let refused = plan(&["--no-install-package=toolz"]);
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(message.contains("idna"), "{message}");
    assert!(
        message.contains("`pipenv requirements --hash > requirements.txt`, and pass --lock requirements.txt --resolve"),
        "{message}"
    );
    let without_idna = exported.iter().filter(|line| !line.starts_with("idna")).copied().collect::<Vec<_>>();
    project.directory.write("requirements.txt", without_idna.join("\n").as_bytes());
    let resolved = plan(&["--lock=requirements.txt", "--resolve"]);
    let listed = String::from_utf8(resolved.stdout).unwrap();
    assert!(listed.contains("idna"), "{listed}{}", String::from_utf8_lossy(&resolved.stderr));
    project.directory.write("Pipfile.lock", text.as_bytes());
}

/// A lock with these sources and entries of `default`.
fn lock(sources: &str, entries: &str) -> String {
    format!(
        "{{\"_meta\": {{\"hash\": {{\"sha256\": \"00\"}}, \"pipfile-spec\": 6, \"requires\": {{}}, \"sources\": [{sources}]}},\n\
         \"default\": {{\n{entries}\n}}, \"develop\": {{}}}}"
    )
}

fn select(text: &str) -> Result<pybundle::lock::Selection, LockError> {
    let environment =
        PipfileEnvironment { pipfile: None, variable: &|name| (name == "TOKEN").then(|| "secret".to_owned()) };
    let parsed = Lock::parse_pipfile(text, Path::new("/app/Pipfile.lock"), &environment)?;
    parsed.select(&SelectionRequest::default(), Path::new(""), &targets(&["3.12"]).remove(0))
}

#[test]
fn the_indexes_that_pipenv_asks_are_asked() {
    let pypi = "{\"name\": \"pypi\", \"url\": \"https://pypi.org/simple\"}";
    let orchard = "{\"name\": \"orchard\", \"url\": \"https://me:${TOKEN}@orchard/simple\"}";
    let hash = format!("\"hashes\": [\"sha256:{}\"]", "0".repeat(64));
    let entries = format!(
        "\"a\": {{\"version\": \"==1\", \"index\": \"pypi\", {hash}}}, \"b\": {{\"version\": \"==1\", \"index\": \"orchard\", {hash}}},\
         \"c\": {{\"version\": \"==1\", {hash}}}, \"d\": {{\"version\": \"==1\"}}"
    );
    let selection = select(&lock(&format!("{pypi}, {orchard}"), &entries)).unwrap();
    let indexes = selection.distributions.into_iter().map(|pinned| match pinned.source {
        DistributionSource::Index(query) => query.indexes,
        source => panic!("{source:?}"),
    });
    let url: url::Url = "https://me:secret@orchard/simple".parse().unwrap();
    let expected = [
        QueriedIndexes::Default,
        QueriedIndexes::Only(url.clone()),
        // Its digests tell which file is meant, whatever index has it.
        QueriedIndexes::Every(vec![url]),
        QueriedIndexes::All,
    ];
    assert_eq!(indexes.collect::<Vec<_>>(), expected);
}

#[test]
fn locks_that_are_not_what_they_should_be_are_refused() {
    let pinned = "\"six\": {\"version\": \"==1.17.0\"}";
    for (text, expected) in [
        ("{".to_owned(), "/app/Pipfile.lock:1: EOF while parsing an object"),
        ("{}".to_owned(), "/app/Pipfile.lock:1: missing field `_meta`"),
        (
            lock("", pinned).replace("spec\": 6", "spec\": 7"),
            "unsupported lock version 7 (only version 6 is supported)",
        ),
        (lock("", &format!("{pinned},\n\"Six\": {{}}")), "/app/Pipfile.lock:5: `Six` is listed twice"),
        (
            lock("", "\"six\": {\"version\": \"==1\", \"markers\": \"nonsense\"}"),
            "/app/Pipfile.lock:3: `nonsense` is not a valid marker",
        ),
        (lock("", "\"six\": {\"version\": \"*\"}"), "/app/Pipfile.lock: six is not pinned"),
        (lock("", "\"six\": {\"version\": \"==1.*\"}"), "/app/Pipfile.lock: six is not pinned"),
        (
            lock("", "\"six\": {\"version\": \"==1\", \"index\": \"x\"}"),
            "`six` comes from the source `x`, which the lock does not list",
        ),
        (lock("", "\"six\": {\"hg\": \"https://host/six\"}"), "six comes from a hg repository; only Git is supported"),
        (
            lock("", "\"six\": {\"git\": \"https://host/six\", \"ref\": \"main\"}"),
            "comes from a Git repository, but has no full commit hash",
        ),
        (lock("{\"url\": \"https://me:pass@:1\"}", pinned), "the source `https://****@:1` is invalid: empty host"),
    ] {
        let error = select(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}\n{error}");
    }
    let error = select(&lock("", "\"six\": {\"version\": \"*\"}")).unwrap_err();
    assert!(
        error.hints()[0].starts_with("give six `markers` in the Pipfile and run `pipenv lock`"),
        "{:?}",
        error.hints()
    );
    let other = lock("", pinned).replace("\"requires\": {}", "\"requires\": {\"python_version\": \"3.11\"}");
    assert!(matches!(select(&other), Err(LockError::IncompatiblePython { .. })));
}

/// pipenv 2023.12 hashes the names of a Pipfile as they are written, and later versions in their normalized form. The hashes
/// are computed by Python, as pipenv does.
#[test]
fn hashes_of_older_versions_are_accepted() {
    let pipfile =
        "[packages]\nMarkdown = \"==3.7\"\nZope_Interface = { version = \"*\", markers = \"python_version > 'é'\" }\n";
    for names in [["Markdown", "Zope_Interface"], ["markdown", "zope-interface"]] {
        let script = format!(
            "import hashlib, json\n\
             d = {{'_meta': {{'sources': [{{'name': 'pypi', 'url': 'https://pypi.org/simple', 'verify_ssl': True}}], 'requires': {{}}}},\n\
             'default': {{'{}': '==3.7', '{}': {{'version': '*', 'markers': \"python_version > 'é'\"}}}}, 'develop': {{}}}}\n\
             print(hashlib.sha256(json.dumps(d, sort_keys=True, separators=(',', ':')).encode()).hexdigest(), end='')",
            names[0], names[1]
        );
        let hash = succeed(Command::new("python3").args(["-c", &script]));
        let text = lock("", "").replace("\"00\"", &format!("\"{hash}\""));
        assert_eq!(PipenvProject::new(pipfile, &text).check(), Ok(Freshness::Current), "{names:?}");
        assert!(PipenvProject::new(&pipfile.replace("3.7", "3.8"), &text).check().is_err());
    }
}

/// A password that is not set would be sent as `${TOKEN}`.
#[test]
fn unset_variables_of_sources_are_warned_of() {
    let source = "{\"name\": \"orchard\", \"url\": \"https://me:${ORCHARD_TOKEN}@orchard.invalid/simple\"}";
    let project = Project::new(&[("app.py", ""), ("Pipfile.lock", &lock(source, ""))]);
    let plan = |value: Option<&str>| {
        let mut command = pybundle(&["plan", "--frozen", "--runtime=python3.12", "--no-progress"]);
        command.envs(value.map(|value| ("ORCHARD_TOKEN", value)));
        String::from_utf8(command.arg(project.path()).output().unwrap().stderr).unwrap()
    };
    let warning = "Pipfile.lock: the environment variable ORCHARD_TOKEN of the source orchard is not set\n";
    assert!(plan(None).contains(warning), "{}", plan(None));
    assert!(!plan(Some("secret")).contains("ORCHARD_TOKEN"), "{}", plan(Some("secret")));
}
