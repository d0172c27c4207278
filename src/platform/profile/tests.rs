use super::*;

const VALID: &str = include_str!("../../../profiles/python3.13.toml");

fn error(text: &str) -> ProfileError {
    Profile::from_toml(text, Path::new("my.toml")).unwrap_err()
}

#[test]
fn the_built_in_profiles_are_what_aws_documents() {
    let names: Vec<&str> = LambdaProfile::all().map(|profile| profile.name.as_str()).collect();
    assert_eq!(
        names,
        ["python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14", "python3.15"]
    );
    assert!(LambdaProfile::all().map(|profile| profile.python.minor).eq(PythonVersion::MINORS));
    for profile in LambdaProfile::all() {
        let python = profile.python;
        assert_eq!(profile.name, format!("python{python}"));
        assert_eq!(profile.python_full_version.to_string(), format!("{python}.0"));
        assert_eq!(profile.interpreter, format!("/var/lang/bin/python{python}"));
        // Amazon Linux 2 up to 3.11, Amazon Linux 2023 from 3.12.
        assert_eq!(profile.glibc, if python.minor < 12 { "2.26" } else { "2.34" }.parse().unwrap());
        assert_eq!(profile.architectures, Architecture::ALL);
        assert_eq!(profile.available, python.minor < 15);
        assert_eq!(profile.function.site_packages, "");
        assert_eq!(profile.layer.site_packages, format!("python/lib/python{python}/site-packages"));
        let limits = LambdaLimits { direct_upload: Some(52_428_800), unzipped: Some(262_144_000), zip: None };
        assert_eq!(profile.limits, limits);
        assert_eq!((&*profile.root, &*profile.application, profile.has_layers), ("/var/task", "", true));
        assert_eq!(profile.runtime_distributions.len(), 7);
    }
}

#[test]
fn a_profile_may_set_the_full_version() {
    let text = VALID.replace("# python-full-version = \"3.13.0\"", "python-full-version = \"3.13.7\"");
    let profile = Profile::from_toml(&text, Path::new("my.toml")).unwrap().lambda().unwrap();
    assert_eq!(profile.python_full_version.to_string(), "3.13.7");
}

#[test]
fn a_name_that_is_not_built_in_is_refused_with_the_nearest() {
    assert_eq!(Profile::built_in("python3.13", None).unwrap().name(), "python3.13");
    let error = Profile::built_in("pyton3.12", None).unwrap_err();
    assert_eq!(error.to_string(), "profile `pyton3.12` does not exist");
    assert_eq!(error.hints()[0], "did you mean `python3.12`?");
    assert!(error.hints()[1].contains("python3.9, python3.10"));
}

#[test]
fn a_runtime_that_does_not_exist_is_refused_with_runtimes_only() {
    for (name, nearest) in [
        ("python3.8", None),
        ("python3.16", None),
        ("pyhton3.9", Some("python3.9")),
        ("py313", Some("python3.13")),
        ("3.13.2", Some("python3.13")),
        ("cpython-3.12", Some("python3.12")),
        ("nodejs22.x", None),
    ] {
        let error = LambdaProfile::built_in(name).unwrap_err();
        assert_eq!(error.to_string(), format!("runtime `{name}` does not exist"));
        let hints = error.hints();
        let meant = nearest.map(|nearest| format!("did you mean `{nearest}`?"));
        assert_eq!(hints[..hints.len() - 1], meant.into_iter().collect::<Vec<_>>(), "{name}");
        let listed = hints.last().unwrap();
        assert!(listed.starts_with("the runtimes are python3.9, ") && !listed.contains("service"), "{listed}");
    }
    let error = Profile::built_in("servce", Some(ProfileKind::Image)).unwrap_err();
    assert_eq!(
        error.hints(),
        ["did you mean `service`?", "the built-in profiles of images are service, distroless, lambda-image"]
    );
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    for (known, unknown, key, nearest) in [
        ("glibc =", "libc =", "libc", Some("glibc")),
        ("[limits]", "[limit]", "limit", Some("limits")),
        ("unzipped =", "unziped =", "limits.unziped", Some("limits.unzipped")),
        ("name =", "zzz =", "zzz", None),
    ] {
        let error = error(&VALID.replace(known, unknown));
        let nearest = nearest.map(str::to_owned);
        assert_eq!(error.hints().len(), usize::from(nearest.is_some()));
        assert_eq!(error, ProfileError::UnknownKey { path: "my.toml".into(), key: key.to_owned(), nearest });
    }
}

