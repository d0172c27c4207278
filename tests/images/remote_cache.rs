//! Records of what is known of wheels, shared through a registry or a directory: machines without a wheel build the same image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oci_spec::image::MediaType;
use pybundle::image::{Blob, OciArtifact};
use pybundle::registry::credentials::Keychain;
use pybundle::registry::{ImageReference, Registry, RegistryOptions};
use pybundle::report::Silent;
use serde_json::{Value, json};

use crate::changed_records::{HEADER, name_another_file, record_in, rewrite_record, with_another_file};
use crate::http::{Answer, Server};
use crate::registries::DockerRegistry;
use crate::support::artifact::sha256;
use crate::support::command::{repository, succeed};
use crate::support::wheel_with;
use crate::workshop::Workshop;

/// The wheels of the example's folder index that any platform can use, each with its distribution.
const WHEELS: [(&str, &str); 4] = [
    ("example-greeting", "example_greeting-1.2.0-py3-none-any.whl"),
    ("example-banner", "example_banner-0.3.1-py3-none-any.whl"),
    ("example-tally", "example_tally-2.0.0-py3-none-any.whl"),
    ("example-checks", "example_checks-5.1-py3-none-any.whl"),
];

/// A project whose requirements are files of a server, and a registry.
pub struct Fleet {
    pub workshop: Workshop,
    pub server: Server,
    pub registry: DockerRegistry,
}

impl Fleet {
    pub fn new() -> Self {
        let fleet =
            Self { workshop: Workshop::empty(), server: Server::start(), registry: DockerRegistry::anonymous() };
        for (_, wheel) in WHEELS {
            fleet.server.answer(&format!("/{wheel}"), [Answer::file(&example_wheel(wheel))]);
        }
        fleet.require(3);
        fleet.edit(0);
        fleet
    }

    /// Locks the first wheels.
    pub fn require(&self, count: usize) {
        let lines = WHEELS[..count].iter().map(|(name, wheel)| {
            let digest = sha256(&example_wheel(wheel));
            format!("{name} @ {} --hash=sha256:{digest}\n", self.server.url(&format!("/{wheel}")))
        });
        self.workshop.write("requirements.txt", lines.collect::<String>());
    }

    /// Changes the application.
    pub fn edit(&self, edit: usize) {
        let imports = "import example_banner\nimport example_greeting\nimport example_tally\n";
        let code = format!("{imports}\nprint({edit}, example_greeting.greet('Ada', 'en'))\n");
        self.workshop.write("app.py", code);
    }

    /// Returns a build on a machine whose cache has a name, that pushes a tag.
    pub fn push(&self, machine: &str, tag: &str, arguments: &[&str]) -> Command {
        let mut command = self.workshop.command(arguments);
        command.env("PYBUNDLE_CACHE_DIR", self.workshop.path(machine)).env_remove("PYBUNDLE_REMOTE_CACHE");
        command.args(["--push", "--json", "--tag", &format!("{}/team/app:{tag}", self.registry.host())]);
        command
    }

    /// Builds, and returns the report.
    pub fn report(&self, machine: &str, tag: &str, arguments: &[&str]) -> Value {
        report(&mut self.push(machine, tag, arguments))
    }

    /// Returns the digest of the image that a machine builds which has everything and asks no remote cache.
    pub fn expected(&self, arguments: &[&str]) -> Value {
        let alone = [arguments, &["--remote-cache", "off"]].concat();
        self.workshop.report(&[&alone[..], &["--output", "oci:expected"]].concat())["digest"].clone()
    }

    /// Returns how many wheels the server has sent.
    pub fn sent(&self) -> usize {
        WHEELS.iter().map(|(_, wheel)| self.server.requests(&format!("/{wheel}")).len()).sum()
    }

    /// Removes the bytes of a blob from the registry.
    pub fn lose_bytes(&self, digest: &str) {
        let blobs = self.registry.folder.path().join("storage/docker/registry/v2/blobs/sha256");
        fs::remove_dir_all(blobs.join(&digest[..2]).join(digest)).unwrap();
    }

