//! Real distributions, whole and with everything omitted that can be: the same modules can be imported and work.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use super::support::artifact::sha256;
use super::support::command::{pybundle, repository, succeed};
use super::support::lambda::{architecture, newest_python};
use super::support::uv::Project;

/// Distributions compiled from C, C++, Cython and Rust, patched by auditwheel, with tests inside and outside of packages.
const DISTRIBUTIONS: [&str; 14] = [
    "numpy",
    "pandas",
    "lxml",
    "cryptography",
    "cffi",
    "sqlalchemy",
    "greenlet",
    "pydantic",
    "pyyaml",
    "httptools",
    "uvloop",
    "protobuf",
    "python-dateutil",
    "jsonschema",
];

/// Uses all of them.
const COMPUTE: &str = r#"
import sys
sys.path.insert(0, sys.argv[1])
import numpy, pandas, yaml, sqlalchemy, pydantic, jsonschema, httptools, asyncio, uvloop, greenlet, cffi
import numpy.testing
from cryptography.hazmat.primitives.asymmetric import ed25519
from google.protobuf import struct_pb2
from lxml import etree
matrix = numpy.array([[4.0, 1.0], [2.0, 3.0]])
assert sorted(numpy.linalg.eigvals(matrix).round(6)) == [2.0, 5.0]
numpy.testing.assert_allclose(numpy.fft.ifft(numpy.fft.fft([1, 2, 3])).real, [1, 2, 3])
frame = pandas.DataFrame({"a": [1, 2, 2], "b": [1.5, 2.5, 3.5]})
assert frame.groupby("a").b.sum().tolist() == [1.5, 6.0]
pandas.testing.assert_frame_equal(frame, frame)
assert etree.fromstring("<a><b>1</b></a>").xpath("string(b)") == "1"
key = ed25519.Ed25519PrivateKey.generate()
key.public_key().verify(key.sign(b"text"), b"text")
assert yaml.load("a: [1, 2]", yaml.CSafeLoader) == {"a": [1, 2]}
with sqlalchemy.create_engine("sqlite://").connect() as connection:
    assert connection.execute(sqlalchemy.text("select 6 * 7")).scalar() == 42
assert pydantic.TypeAdapter(list[int]).validate_python(["1"]) == [1]
jsonschema.validate({"a": 1}, {"type": "object", "required": ["a"]})
message = struct_pb2.Struct()
message["a"] = 1
assert struct_pb2.Struct.FromString(message.SerializeToString())["a"] == 1
assert cffi.FFI().new("int[2]")[1] == 0
assert httptools.parse_url(b"http://host/path").path == b"/path"
assert greenlet.greenlet(lambda: 7).switch() == 7
loop = uvloop.new_event_loop()
assert loop.run_until_complete(asyncio.sleep(0, 5)) == 5
"#;

/// Asserts that every installed distribution matches its RECORD, and prints their number.
const METADATA: &str = r#"
import base64, hashlib, os, sys
from importlib.metadata import distributions
listed, count = set(), 0
for distribution in distributions(path=[sys.argv[1]]):
    count += 1
    assert distribution.metadata["Name"] and distribution.version, distribution
    assert distribution.read_text("WHEEL"), distribution
    for file in distribution.files:
        path = os.path.realpath(file.locate())
        listed.add(path)
        assert os.path.isfile(path), path
        if file.hash:
            digest = hashlib.new(file.hash.mode, open(path, "rb").read()).digest()
            assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == file.hash.value, path
            assert os.path.getsize(path) == file.size, path
        else:
            assert path.endswith("RECORD"), path
here = {os.path.realpath(os.path.join(folder, name)) for folder, _, names in os.walk(sys.argv[1]) for name in names}
assert {os.path.basename(path) for path in here - listed} == {"app.py"}, here - listed
print(count)
"#;

/// The artifacts of one project.
pub struct Artifacts {
    folder: tempfile::TempDir,
    project: Project,
    python: String,
    report: Value,
}

/// Built once for all tests.
pub static ARTIFACTS: LazyLock<Artifacts> = LazyLock::new(Artifacts::new);

impl Artifacts {
    fn new() -> Self {
        let mut artifacts = Self::of(&DISTRIBUTIONS);
        artifacts.build("plain", architecture(), &[]);
        artifacts.report = artifacts.build("trimmed", architecture(), &["--slim", "--strip"]);
        artifacts
    }

    /// Locks a project with these dependencies, whose only module is `app`.
    pub fn of(dependencies: &[&str]) -> Self {
        let project = Project::locked(&format!(
            "[project]\nname = \"trimmed\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n\
             dependencies = {dependencies:?}\n"
        ));
        project.write("app.py", b"");
        Self { folder: tempfile::tempdir().unwrap(), project, python: newest_python(), report: Value::Null }
    }

    /// Builds, unpacks, and returns the report.
    pub fn build(&self, name: &str, architecture: &str, arguments: &[&str]) -> Value {
        let zip = self.zip(name);
        let runtime = format!("python{}", self.python);
        let mut command = pybundle(&["lambda", "--json", "--allow-oversize", "--runtime", &runtime]);
        command.args(["--arch", architecture, "-o"]).arg(&zip).args(arguments).arg(self.project.path());
        let report = succeed(&mut command);
        let file = fs::File::open(zip).unwrap();
        zip::ZipArchive::new(file).unwrap().extract(self.path(name)).unwrap();
        serde_json::from_str(&report).unwrap()
    }

