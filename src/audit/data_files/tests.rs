use super::*;
use crate::platform::ExtensionSuffixes;
use crate::tree::{FileAccess, FileContent, TreeEntry, TreePath};

/// Returns the findings in the module `app.py` of a function, given the other files of the project. Those that begin with
/// `-` are not in the artifact, and those that end in a slash are directories. The text of a file is after `=`.
fn findings(source: &str, others: &[&str]) -> Vec<String> {
    let project = tempfile::tempdir().unwrap();
    let directory = project.path().canonicalize().unwrap();
    let mut tree = FileTree::new();
    let others = others.iter().map(|other| other.split_once('=').unwrap_or((*other, "")));
    for (path, text) in [("app.py", source)].into_iter().chain(others) {
        let is_bundled = !path.starts_with('-');
        let path = path.trim_start_matches('-');
        std::fs::create_dir_all(directory.join(path).parent().unwrap()).unwrap();
        if path.ends_with('/') {
            std::fs::create_dir(directory.join(path)).unwrap();
            continue;
        }
        std::fs::write(directory.join(path), text).unwrap();
        if is_bundled {
            let content = FileContent::Bytes(text.as_bytes().into());
            let entry = TreeEntry { access: FileAccess::FILE, content, origin: FileOrigin::Application };
            tree.insert(TreePath::new(path).unwrap(), entry).unwrap();
        }
    }
    let own = tree.iter().filter(|(path, _)| path.as_str().ends_with(".py"));
    let modules: Vec<OwnModule> = own
        .map(|(path, entry)| OwnModule {
            path: path.as_str(),
            name: path.as_str().trim_end_matches(".py").trim_end_matches("/__init__").replace('/', "."),
            entry,
            is_reached: true,
        })
        .collect();
    let audit = DataFileAudit {
        tree: &tree,
        roots: &[ImportRoot {
            tree: &tree,
            site_packages: "",
            suffixes: ExtensionSuffixes::of_gnu(PythonVersion::new(12)),
        }],
        python: PythonVersion::new(12),
        modules: &modules,
        started: &[],
        is_own: &|_| true,
        application: "",
        working_directory: Some(""),
        project: &directory,
        workspace: &directory,
        generated: &BTreeSet::from([directory.join("generated")]),
        sources: &modules.iter().map(|module| Some(directory.join(module.path))).collect::<Vec<_>>(),
        allowed: &BTreeSet::from(["allowed".to_owned()]),
    };
    let findings = audit.run().into_iter();
    findings.map(|finding| format!("{} {finding}", if finding.is_error() { "error" } else { "warning" })).collect()
}

/// Imports that every source below has, in one line.
const IMPORTS: &str = "import gettext, io, json, os, pathlib, pkgutil, sqlite3, logging; from pathlib import Path; \
                       from importlib import resources; import pandas as pd; HERE = Path(__file__).parent\n";

fn assert_none(source: &str, others: &[&str]) {
    let found = findings(&format!("{IMPORTS}{source}"), others);
    assert!(found.is_empty(), "{source}\n{found:?}");
}