    /// Removes a blob from the registry, as garbage collection does.
    pub fn lose_blob(&self, digest: &str) {
        self.lose_bytes(digest);
        let storage = self.registry.folder.path().join("storage/docker/registry/v2");
        fs::remove_dir_all(storage.join("repositories/team/app/_layers/sha256").join(digest)).unwrap();
    }

    /// Replaces the only record in the registry by what `change` makes of it, and returns its tag.
    pub fn replace_record(&self, change: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let tag = self.tags("team/app").into_iter().find(|tag| tag.starts_with("pybundle-cache-")).unwrap();
        let at: ImageReference = format!("{}/team/app:{tag}", self.registry.host()).parse().unwrap();
        let registry = Registry::new(RegistryOptions::new(Keychain::fixed([]))).unwrap();
        let mut manifest: Value = serde_json::from_slice(&registry.manifest(&at).unwrap().bytes).unwrap();
        let blob = |descriptor: &Value| {
            let (digest, size) = (descriptor["digest"].as_str().unwrap(), descriptor["size"].as_u64().unwrap());
            let mut bytes = Vec::new();
            registry.blob(&at, digest.parse().unwrap(), size, &mut bytes, &Silent).unwrap();
            bytes
        };
        let config = Blob::of_bytes(MediaType::EmptyJSON, blob(&manifest["config"]));
        let record = change(&blob(&manifest["layers"][0]));
        let record = Blob::of_bytes(MediaType::from(manifest["layers"][0]["mediaType"].as_str().unwrap()), record);
        manifest["layers"][0]["digest"] = json!(record.digest.to_string());
        manifest["layers"][0]["size"] = json!(record.size);
        let manifest = Blob::of_bytes(MediaType::ImageManifest, manifest.to_string().into_bytes());
        let changed = OciArtifact { manifest, blobs: vec![config, record], children: vec![], referrers: vec![] };
        registry.push(&changed, &[at], &Silent).unwrap();
        tag
    }

    /// Returns the name of a repository of the registry.
    pub fn repository(&self, name: &str) -> String {
        format!("{}/{name}", self.registry.host())
    }

    pub fn tags(&self, repository: &str) -> Vec<String> {
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["list-tags", "--tls-verify=false", &format!("docker://{}", self.repository(repository))]);
        let listed: Value = serde_json::from_str(&succeed(&mut skopeo)).unwrap();
        listed["Tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
    }
}

fn example_wheel(name: &str) -> Vec<u8> {
    fs::read(repository().join("testdata/example/index").join(name)).unwrap()
}

fn report(command: &mut Command) -> Value {
    serde_json::from_str(&succeed(command)).unwrap()
}

/// Returns the wheels that are in a cache.
fn wheels(cache: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(cache.join("v1/wheels")).into_iter().flatten();
    let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|name| name == "whl")).collect()
}

#[test]
fn a_machine_without_wheels_builds_the_image_of_one_that_has_them() {
    let fleet = Fleet::new();
    let variants: [&[&str]; 5] = [
        &[],
        &["--sbom", "cyclonedx", "--provenance"],
        &["--slim", "--strip"],
        &["--compile-bytecode", "--python", "3.12"],
        &["--platform", "linux/amd64,linux/arm64"],
    ];
    for (at, arguments) in variants.iter().enumerate() {
        let tag = format!("variant-{at}");
        let first = fleet.report("warm", &tag, &[arguments, &["--remote-cache", "auto"][..]].concat());
        // Documents are about what is known.
        assert_eq!(first["remote_cache"]["written"], at != 1, "{arguments:?}");
        fleet.edit(at + 1);
        let expected = fleet.expected(arguments);

        let (machine, before) = (format!("cold-{at}"), fleet.sent());
        let cold = fleet.report(&machine, &tag, arguments);
        assert_eq!(fleet.sent(), before, "{arguments:?}");
        assert_eq!(cold["digest"], expected, "{arguments:?}");
        let used = &cold["remote_cache"];
        assert_eq!((&used["read"], &used["fetched"], &used["written"]), (&json!("exact"), &json!(0), &json!(false)));
        let platforms = cold["platforms"].as_array().unwrap().len();
        assert_eq!(used["known"], 3 * platforms, "{used}");
        assert_eq!(wheels(&fleet.workshop.path(&machine)), Vec::<PathBuf>::new());
        assert_eq!(cold["platforms"][0]["audit"], first["platforms"][0]["audit"], "{arguments:?}");
    }
}

