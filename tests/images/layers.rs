//! Which layer contains what, and which layers a change affects.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::built::{Built, Kind};
use crate::projects::{self, Distribution};
use crate::support::artifact::{comparable, differences, leaves_of_folder};
use crate::support::bases;
use crate::support::command::succeed;
use crate::support::schema::assert_valid;
use crate::support::uv::Project;
use crate::tiny::Tiny;
use crate::workshop::Workshop;

/// The size in bytes from which a distribution gets its own layer.
const LARGE: usize = 1 << 20;

/// Three large distributions, and eight small ones.
const MANY: [Distribution; 11] = [
    ("zinc", "1.0", 2 * LARGE),
    ("bulky", "1.0", LARGE + 1),
    ("massive", "1.0", 3 * LARGE),
    ("alpha", "1.0", 100),
    ("beta", "1.0", 200),
    ("delta", "1.0", 300),
    ("gamma", "1.0", 400),
    ("kappa", "1.0", 500),
    ("lambda", "1.0", 600),
    ("omega", "1.0", 700),
    ("sigma", "1.0", 800),
];

/// Makes a project of these distributions.
fn workshop(distributions: &[Distribution]) -> Workshop {
    let workshop = Workshop::empty();
    projects::write(&workshop, distributions);
    workshop
}

/// Returns how many layers of one image are not in the other.
fn new_layers(before: &Built, after: &Built) -> usize {
    let before: BTreeSet<_> = before.digests().into_iter().collect();
    after.digests().iter().filter(|digest| !before.contains(*digest)).count()
}

/// Asserts what holds for every layer of ours.
fn assert_plain(image: &Built) {
    for layer in image.own() {
        let mut seen = BTreeSet::new();
        for member in &layer.members {
            let path = member.path.as_str();
            assert!(!path.starts_with(['/', '.']) && !path.ends_with('/') && !path.contains("//"), "{path}");
            assert!(seen.insert(path), "{path} is twice in a layer");
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            assert!(parent.is_empty() || seen.contains(parent), "{path} comes before its folder");
            // 1980-01-01, the first time that zip knows.
            assert_eq!(member.stamp, (0, 0, 315_532_800), "{path}");
            match &member.kind {
                Kind::Directory => assert_eq!(member.mode, 0o755, "{path}"),
                Kind::Link(_) => assert_eq!(member.mode, 0o777, "{path}"),
                Kind::File(_) => assert!(matches!(member.mode, 0o644 | 0o755), "{path}: {:o}", member.mode),
            }
        }
    }
}

#[test]
fn layers_are_ordered_by_how_often_they_change() {
    let image = workshop(&MANY).build(&[]);
    let holds = image.holds();
    assert_eq!(holds[0], "the virtual environment, for /usr/local/bin/python3.12");
    assert_eq!(holds[1..4], ["bulky 1.0", "massive 1.0", "zinc 1.0"]);
    assert_eq!(holds.last(), Some(&"the application"));
    let mut small: Vec<_> = holds[4..holds.len() - 1].iter().flat_map(|names| names.split(", ")).collect();
    assert!((2..=4).contains(&holds[4..holds.len() - 1].len()), "{holds:?}");
    small.sort_unstable();
    let expected: Vec<_> = MANY[3..].iter().map(|(name, version, _)| format!("{name} {version}")).collect();
    assert_eq!(small, expected);
    assert_plain(&image);
}

#[test]
fn the_layer_of_a_large_wheel_is_the_same_in_every_project() {
    let large = [("bulky", "1.0", 2 * LARGE)];
    let first = workshop(&[large[0], ("alpha", "1.0", 10)]);
    let second = workshop(&[large[0], ("beta", "1.0", 10), ("gamma", "2.0", 20), ("zinc", "1.0", 2 * LARGE)]);
    second.write("app.py", "print('something else')\n");
    // Another base, with another Python of the same version.
    Tiny::with_files(&["opt/python/bin/python3.12", "etc/passwd"]).write(&second.path("base"));
    for compression in ["--compression=gzip", "--compression=zstd"] {
        let layer = |workshop: &Workshop, platform: &str| {
            let image = workshop.build(&[compression, "--platform", platform]);
            image.layers.into_iter().find(|layer| layer.holds == "bulky 1.0").unwrap()
        };
        let one = layer(&first, "linux/amd64");
        assert_eq!(one, layer(&second, "linux/amd64"));
        assert_eq!(one, layer(&second, "linux/arm64"));
    }
}