#[test]
fn a_file_that_only_the_project_has_is_an_error() {
    for (source, missing) in [
        ("open('x.json')", "x.json"),
        ("json.load(open('data/x.json', encoding='utf-8'))", "data/x.json"),
        ("with io.open('x.json', 'rb') as file: ...", "x.json"),
        ("def f():\n    return Path('x.json').read_text()", "x.json"),
        ("(HERE / 'x.json').open()", "x.json"),
        ("TEXT = HERE.joinpath('x.json').read_bytes()", "x.json"),
        (
            "def f(event):\n    path = os.path.join(os.path.dirname(__file__), 'data', 'x.json')\n    return load(path)",
            "data/x.json",
        ),
        ("model = unknown.Model(str(HERE / 'x.json'))", "x.json"),
        ("SETTINGS = {'path': HERE / 'x.json'}", "x.json"),
        ("pd.read_csv('x.csv')", "x.csv"),
        ("open(os.environ['LAMBDA_TASK_ROOT'] + '/x.json')", "x.json"),
        ("pkgutil.get_data('pkg', 'x.sql')", "pkg/x.sql"),
        ("(resources.files('pkg') / 'sql' / 'x.sql').read_text()", "pkg/sql/x.sql"),
        ("resources.read_text('pkg.sql', 'x.sql')", "pkg/sql/x.sql"),
        ("from pkg import ROOT\nopen(ROOT / 'x.sql')", "pkg/x.sql"),
        ("import pkg\nopen(pkg.ROOT / 'x.sql')", "pkg/x.sql"),
        ("class Settings:\n    path = HERE / 'x.json'", "x.json"),
        ("import ssl\nssl.create_default_context().load_cert_chain('certs/x.pem')", "certs/x.pem"),
        ("if __name__ == '__main__':\n    main()\ndef handler(event, context):\n    open('x.json')", "x.json"),
        ("def main():\n    open('x.json')", "x.json"),
    ] {
        let source = format!("{IMPORTS}{source}\n");
        let package = "pkg/__init__.py=from pathlib import Path\nROOT = Path(__file__).parent\n";
        let found = findings(&source, &[package, &format!("-{missing}")]);
        assert_eq!(found.len(), 1, "{source}\n{found:?}");
        let expected = format!(" uses `{missing}`, which is in the project, but not in the artifact");
        assert!(found[0].starts_with("error app.py:") && found[0].ends_with(&expected), "{source}\n{found:?}");
        assert!(findings(&source, &[package, missing]).is_empty(), "{source}");
    }
}

#[test]
fn a_file_that_exists_nowhere_is_a_warning_if_reading_it_fails() {
    for source in ["open('x.json')", "(HERE / 'x.json').read_text()", "pkgutil.get_data(__name__, 'x.json')"] {
        let found = findings(&format!("{IMPORTS}{source}\n"), &[]);
        let expected = ["warning app.py:2 uses `x.json`, which is neither in the artifact nor in the project"];
        assert_eq!(found, expected, "{source}");
    }
    for source in ["PATH = HERE / 'x.json'", "load(HERE / 'x.json')", "if a:\n    open('x.json')"] {
        assert_none(source, &[]);
    }
}

#[test]
fn a_path_in_the_working_directory_is_not_beside_the_module() {
    let found = findings("import pkg.reader\n", &["pkg/reader.py=open('x.json')\n", "pkg/x.json"]);
    let expected = "warning pkg/reader.py:1 uses `x.json` in the working directory, where it does not exist: in the artifact it is `pkg/x.json`";
    assert_eq!(found, [expected]);
}

#[test]
fn what_is_used_under_a_condition_is_a_warning() {
    for source in [
        "if debug:\n    open('x.json')",
        "path = HERE / 'x.json' if local else None",
        "def f():\n    if os.environ.get('SECRET'):\n        return fetch()\n    return open('x.json')",
        "path = os.environ.get('CONFIG', HERE / 'x.json')",
        "path = os.environ.get('CONFIG') or HERE / 'x.json'",
        "try:\n    open('x.json')\nexcept Exception:\n    report()",
        "parser.add_argument('--config', default=HERE / 'x.json')",
    ] {
        let found = findings(&format!("{IMPORTS}{source}\n"), &["-x.json"]);
        assert!(found.len() == 1 && found[0].starts_with("warning app.py:"), "{source}\n{found:?}");
    }
}

