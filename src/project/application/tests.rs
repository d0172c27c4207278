use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;

use super::*;
use crate::tree::{FileAccess, FileContent, FileOwner};

mod defaults;

/// Makes a directory with files of these paths, each with its own path as content; directories end in a slash.
fn directory(paths: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for path in paths {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if path.as_os_str().as_bytes().ends_with(b"/") {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::write(&path, path.as_os_str().as_bytes()).unwrap();
        }
    }
    directory
}

fn collect_in(
    root: &Path,
    project: &str,
    includes: &[&str],
    excludes: &[&str],
) -> Result<Application, ApplicationError> {
    let project = root.join(project);
    let includes: Vec<Include> = includes.iter().map(|include| include.parse().unwrap()).collect();
    let excludes: Vec<String> = excludes.iter().map(|&exclude| exclude.to_owned()).collect();
    let excludes = Excludes::new(&fs::canonicalize(&project).unwrap(), &excludes).unwrap();
    source_of(&project, root, &includes, &excludes).collect()
}

fn source_of<'a>(
    project: &'a Path,
    workspace: &'a Path,
    includes: &'a [Include],
    excludes: &'a Excludes,
) -> ApplicationSource<'a> {
    ApplicationSource { project, workspace, script: None, includes, excludes, locks: &[], profile: None, started: &[] }
}

fn paths(application: &Application) -> Vec<&str> {
    application.files.iter().map(|(path, _)| path.as_str()).collect()
}

fn left_out(application: &Application) -> Vec<(&str, ExclusionRule)> {
    application.left_out.iter().map(|left_out| (left_out.path.as_str(), left_out.rule)).collect()
}

#[test]
fn named_paths_keep_their_names_or_get_new_ones() {
    let directory = directory(&["p/app/a.py", "p/app/sub/b.json", "p/config/x.toml", "shared/s.py", "p/main.py"]);
    for (include, expected) in [
        ("app", &["app/a.py", "app/sub/b.json"][..]),
        ("app/", &["app/a.py", "app/sub/b.json"]),
        ("./app/sub", &["sub/b.json"]),
        ("app:.", &["a.py", "sub/b.json"]),
        ("app:./", &["app/a.py", "app/sub/b.json"]),
        ("app:x", &["x/a.py", "x/sub/b.json"]),
        ("app:x/y/", &["x/y/app/a.py", "x/y/app/sub/b.json"]),
        ("config/x.toml", &["x.toml"]),
        ("config/x.toml:.", &["x.toml"]),
        ("config/x.toml:y.toml", &["y.toml"]),
        ("config/x.toml:./config/", &["config/x.toml"]),
        ("../shared", &["shared/s.py"]),
        (".", &["app/a.py", "app/sub/b.json", "config/x.toml", "main.py"]),
        (".:inner/", &["inner/app/a.py", "inner/app/sub/b.json", "inner/config/x.toml", "inner/main.py"]),
    ] {
        let application = collect_in(directory.path(), "p", &[include], &[]).unwrap();
        assert_eq!(paths(&application), expected, "{include}");
    }
    let application = collect_in(directory.path(), "p", &["app", "app", "../shared:app", "main.py"], &[]).unwrap();
    assert_eq!(paths(&application), ["app/a.py", "app/s.py", "app/sub/b.json", "main.py"]);
    assert_eq!(application.taken, ["app/", "app/", "../shared/", "main.py"]);
    let absolute = directory.path().join("shared").to_str().unwrap().to_owned();
    assert_eq!(paths(&collect_in(directory.path(), "p", &[&absolute], &[]).unwrap()), ["shared/s.py"]);
}

#[test]
fn a_named_path_wins_over_the_rules_for_itself() {
    let directory = directory(&[
        "tests/test_a.py",
        "tests/tests/x.py",
        "tests/__pycache__/a.pyc",
        ".config/a.toml",
        ".config/.b",
        "data/a.json",
        "data/b.log",
        "data/test_x.py",
        "secret.log",
        "lib/pyvenv.cfg",
        "inner/venv/pyvenv.cfg",
        "inner/x.py",
        ".gitignore",
    ]);
    fs::write(directory.path().join(".gitignore"), "data/\n*.log\n").unwrap();
    for (include, expected) in [
        ("tests", &["tests/test_a.py", "tests/tests/x.py"][..]),
        (".config", &[".config/a.toml"]),
        ("data", &["data/a.json"]),
        ("secret.log", &["secret.log"]),
        ("inner", &["inner/x.py"]),
        ("tests/test_a.py", &["test_a.py"]),
    ] {
        assert_eq!(paths(&collect_in(directory.path(), "", &[include], &[]).unwrap()), expected, "{include}");
    }
}

