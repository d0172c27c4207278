use super::*;

#[test]
fn only_regular_builds_of_the_version_are_accepted() {
    fn parse(identity: &str) -> Option<PythonInterpreter> {
        let version = "3.13".parse().unwrap();
        PythonInterpreter::new(Path::new("/python"), identity, ".so").filter(|found| found.is_regular(version))
    }
    let usual = "cpython\n3.13\nfinal\n\ncpython-313\nf30d0d0a\n3.13.2 (main, Feb  4 2025) \n[GCC 12]";
    let interpreter = parse(usual).unwrap();
    assert_eq!((&*interpreter.full_version, &*interpreter.identity), ("3.13.2", usual));
    for (from, to) in [
        ("cpython\n", "pypy\n"),
        ("\n3.13\n", "\n3.12\n"),
        ("final", "candidate"),
        ("\n\n", "\nt\n"),
        ("\n\n", "\nd\n"),
        ("cpython-313", "None"),
        ("\n3.13.2 (main, Feb  4 2025) \n[GCC 12]", ""),
    ] {
        assert_eq!(parse(&usual.replacen(from, to, 1)), None, "{to}");
    }
    let free_threaded = usual.replacen("\n\n", "\nt\n", 1);
    let found = PythonInterpreter::new(Path::new("/python"), &free_threaded, ".so").unwrap();
    assert_eq!(found.version.to_string(), "3.13t");
    assert!(found.is_regular(found.version) && !found.is_regular("3.13".parse().unwrap()));
}

/// Writes executables with the given texts, and returns locations with uv's directory, pyenv's root, and these
/// directories on the search path.
fn locations(directory: &Path, files: &[(&str, &str)], search_path: &[&str]) -> InterpreterLocations {
    for (path, text) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let search_path =
        search_path.iter().map(|name| if *name == "bin" { PathBuf::from(name) } else { directory.join(name) });
    InterpreterLocations {
        uv: Some(directory.join("uv")),
        search_path: std::env::join_paths(search_path).ok(),
        pyenv: Some(directory.join("pyenv")),
    }
}

#[test]
fn interpreters_are_searched_in_the_order_of_uv() {
    let directory = tempfile::tempdir().unwrap();
    let files = [
        ("uv/cpython-3.12.9-linux-x86_64-gnu/bin/python3.12", "\x7fELF"),
        ("uv/cpython-3.12.10-linux-x86_64-gnu/bin/python3.12", "\x7fELF"),
        ("uv/cpython-3.12.11+freethreaded-linux-x86_64-gnu/bin/python3.12", "\x7fELF"),
        ("uv/cpython-3.13.1-linux-x86_64-gnu/bin/python3.13", "\x7fELF"),
        ("uv/pypy-3.12.1-linux-x86_64-gnu/bin/python3.12", "\x7fELF"),
        ("./bin/python3.12", "\x7fELF"),
        ("pyenv/versions/3.12.4/bin/python3.12", "\x7fELF"),
        ("pyenv/versions/3.12.11/bin/python3.12", "\x7fELF"),
        ("pyenv/versions/3.12-dev/bin/python3.12", "\x7fELF"),
        ("shims/python3.12", "#!/bin/sh\n"),
    ];
    // A relative directory on the search path does not count.
    let locations = locations(directory.path(), &files, &["shims", "./bin", "bin"]);
    let programs = locations.executables("3.12".parse().unwrap());
    let relative: Vec<_> =
        programs.iter().map(|path| path.strip_prefix(&directory).unwrap().to_str().unwrap()).collect();
    assert_eq!(
        relative,
        [
            "uv/cpython-3.12.10-linux-x86_64-gnu/bin/python3.12",
            "uv/cpython-3.12.9-linux-x86_64-gnu/bin/python3.12",
            "bin/python3.12",
            "pyenv/versions/3.12.11/bin/python3.12",
            "pyenv/versions/3.12.4/bin/python3.12",
        ]
    );
}

#[test]
fn a_shim_without_a_version_is_the_interpreter_that_it_runs() {
    let directory = tempfile::tempdir().unwrap();
    let files =
        [("shims/python3", "#!/bin/sh\necho /opt/python/bin/python3.11\n"), ("broken/python3", "#!/bin/sh\nexit 1\n")];
    let locations = locations(directory.path(), &files, &["broken", "shims"]);
    assert_eq!(locations.unversioned().collect::<Vec<_>>(), [Path::new("/opt/python/bin/python3.11")]);
}