#[test]
fn what_the_application_checks_creates_or_writes_is_no_finding() {
    for source in [
        "open('x.json', 'w')",
        "open('x.json', mode='ab')",
        "open('x.json', mode)",
        "(HERE / 'x.json').open('x')",
        "(HERE / 'x.json').write_text('')",
        "PATH = HERE / 'x.json'\nPATH.write_bytes(b'')\nopen(PATH)",
        "PATH = HERE / 'x.json'\ndef f():\n    if PATH.exists():\n        return open(PATH)",
        "if os.path.isfile('x.json'):\n    open('x.json')",
        "try:\n    open('x.json')\nexcept FileNotFoundError:\n    pass",
        "try:\n    open('x.json')\nexcept (OSError, ValueError):\n    pass",
        "from contextlib import suppress\nwith suppress(FileNotFoundError):\n    open('x.json')",
        "def read(path):\n    try:\n        return open(path)\n    except FileNotFoundError:\n        return None\nread(HERE / 'x.json')",
        "def read(path):\n    if path.exists():\n        return path.read_text()\nDATA = HERE / 'x.json'\nread(DATA)",
        "class Store:\n    path = HERE / 'x.json'\n    def load(self):\n        return self.path.exists()",
        "frame.to_csv(HERE / 'x.json')",
        "client.download_file('bucket', 'key', str(HERE / 'x.json'))",
        "DATA = HERE / 'data'\nDATA.mkdir(exist_ok=True)\nopen(DATA / 'x.json')",
        "logging.FileHandler(HERE / 'x.json')",
        "sqlite3.connect(HERE / 'x.json')",
        "os.chdir('/tmp')\nopen('x.json')",
        "import sys\nsys.path.insert(0, str(HERE / 'data'))",
        "from dotenv import load_dotenv\nload_dotenv(HERE / 'x.json')",
        "if __name__ == '__main__':\n    open('x.json')",
        "def main():\n    run()\ndef run():\n    open('x.json')\nif __name__ == '__main__':\n    main()",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    open('x.json')",
        "import sys\nif sys.platform == 'win32':\n    open('x.json')",
        "STATIC_ROOT = HERE / 'data'",
        "open('allowed')\nopen('allowed/x.json')",
    ] {
        assert_none(source, &["-x.json", "-data/x.json", "-allowed/x.json"]);
    }
}

#[test]
fn other_paths_are_no_finding() {
    for source in [
        "open('/etc/x.json')",
        "open('/tmp/x.json')",
        "Path('/tmp/x.json').read_text()",
        "open(name)",
        "open(f'{name}.json')",
        "open(HERE / name)",
        "self.open('x.json')",
        "webbrowser.open('x.json')",
        "Path('x.json')",
        "open(0)",
        "load_dotenv(HERE / '.env')",
        "DATABASES = {'default': {'NAME': HERE / 'db.sqlite3'}}",
        "LOGGING = {'filename': HERE / 'logs' / 'app.log'}",
        "resources.files('unknown') / 'x.json'",
        "'x.json'",
        "def open(path): ...\nopen('x.json')",
        "def load_model(name): ...\nload_model('x.json')",
        "class C:\n    def f(self):\n        self.load_model('x.json')",
        "HERE / 'app.py'",
        "HERE.parent / 'x.json'",
        "open('https://example.org/x.json')",
    ] {
        assert_none(source, &["-x.json", "-db.sqlite3", "-logs/app.log", "-.env", "-https:/example.org/x.json"]);
    }
}

#[test]
fn directories_and_files_of_frameworks_are_found() {
    for (source, missing) in [
        ("from flask import Flask\napp = Flask(__name__)", "templates/index.html"),
        ("import flask\napp = flask.Flask(__name__, template_folder='pages')", "pages/index.html"),
        ("from flask import Flask\napp = Flask(__name__, static_folder='assets')", "assets/x.css"),
        (
            "from flask import Blueprint\nshop = Blueprint('shop', __name__, template_folder='pages')",
            "pages/index.html",
        ),
        ("from jinja2 import FileSystemLoader\nFileSystemLoader('pages')", "pages/index.html"),
        (
            "import jinja2\njinja2.Environment(loader=jinja2.FileSystemLoader(searchpath=[HERE / 'pages']))",
            "pages/index.html",
        ),
        ("from jinja2 import PackageLoader\nPackageLoader('pkg')", "pkg/templates/index.html"),
        (
            "from fastapi.templating import Jinja2Templates\ntemplates = Jinja2Templates(directory='pages')",
            "pages/index.html",
        ),
        ("from starlette.staticfiles import StaticFiles\nStaticFiles(directory='assets')", "assets/x.css"),
        ("TEMPLATES = [{'BACKEND': 'django', 'DIRS': [HERE / 'pages']}]", "pages/index.html"),
        ("TEMPLATES = [{'BACKEND': 'django', 'DIRS': [os.path.join(HERE, 'pages')]}]", "pages/index.html"),
        ("from alembic.config import Config\nConfig('alembic.ini')", "alembic.ini"),
        (
            "from alembic.config import Config\nconfig = Config()\nconfig.set_main_option('script_location', 'migrations')",
            "migrations/env",
        ),
        ("gettext.translation('messages', localedir='locale')", "locale/de/LC_MESSAGES/messages.mo"),
        ("gettext.bindtextdomain('messages', HERE / 'locale')", "locale/de/LC_MESSAGES/messages.mo"),
    ] {
        let source = format!("{IMPORTS}{source}\n");
        let found = findings(&source, &["pkg/__init__.py", &format!("-{missing}")]);
        assert!(found.len() == 1 && found[0].starts_with("error app.py:"), "{source}\n{found:?}");
        assert!(findings(&source, &["pkg/__init__.py", missing]).is_empty(), "{source}");
    }
}