#[test]
fn a_gitignore_that_never_ends_is_refused() {
    let directory = directory(&["app.py"]);
    symlink("/dev/zero", directory.path().join(".gitignore")).unwrap();
    let error = format!("{:?}", collect_in(directory.path(), "", &[], &[]).unwrap_err());
    assert!(error.contains("`.gitignore` is not a regular file, but a device, pipe or socket"), "{error}");
}

#[test]
fn excludes_win_over_everything() {
    let directory = directory(&["app/a.py", "app/dev.py", "app/sub/dev.py", "app/data/x.sql", "main.py"]);
    for (includes, excludes, expected) in [
        (&[][..], &["dev.py", "data/"], &["app/a.py", "main.py"][..]),
        (&[], &["/app/dev.py", "*.sql"], &["app/a.py", "app/sub/dev.py", "main.py"]),
        (&["app"], &["app/**", "!app/a.py"], &["app/a.py"]),
    ] {
        let application = collect_in(directory.path(), "", includes, excludes).unwrap();
        assert_eq!(paths(&application), expected);
    }
    let error = collect_in(directory.path(), "", &["main.py"], &["*.py"]).unwrap_err();
    assert!(matches!(error, ApplicationError::NothingIncluded(_)), "{error}");
}

#[test]
fn links_are_written_as_what_they_lead_to() {
    let directory = directory(&["p/app/a.py", "libs/shared/s.py", "libs/shared/__pycache__/s.pyc", "p/data.json"]);
    symlink("../../libs/shared", directory.path().join("p/app/shared")).unwrap();
    symlink("../data.json", directory.path().join("p/app/data.json")).unwrap();
    symlink("../libs/shared", directory.path().join("p/linked")).unwrap();
    let application = collect_in(directory.path(), "p", &[], &[]).unwrap();
    assert_eq!(paths(&application), ["app/a.py", "app/data.json", "app/shared/s.py", "data.json", "linked/s.py"]);
    let FileContent::File { path, size } = &application.files[1].1.content else { panic!("it is a file") };
    assert_eq!(*path, fs::canonicalize(directory.path().join("p/data.json")).unwrap());
    assert_eq!(*size, fs::metadata(path).unwrap().len());
}

#[test]
fn links_that_lead_astray_are_refused() {
    let outside = directory(&["secret.py"]);
    let outside = outside.path().join("secret.py");
    for (target, message) in [
        (outside.to_str().unwrap(), "points outside the workspace, to "),
        ("/etc", "points outside the workspace, to /etc"),
        ("missing", "app/link is broken"),
        ("a.py/x", "app/link is broken"),
        ("link", "app/link forms a loop"),
        (".", "app/link forms a loop"),
        ("..", "app/link forms a loop"),
    ] {
        let directory = directory(&["app/a.py"]);
        symlink(target, directory.path().join("app/link")).unwrap();
        let error = collect_in(directory.path(), "", &[], &[]).unwrap_err();
        assert!(error.to_string().contains(message), "{target}: {error}");
        assert!(!error.hints().is_empty());
        let application = collect_in(directory.path(), "", &[], &["link"]).unwrap();
        assert_eq!(paths(&application), ["app/a.py"]);
    }
}

