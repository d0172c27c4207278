//! Real source distributions from PyPI.

use std::fs;

use pybundle::digest::Sha256;

use crate::command::{fail, repository, succeed};
use crate::{Place, machine};

/// Newer than any C library that this machine's compiler links to.
const NEWEST: &str = "2.99";

/// Metadata, so that `uv lock` builds nothing.
const METADATA: &str = "[[tool.uv.dependency-metadata]]\nname = \"docopt\"\nversion = \"0.6.2\"\nrequires-dist = []\n\
     [[tool.uv.dependency-metadata]]\nname = \"uwsgi\"\nversion = \"2.0.30\"\nrequires-dist = []\n";

#[test]
fn a_pure_source_distribution_is_built_once() {
    let place = Place::new();
    place.lock(&["docopt==0.6.2"], METADATA);
    let refused = fail(place.bundle("2.17", &["--offline"]).env("SOURCE_DATE_EPOCH", "400000000"));
    assert!(refused.contains("1 file is not in the cache") && refused.contains("docopt-0.6.2.tar.gz"), "{refused}");

    succeed(&mut place.bundle("2.17", &[]));
    assert!(place.bundled().contains(&"docopt.py".to_owned()), "{:?}", place.bundled());
    let first = fs::read(place.path("out.zip")).unwrap();
    // For every architecture, without a build and without the network.
    for (architecture, arguments) in [(machine().0, &[] as &[&str]), (machine().0, &["--offline"]), (machine().1, &[])]
    {
        let mut again = place.bundle_for(&place.python, architecture, "2.17", arguments);
        succeed(again.env("PATH", place.without_builds()));
        assert!(fs::read(place.path("out.zip")).unwrap() == first, "{architecture} {arguments:?}");
    }
    // Another timestamp needs another build.
    let epoch =
        fail(place.bundle("2.17", &[]).env("PATH", place.without_builds()).env("SOURCE_DATE_EPOCH", "400000000"));
    assert!(epoch.contains("cannot build docopt-0.6.2.tar.gz") && epoch.contains("exit status: 3"), "{epoch}");
}

/// setuptools-scm listed its package data when the source distribution was made; its module reads the file when it is imported.
#[test]
fn a_source_distribution_has_the_package_data_that_its_own_list_names() {
    let place = Place::new();
    place.lock(&["jaraco.text==4.0.0"], "");
    succeed(&mut place.bundle("2.34", &["--no-binary-package=jaraco-text"]));
    let bundled = place.bundled();
    assert!(bundled.iter().any(|path| path == "jaraco/text/Lorem ipsum.txt"), "{bundled:?}");
}

