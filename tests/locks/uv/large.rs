//! Locks of many distributions.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::command::{pybundle, succeed};

/// Writes a project whose distributions require each other in a chain.
fn chain(directory: &Path, length: usize) {
    fs::write(directory.join("app.py"), "").unwrap();
    fs::write(
        directory.join("pyproject.toml"),
        "[project]\nname = \"app\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\ndependencies = [\"p0\"]\n",
    )
    .unwrap();
    let mut lock =
        "version = 1\nrevision = 3\nrequires-python = \">=3.9\"\n\n[[package]]\nname = \"app\"\nversion = \"1.0\"\n\
                    source = { virtual = \".\" }\ndependencies = [{ name = \"p0\" }]\n\n\
                    [package.metadata]\nrequires-dist = [{ name = \"p0\" }]\n"
            .to_owned();
    for number in 0..length {
        let next = if number + 1 < length { format!("{{ name = \"p{}\" }}", number + 1) } else { String::new() };
        write!(
            lock,
            "\n[[package]]\nname = \"p{number}\"\nversion = \"1.0\"\nsource = {{ registry = \"https://pypi.org/simple\" }}\n\
             dependencies = [{next}]\nwheels = [\n    {{ url = \"https://files.pythonhosted.org/p{number}-1.0-py3-none-any.whl\", \
             hash = \"sha256:{number:064}\", size = {number} }},\n]\n"
        )
        .unwrap();
    }
    fs::write(directory.join("uv.lock"), lock).unwrap();
}

/// Returns the largest resident set of a plan, in bytes.
fn memory_of_plan(length: usize) -> u64 {
    const MEASURE: &str = "import resource, subprocess, sys\n\
        subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n\
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let project = tempfile::tempdir().unwrap();
    chain(project.path(), length);
    let mut command = Command::new("python3");
    command.args(["-c", MEASURE, env!("CARGO_BIN_EXE_pybundle"), "plan", "--runtime", "3.12", "--offline"]);
    succeed(command.arg(project.path())).trim().parse::<u64>().unwrap() << 10
}

/// A lock of 100,000 distributions is planned in 300 MB: 2.6 kB for each. Twice as much was needed for a copy of what is
/// selected, and of every wheel.
#[test]
fn each_distribution_takes_little_memory() {
    let (few, many) = (memory_of_plan(1_000), memory_of_plan(11_000));
    let each = (many - few) / 10_000;
    assert!(each < 3_500, "{each} bytes for each distribution: {few} for 1,000, {many} for 11,000");
}

#[test]
fn trees_are_shown_to_the_depth_of_uv() {
    let project = tempfile::tempdir().unwrap();
    chain(project.path(), 2_000);
    let tree = succeed(pybundle(&["plan", "--tree", "--runtime", "3.12", "--offline"]).arg(project.path()));
    assert!(tree.contains("└── p254 v1.0 (…)\n(…) what follows is more than 255 levels below\n"), "{tree}");
    assert!(!tree.contains("p255"), "{tree}");
}