/// Which data the code names decides the layer of the library, and is known from the records, too.
#[test]
fn data_that_is_named_is_known_without_wheels() {
    let fleet = Fleet::new();
    let data = ["ec2", "s3", "sqs", "sts"].map(|name| format!("botocore/data/{name}/2026-01-01/service-2.json.gz"));
    let mut library: Vec<(&str, &[u8])> = data.iter().map(|path| (path.as_str(), b"model".as_slice())).collect();
    library.extend([("botocore/__init__.py", b"".as_slice()), ("botocore/session.py", b"def get_session(): pass\n")]);
    let user = b"from botocore.session import get_session\ndef f():\n    get_session().create_client('s3')\n";
    let wheels = [
        ("botocore", wheel_with("botocore", "1.0", &library)),
        ("storage", wheel_with("storage", "1.0", &[("storage.py", user)])),
    ];
    let mut lines = String::new();
    for (name, wheel) in &wheels {
        let path = format!("/{name}-1.0-py3-none-any.whl");
        fleet.server.answer(&path, [Answer::file(wheel)]);
        lines += &format!("{name} @ {} --hash=sha256:{}\n", fleet.server.url(&path), sha256(wheel));
    }
    fleet.workshop.write("requirements.txt", lines);
    let write = |service: &str| {
        let code =
            format!("import storage\nfrom botocore import session\nsession.get_session().create_client('{service}')\n");
        fleet.workshop.write("app.py", code);
    };
    let sent = || wheels.iter().map(|(name, _)| fleet.server.requests(&format!("/{name}-1.0-py3-none-any.whl")).len());
    let kept = |report: &Value| -> Vec<String> {
        let kept = report["platforms"][0]["trim"]["kept"].as_array().unwrap();
        kept.iter().map(|kept| kept["name"].as_str().unwrap().to_owned()).collect()
    };
    write("sqs");
    let first = fleet.report("warm", "data", &["--slim=services", "--remote-cache", "auto"]);
    assert_eq!(first["remote_cache"]["written"], true);
    assert_eq!(kept(&first), ["s3", "sqs", "sts"]);
    let (expected, before) = (fleet.expected(&["--slim=services"]), sent().sum::<usize>());
    let cold = fleet.report("cold", "data", &["--slim=services"]);
    assert_eq!((&cold["digest"], &cold["remote_cache"]["read"]), (&expected, &json!("exact")));
    assert_eq!((kept(&cold), sent().sum::<usize>()), (kept(&first), before));
    // Another service is another closure, with another layer.
    write("ec2");
    let expected = fleet.expected(&["--slim=services"]);
    let cold = fleet.report("colder", "data", &["--slim=services"]);
    assert_eq!((&cold["digest"], kept(&cold)), (&expected, ["ec2", "s3", "sts"].map(str::to_owned).to_vec()));
    assert_ne!(cold["digest"], first["digest"]);
    assert_ne!(cold["remote_cache"]["read"], "exact");
}

#[test]
fn layers_with_zstd_are_compressed_from_the_wheels() {
    let (fleet, arguments) = (Fleet::new(), ["--compression", "zstd"]);
    fleet.report("warm", "1", &["--compression", "zstd", "--remote-cache", "auto"]);
    let cold = fleet.report("cold", "1", &arguments);
    assert_eq!((&cold["remote_cache"]["read"], &cold["digest"]), (&json!("exact"), &fleet.expected(&arguments)));
    assert_eq!(cold["remote_cache"]["fetched"], 3);
}

