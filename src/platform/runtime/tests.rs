use super::*;

fn choose(request: Option<&str>, requires_python: Option<&str>) -> Result<(String, String), PythonChoiceError> {
    let pin = request.map(|request| PythonPin { file: ".python-version".to_owned(), request: request.to_owned() });
    let specifiers = requires_python.map(|specifiers| specifiers.parse().unwrap());
    let (profiles, reason) = allowed_runtimes(pin.as_ref(), specifiers.as_ref())?;
    Ok((profiles[0].name.clone(), reason.to_string()))
}

#[test]
fn what_a_file_pins_comes_first() {
    for (request, runtime) in [
        ("3.12", "python3.12"),
        ("3.12.4", "python3.12"),
        ("3.12.*", "python3.12"),
        ("312", "python3.12"),
        ("cp312", "python3.12"),
        ("cpython-3.12", "python3.12"),
        ("cpython-3.12.4-linux-x86_64-gnu", "python3.12"),
        ("cpython@3.13", "python3.13"),
        ("python-3.12.4", "python3.12"),
        ("python3.14", "python3.14"),
        ("3.13+gil", "python3.13"),
        ("3.12-dev", "python3.12"),
        ("3.15.0rc1", "python3.15"),
    ] {
        let chosen = choose(Some(request), Some(">=3.8")).unwrap();
        assert_eq!(chosen, (runtime.to_owned(), "from .python-version".to_owned()), "{request:?}");
    }
}

#[test]
fn the_newest_in_a_pinned_range_is_chosen() {
    for (request, requires_python, runtime) in [
        (">=3.11", None, "python3.14"),
        (">=3.11,<3.13", None, "python3.12"),
        ("cpython@>=3.11,<3.13", None, "python3.12"),
        ("~=3.11.4", None, "python3.11"),
        (">=3.11", Some(">=3.9,<3.14"), "python3.13"),
        ("3", Some("<3.14"), "python3.13"),
    ] {
        let (name, reason) = choose(Some(request), requires_python).unwrap();
        assert_eq!(name, runtime, "{request}");
        assert!(reason.starts_with("the newest that .python-version "), "{reason}");
    }
}

#[test]
fn the_newest_available_runtime_is_chosen_otherwise() {
    let chosen = choose(None, None).unwrap();
    assert_eq!(chosen, ("python3.14".to_owned(), "the newest".to_owned()));
    for (specifiers, runtime) in [
        (">=3.9", "python3.14"),
        (">=3.9,<3.13", "python3.12"),
        ("==3.11.*", "python3.11"),
        ("~=3.10.5", "python3.10"),
        (">=3.12.4,<3.12.9", "python3.12"),
    ] {
        let (name, reason) = choose(None, Some(specifiers)).unwrap();
        assert_eq!(name, runtime);
        let specifiers: VersionSpecifiers = specifiers.parse().unwrap();
        assert_eq!(reason, format!("the newest that requires-python {specifiers} allows"));
    }
    let (all, _) = allowed_runtimes(None, Some(&">=3.12".parse().unwrap())).unwrap();
    let names: Vec<&str> = all.iter().map(|profile| profile.name.as_str()).collect();
    assert_eq!(names, ["python3.14", "python3.13", "python3.12"]);
}

