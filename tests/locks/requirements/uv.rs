//! Requirements files that uv compiles, compared with what uv would install from them, for several targets.

use std::collections::BTreeMap;

use pybundle::hints::Hints;
use pybundle::lock::requirements::compile_arguments;
use pybundle::lock::{AcceptedFiles, Dependent, DistributionSource, IndexQuery};
use pybundle::platform::{CLibrary, Glibc, TargetPlatform};

use super::{select, versions};
use crate::support::uv::{Project, platform, targets};

const WEB: &str = "fastapi[standard]\nboto3\nuvloop ; sys_platform != 'win32' and python_version < '3.12'\n";
const DATA: &str = "numpy\npandas\ntomli ; python_version < '3.11'\nsetuptools\n";

/// Returns the names and versions that uv would install from a file for a target.
fn oracle(project: &Project, file: &str, target: &TargetPlatform, more: &[&str]) -> BTreeMap<String, String> {
    let platform = platform(target);
    let python = target.python.to_string();
    let install = ["pip", "install", "--no-config", "--dry-run", "--no-build", "--target", "target", "-r", file];
    let (_, log) =
        project.uv(&[&install[..], more, &["--python-platform", &platform, "--python-version", &python]].concat());
    let installed = log.lines().filter_map(|line| line.strip_prefix(" + ")?.split_once("=="));
    installed.map(|(name, version)| (name.to_owned(), version.to_owned())).collect()
}

#[test]
fn compiled_files_select_what_uv_installs() {
    let project = Project::new(&[("web.in", WEB), ("data.in", DATA)]);
    let universal = ["pip", "compile", "--no-config", "--quiet", "--universal", "--python-version", "3.10"];
    for (name, options) in [("web", &["--generate-hashes"][..]), ("data", &["--annotation-style=line"])] {
        let (input, output) = (format!("{name}.in"), format!("{name}.txt"));
        project.uv(&[&universal[..], options, &[&input, "-o", &output]].concat());
        for target in targets(&["3.10", "3.12"]) {
            let expected = oracle(&project, &output, &target, &["--no-deps"]);
            assert!(expected.len() > 4, "{expected:?}");
            assert_eq!(versions(&project.path().join(&output), &target), expected, "{name} for {target}");
        }
    }
}

/// The hashes of a distribution are those of its lines, and its comments name its dependents.
#[test]
fn hashes_and_annotations_are_those_of_the_file() {
    let project = Project::new(&[("more/web.in", "flask==3.1.0\n")]);
    let compile = ["pip", "compile", "--no-config", "--quiet", "--generate-hashes", "--universal"];
    for style in ["split", "line"] {
        project.uv(&[&compile[..], &["--annotation-style", style, "more/web.in", "-o", "web.txt"]].concat());
        let text = project.read("web.txt");
        let target = &targets(&["3.12"])[0];
        for pinned in select(&project.path().join("web.txt"), target).unwrap() {
            let line = format!("\n{}==", pinned.name);
            let of_this = text.split(&line).nth(1).unwrap().lines().skip(1).take_while(|line| line.starts_with(' '));
            let hashes = of_this.filter(|line| line.contains("--hash=sha256:")).count();
            match &pinned.source {
                DistributionSource::Index(IndexQuery { accepted: AcceptedFiles::Digests(digests), .. }) => {
                    assert_eq!(digests.len(), hashes, "{}", pinned.name);
                }
                source => panic!("{source:?}"),
            }
            let by: Vec<String> = pinned.required_by.iter().map(ToString::to_string).collect();
            let expected: &[&str] = match pinned.name.as_str() {
                "flask" => &["more/web.in"],
                "markupsafe" => &["jinja2", "werkzeug"],
                "colorama" => &["click"],
                _ => &["flask"],
            };
            assert_eq!(by, expected, "{} in the style {style}", pinned.name);
        }
    }
}

/// A directory with a file for each purpose, as many projects have it.
#[test]
fn each_file_of_a_directory_selects_what_uv_installs() {
    let project = Project::new(&[
        ("requirements/base.txt", "-c pins.txt\nrequests[socks]\ncertifi # always\n"),
        ("requirements/dev.txt", "-r ./ci.txt\n-r base.txt\npluggy==1.6.0\n"),
        ("requirements/ci.txt", "-r base.txt\n--constraint=pins.txt\niniconfig==2.0.0 ; python_version >= '3.8'\n"),
        (
            "requirements/prod.txt",
            "\u{feff}-r base.txt\r\nuvloop==0.21.0; sys_platform == 'linux' \\\r\n    # fast\r\n",
        ),
        (
            "requirements/pins.txt",
            "requests==2.32.3\nidna==3.10\ncertifi==2024.8.30\nurllib3==2.2.3\ncharset-normalizer==3.4.0\npysocks==1.7.1\n",
        ),
    ]);
    for file in ["base", "ci", "dev", "prod"] {
        let path = format!("requirements/{file}.txt");
        for target in targets(&["3.12"]).into_iter().take(1) {
            let expected = oracle(&project, &path, &target, &["--no-deps"]);
            assert_eq!(versions(&project.path().join(&path), &target), expected, "{file}");
        }
    }
    let dev = select(&project.path().join("requirements/dev.txt"), &targets(&["3.12"])[0]).unwrap();
    let of = |name: &str| dev.iter().find(|pinned| pinned.name.as_str() == name).unwrap().required_by.clone();
    assert_eq!(of("pluggy"), [Dependent::File("dev.txt".into())]);
    assert_eq!(of("certifi"), [Dependent::File("base.txt".into())]);
}

/// Requirements that are not pinned are compiled by uv to the versions that uv would install on the target.
#[test]
fn compiling_for_a_target_pins_what_uv_would_install() {
    let text = "--only-binary :all:\nhttpx[http2]\nnumpy>=1.26\ntomli ; python_version < '3.11'\nsetuptools\n";
    let project = Project::new(&[("requirements.in", text)]);
    let path = project.path().join("requirements.in");
    for target in targets(&["3.10", "3.13"]).into_iter().step_by(3) {
        let error = select(&path, &target).unwrap_err();
        assert!(error.hints()[0].contains("uv pip compile"), "{error}");
        let arguments = compile_arguments(&[&path], &target);
        let arguments: Vec<&str> = arguments.iter().map(|argument| argument.to_str().unwrap()).collect();
        let (compiled, _) = project.uv(&arguments);
        project.write("requirements.txt", compiled.as_bytes());
        let expected = oracle(&project, "requirements.in", &target, &[]);
        assert_eq!(versions(&project.path().join("requirements.txt"), &target), expected, "{target}");
        assert!(expected.contains_key("setuptools") && expected.contains_key("h2"), "{expected:?}");
    }
}

/// uv accepts a platform for every version of glibc that a target may have.
#[test]
fn every_target_has_a_platform_in_uv() {
    let project = Project::new(&[("empty.in", "")]);
    let target = &targets(&["3.12"])[0];
    let musl = CLibrary::Musl("1.2.5".parse().unwrap());
    for libc in [26, 30, 45].map(|minor| CLibrary::Glibc(Glibc { major: 2, minor })).into_iter().chain([musl]) {
        let target = TargetPlatform { libc, ..target.clone() };
        let arguments = compile_arguments(&["empty.in"], &target);
        let arguments: Vec<&str> = arguments.iter().map(|argument| argument.to_str().unwrap()).collect();
        project.uv(&arguments);
    }
}
