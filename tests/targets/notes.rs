//! What is not built again: a target of which nothing has changed.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::registry::{MemoryRegistry, Profile};
use crate::support::command::succeed;
use crate::test_project::TestProject;
use crate::tiny::Tiny;

const FUNCTION: &str =
    "[tool.pybundle.target.api]\nkind = \"lambda\"\nruntime = \"python3.12\"\nhandler = \"app.handler\"\n";

/// How long after a change a build is sure not to take it for one that it missed. A build that starts sooner is repeated.
pub const SETTLING: Duration = Duration::from_millis(100);

const HANDLER: &str = "def handler(event, context): ...\n";

/// The outputs of the workspace by the names of its targets.
const OUTPUTS: [(&str, &str); 4] = [
    ("one/api", "services/one/dist/api.zip"),
    ("three/web", "services/three/dist/web.tar"),
    ("two/api", "services/two/dist/api.zip"),
    ("two/web", "services/two/dist/web.tar"),
];

/// Returns the pyproject.toml of a member.
fn member(name: &str, requires: &str, rest: &str) -> String {
    format!(
        "[project]\nname = \"{name}\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [{requires}]\n{rest}"
    )
}

/// A workspace of three services: a function; a function and an image on a layout with a library of the workspace; and an
/// image on the base that a tag names.
struct Workspace {
    project: TestProject,
    /// Where the base is.
    registry: MemoryRegistry,
}

impl Workspace {
    fn new() -> Self {
        let registry = MemoryRegistry::start(Profile::Plain);
        let image = |base: &str| {
            format!(
                "[tool.pybundle.target.web]\nkind = \"image\"\nbase = \"{base}\"\ncmd = [\"python\", \"-m\", \"app\"]\n"
            )
        };
        let base = format!("{}/base:1", registry.host());
        let two = format!("[tool.uv.sources]\nshared = {{ workspace = true }}\n{FUNCTION}{}", image("oci:../../base"));
        let library = "[build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n";
        let project = TestProject::new(&[
            (
                "pyproject.toml",
                "[tool.uv.workspace]\nmembers = [\"services/*\", \"shared\"]\n[tool.pybundle]\ncompile-bytecode = false\n",
            ),
            ("services/one/pyproject.toml", &member("one", "", FUNCTION)),
            ("services/one/app.py", HANDLER),
            ("services/one/first.txt", "first\n"),
            ("services/one/second.txt", "second\n"),
            ("services/two/pyproject.toml", &member("two", "\"shared\"", &two)),
            ("services/two/app.py", &format!("import shared\n{HANDLER}")),
            ("services/three/pyproject.toml", &member("three", "", &image(&base))),
            ("services/three/app.py", HANDLER),
            ("shared/pyproject.toml", &member("shared", "", library)),
            ("shared/src/shared/__init__.py", "VALUE = 1\n"),
        ]);
        symlink("first.txt", project.0.path().join("services/one/link.txt")).unwrap();
        Tiny::python().write(&project.0.path().join("base"));
        project.0.uv(&["lock", "--quiet"]);
        let workspace = Self { project, registry };
        workspace.push_base();
        workspace
    }

    /// Pushes the layout to where the tag of the base is.
    fn push_base(&self) {
        self.project.run(&["push", "oci:base", &format!("{}/base:1", self.registry.host())]);
    }

    fn path(&self, path: &str) -> PathBuf {
        self.project.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        self.project.0.write(path, text.as_bytes());
    }

    fn append(&self, path: &str, text: &str) {
        self.write(path, &format!("{}{text}", self.project.0.read(path)));
    }