#[test]
fn one_of_several_files_is_found() {
    let flask = "from flask import Flask, render_template\napp = Flask(__name__)\ndef f():\n    return render_template('a.html')\n";
    let found = findings(flask, &["templates/b.html", "-templates/a.html"]);
    assert_eq!(found, ["error app.py:4 uses `templates/a.html`, which is in the project, but not in the artifact"]);
    assert!(findings(flask, &["templates/b.html", "other/templates/a.html"]).is_empty());
    assert!(findings(flask, &["templates/b.html"]).is_empty());
    let gettext = "import gettext\ngettext.translation('messages', 'locale')\n";
    let found = findings(gettext, &["locale/de/LC_MESSAGES/messages.po", "-locale/de/LC_MESSAGES/messages.mo"]);
    let expected =
        "error app.py:2 uses `locale/de/LC_MESSAGES/messages.mo`, which is in the project, but not in the artifact";
    assert_eq!(found, [expected]);
    let found = findings(gettext, &["locale/de/LC_MESSAGES/messages.po"]);
    assert!(
        found.len() == 1 && found[0].starts_with("warning app.py:2 uses `locale/*/LC_MESSAGES/messages.mo`"),
        "{found:?}"
    );
    // No artifact has a directory without files.
    let django = "from pathlib import Path\nDIRS = [Path(__file__).parent / 'templates']\n";
    assert_eq!(findings(django, &["-templates/inner/"]), [""; 0]);
    assert_eq!(findings(django, &["-templates/inner/a.html"]).len(), 1);
    // A directory that is only served may come from elsewhere.
    let found = findings(flask, &["templates/a.html", "-static/x.css"]);
    assert!(found.len() == 1 && found[0].starts_with("warning app.py:2 uses `static`"), "{found:?}");
}

#[test]
fn a_path_is_one_finding() {
    let source = format!(
        "{IMPORTS}DATA = HERE / 'data'\nA = DATA / 'a.json'\nB = open(DATA / 'b.json')\nC = open(DATA / 'b.json')\n"
    );
    let expected = |line: usize, path: &str| {
        format!("error app.py:{line} uses `{path}`, which is in the project, but not in the artifact")
    };
    assert_eq!(findings(&source, &["-data/a.json", "-data/b.json"]), [expected(2, "data")]);
    assert_eq!(findings(&source, &["data/a.json", "-data/b.json"]), [expected(4, "data/b.json")]);
    // Files may be put into a generated directory at run time, unless something says which.
    let source = source.replace("'data'", "'generated'");
    let found = findings(&source, &["-generated/a.json", "-generated/b.json"]);
    assert_eq!(found, [expected(3, "generated/a.json"), expected(4, "generated/b.json")]);
    let source = format!("{IMPORTS}DATA = HERE / 'generated'\n");
    let found = findings(&source, &["-generated/a.json"]);
    assert!(found.len() == 1 && found[0].starts_with("warning app.py:2 uses `generated`"), "{found:?}");
    let source = format!("{source}from jinja2 import FileSystemLoader\nFileSystemLoader(DATA)\n");
    assert_eq!(findings(&source, &["-generated/a.json"]), [expected(4, "generated")]);
}

#[test]
fn files_that_are_there_are_missed_even_if_their_name_is_that_of_an_output() {
    for path in ["build/a.json", "dist/a.json", ".env", ".config/a.json"] {
        let found = findings(&format!("{IMPORTS}TEXT = (HERE / '{path}').read_text()\n"), &[&format!("-{path}")]);
        assert!(found.len() == 1 && found[0].starts_with(&format!("warning app.py:2 uses `{path}`")), "{found:?}");
        assert_none(&format!("{IMPORTS}TEXT = (HERE / '{path}').read_text()\n"), &[]);
    }
}
