//! Commands that are killed at random moments.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::registries::DockerRegistry;
use super::support::command::{pybundle, repository, succeed};
use super::support::leftovers::leftovers;
use super::support::sample::is_every_case;

/// How many commands are killed: 200, or a part.
fn kills() -> u32 {
    if is_every_case() { 200 } else { 60 }
}

/// A directory with the example, a cache, and outputs.
struct Workplace {
    directory: tempfile::TempDir,
    tag: String,
}

/// A command, and the file that it writes.
const COMMANDS: [(&[&str], Option<&str>); 4] = [
    (&["lambda", "project", "--runtime=python3.13", "--handler=app.handler", "-o=function.zip"], Some("function.zip")),
    (
        &["image", "project", "--base=scratch", "--no-audit", "--no-compile-bytecode", "-o=oci-archive:image.tar"],
        Some("image.tar"),
    ),
    (&["push", "oci-archive:whole.tar"], None),
    (&["cache", "prune", "--days=0"], None),
];

impl Workplace {
    fn new(registry: &DockerRegistry) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("temporary")).unwrap();
        succeed(
            Command::new("cp")
                .arg("-r")
                .arg(repository().join("testdata/example"))
                .arg(directory.path().join("project")),
        );
        Self { directory, tag: format!("{}/kills/app:1", registry.host()) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = pybundle(arguments);
        command.args((arguments[0] == "push").then_some(&self.tag)).current_dir(self.directory.path());
        command.env("PYBUNDLE_CACHE_DIR", self.path("cache")).env("TMPDIR", self.path("temporary"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

#[test]
fn kills_leave_nothing_broken() {
    let registry = DockerRegistry::anonymous();
    let workplace = Workplace::new(&registry);
    let mut durations = [Duration::ZERO; COMMANDS.len()];
    let mut expected: [Option<Vec<u8>>; COMMANDS.len()] = Default::default();
    for (at, (arguments, output)) in COMMANDS.iter().enumerate() {
        let started = Instant::now();
        succeed(&mut workplace.command(arguments));
        durations[at] = started.elapsed();
        expected[at] = output.map(|output| fs::read(workplace.path(output)).unwrap());
        if *output == Some("image.tar") {
            fs::copy(workplace.path("image.tar"), workplace.path("whole.tar")).unwrap();
        }
    }
    let (mut state, mut killed, mut late) = (1_u64, 0, 0);
    let kills = kills();
    while killed < kills {
        let number = killed + late;
        let at = number as usize % COMMANDS.len();
        let (arguments, output) = COMMANDS[at];
        // A generator by Knuth.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if let Some(output) = output {
            fs::remove_file(workplace.path(output)).unwrap();
        }
        let mut child = workplace.command(arguments).spawn().unwrap();
        thread::sleep(durations[at].mul_f64((state >> 40) as f64 / (1 << 24) as f64));
        child.kill().unwrap();
        // How long a command takes depends on what else the machine does, so the time adapts: about one kill in six
        // comes late, and the others come anywhere from start to end.
        if child.wait().unwrap().success() {
            late += 1;
            durations[at] = durations[at].mul_f64(0.75);
        } else {
            killed += 1;
            durations[at] = durations[at].mul_f64(1.0625);
        }
        assert!(late <= kills, "{late} kills came late, {killed} in time");
        if let Some(output) = output {
            let found = fs::read(workplace.path(output)).ok();
            assert!(found.is_none() || found == expected[at], "{output} is not whole after kill {number}");
            succeed(&mut workplace.command(arguments));
            assert!(fs::read(workplace.path(output)).ok() == expected[at], "{output} differs after kill {number}");
        }
    }
    succeed(&mut workplace.command(COMMANDS[2].0));
    let pulled = workplace.path("pulled.tar");
    succeed(
        Command::new("skopeo")
            .args(["copy", "--quiet", "--src-tls-verify=false"])
            .args([format!("docker://{}", workplace.tag), format!("oci-archive:{}", pulled.display())]),
    );
    // What the kills left is gone after the next run of each command.
    leftovers(workplace.directory.path());
    for (arguments, _) in COMMANDS {
        succeed(&mut workplace.command(arguments));
    }
    assert_eq!(leftovers(workplace.directory.path()), Vec::<PathBuf>::new());
}