    /// Builds all targets, and returns the names of those that are built.
    fn build(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
        let mut command = self.project.command(&["build", "--workspace", "--json", "--cache-dir=cache"]);
        let printed = succeed(command.args(arguments).envs(environment.iter().copied()));
        let report: Value = serde_json::from_str(&printed).unwrap();
        let targets = report["targets"].as_array().unwrap().iter();
        let built = targets.filter(|target| match target["status"].as_str().unwrap() {
            "built" => true,
            "unchanged" => false,
            other => panic!("{other}"),
        });
        built.map(|target| target["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns the bytes of the outputs.
    fn outputs(&self) -> BTreeMap<&str, Vec<u8>> {
        OUTPUTS.into_iter().map(|(name, path)| (name, fs::read(self.path(path)).unwrap())).collect()
    }
}

/// A change of something that targets are made from, or of an output.
struct Change {
    what: &'static str,
    apply: fn(&Workspace),
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// The targets that are built then.
    built: &'static [&'static str],
}

const ALL: &[&str] = &["one/api", "three/web", "two/api", "two/web"];

const fn change(what: &'static str, built: &'static [&'static str], apply: fn(&Workspace)) -> Change {
    Change { what, apply, arguments: &[], environment: &[], built }
}

const CHANGES: &[Change] = &[
    change("nothing", &[], |_| {}),
    change("the content of a file", &["one/api"], |workspace| workspace.append("services/one/app.py", "ONE = 1\n")),
    change("content of the same size", &["one/api"], |workspace| {
        let text = workspace.project.0.read("services/one/app.py").replace("ONE = 1", "ONE = 2");
        workspace.write("services/one/app.py", &text);
    }),
    change("the time of a file", &[], |workspace| {
        workspace.append("services/one/app.py", "");
    }),
    change("the mode of a file", &["one/api"], |workspace| {
        fs::set_permissions(workspace.path("services/one/first.txt"), Permissions::from_mode(0o755)).unwrap();
    }),
    change("a new file", &["one/api"], |workspace| workspace.write("services/one/new.py", "NEW = 1\n")),
    change("a new directory", &["one/api"], |workspace| workspace.write("services/one/package/__init__.py", "")),
    change("another name of a file", &["one/api"], |workspace| {
        fs::rename(workspace.path("services/one/new.py"), workspace.path("services/one/other.py")).unwrap();
    }),
    change("a file that was removed", &["one/api"], |workspace| {
        fs::remove_file(workspace.path("services/one/other.py")).unwrap();
    }),
    change("the target of a symbolic link", &["one/api"], |workspace| {
        fs::remove_file(workspace.path("services/one/link.txt")).unwrap();
        symlink("second.txt", workspace.path("services/one/link.txt")).unwrap();
    }),
    change("what a symbolic link leads to", &["one/api"], |workspace| {
        workspace.append("services/one/second.txt", "more\n")
    }),
    change("an ignore file", &["one/api"], |workspace| workspace.write("services/one/.gitignore", "first.txt\n")),
    change("a cache", &[], |workspace| workspace.write("services/one/__pycache__/app.cpython-312.pyc", "")),
    change("the sources of a local project", &["two/api", "two/web"], |workspace| {
        workspace.append("shared/src/shared/__init__.py", "MORE = 2\n");
    }),
    change("a new file of a local project", &["two/api", "two/web"], |workspace| {
        workspace.write("shared/src/shared/more.py", "MORE = 3\n");
    }),
    change("the version of Python", &["three/web"], |workspace| {
        workspace.write("services/three/.python-version", "3.12\n")
    }),
    change("the version of Python of all", ALL, |workspace| workspace.write(".python-version", "3.12\n")),
    change("the configuration", ALL, |workspace| workspace.append("pyproject.toml", "strip = true\n")),
    change("a member's declaration", &["one/api"], |workspace| {
        workspace.append("services/one/pyproject.toml", "exclude = [\"second.txt\"]\n");
    }),
    change("the metadata of a member", &["one/api"], |workspace| {
        let text = workspace.project.0.read("services/one/pyproject.toml");
        workspace.write("services/one/pyproject.toml", &text.replace("version = \"1\"", "version = \"2\""));
        workspace.project.0.uv(&["lock", "--quiet"]);
    }),
    change("a comment in the lock", &[], |workspace| workspace.append("uv.lock", "# Locked.\n")),
    change("a member that nothing requires", &[], |workspace| {
        workspace.write("services/four/pyproject.toml", &member("four", "", ""));
        workspace.project.0.uv(&["lock", "--quiet"]);
    }),
    change("what a member requires", &["one/api"], |workspace| {
        let text = workspace.project.0.read("services/one/pyproject.toml");
        let text = text.replace("dependencies = []", "dependencies = [\"shared\"]");
        let sources = "[tool.uv.sources]\nshared = { workspace = true }\n";
        workspace.write("services/one/pyproject.toml", &format!("{text}{sources}"));
        workspace.project.0.uv(&["lock", "--quiet"]);
    }),
    change("the version of what two members require", &["one/api", "two/api", "two/web"], |workspace| {
        let text = workspace.project.0.read("shared/pyproject.toml");
        workspace.write("shared/pyproject.toml", &text.replace("version = \"1\"", "version = \"2\""));
        workspace.project.0.uv(&["lock", "--quiet"]);
    }),
    Change { arguments: &["--slim"], ..change("a flag", ALL, |_| {}) },
    change("no flag", ALL, |_| {}),
    Change { environment: &[("SOURCE_DATE_EPOCH", "1700000000")], ..change("an environment variable", ALL, |_| {}) },
    change("no environment variable", ALL, |_| {}),
    Change { environment: &[("TERM", "dumb")], ..change("a variable of the terminal", &[], |_| {}) },
    change("the base in a layout", &["two/web"], |workspace| {
        fs::remove_dir_all(workspace.path("base")).unwrap();
        Tiny::with_files(&["usr/local/bin/python3.12", "etc/second"]).write(&workspace.path("base"));
    }),
    change("the base that a tag names", &["three/web"], Workspace::push_base),
    change("a byte of an output", &["two/api"], |workspace| {
        let mut zip = fs::read(workspace.path("services/two/dist/api.zip")).unwrap();
        let middle = zip.len() / 2;
        zip[middle] ^= 1;
        fs::write(workspace.path("services/two/dist/api.zip"), zip).unwrap();
    }),
    change("a copy of an output", &[], |workspace| {
        let (output, copy) = (workspace.path("services/two/dist/web.tar"), workspace.path("copy"));
        fs::copy(&output, &copy).unwrap();
        fs::rename(copy, output).unwrap();
    }),
    change("an output that was removed", &["two/web"], |workspace| {
        fs::remove_file(workspace.path("services/two/dist/web.tar")).unwrap();
    }),
    change("a document about another artifact", &["one/api"], |workspace| {
        workspace.write("services/one/dist/api.zip.cdx.json", "{\"metadata\": \"pybundle\"}");
    }),
];

#[test]
fn exactly_what_a_change_affects_is_built() {
    let workspace = Workspace::new();
    assert_eq!(workspace.build(&[], &[]), ALL);
    for Change { what, apply, arguments, environment, built } in CHANGES {
        apply(&workspace);
        thread::sleep(SETTLING);
        assert_eq!(workspace.build(arguments, environment), *built, "{what}");
        let outputs = workspace.outputs();
        assert_eq!(workspace.build(arguments, environment), [""; 0], "{what}, again");
        let rebuild: Vec<&str> = arguments.iter().copied().chain(["--rebuild"]).collect();
        assert_eq!(workspace.build(&rebuild, environment), ALL, "{what}, rebuilt");
        for (name, bytes) in workspace.outputs() {
            assert!(bytes == outputs[name], "{what}: {name} is not what a rebuild makes");
        }
    }
}

#[test]
fn a_fresh_clone_is_unchanged_if_its_content_is() {
    let workspace = Workspace::new();
    assert_eq!(workspace.build(&[], &[]), ALL);
    let wheels = || fs::read_dir(workspace.path("cache/v1/built")).unwrap().count();
    let built = wheels();
    let copy = tempfile::tempdir().unwrap();
    for directory in ["services", "shared"] {
        succeed(Command::new("cp").arg("-r").arg(workspace.path(directory)).arg(copy.path()));
        fs::remove_dir_all(workspace.path(directory)).unwrap();
        succeed(Command::new("cp").arg("-r").arg(copy.path().join(directory)).arg(workspace.path("")));
    }
    assert_eq!(workspace.build(&[], &[]), [""; 0]);
    // Without its outputs, everything is built, but not the wheel of the local project.
    OUTPUTS.iter().for_each(|(_, output)| fs::remove_file(workspace.path(output)).unwrap());
    assert_eq!(workspace.build(&[], &[]), ALL);
    assert_eq!(wheels(), built);
}

#[test]
fn an_edit_just_before_a_build_is_never_missed() {
    let workspace = Workspace::new();
    workspace.build(&[], &[]);
    for number in 0..6 {
        workspace.write("services/one/value.py", &format!("VALUE = {number}\n"));
        assert_eq!(workspace.build(&[], &[]), ["one/api"], "{number}");
        let zip = fs::File::open(workspace.path("services/one/dist/api.zip")).unwrap();
        let mut zip = zip::ZipArchive::new(zip).unwrap();
        let value = std::io::read_to_string(zip.by_name("value.py").unwrap()).unwrap();
        assert_eq!(value, format!("VALUE = {number}\n"));
    }
}

/// A back end that edits a file of the application, as its author might meanwhile.
const EDITING_BACK_END: &str = r#"
import os, pathlib, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    here = os.path.dirname(os.path.abspath(__file__))
    pathlib.Path(os.path.dirname(here), "services", "two", "value.py").write_text("VALUE = 'edited'\n")
    name = "shared-1-py3-none-any.whl"
    files = {"shared.py": "", "shared-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: shared\nVersion: 1\n"}
    files["shared-1.dist-info/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files["shared-1.dist-info/RECORD"] = "".join(f"{file},,\n" for file in [*files, "shared-1.dist-info/RECORD"])
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(zipfile.ZipInfo(file), text)
    return name
"#;

#[test]
fn an_edit_during_a_build_is_built_the_next_time() {
    let workspace = Workspace::new();
    fs::remove_dir_all(workspace.path("shared/src")).unwrap();
    let back_end = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";
    workspace.write("shared/pyproject.toml", &member("shared", "", back_end));
    workspace.write("shared/backend.py", EDITING_BACK_END);
    workspace.write("services/two/value.py", "VALUE = 'before'\n");
    workspace.project.0.uv(&["lock", "--quiet"]);
    assert_eq!(workspace.build(&["two/api"], &[]), ["two/api"]);
    assert_eq!(workspace.project.0.read("services/two/value.py"), "VALUE = 'edited'\n");
    assert_eq!(workspace.build(&["two/api"], &[]), ["two/api"]);
    assert_eq!(workspace.build(&["two/api"], &[]), [""; 0]);
}

#[test]
fn a_package_is_made_from_its_sources() {
    let library = "[build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n";
    let target =
        "[tool.pybundle.target.api]\nkind = \"lambda\"\nruntime = \"python3.12\"\nhandler = \"shop.handler\"\n";
    let project = TestProject::new(&[
        ("pyproject.toml", &member("shop", "", &format!("{library}{target}"))),
        ("src/shop/__init__.py", HANDLER),
    ]);
    project.0.uv(&["lock", "--quiet"]);
    let status = || {
        let report = project.json(&["build", "--cache-dir=cache"]);
        report["targets"][0]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!([status(), status()], ["built", "unchanged"]);
    project.0.write("src/shop/more.py", b"MORE = 1\n");
    assert_eq!([status(), status()], ["built", "unchanged"]);
    project.0.write("pyproject.toml", project.0.read("pyproject.toml").replace("\"1\"", "\"2\"").as_bytes());
    project.0.uv(&["lock", "--quiet"]);
    assert_eq!([status(), status()], ["built", "unchanged"]);
}

#[test]
fn an_unchanged_target_is_reported_as_it_was_built() {
    let workspace = Workspace::new();
    let report = |arguments: &[&str]| {
        let mut all = vec!["build", "--workspace", "--json", "--cache-dir=cache"];
        all.extend(arguments);
        let printed = workspace.project.run(&all);
        serde_json::from_str::<Value>(&printed).unwrap()
    };
    // One that is warned of.
    workspace.write("services/one/more.py", "import nothing_of_this_name\n");
    let (built, unchanged) = (report(&[]), report(&[]));
    for (built, unchanged) in built["targets"].as_array().unwrap().iter().zip(unchanged["targets"].as_array().unwrap())
    {
        assert_eq!(unchanged["status"], "unchanged");
        assert_eq!(unchanged["reason"], "nothing changed since it was built");
        for kind in ["lambda", "image"] {
            let [mut built, mut unchanged] = [&built[kind], &unchanged[kind]].map(Value::clone);
            for report in [&mut built, &mut unchanged].into_iter().filter(|report| report.is_object()) {
                report["elapsed_seconds"] = 0.into();
                for artifact in report["artifacts"].as_array_mut().into_iter().flatten() {
                    artifact["unchanged"] = true.into();
                }
                if report["outputs"].is_array() {
                    report["unchanged"] = report["outputs"].clone();
                }
            }
            assert_eq!(built, unchanged);
        }
    }
    assert_ne!(unchanged["targets"][0]["lambda"]["warnings"], serde_json::json!([]));
    let page = workspace.project.run(&["build", "--workspace", "--cache-dir=cache"]);
    assert!(page.contains("services/one/dist/api.zip (unchanged)\n"), "{page}");
    assert!(page.contains("4 targets: 4 unchanged, in "), "{page}");
    // A target that fails has no note, and one whose failure has been mended is built.
    workspace.write("services/one/app.py", "handle = None\n");
    workspace.project.ends(1, &["build", "--workspace", "--cache-dir=cache"]);
    workspace.project.ends(1, &["build", "--workspace", "--cache-dir=cache"]);
    workspace.write("services/one/app.py", HANDLER);
    assert_eq!(report(&[])["targets"][0]["status"], "unchanged", "it is what it was before");
    // Without a cache there are no notes.
    assert_eq!(report(&["--no-cache"])["targets"][0]["status"], "built");
}

#[test]
fn an_unchanged_image_is_pushed_unless_every_tag_names_it() {
    let workspace = Workspace::new();
    let tag = format!("{}/team/web:1", workspace.registry.host());
    let configuration = workspace.project.0.read("services/three/pyproject.toml");
    workspace.write("services/three/pyproject.toml", &format!("{configuration}tag = \"{tag}\"\n"));
    let push = || workspace.build(&["three/web", "--push"], &[]);
    assert_eq!(push(), ["three/web"]);
    workspace.registry.forget_requests();
    assert_eq!(push(), [""; 0]);
    let requests = workspace.registry.requests();
    // The base's tag, and the image's.
    assert_eq!(requests.len(), 2, "{requests:?}");
    // Somebody else has moved the tag.
    workspace.project.run(&["push", "oci:base", &tag]);
    assert_eq!(push(), ["three/web"]);
    assert_eq!(push(), [""; 0]);
}

#[test]
fn what_only_the_build_reads_is_no_part_of_the_application() {
    let project = TestProject::new(&[
        ("pyproject.toml", &format!("{FUNCTION}lock = \"prod.txt\"\n")),
        ("app.py", HANDLER),
        ("prod.txt", "--requirement base.txt\n--constraint limits/all.txt\n"),
        ("base.txt", ""),
        ("limits/all.txt", "--requirement more.txt\n"),
        ("limits/more.txt", ""),
        ("other.txt", ""),
    ]);
    let build = || {
        let report = project.json(&["build", "--cache-dir=cache"]);
        let zip = fs::File::open(project.0.path().join("dist/api.zip")).unwrap();
        let zip = zip::ZipArchive::new(zip).unwrap();
        let files: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
        (report["targets"][0]["status"].as_str().unwrap().to_owned(), files.join(" "))
    };
    thread::sleep(SETTLING);
    assert_eq!(build(), ("built".to_owned(), "app.py other.txt".to_owned()));
    assert_eq!(build().0, "unchanged");
    // What is not included any more is a file like any other, although the lock selects the same as before.
    project.0.write("prod.txt", b"--requirement other.txt\n");
    thread::sleep(SETTLING);
    assert_eq!(build(), ("built".to_owned(), "app.py base.txt limits/all.txt limits/more.txt".to_owned()));
    assert_eq!(build().0, "unchanged");
    // Neither is a profile.
    let pyproject = project.0.read("pyproject.toml").replace("runtime = \"python3.12\"", "profile = \"own.toml\"");
    project.0.write("own.toml", project.run(&["profile", "show", "python3.12"]).as_bytes());
    project.0.write("pyproject.toml", pyproject.as_bytes());
    assert_eq!(build(), ("built".to_owned(), "app.py base.txt limits/all.txt limits/more.txt".to_owned()));
}