#[test]
fn what_cannot_be_bundled_is_refused() {
    let directory = directory(&["app/a.py", "empty/", "x/b.py", "file.py"]);
    for (includes, expected) in [
        (&["missing"][..], "missing: no such file or directory"),
        (&["file.py/x"], "file.py/x: no such file or directory"),
        (&["empty"], "empty: it contains no files"),
        (&["app/a.py:m.py", "x/b.py:m.py"], "cannot both be bundled as `m.py`"),
        (&["app/a.py:m", "x:m"], "cannot both be bundled as `m`"),
    ] {
        let error = collect_in(directory.path(), "", includes, &[]).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
    }

    for (name, expected) in [(&b"back\\slash.py"[..], "cannot bundle "), (b"\xff.py", "is not UTF-8")] {
        let file = directory.path().join("app").join(OsStr::from_bytes(name));
        fs::write(&file, "").unwrap();
        let error = collect_in(directory.path(), "", &[], &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(collect_in(directory.path(), "", &[], &["app/*.py"]).is_ok(), "an excluded file may have any name");
        fs::remove_file(file).unwrap();
    }
    let socket = std::os::unix::net::UnixListener::bind(directory.path().join("app/socket")).unwrap();
    let application = collect_in(directory.path(), "", &[], &[]).unwrap();
    assert!(left_out(&application).contains(&("app/socket", ExclusionRule::Special)));
    let error = collect_in(directory.path(), "", &["app"], &[]).unwrap_err().to_string();
    assert!(error.contains("app/socket is neither a file nor a directory"), "{error}");
    drop(socket);

    let nothing = super::tests::directory(&["README.md", "tests/test_a.py", "data/x.json"]);
    let error = collect_in(nothing.path(), "", &[], &[]).unwrap_err();
    assert!(
        error.to_string().ends_with("has no Python module or package to bundle")
            && error.hints()[0].contains("--include")
    );
}

#[test]
fn texts_that_are_no_includes_are_refused() {
    for text in ["", ":", "a:", ":a", "a:/../b", "a:../b", "a:b/../c"] {
        assert_eq!(text.parse::<Include>().unwrap_err().text, text);
    }
}

#[test]
fn only_the_executable_bit_of_the_mode_counts() {
    let directory = directory(&["app/a.py", "app/b.sh"]);
    fs::set_permissions(directory.path().join("app/a.py"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(directory.path().join("app/b.sh"), fs::Permissions::from_mode(0o700)).unwrap();
    let application = collect_in(directory.path(), "", &[], &[]).unwrap();
    let access: Vec<FileAccess> = application.files.iter().map(|(_, entry)| entry.access).collect();
    assert_eq!(access, [FileAccess::FILE, FileAccess::EXECUTABLE]);
}

/// Collects what these tables of pyproject.toml say.
fn collect_tables(root: &Path, tables: &[serde_json::Value]) -> Result<Application, ApplicationError> {
    let includes = includes(tables);
    let excludes = Excludes::new(&fs::canonicalize(root).unwrap(), &[]).unwrap();
    source_of(root, root, &includes, &excludes).collect()
}

fn includes(tables: &[serde_json::Value]) -> Vec<Include> {
    tables.iter().map(|table| serde_json::from_value(table.clone()).unwrap()).collect()
}

#[test]
fn modes_and_owners_are_those_that_are_stated() {
    let directory = directory(&["conf/a.ini", "conf/sub/b.sh", "conf/var/", "run.sh", "app.py"]);
    fs::set_permissions(directory.path().join("conf/sub/b.sh"), fs::Permissions::from_mode(0o700)).unwrap();
    let application = collect_tables(
        directory.path(),
        &[
            json!({ "path": "conf", "to": "etc/app", "mode": "0640", "owner": "1000:50" }),
            json!({ "path": "run.sh", "to": "/usr/local/bin/", "mode": "0755" }),
            json!({ "path": "conf", "to": "/srv", "owner": "7" }),
            "app.py".into(),
        ],
    )
    .unwrap();
    assert_eq!(
        with_access(&application.files),
        ["app.py 0644 0:0", "etc/app/a.ini 0640 1000:50", "etc/app/sub/b.sh 0640 1000:50"]
    );
    assert_eq!(
        with_access(&application.placed_files),
        ["srv/a.ini 0644 7:7", "srv/sub/b.sh 0755 7:7", "usr/local/bin/run.sh 0755 0:0"]
    );
    let access = FileAccess { owner: FileOwner { uid: 1000, gid: 50 }, ..FileAccess::DIRECTORY };
    let expected = ["etc/app", "etc/app/sub", "etc/app/var"].map(|path| (path.to_owned(), access));
    assert_eq!(application.directories, expected);
    let access = FileAccess { owner: FileOwner { uid: 7, gid: 7 }, ..FileAccess::DIRECTORY };
    let expected = ["srv", "srv/sub", "srv/var"].map(|path| (TreePath::new(path).unwrap(), access));
    assert_eq!(application.placed_directories, expected);
}

fn with_access(files: &[(TreePath, TreeEntry)]) -> Vec<String> {
    files.iter().map(|(path, entry)| format!("{path} {}", entry.access)).collect()
}

#[test]
fn what_is_said_once_of_a_file_holds() {
    let directory = directory(&["bin/a.sh", "bin/b.sh"]);
    let special = json!({ "path": "bin/a.sh", "to": "bin/", "mode": "0755", "owner": "5" });
    for tables in [[special.clone(), "bin".into()], ["bin".into(), special]] {
        let application = collect_tables(directory.path(), &tables).unwrap();
        let access: Vec<_> = application.files.iter().map(|(_, entry)| entry.access.to_string()).collect();
        assert_eq!(access, ["0755 5:5", "0644 0:0"]);
        assert!(application.directories.is_empty());
    }
}

#[test]
fn an_empty_directory_is_there_if_somebody_owns_it() {
    let directory = directory(&["var/", "app.py"]);
    assert!(matches!(collect_tables(directory.path(), &["var".into()]), Err(ApplicationError::EmptyDirectory(_))));
    let application = collect_tables(directory.path(), &[json!({ "path": "var", "owner": "9" })]).unwrap();
    assert_eq!((application.directories[0].0.as_str(), application.files.len()), ("var", 0));
    assert!(!application.is_empty());
    // The project's directory is the place of the application itself; the root of the file system is nobody's.
    let whole = collect_tables(directory.path(), &[json!({ "path": ".", "owner": "9" })]).unwrap();
    assert_eq!(whole.directories.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["", "var"]);
    let root = collect_tables(directory.path(), &[json!({ "path": ".", "to": "/", "owner": "9" })]).unwrap();
    assert_eq!(root.placed_directories.len(), 1);
}

#[test]
fn two_places_of_one_name_are_two_places() {
    let directory = directory(&["a/x", "b/x"]);
    let application = collect_tables(directory.path(), &["a/x:y".into(), "b/x:/y".into()]).unwrap();
    assert_eq!((application.files.len(), application.placed_files.len()), (1, 1));
    let error = collect_tables(directory.path(), &["a/x:/y".into(), "b/x:/y".into()]).unwrap_err();
    assert!(matches!(error, ApplicationError::Conflict { .. }), "{error}");
    let error = collect_tables(directory.path(), &["a/x:/y".into(), "b/x:/y/z".into()]).unwrap_err();
    assert!(matches!(error, ApplicationError::Conflict { .. }), "{error}");
}

#[test]
fn a_zip_holds_no_other_places_no_owners_and_nothing_that_cannot_be_read() {
    for (table, expected) in [
        ("a:/usr/bin/".into(), "cannot put a at `/usr/bin/`: a zip is extracted into a single directory"),
        (json!({ "path": "a", "owner": "1000" }), "cannot set the owner of a to 1000:1000: a zip stores no owners"),
        (json!({ "path": "a", "mode": "0640" }), "a has the mode 0640, with which the function cannot read it"),
    ] {
        let error = check_for_zip(&includes(&["b".into(), table])).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_eq!(error.hints().len(), 1);
    }
    check_for_zip(&includes(&["a".into(), json!({ "path": "a", "mode": "0744" })])).unwrap();
    check_for_lambda(&includes(&["a:/b".into(), json!({ "path": "a", "owner": "1" })])).unwrap();
}

#[test]
fn what_is_taken_can_be_told_of_files_that_are_gone() {
    let directory = directory(&[
        "app/__init__.py",
        "app/data.json",
        "app/.env",
        "app/test_app.py",
        "app/tests/data.json",
        "app/__pycache__/a.pyc",
        "docs/conf.py",
        "setup.py",
        "main.py",
        "README.md",
        "ignored/module.py",
        "dist/module.py",
        "other/pyproject.toml",
        "other/module.py",
        "templates/page.html",
        "notes.ipynb",
    ]);
    let root = fs::canonicalize(directory.path()).unwrap();
    fs::write(root.join(".gitignore"), "ignored/\n").unwrap();
    let files = ["app/__init__.py", "app/data.json", "app/.env", "app/test_app.py", "app/tests/data.json"];
    let files = files.iter().chain(&["app/__pycache__/a.pyc", "docs/conf.py", "setup.py", "main.py", "README.md"]);
    let files = files.chain(&["ignored/module.py", "dist/module.py", "other/module.py"]);
    let files: Vec<_> = files.chain(&["templates/page.html", "notes.ipynb"]).collect();
    for includes in [&[][..], &["app"], &["app/tests", "other"], &["main.py", "ignored"], &["."]] {
        let named: Vec<Include> = includes.iter().map(|include| include.parse().unwrap()).collect();
        let excludes = Excludes::new(&root, &["/app/data.json".to_owned()]).unwrap();
        let application_source = source_of(&root, &root, &named, &excludes);
        let collected = application_source.collect().unwrap().files;
        for file in &files {
            let path = root.join(file);
            let expected = includes.contains(file) || collected.iter().any(|(_, entry)| source(entry) == path);
            let found = application_source.takes(&path).unwrap();
            assert_eq!(found, expected, "{file} of {includes:?}");
            let away = root.join("away");
            fs::rename(&path, &away).unwrap();
            let found = application_source.takes(&path).unwrap();
            assert_eq!(found, expected, "{file} of {includes:?}, which is gone");
            fs::rename(&away, &path).unwrap();
        }
    }
}