#[test]
fn a_change_changes_one_layer() {
    let workshop = workshop(&MANY);
    let before = workshop.build(&[]);

    workshop.write("app.py", "print('changed')\n");
    let edited = workshop.build(&[]);
    let (last, others) = edited.digests().split_last().map(|(last, others)| (*last, others.to_vec())).unwrap();
    assert_eq!(before.digests()[..others.len()], others);
    assert_ne!(before.digests().last(), Some(&last));

    for (changed, version) in [(4, "1.1"), (10, "1.1"), (0, "1.1")] {
        let mut distributions = MANY;
        distributions[changed].1 = version;
        projects::write(&workshop, &distributions);
        let after = workshop.build(&[]);
        // The application's layer is as before, too.
        assert_eq!(new_layers(&before, &after), 1, "{}", distributions[changed].0);
    }

    // One that is gone, and one more.
    projects::write(&workshop, &MANY[..10]);
    assert!(new_layers(&before, &workshop.build(&[])) <= 1);
    projects::write(&workshop, &[&MANY[..], &[("theta", "1.0", 900)]].concat());
    assert_eq!(new_layers(&before, &workshop.build(&[])), 1);
}

#[test]
fn the_budget_is_kept_and_the_files_are_the_same() {
    let workshop = workshop(&MANY);
    let whole = workshop.build(&[]);
    for (budget, holds) in [("1", 1), ("2", 2), ("3", 3), ("4", 4), ("6", 6), ("24", whole.own().len())] {
        for compression in ["--compression=gzip", "--compression=zstd"] {
            let image = workshop.build(&["--max-layers", budget, compression]);
            assert_eq!(image.own().len(), holds, "{budget}: {:?}", image.holds());
            assert_eq!(image.tree(), whole.tree());
            assert_plain(&image);
            let last = image.holds().last().unwrap().to_string();
            assert!(
                if budget == "1" { last.ends_with("the application") } else { last == "the application" },
                "{last}"
            );
        }
    }
    for wrong in ["0", "-1", "many"] {
        let run = workshop.command(&["--max-layers", wrong]).output().unwrap();
        assert_eq!(run.status.code(), Some(2));
    }
}

#[test]
fn an_edited_application_leaves_the_other_layers_alone_within_a_small_budget() {
    let workshop = workshop(&MANY);
    for budget in ["2", "3"] {
        workshop.write("app.py", "print(1)\n");
        let before = workshop.build(&["--max-layers", budget]);
        workshop.write("app.py", "print(2)\n");
        assert_eq!(new_layers(&before, &workshop.build(&["--max-layers", budget])), 1, "{budget}");
    }
}

#[test]
fn members_of_a_workspace_lie_between_distributions_and_the_project() {
    let workshop = Workshop::empty();
    let member = |name: &str, dependencies: &str| {
        format!(
            "[project]\nname = \"{name}\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\ndependencies = [{dependencies}]\n\
             [tool.uv.sources]\ncore = {{ workspace = true }}\n\
             [build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n"
        )
    };
    workshop.write("pyproject.toml", "[tool.uv.workspace]\nmembers = [\"members/*\"]\n");
    for (name, dependencies) in [("core", ""), ("web", "\"core\"")] {
        workshop.write(&format!("members/{name}/pyproject.toml"), member(name, dependencies));
        workshop.write(&format!("members/{name}/src/{name}/__init__.py"), "x = 1\n");
    }
    projects::lock(&workshop);
    let image = workshop.build(&["--package", "web"]);
    assert_eq!(image.holds()[1..], ["core", "web"]);
    assert_plain(&image);
    let before = image;
    workshop.write("members/web/src/web/__init__.py", "x = 2\n");
    assert_eq!(new_layers(&before, &workshop.build(&["--package", "web"])), 1);
    assert_eq!(workshop.build(&["--package", "web", "--max-layers=1"]).tree().len(), before.tree().len());
}

