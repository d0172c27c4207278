//! Docker loads what pybundle writes, and pybundle reads what Docker saves.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pybundle::hints::Hints;
use pybundle::image::docker_archive;
use pybundle::image::file::{ImageFileError, ImageFormat};
use pybundle::report::Silent;
use tempfile::TempDir;

use crate::images::{NAME, image, layer, sample, tar, write, write_as};
use crate::programs::{assert_uncompressed, program};
use crate::support::command::succeed;

/// A Docker daemon for these tests, without any network. It is stopped when this is dropped.
struct Daemon {
    directory: TempDir,
    process: Child,
}

impl Daemon {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let log = File::create(path("log")).unwrap();
        let process = program("dockerd")
            .args(["--storage-driver=vfs", "--bridge=none", "--iptables=false", "--ip-masq=false", "--data-root"])
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"))
            .arg(format!("--host=unix://{}", path("socket").display()))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut daemon = Self { directory, process };
        daemon.wait();
        daemon
    }

    fn wait(&mut self) {
        let started = Instant::now();
        while !self.command(&["version"]).output().unwrap().status.success() {
            let log = || fs::read_to_string(self.directory.path().join("log")).unwrap();
            assert!(self.process.try_wait().unwrap().is_none(), "dockerd ended:\n{}", log());
            assert!(started.elapsed() < Duration::from_secs(60), "dockerd does not answer:\n{}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program("docker");
        command.arg(format!("--host=unix://{}", self.directory.path().join("socket").display())).args(arguments);
        command
    }

    fn docker(&self, arguments: &[&str]) -> String {
        succeed(&mut self.command(arguments))
    }

    fn load(&self, path: &Path) -> String {
        self.docker(&["load", "--input", path.to_str().unwrap()])
    }
}

/// Asks it to end, so that it ends its containers and unmounts.
impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// Returns the static busybox of the distribution.
fn busybox() -> Vec<u8> {
    let path = PathBuf::from("/bin/busybox");
    fs::read(path).unwrap_or_else(|_| panic!("busybox-static is missing: scripts/setup-tests installs it"))
}

#[test]
fn docker_loads_runs_and_saves_an_image() {
    let directory = tempfile::tempdir().unwrap();
    let lower = tar(&[("busybox", 0o755, &busybox()), ("greeting", 0o644, b"hello")]);
    let upper = layer(directory.path(), &tar(&[("greeting", 0o644, b"good day")]));
    let command = ["/busybox", "sh", "-c", "/busybox cat /greeting; echo; /busybox id -u"];
    // The same layer twice is one file in the archive.
    let image = image(vec![layer(directory.path(), &lower), upper.clone(), upper], &command);
    let (path, saved) = (directory.path().join("archive"), directory.path().join("saved"));
    let daemon = Daemon::start();

    write(&image, ImageFormat::DockerArchive, &path).unwrap();
    assert_eq!(daemon.load(&path), format!("Loaded image: {NAME}\n"));
    let id = daemon.docker(&["image", "inspect", "--format", "{{.Id}}", NAME]);
    assert_eq!(id.trim(), image.config.digest.to_string());
    assert_eq!(daemon.docker(&["run", "--rm", "--network=none", NAME]), "good day\n1000\n");

    // Repeated layers come out as links to the first.
    daemon.docker(&["save", "--output", saved.to_str().unwrap(), NAME]);
    assert_uncompressed(&image, &saved);

    let names = ["example.org/team/app:2.0".to_owned(), "localhost:5000/app:latest".to_owned()];
    write_as(&image, ImageFormat::DockerArchive, &path, &names).unwrap();
    assert_eq!(daemon.load(&path), format!("Loaded image: {}\nLoaded image: {}\n", names[0], names[1]));
    write_as(&image, ImageFormat::DockerArchive, &path, &[]).unwrap();
    assert_eq!(daemon.load(&path), format!("Loaded image ID: {}\n", image.config.digest));
}

/// Refused before anything is written, as `docker load` would refuse it.
#[test]
fn layers_that_docker_does_not_support_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let mut image = sample(directory.path());
    image.layers[1].blob.media_type = oci_spec::image::MediaType::ImageLayerZstd;
    let path = directory.path().join("archive");
    let error = docker_archive::prepare(&image, &[], &path, &Silent).unwrap_err();
    assert!(matches!(error, ImageFileError::UnsupportedByDocker { .. }));
    let digest = image.layers[1].blob.digest;
    let expected = format!(
        "`docker load` does not support layer {digest}: its media type is application/vnd.oci.image.layer.v1.tar+zstd"
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.hints(), ["compress the layers with gzip"]);
    assert!(!path.exists());
}