#[test]
fn records_are_written_only_where_that_is_asked_for() {
    let fleet = Fleet::new();
    for (cache, written) in [("off", false), ("read", false), ("verify", false), ("auto", true), ("auto", false)] {
        let built = fleet.report("warm", "1", &["--remote-cache", cache]);
        let reported = &built["remote_cache"];
        assert_eq!(reported["written"].as_bool().unwrap_or(false), written, "{cache}: {reported}");
    }
    let records = fleet.tags("team/app").iter().filter(|tag| tag.starts_with("pybundle-cache-")).count();
    assert_eq!(records, 1, "{:?}", fleet.tags("team/app"));
}

#[test]
fn only_the_wheels_of_a_lost_layer_are_fetched() {
    let fleet = Fleet::new();
    let first = fleet.report("warm", "1", &["--remote-cache", "auto"]);
    let layers = first["platforms"][0]["layers"].as_array().unwrap();
    let lost = layers.iter().find(|layer| layer["holds"].as_str().unwrap().starts_with("example-greeting")).unwrap();
    let digest = lost["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    fleet.lose_blob(digest);

    fleet.edit(1);
    let cold = fleet.report("cold", "another", &[]);
    assert_eq!(cold["digest"], fleet.expected(&[]));
    let held = lost["holds"].as_str().unwrap().split(", ").count();
    assert_eq!(cold["remote_cache"]["fetched"], held, "{lost}");
    assert_eq!(wheels(&fleet.workshop.path("cold")).len(), held);
    let name = format!("{}/team/app:another", fleet.registry.host());
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", &format!("docker://{name}")]);
    succeed(skopeo.arg(format!("oci:{}", fleet.workshop.path("pulled").display())));
}

#[test]
fn the_record_of_the_previous_image_serves_after_the_lock_changed() {
    let fleet = Fleet::new();
    fleet.report("warm", "1", &["--remote-cache", "auto"]);
    // With one more distribution, the closure is another, of which one wheel is not known.
    fleet.require(4);
    let before = fleet.sent();
    let more = fleet.report("cold", "1", &["--remote-cache", "auto"]);
    // It is in a layer with others of its size, whose bytes are needed for that.
    let layers = more["platforms"][0]["layers"].as_array().unwrap().iter();
    let mut held =
        layers.map(|layer| layer["holds"].as_str().unwrap()).filter(|holds| holds.contains("example-checks"));
    let held = held.next().unwrap().split(", ").count();
    let used = &more["remote_cache"];
    assert_eq!(
        (&used["read"], &used["fetched"], &used["written"]),
        (&json!("earlier"), &json!(held - 1), &json!(true))
    );
    assert!(held < 4, "{more}");
    assert_eq!((fleet.sent() - before, &more["digest"]), (held, &fleet.expected(&[])));
    // That machine knew the other wheels only from the record, and has recorded them all.
    let before = fleet.sent();
    let colder = fleet.report("colder", "1", &[]);
    assert_eq!((&colder["remote_cache"]["read"], &colder["digest"]), (&json!("exact"), &more["digest"]));
    assert_eq!(fleet.sent(), before);
}

#[test]
fn a_directory_is_a_remote_cache_too_also_for_files() {
    let fleet = Fleet::new();
    let arguments = ["--remote-cache", "./shared", "--output", "oci:out"];
    let first = fleet.workshop.report(&arguments);
    assert_eq!(first["remote_cache"]["written"], true);
    let mut cold = fleet.workshop.command(&arguments);
    let cold = report(cold.arg("--json").env("PYBUNDLE_CACHE_DIR", fleet.workshop.path("cold")));
    assert_eq!((&cold["digest"], &cold["remote_cache"]["read"]), (&first["digest"], &json!("exact")));
    // A file needs all bytes.
    assert_eq!(cold["remote_cache"]["fetched"], cold["remote_cache"]["known"]);
}

#[test]
fn a_record_that_is_wrong_changes_no_image() {
    let fleet = Fleet::new();
    let (shared, arguments) = (fleet.workshop.path("shared"), ["--remote-cache", "./shared", "--output", "oci:out"]);
    let expected = fleet.workshop.report(&arguments)["digest"].clone();
    let path = record_in(&shared);
    let intact = fs::read(&path).unwrap();

    let mut machine = 0;
    let mut build = |said: &str| {
        machine += 1;
        let cache = fleet.workshop.path(&format!("machine-{machine}"));
        let output =
            fleet.workshop.command(&arguments).arg("--json").env("PYBUNDLE_CACHE_DIR", cache).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && errors.contains(said), "{said}: {errors}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["digest"], expected, "{said}");
    };
    for (record, said) in [
        (
            &b"not a record"[..],
            "cannot read the remote cache, so this build does not use it: the record is not one of pybundle",
        ),
        (
            &intact[..intact.len() / 2],
            "cannot read the remote cache, so this build does not use it: the record is damaged",
        ),
        (HEADER, "cannot read the remote cache, so this build does not use it: the record is damaged"),
    ] {
        fs::write(&path, record).unwrap();
        build(said);
        // Whoever writes records replaces it.
        assert!(fs::read(&path).unwrap() == intact);
    }
    // A record that is valid in itself, but says that a wheel has another file.
    fs::write(&path, &intact).unwrap();
    rewrite_record(&shared, name_another_file);
    build("the remote cache is wrong about a wheel or a layer: building again without it");
}

#[test]
fn a_release_verifies_what_the_remote_cache_says() {
    let fleet = Fleet::new();
    let verify = ["--remote-cache", "verify"];
    assert_eq!(fleet.report("warm", "1", &verify)["remote_cache"]["read"], "missing");
    fleet.report("warm", "1", &["--remote-cache", "auto"]);
    let verified = fleet.report("cold", "1", &verify);
    assert_eq!(
        (&verified["remote_cache"]["read"], &verified["remote_cache"]["known"]),
        (&json!("verified"), &json!(0))
    );
}

#[test]
fn a_release_refuses_a_record_that_somebody_changed_until_it_is_deleted() {
    let fleet = Fleet::new();
    let verify = ["--remote-cache", "verify"];
    fleet.report("warm", "1", &["--remote-cache", "auto"]);
    let tag = fleet.replace_record(with_another_file);

    let said = String::from_utf8(fleet.push("cold", "1", &verify).output().unwrap().stderr).unwrap();
    let hint = "hint: delete it, and find out who wrote it: do not trust artifacts that were built from it\n";
    assert!(said.contains(&tag) && said.ends_with(hint), "{said}");
    fleet.registry.remove_tag("team/app", &tag);
    assert_eq!(fleet.report("cold", "1", &verify)["remote_cache"]["read"], "missing");
    assert_eq!(fleet.report("cold", "1", &["--remote-cache", "auto"])["remote_cache"]["written"], true);
    assert_eq!(fleet.report("cold", "1", &verify)["remote_cache"]["read"], "verified");
}

/// A record that nobody can read is replaced by whoever writes records, so that the next machine has one.
#[test]
fn a_damaged_record_in_a_repository_is_written_again() {
    let fleet = Fleet::new();
    let auto = ["--remote-cache", "auto"];
    fleet.report("warm", "1", &auto);
    let intact = fleet.tags("team/app");
    let garbage = |_: &[u8]| [HEADER, b"garbage"].concat();
    fleet.replace_record(garbage);
    let repaired = |machine: &str, reason: &str| {
        let output = fleet.push(machine, "1", &auto).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let warning = "warning: cannot read the remote cache, so this build does not use it: ";
        assert!(said.contains(&format!("{warning}{reason}")) && said.matches("warning:").count() == 1, "{said}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["remote_cache"]["written"], true, "{said}");
        let next = fleet.report(&format!("after-{machine}"), "1", &[]);
        assert_eq!((&next["remote_cache"]["read"], &next["remote_cache"]["fetched"]), (&json!("exact"), &json!(0)));
    };
    repaired("damaged", "the record is damaged");
    assert_eq!(fleet.tags("team/app"), intact);

    // The registry has the record's tag, and not the record.
    let mut digest = String::new();
    fleet.replace_record(|record| {
        digest = sha256(record);
        record.to_vec()
    });
    fleet.lose_blob(&digest);
    repaired("lost", "cannot pull blob");
}

/// The path of a source distribution.
pub const SDIST: &str = "/fresh-1.0.tar.gz";

/// A build back end without dependencies, which fails once there is a file at STOP.
const BACKEND: &str = r#"
import pathlib, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    assert not pathlib.Path("STOP").exists()
    info, name = "fresh-1.0.dist-info", "fresh-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory, name), "w") as wheel:
        wheel.writestr("fresh.py", "BUILT = True\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: fresh\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        files = ["fresh.py", f"{info}/METADATA", f"{info}/WHEEL", f"{info}/RECORD"]
        wheel.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in files))
    return name
"#;

#[test]
fn what_one_machine_built_from_source_no_other_builds() {
    let fleet = Fleet::new();
    let stop = require_source(&fleet);
    for (at, place) in ["auto", "./shared"].into_iter().enumerate() {
        let arguments = ["--remote-cache", place];
        let built = fleet.report(&format!("warm-{at}"), &at.to_string(), &arguments);
        fs::write(&stop, "").unwrap();
        let sent = fleet.server.requests(SDIST).len();
        let cold = fleet.report(&format!("cold-{at}"), &at.to_string(), &arguments);
        assert_eq!((&cold["digest"], &cold["remote_cache"]["read"]), (&built["digest"], &json!("exact")));
        assert_eq!(fleet.server.requests(SDIST).len(), sent);
        let refused = fleet.push(&format!("alone-{at}"), "1", &["--remote-cache", "off"]).output().unwrap();
        assert!(!refused.status.success());
        fs::remove_file(&stop).unwrap();
    }
}

/// Locks a source distribution alone, which cannot be built any more once there is a file at the path that is returned.
pub fn require_source(fleet: &Fleet) -> PathBuf {
    let (workshop, stop) = (&fleet.workshop, fleet.workshop.path("stop"));
    let source = workshop.path("fresh-1.0");
    fs::create_dir(&source).unwrap();
    let metadata = "[project]\nname = \"fresh\"\nversion = \"1.0\"\n";
    let system = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";
    fs::write(source.join("pyproject.toml"), [metadata, system].concat()).unwrap();
    fs::write(source.join("PKG-INFO"), "Metadata-Version: 2.1\nName: fresh\nVersion: 1.0\n").unwrap();
    fs::write(source.join("backend.py"), BACKEND.replace("STOP", stop.to_str().unwrap())).unwrap();
    let archive = &SDIST[1..];
    succeed(Command::new("tar").args(["-czf", archive, "fresh-1.0"]).current_dir(workshop.path("")));
    let sdist = fs::read(workshop.path(archive)).unwrap();
    fleet.server.answer(SDIST, [Answer::file(&sdist)]);
    let url = fleet.server.url(SDIST);
    workshop.write("requirements.txt", format!("fresh @ {url} --hash=sha256:{}\n", sha256(&sdist)));
    workshop.write("app.py", "import fresh\n");
    stop
}

#[test]
fn a_new_tag_is_pushed_in_few_requests_because_the_record_lists_the_layers() {
    let fleet = Fleet::new();
    fleet.report("warm", "commit-1", &["--remote-cache", "auto"]);
    fleet.edit(1);
    let pushed = fleet.report("warm", "commit-2", &[])["pushed"].clone();
    // The tag, the record's manifest, two requests each for the layer and the configuration, and the manifest.
    assert_eq!((&pushed["requests"], &pushed["tags"][0]["uploaded"]), (&json!(7), &json!(2)), "{pushed}");
}