#[test]
fn requests_for_anything_else_are_refused() {
    for (request, said) in [
        ("3.8", "`3.8`, but"),
        ("2.7", "`2.7`, but"),
        (">=3.99", "`>=3.99`, but"),
        ("pypy3.10", "`pypy3.10`, which is not CPython, but"),
        ("pypy@3.10", "`pypy@3.10`, which is not CPython, but"),
        ("graalpy-3.11", "which is not CPython, but"),
        ("3.13t", "`3.13t`, a free-threaded Python, but"),
        ("3.13.1+freethreaded", "`3.13.1+freethreaded`, a free-threaded Python, but"),
        ("3.12+freethreaded", "`3.12+freethreaded`, a free-threaded Python, but"),
        ("cpython-3.14.0+freethreaded-linux-x86_64-gnu", "a free-threaded Python, but"),
        ("3.13td", "a debug build of Python, but"),
        (">=3.13+freethreaded", "a free-threaded Python, but"),
        ("3.13+debug", "a debug build of Python, but"),
        ("latest", "`latest`, but"),
        ("\u{1b}[31m", "`\\u{1b}[31m`, but"),
    ] {
        let error = choose(Some(request), None).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("`.python-version` requests ") && message.contains(said), "{message}");
        assert!(message.contains("python3.9, python3.10") && !message.contains('\u{1b}'), "{message}");
        assert_eq!(error.hints(), ["change `.python-version`, or name a runtime, for instance `--runtime python3.14`"]);
    }
}

#[test]
fn a_project_without_a_compatible_runtime_is_refused() {
    for (specifiers, hint) in [
        (">=3.15", "`--runtime python3.15`"),
        ("<3.9", "lock again"),
        ("==2.7.*", "lock again"),
        (">=3.9,<3.9", "lock again"),
    ] {
        let error = choose(None, Some(specifiers)).unwrap_err();
        assert!(error.to_string().contains("python3.13, python3.14"), "{error}");
        assert!(error.hints()[0].contains(hint), "{:?}", error.hints());
    }
}

#[test]
fn a_later_version_than_the_profile_lists_is_left_to_the_base() {
    let listed = [14, 15].map(PythonVersion::new);
    let ask = |request: Option<&str>, specifiers: Option<&str>| {
        let pin = request.map(|request| PythonPin { file: ".python-version".to_owned(), request: request.to_owned() });
        let specifiers = specifiers.map(|specifiers| specifiers.parse().unwrap());
        listed_pythons(&listed, pin.as_ref(), specifiers.as_ref())
    };
    for (request, specifiers, expected, reason) in [
        (None, None, "3.15", "the newest"),
        (None, Some(">=3.14"), "3.15", "the newest that requires-python >=3.14 allows"),
        (Some("3.16"), None, "3.16", "from .python-version"),
        (None, Some(">=3.16"), "3.16", "the oldest that requires-python >=3.16 allows"),
        (Some(">=3.17"), None, "3.17", "the oldest that .python-version >=3.17 allows"),
    ] {
        let (pythons, why) = ask(request, specifiers).unwrap();
        assert_eq!((&*pythons[0].to_string(), &*why.to_string()), (expected, reason));
    }
    for (request, specifiers) in [(Some("3.8"), None), (None, Some("<3.9")), (Some("3.99"), None)] {
        let error = ask(request, specifiers).unwrap_err();
        assert!(error.to_string().ends_with("but the profile is for Python 3.14, 3.15"), "{error}");
    }
    // A free-threaded build is chosen by its name, or if there is no other.
    let both = ["3.14".parse().unwrap(), "3.14t".parse().unwrap()];
    let of_base = |pythons: &[PythonVersion], request: Option<&str>| {
        let pin = request.map(|request| PythonPin { file: ".python-version".to_owned(), request: request.to_owned() });
        let (found, _) = allowed_pythons(pythons, pin.as_ref(), None).unwrap();
        found[0].to_string()
    };
    assert_eq!(of_base(&both, None), "3.14");
    assert_eq!(of_base(&both, Some("3.14t")), "3.14t");
    assert_eq!(of_base(&both, Some("3.14+freethreaded")), "3.14t");
    assert_eq!(of_base(&both[1..], None), "3.14t");
    // A base that was read has no others.
    let pin = PythonPin { file: ".python-version".to_owned(), request: "3.16".to_owned() };
    let error = allowed_pythons(&listed, Some(&pin), None).unwrap_err();
    assert!(error.to_string().ends_with("but the base image has Python 3.14, 3.15"), "{error}");
}