#[test]
fn an_extension_module_fits_what_it_was_compiled_for() {
    let place = Place::new();
    place.lock(&["markupsafe==3.0.2"], "");
    // A wheel would be preferred, so depend on the source distribution directly.
    let lock = fs::read_to_string(place.path("app/uv.lock")).unwrap();
    let url = lock.lines().find_map(|line| line.strip_prefix("sdist = { url = \"")?.split('"').next());
    let reference = format!("markupsafe @ {}", url.unwrap());
    place.lock(&[&reference], "");

    // It only needs old symbols, although its tag does not say so.
    succeed(&mut place.bundle("2.17", &[]));
    assert!(place.bundled().iter().any(|path| path.starts_with("markupsafe/_speedups.cpython-")));
    let message = fail(&mut place.bundle_for(&place.python, machine().1, "2.17", &[]));
    let [own, other] = if machine().0 == "x86_64" { ["x86_64", "arm64"] } else { ["aarch64", "x86_64"] };
    for part in ["markupsafe", "markupsafe-3.0.2.tar.gz", &format!("is for {own}, the target is {other}")] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn a_program_that_is_compiled_runs_where_the_c_library_is_new_enough() {
    let place = Place::new();
    place.lock(&["uwsgi==2.0.30"], METADATA);
    // Without optional features, which take a minute to compile.
    let quickly = [("UWSGI_PROFILE", "pyonly"), ("CFLAGS", "-O0")];
    let old = fail(place.bundle("2.17", &[]).envs(quickly));
    for part in ["uwsgi", "uwsgi-2.0.30.tar.gz", "needs GLIBC_2.", "scripts/uwsgi", "the target has 2.17"] {
        assert!(old.contains(part), "`{part}` is not in: {old}");
    }
    // The cached wheel is used where it fits.
    succeed(place.bundle(NEWEST, &[]).env("PATH", place.without_builds()));
    assert!(place.bundled().contains(&"bin/uwsgi".to_owned()), "{:?}", place.bundled());
}

/// Built wheels are copied for the user, also from the cache.
#[test]
fn copies_of_built_wheels_are_kept() {
    let place = Place::new();
    place.lock(&["docopt==0.6.2"], "");
    let mut digests = Vec::new();
    for search_path in [place.search_path(&[]), place.without_builds()] {
        let kept = place.path("kept");
        let mut command = place.bundle("2.34", &["--json", "--wheel-dir"]);
        let report: serde_json::Value =
            serde_json::from_str(&succeed(command.arg(&kept).env("PATH", search_path))).unwrap();
        let name = report["distributions"][0]["wheel"].as_str().unwrap();
        let bytes = fs::read(kept.join(name)).unwrap();
        assert_eq!(report["distributions"][0]["digest"], Sha256::of(&bytes).to_string());
        digests.push(Sha256::of(&bytes));
        fs::remove_dir_all(kept).unwrap();
    }
    assert_eq!(digests[0], digests[1]);
}

/// Compiling numpy takes minutes: that the result could not run is detected before.
#[test]
fn what_is_compiled_for_another_machine_is_not_built() {
    let place = Place::new();
    // All its wheels are for Python 3.12 and older.
    place.lock(&["numpy==1.26.4"], "");
    let mut command = place.bundle_for("3.13", machine().1, "2.34", &[]);
    command.env("PATH", place.without_builds());
    let message = fail(&mut command);
    for part in [
        "warning: numpy 1.26.4 has no wheel for cp313 on manylinux_2_34_",
        "it is built from numpy-1.26.4.tar.gz (--no-build makes this an error)",
        "a wheel built on this machine from numpy-1.26.4.tar.gz is for",
        "there are the wheels numpy-1.26.4-cp310-",
        "more",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

/// What a machine with glibc compiles is not for musl, whatever its tags say.
#[test]
fn what_is_compiled_here_is_refused_on_musl() {
    let place = Place::new();
    let base = format!("oci:{}", repository().join("target/test-tools/musl/newer").display());
    let build = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pybundle"));
        command.args(["image", "--no-progress", "--python=3.11", "--cmd=python app.py", "--base", &base, "--output"]);
        command.arg(format!("oci:{}", place.path("image").display())).args(arguments).current_dir(place.path("app"));
        command.env("PYBUNDLE_CACHE_DIR", place.path("cache")).env("NO_COLOR", "1").env("PATH", place.search_path(&[]));
        command.args(["--platform", if machine().0 == "x86_64" { "linux/amd64" } else { "linux/arm64" }]);
        command
    };
    place.lock(&["markupsafe==3.0.2"], "");
    let lock = fs::read_to_string(place.path("app/uv.lock")).unwrap();
    let message = fail(&mut build(&["--no-binary-package=markupsafe"]));
    let expected = "a wheel built on this machine from markupsafe-3.0.2.tar.gz is for glibc, the target has musl 1.2.5";
    assert!(message.contains(expected), "{message}");
    succeed(&mut build(&[]));

    let url = lock.lines().find_map(|line| line.strip_prefix("sdist = { url = \"")?.split('"').next());
    place.lock(&[&format!("markupsafe @ {}", url.unwrap())], "");
    let message = fail(&mut build(&[]));
    assert!(message.contains("markupsafe/_speedups.cpython-311-"), "{message}");
    assert!(message.contains(", which is compiled for glibc, the target has musl 1.2.5"), "{message}");
}