#[test]
fn the_files_are_those_that_uv_installs() {
    let project = Project::locked(
        r#"
[project]
name = "science"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["numpy", "uvicorn", "pyyaml", "greenlet", "tzdata"]
"#,
    );
    let requirements = project.path().join("requirements.txt");
    let uv = |arguments: &[&str]| {
        let mut uv = Command::new("uv");
        uv.args(arguments).current_dir(project.path()).env_remove("VIRTUAL_ENV").env("UV_PYTHON_DOWNLOADS", "never");
        succeed(&mut uv);
    };
    let path = requirements.to_str().unwrap();
    uv(&["export", "--frozen", "--no-default-groups", "--no-hashes", "--quiet", "--output-file", path]);
    for (platform, machine) in [("linux/amd64", "x86_64-manylinux_2_36"), ("linux/arm64", "aarch64-manylinux_2_36")] {
        let target = project.path().join(machine);
        uv(&[
            &["pip", "install", "--no-deps", "--quiet", "--only-binary", ":all:", "--python-version", "3.12"][..],
            &["--python-platform", machine, "--target", target.to_str().unwrap(), "--requirements", path],
        ]
        .concat());
        let mut theirs = comparable(leaves_of_folder(&target));
        let workshop = Workshop::empty();
        workshop.write("app.py", "import numpy\n");
        for file in ["pyproject.toml", "uv.lock"] {
            workshop.write(file, project.read(file));
        }
        let mut command = workshop.command(&["--platform", platform]);
        let image = workshop.run(command.env("PYBUNDLE_CACHE_DIR", crate::support::command::cache().join("pybundle")));
        let mut ours = image.leaves("app/.venv/lib/python3.12/site-packages");
        for (directory, at) in [("app/.venv/bin", "bin"), ("app/.venv/include/site/python3.12", "include")] {
            ours.extend(image.leaves(directory).into_iter().map(|(path, leaf)| (format!("{at}/{path}"), leaf)));
        }
        let ours = comparable(ours);
        // `uv pip install --target` puts data files beside modules, where a virtual environment has them at its root.
        theirs.retain(|path, _| !path.starts_with("share/"));
        let differing = differences(&ours, &theirs);
        assert!(differing.is_empty(), "{platform}:\n{}", differing.join("\n"));
        assert!(ours.contains_key("bin/uvicorn") && ours.len() > 500);
        assert!(image.file("app/.venv/bin/uvicorn").starts_with("#!/app/.venv/bin/python\n"));
        assert_plain(&image);
    }
}

#[test]
fn the_virtual_environment_is_of_the_bases_interpreter() {
    let workshop = Workshop::new();
    let image = workshop.build(&[]);
    assert_eq!(
        image.file("app/.venv/pyvenv.cfg"),
        "home = /usr/local/bin\nimplementation = CPython\nversion_info = 3.12\ninclude-system-site-packages = false\n"
    );
    assert_eq!(image.link("app/.venv/bin/python"), "/usr/local/bin/python3.12");
    for name in ["python3", "python3.12"] {
        assert_eq!(image.link(&format!("app/.venv/bin/{name}")), "python");
    }
    // A base that states its full version, and has Python elsewhere.
    let execution = serde_json::json!({ "Env": ["PATH=/usr/local/bin:/bin", "PYTHON_VERSION=3.12.7"] });
    Tiny::python().execution(execution).write(&workshop.path("base"));
    assert!(workshop.build(&[]).file("app/.venv/pyvenv.cfg").contains("version_info = 3.12.7\n"));
    Tiny::with_files(&["opt/bin/python3.12"]).write(&workshop.path("base"));
    let image = workshop.build(&[]);
    assert!(image.file("app/.venv/pyvenv.cfg").starts_with("home = /opt/bin\n"));
    assert_eq!(image.link("app/.venv/bin/python"), "/opt/bin/python3.12");
}

#[test]
fn every_document_follows_its_schema() {
    let workshop = Workshop::new();
    let slim = format!("--base={}", bases::slim().argument());
    for (arguments, documents) in [
        (&["--base=oci:base"][..], 4),
        (&["--base=oci:base", "--compression=zstd", "--label=a=b", "--annotation=c=d", "--expose=80"], 4),
        (&["--base=oci:base", "--platform=linux/amd64,linux/arm64", "--annotation=c=d"], 7),
        (&["--base=scratch", "--tag=example.org/a:1", "--tag=example.org/b:2"], 6),
        (&[&slim, "--user=1000:1000", "--entrypoint=sh", "--cmd=[\"a b\"]"], 4),
    ] {
        let (_place, layout) = workshop.layout(&mut workshop.without_base(arguments));
        assert_eq!(assert_valid(&layout), documents, "{arguments:?}");
    }
}

#[test]
fn a_cached_layer_is_reported_and_reads_nothing() {
    let workshop = workshop(&MANY);
    let known = |report: &serde_json::Value| -> Vec<bool> {
        let layers = report["platforms"][0]["layers"].as_array().unwrap();
        layers.iter().map(|layer| layer["known"].as_bool().unwrap()).collect()
    };
    for compression in ["--compression=gzip", "--compression=zstd"] {
        let arguments = &[compression, "--output=oci:out"];
        assert!(!known(&workshop.report(arguments)).contains(&true), "{compression}");
        let again = known(&workshop.report(arguments));
        // All but the virtual environment and the application.
        assert!(again[1..again.len() - 1].iter().all(|known| *known) && !again[again.len() - 1], "{again:?}");
        fs::remove_dir_all(workshop.path("out")).unwrap();
    }
}
