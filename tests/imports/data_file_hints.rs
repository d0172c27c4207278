//! The hints of the audit of data files: what was excluded is included again by what they say.

use super::data_files::{project, words};
use super::lambda;
use super::support::artifact::paths_of_zip;
use super::support::command::{fail, succeed};
use super::support::uv::Project;

#[test]
fn what_is_excluded_by_default_is_added_by_the_hint() {
    let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----\n";
    for (path, text) in [
        ("ignored.json", ""),
        ("data/ignored/x.json", ""),
        ("certs/server.pem", key),
        ("tests/x.json", ""),
        ("docs/index.md", ""),
        ("README.md", ""),
        ("pyproject.toml", "[tool.x]\n"),
        ("analysis.ipynb", "{}"),
        ("build/x.json", ""),
    ] {
        let app = format!(
            "from pathlib import Path\n\nTEXT = (Path(__file__).parent / \"{path}\").read_text()\n\n\ndef handler(event, context):\n    return TEXT\n"
        );
        let project = project(&[("app.py", &app), (path, text), (".gitignore", "ignored*\n"), (".git/HEAD", "")]);
        let mut command = lambda(project.path(), "3.12", &["--handler", "app.handler"]);
        if path == "build/x.json" {
            // What is named like an output may be one.
            succeed(&mut command);
            continue;
        }
        let said = fail(&mut command);
        assert!(said.contains(&format!("error: app.py:3 uses `{path}`, which is in the project")), "{said}");
        let beginning = match path {
            "certs/server.pem" => {
                format!("hint: {path} contains a secret: read it from elsewhere at run time, or include it with ")
            }
            _ => format!("hint: include {path} with "),
        };
        let hint = said.lines().find_map(|line| line.strip_prefix(&beginning)).unwrap();
        command.args(words(hint));
        succeed(&mut command);
    }
}

#[test]
fn hints_name_the_configuration_that_a_flag_would_replace() {
    let app = "with open(\"config.json\") as file:\n    CONFIG = file.read()\n\n\ndef handler(event, context):\n    return CONFIG\n";
    for (table, addition, mended) in [
        (
            "exclude = [\"*.json\", \"*.bak\"]",
            "`!/config.json` at the end of `exclude` in pyproject.toml",
            "exclude = [\"*.json\", \"*.bak\", \"!/config.json\"]",
        ),
        (
            "include = [\"app.py\"]",
            "`config.json` in `include` in pyproject.toml",
            "include = [\"app.py\", \"config.json\"]",
        ),
    ] {
        let pyproject = |table: &str| format!("[project]\nname = \"app\"\nversion = \"1\"\n[tool.pybundle]\n{table}\n");
        let project = Project::new(&[
            ("pyproject.toml", &pyproject(table)),
            ("app.py", app),
            ("config.json", "{}"),
            ("other.json", "{}"),
            ("old.bak", ""),
        ]);
        let zip = project.path().join("function.zip");
        let build = ["--handler", "app.handler", "--output", zip.to_str().unwrap()];
        let said = fail(&mut lambda(project.path(), "3.12", &build));
        assert!(said.contains(&format!("hint: include config.json with {addition}\n")), "{said}");
        project.write("pyproject.toml", pyproject(mended).as_bytes());
        succeed(&mut lambda(project.path(), "3.12", &build));
        assert_eq!(paths_of_zip(&zip), ["app.py", "config.json"]);
    }
}

#[test]
fn a_pattern_that_excludes_many_files_has_few_hints() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let app: String = names.iter().map(|name| format!("open('{name}.json')\n")).collect();
    let files: Vec<String> = names.iter().map(|name| format!("{name}.json")).collect();
    let files = files.iter().map(|path| (&**path, "")).chain([("app.py", &*app)]);
    let project = project(&files.collect::<Vec<_>>());
    let said = fail(&mut lambda(project.path(), "3.12", &["--exclude", "*.json"]));
    assert!(said.contains("the artifact has 6 problems"), "{said}");
    let hints: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("hint: include ")).collect();
    assert!(hints.len() == 5 && hints[3] == "d.json with --exclude '!/d.json'", "{said}");
    assert_eq!(hints[4], "the other 2 files in the same way, or change the patterns of --exclude");
}

#[test]
fn a_path_that_leads_out_of_src_is_mended_by_keeping_src() {
    for path in [
        "Path(__file__).parent.parent / 'config' / 'c.json'",
        "Path(__file__).resolve().parents[1] / 'config/c.json'",
        "os.path.join(os.path.dirname(__file__), '..', 'config', 'c.json')",
    ] {
        let app = format!(
            "import os\nfrom pathlib import Path\n\nwith open({path}) as file:\n    TEXT = file.read()\n\n\n\
             def handler(event, context):\n    return TEXT\n"
        );
        let project = project(&[("src/app.py", &app), ("config/c.json", "{}")]);
        let said = fail(&mut lambda(project.path(), "3.12", &["--handler", "app.handler"]));
        assert!(said.contains("error: app.py:4 uses `../config/c.json`, which is in the project"), "{said}");
        let hint = "keep the directory with --handler src.app.handler\n";
        assert!(said.contains(hint), "{said}");
        succeed(&mut lambda(project.path(), "3.12", &["--handler", "src.app.handler"]));
    }
}