    fn zip(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.zip"))
    }

    /// Returns the directory of an unpacked artifact.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the paths of each compiled file in two artifacts.
    pub fn compiled(&self, names: [&str; 2]) -> Vec<(PathBuf, PathBuf)> {
        let [plain, trimmed] = names.map(|name| self.path(name));
        let is_compiled = |path: &String| path.ends_with(".so") || path.contains(".so.");
        sizes(&trimmed)
            .keys()
            .filter(|path| is_compiled(path))
            .map(|path| (plain.join(path), trimmed.join(path)))
            .collect()
    }

    fn python(&self, arguments: &[&str]) -> Command {
        let mut command = interpreter(&self.python);
        command.args(arguments);
        command
    }
}

/// Returns the interpreter of a version of Python, isolated from this machine.
pub fn interpreter(python: &str) -> Command {
    let interpreters = fs::read_to_string(repository().join("target/test-tools/interpreters")).unwrap();
    let line = interpreters.lines().find(|line| line.starts_with(&format!("{python} "))).unwrap();
    let prefix = Path::new(line.split_once(' ').unwrap().1);
    let mut command = Command::new(prefix.join("bin").join(format!("python{python}")));
    command.args(["-I", "-B"]);
    command
}

/// Returns the size of each file below a directory.
fn sizes(root: &Path) -> BTreeMap<String, u64> {
    let (mut folders, mut sizes) = (vec![root.to_owned()], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::metadata(&path).unwrap();
            if metadata.is_dir() {
                folders.push(path);
            } else {
                sizes.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), metadata.len());
            }
        }
    }
    sizes
}

/// Returns the modules that can be imported from a directory.
fn importable(artifacts: &Artifacts, name: &str) -> BTreeSet<String> {
    let walk = repository().join("tests/trim/walk.py");
    let path = artifacts.path(name);
    let arguments = [walk.as_path(), path.as_path(), Path::new("tests")].map(|path| path.to_str().unwrap());
    serde_json::from_str(&succeed(&mut artifacts.python(&arguments))).unwrap()
}

#[test]
fn the_same_modules_can_be_imported() {
    let artifacts = &*ARTIFACTS;
    let (plain, trimmed) = std::thread::scope(|scope| {
        let plain = scope.spawn(|| importable(artifacts, "plain"));
        (importable(artifacts, "trimmed"), plain.join().unwrap())
    });
    let lost: Vec<_> = plain.difference(&trimmed).collect();
    assert!(lost.is_empty() && plain.len() > 1000, "of {} modules are lost: {lost:?}", plain.len());
}

#[test]
fn trimmed_distributions_work() {
    let artifacts = &*ARTIFACTS;
    let path = artifacts.path("trimmed");
    succeed(&mut artifacts.python(&["-c", COMPUTE, path.to_str().unwrap()]));
}

#[test]
fn metadata_and_records_agree_with_the_files() {
    let artifacts = &*ARTIFACTS;
    let path = artifacts.path("trimmed");
    let count = succeed(&mut artifacts.python(&["-c", METADATA, path.to_str().unwrap()]));
    let reported = artifacts.report["distributions"].as_array().unwrap().len();
    assert_eq!(count.trim().parse(), Ok(reported));
}

#[test]
fn the_report_contains_what_was_saved() {
    let artifacts = &*ARTIFACTS;
    let [plain, trimmed] = ["plain", "trimmed"].map(|name| sizes(&artifacts.path(name)));
    let trim = &artifacts.report["trim"];
    let slimmed = trim["slimmed"].as_array().unwrap();
    let sum = |key: &str| slimmed.iter().map(|rule| rule[key].as_u64().unwrap()).sum::<u64>();
    let gone: Vec<u64> = plain.iter().filter(|(path, _)| !trimmed.contains_key(*path)).map(|(_, size)| *size).collect();
    assert_eq!((sum("files"), sum("bytes")), (gone.len() as u64, gone.iter().sum()));
    let rules: Vec<&str> = slimmed.iter().map(|rule| rule["rule"].as_str().unwrap()).collect();
    assert_eq!(rules[..4], ["tests", "stubs", "headers", "sources"]);

    let is_smaller = |(path, size): &(&String, &u64)| *size < &plain[*path] && !path.ends_with("RECORD");
    let smaller: Vec<u64> = trimmed.iter().filter(is_smaller).map(|(path, size)| plain[path] - size).collect();
    assert_eq!(trim["stripped"]["files"], smaller.len());
    assert_eq!(trim["stripped"]["bytes"], smaller.iter().sum::<u64>());
    assert!(smaller.len() > 20 && gone.len() > 1000, "{} {}", smaller.len(), gone.len());
}

#[test]
fn the_zip_does_not_depend_on_the_cache() {
    let artifacts = &*ARTIFACTS;
    let digest = |name: &str| sha256(&fs::read(artifacts.zip(name)).unwrap());
    artifacts.build("again", architecture(), &["--slim", "--strip"]);
    assert_eq!(digest("again"), digest("trimmed"));
    let rules = ["--slim=bytecode,docs,sources,headers,stubs,tests", "--strip"];
    artifacts.build("named", architecture(), &rules);
    assert_eq!(digest("named"), digest("trimmed"));
}
