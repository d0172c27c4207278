//! pnpm's pylock.toml, written at test time: for the machine and the Python that it runs on, or for those that it is told.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use pybundle::lock::{Lock, SelectionRequest};
use pybundle::platform::TargetPlatform;

use crate::support::case::wheels;
use crate::support::command::{fail, pybundle, repository, succeed};
use crate::support::uv::{Project, targets};

const PYPROJECT: &str = "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n\
                         dependencies = [\"idna\", \"markupsafe\", \"colorama; sys_platform == 'win32'\"]\n";

/// Runs `pnpm install`.
fn install(project: &Project) {
    let tools = repository().join("target/test-tools/npm/node_modules/@pnpm");
    let programs = fs::read_dir(&tools).unwrap_or_else(|_| panic!("pnpm is missing: run scripts/setup-tests"));
    let mut programs = programs.map(|entry| entry.unwrap().path().join("pnpm"));
    let mut pnpm = Command::new(programs.next().unwrap());
    succeed(pnpm.arg("install").current_dir(project.path()).env("HOME", project.path().join(".home")));
}

/// Returns the minor version and the architecture of the Python that pnpm finds.
fn own_python() -> (String, String) {
    let code = "import sys, platform; print(f'{sys.version_info[0]}.{sys.version_info[1]}', platform.machine())";
    let printed = succeed(Command::new("python3").args(["-c", code]));
    let (version, machine) = printed.trim().split_once(' ').unwrap();
    (version.to_owned(), machine.to_owned())
}

/// Returns what pnpm has installed: the versions by name, and one of the tags that the wheel states.
fn installed(project: &Project, version: &str) -> BTreeMap<String, (String, String)> {
    let packages = project.path().join(format!(".venv/lib/python{version}/site-packages"));
    let names = fs::read_dir(&packages).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let stems: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(".dist-info")?.to_owned())).collect();
    let described = stems.iter().map(|stem| {
        let wheel = fs::read_to_string(packages.join(format!("{stem}.dist-info/WHEEL"))).unwrap();
        let tag = wheel.lines().find_map(|line| line.strip_prefix("Tag: ")).unwrap();
        let (name, version) = stem.split_once('-').unwrap();
        (name.to_lowercase(), (version.to_owned(), tag.to_owned()))
    });
    described.collect()
}

fn files(project: &Project, target: &TargetPlatform) -> BTreeMap<String, (String, String)> {
    let path = project.path().join("pylock.toml");
    let lock = Lock::parse_pylock(&project.read("pylock.toml"), &path).unwrap();
    wheels(&lock.select(&SelectionRequest::default(), Path::new(""), target).unwrap(), target).into_iter().collect()
}

#[test]
fn what_pnpm_locks_now_is_what_pnpm_installs() {
    let (version, machine) = own_python();
    let project = Project::new(&[("pyproject.toml", PYPROJECT), ("app.py", "import idna, markupsafe\n")]);
    project.write("pnpm-workspace.yaml", b"python:\n  enabled: true\n");
    install(&project);
    let (own, other): (Vec<_>, Vec<_>) =
        targets(&[&version]).into_iter().partition(|target| target.architecture.wheel_name() == machine);
    let installed = installed(&project, &version);
    assert!(installed.keys().eq(["idna", "markupsafe"]), "{installed:?}");
    for (name, (version, file)) in files(&project, &own[0]) {
        let (expected, tag) = &installed[&name];
        let [python, abi, platform] = tag.split('-').collect::<Vec<_>>()[..] else { panic!("{tag}") };
        assert_eq!(&version, expected);
        assert!(file.contains(&format!("-{python}-{abi}-")) && file.contains(platform), "{file} is not {tag}");
    }

    // For the other architecture the lock has no files; what the hint says makes some.
    let runtime = format!("--runtime=python{version}");
    let plan = |architecture: &str| {
        let mut command = pybundle(&["plan", "--lock=pylock.toml", &runtime, "--arch", architecture]);
        command.current_dir(project.path());
        command
    };
    let said = fail(&mut plan(other[0].architecture.wheel_name()));
    let hint = "hint: name the targets in pnpm-workspace.yaml, for instance `supportedArchitectures: \
                [linux-x64-manylinux_2_28, linux-arm64-manylinux_2_28]` and, under `python`, `versions: ['3.12', '3.13']`, \
                and run `pnpm install`";
    assert!(said.contains(hint), "{said}");
    let settings = format!(
        "supportedArchitectures: [linux-x64-manylinux_2_28, linux-arm64-manylinux_2_28]\n\
         python:\n  enabled: true\n  versions: ['{version}', '3.10']\n"
    );
    project.write("pnpm-workspace.yaml", settings.as_bytes());
    install(&project);
    for architecture in [&machine, other[0].architecture.wheel_name()] {
        succeed(&mut plan(architecture));
    }
    for target in targets(&["3.10"]) {
        let selected = files(&project, &target);
        assert!(selected["markupsafe"].1.contains(target.architecture.wheel_name()), "{selected:?}");
    }
}