#[test]
fn wrong_values_are_refused_with_their_line() {
    for (valid, wrong, reason) in [
        ("kind = \"lambda\"", "kind = \"zip\"", "unknown variant `zip`, expected `lambda` or `image`"),
        ("python = \"3.13\"", "python = \"3\"", "`3` is not a valid Python version"),
        ("python = \"3.13\"", "python = 3.13", "expected a string"),
        ("glibc = \"2.34\"", "glibc = \"2.x\"", "`2.x` is not a valid glibc version"),
        ("\"arm64\"]", "\"mips\"]", "`mips` is not a supported architecture"),
        ("[\"x86_64\", \"arm64\"]", "[]", "at least one architecture"),
        ("\"/var/lang/bin/python3.13\"", "\"python3\"", "not an absolute path"),
        ("\"/var/lang/bin/python3.13\"", "\"/a b\"", "without spaces"),
        ("\"python/include\"", "\"../include\"", "the component `.` or `..`"),
        ("\"python/include\"", "\"/include\"", "it is absolute"),
        ("52_428_800", "-1", "-1"),
        ("\"boto3\"", "\"boto 3\"", "`boto 3` is not a valid name"),
        ("[limits]", "[limits", "]"),
    ] {
        let text = VALID.replace(valid, wrong);
        assert_ne!(text, VALID, "{valid}");
        let expected = VALID.lines().position(|line| line.contains(valid)).unwrap() + 1;
        let message = error(&text).to_string();
        assert!(message.starts_with(&format!("my.toml:{expected}: ")), "{message}");
        assert!(message.contains(reason) && !message.contains('\n'), "{message}");
    }
}

#[test]
fn missing_keys_are_named() {
    for key in ["kind", "name", "python", "interpreter", "glibc", "architectures", "distributions"] {
        let text: String = VALID
            .lines()
            .filter(|line| !line.starts_with(&format!("{key} =")))
            .fold(String::new(), |text, line| text + line + "\n");
        let message = error(&text).to_string();
        assert!(message.contains(&format!("missing field `{key}`")), "{message}");
    }
    assert!(error("").to_string().starts_with("my.toml:1: missing field"));
}

#[test]
fn the_profiles_of_images_are_expanded_for_a_python() {
    let service = Profile::built_in("service", None).unwrap().image().unwrap();
    let target = service.target("3.13".parse().unwrap());
    assert_eq!(target.base, "docker.io/library/python:3.13-slim");
    assert_eq!(target.scheme.site_packages, "app/.venv/lib/python3.13/site-packages");
    assert_eq!(target.glibc.to_string(), "2.36");
    assert!(target.env.contains(&("PATH".to_owned(), "/app/.venv/bin:${PATH}".to_owned())));
    assert!(target.index && !target.handler);

    let distroless = Profile::built_in("distroless", None).unwrap().image().unwrap();
    for (python, base, glibc) in [
        ("3.11", "gcr.io/distroless/python3-debian12:nonroot", "2.36"),
        ("3.13", "gcr.io/distroless/python3-debian13:nonroot", "2.41"),
    ] {
        let target = distroless.target(python.parse().unwrap());
        assert_eq!((&*target.base, &*target.glibc.to_string()), (base, glibc));
        assert!(distroless.pythons.contains(&target.python));
    }

    let lambda = Profile::built_in("lambda-image", None).unwrap().image().unwrap();
    for (python, glibc) in [("3.9", "2.26"), ("3.11", "2.26"), ("3.12", "2.34"), ("3.14", "2.34")] {
        let target = lambda.target(python.parse().unwrap());
        assert_eq!(target.glibc.to_string(), glibc);
        assert_eq!(target.compression, ["gzip"]);
        assert_eq!(target.interpreter, format!("/var/lang/bin/python{python}"));
    }
}

#[test]
fn lambda_has_no_free_threaded_python() {
    for name in ["python3.14t", "3.14t"] {
        let error = Profile::built_in(name, Some(ProfileKind::Lambda)).unwrap_err();
        assert_eq!(error.to_string(), format!("`{name}` is not a runtime: AWS Lambda has no free-threaded Python"));
        assert_eq!(error.hints(), ["did you mean `python3.14`?"]);
    }
}

#[test]
fn a_profile_of_the_other_kind_is_refused() {
    let error = LambdaProfile::built_in("service").unwrap_err();
    assert_eq!(error.to_string(), "profile `service` has kind `image`, expected `lambda`");
    assert_eq!(error.hints(), ["use it with `pybundle image`"]);
    assert!(Profile::built_in("python3.12", None).unwrap().image().is_err());
}

#[test]
fn wrong_values_in_the_profile_of_an_image_are_refused() {
    let valid = include_str!("../../../profiles/service.toml");
    for (right, wrong, reason) in [
        ("glibc = \"2.36\"", "glibc = {}", "the table is empty"),
        (
            "glibc = \"2.36\"",
            "glibc = 2.36",
            "expected a string such as \"2.36\", or a table of strings by Python version",
        ),
        ("glibc = \"2.36\"", "glibc = { \"3\" = \"2.36\" }", "`3` is not a valid Python version"),
        ("entrypoint = \"reset\"", "entrypoint = \"keep\"", "unknown variant `keep`"),
        ("venv = \"app/.venv\"", "venv = \"/app/.venv\"", "it is absolute"),
        ("PYTHONUNBUFFERED = \"1\"", "PYTHONUNBUFFERED = 1", "expected a string"),
    ] {
        assert!(valid.contains(right), "{right}");
        let message = error(&valid.replace(right, wrong)).to_string();
        assert!(message.contains(reason), "{message}");
    }
    let unknown = error(&valid.replace("workdir =", "work-dir ="));
    assert_eq!(unknown.hints(), ["did you mean `workdir`?"]);
}
