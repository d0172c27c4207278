//! Applications that import popular distributions: the audit reports no false errors.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::artifact::sha256;
use super::support::command::{cache, repository, succeed};
use super::{exception, lambda, unpack};

/// The applications: the directory in `testdata/imports`, which is also the group in its lock, the modules to import, and the
/// expected warnings.
const APPLICATIONS: [(&str, &str, &[&str]); 20] = [
    ("aiohttp", "service.app", &[]),
    ("attrs", "app", &[]),
    ("azure", "function_app", &[]),
    ("celery", "proj, proj.tasks", &[]),
    ("cli", "tool.cli, tool.__main__", &[]),
    // True: it is never connected here, and psycopg without the extra `binary` needs the library of the system for that.
    (
        "django",
        "manage, config.wsgi; config.wsgi.application; import shop.urls",
        &["psycopg 3.3.9 opens the library libpq, which is neither in the artifact nor in python3.12"],
    ),
    ("fastapi", "app.main", &[]),
    ("flask", "wsgi", &[]),
    ("google", "main", &[]),
    ("jinja", "render", &["templates/module.py:1:7 is not valid Python 3.12"]),
    ("opentelemetry", "tracing", &[]),
    ("pandas", "job", &["job.py:16 imports `pyarrow`"]),
    ("powertools", "src.orders.handler", &[]),
    ("protobuf", "app", &[]),
    ("resources", "plugin", &[]),
    ("ruamel", "main", &[]),
    (RUNTIME, "app", &[]),
    ("six", "app", &[]),
    ("starlette", "lambda_function", &[]),
    ("typer", "greet.main", &[]),
];

/// The application that needs only distributions of the Lambda runtime.
const RUNTIME: &str = "runtime";

#[test]
fn applications_that_run_pass_the_audit() {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(application) = APPLICATIONS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(*application);
                }
            });
        }
    });
}

fn check((name, modules, warnings): (&str, &str, &[&str])) {
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("application.zip");
    let include = format!("{name}:.");
    let mut command = lambda(&repository().join("testdata/imports"), "3.12", &["--include", &include]);
    if name != RUNTIME {
        command.args(["--group", name]);
    }
    let output = command.arg("-o").arg(&zip).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{name}: {said}");
    let warned: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("warning: ")).collect();
    assert_eq!(warned.len(), warnings.len(), "{name}: {said}");
    for (warned, expected) in warned.iter().zip(warnings) {
        assert!(warned.contains(expected), "{name}: {said}");
    }
    let summary = String::from_utf8(output.stdout).unwrap();
    assert!(!summary.contains("nothing imports"), "{name}: {summary}");

    // A tree of its own files, and links to its distributions.
    let tree = folder.path().join("tree");
    let provided = ["boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3"];
    let mut linked: BTreeSet<String> = provided.into_iter().filter(|_| name == RUNTIME).map(str::to_owned).collect();
    let mut archive = zip::ZipArchive::new(File::open(&zip).unwrap()).unwrap();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let path = entry.name().unwrap().into_owned();
        let top = path.split('/').next().unwrap().to_owned();
        if !repository().join("testdata/imports").join(name).join(&top).exists() {
            linked.insert(top);
            continue;
        }
        let place = tree.join(&path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::io::copy(&mut entry, &mut File::create(place).unwrap()).unwrap();
    }
    std::fs::create_dir_all(&tree).unwrap();
    for top in linked {
        std::os::unix::fs::symlink(distributions().join(&top), tree.join(top)).unwrap();
    }
    assert_eq!(exception("3.12", &tree, modules), None, "{name}");
}

/// Returns a directory with all distributions of the lock. It is kept between runs, and with it the bytecode.
pub(super) fn distributions() -> &'static Path {
    static DISTRIBUTIONS: LazyLock<PathBuf> = LazyLock::new(|| {
        let project = repository().join("testdata/imports");
        let lock = sha256(&std::fs::read(project.join("uv.lock")).unwrap());
        let kept = cache().join(format!("imports-{}", &lock[..12]));
        if !kept.exists() {
            let folder = tempfile::tempdir_in(cache()).unwrap();
            let zip = folder.path().join("all.zip");
            let mut command = lambda(&project, "3.12", &["--include", "attrs:.", "--allow-oversize"]);
            command.arg("-o").arg(&zip);
            APPLICATIONS.iter().filter(|(name, ..)| *name != RUNTIME).for_each(|(name, ..)| {
                command.args(["--group", name]);
            });
            succeed(&mut command);
            unpack(&zip, &folder.path().join("tree"));
            std::fs::rename(folder.path().join("tree"), &kept).unwrap();
        }
        kept
    });
    &DISTRIBUTIONS
}
