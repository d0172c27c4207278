//! Errors in a configuration, with their lines and hints.

use std::process::Command;

use crate::support::command::{fail, succeed};
use crate::support::wheel_with;
use crate::test_project::TestProject;

#[test]
fn an_error_names_its_line() {
    // A configuration follows the four lines of [project].
    for (line, configuration, expected) in [
        (
            6,
            "[tool.pybundle]\nhandlr = \"a.b\"",
            "unknown key `handlr` in [tool.pybundle]\nhint: did you mean `handler`?",
        ),
        (6, "[tool.pybundle]\ninclude = \"src\"", "`include` in [tool.pybundle]: expected an array, found a string"),
        (
            6,
            "[tool.pybundle]\nnonsense = 1",
            "unknown key `nonsense` in [tool.pybundle]\nhint: run `pybundle config schema` to print every key",
        ),
        (
            7,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nbase = \"scratch\"",
            "unknown key `base` in [tool.pybundle.target.a]\nhint: `base` is only valid for targets of kind `image`",
        ),
        (
            7,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nruntme = \"x\"",
            "unknown key `runtme` in [tool.pybundle.target.a]\nhint: did you mean `runtime`?",
        ),
        (
            6,
            "[tool.pybundle]\ninsecure-registry = \"host.tld\"",
            "`insecure-registry` in [tool.pybundle]: only the user can allow plain HTTP, which sends logins unencrypted\nhint: remove it, and add --insecure-registry HOST or set PYBUNDLE_INSECURE_REGISTRY=HOST; registries on this machine need neither",
        ),
        (
            7,
            "[tool.pybundle.target.a]\nkind = \"image\"\ninsecure-registry = []",
            "`insecure-registry` in [tool.pybundle.target.a]: only the user can allow plain HTTP, which sends logins unencrypted\nhint: remove it, and add --insecure-registry HOST or set PYBUNDLE_INSECURE_REGISTRY=HOST; registries on this machine need neither",
        ),
        (6, "[tool.pybundle]\nfrozen = \"yes\"", "`frozen` in [tool.pybundle]: expected a boolean, found a string"),
        (
            6,
            "[tool.pybundle]\narch = \"riscv\"",
            "`arch` in [tool.pybundle]: `riscv` is not a supported architecture: expected x86_64 or arm64",
        ),
        (6, "[tool.pybundle]\ngroup = [1.5]", "`group` in [tool.pybundle]: expected an array of strings"),
        (
            6,
            "[tool.pybundle]\ngroup = [\"not a group!\"]",
            "`group` in [tool.pybundle]: `not a group!` is not a valid name: names consist of ASCII letters, digits, `-`, `_` and `.`, and start and end with a letter or digit",
        ),
        (
            6,
            "[tool.pybundle]\nhandler = \"nodot\"",
            "`handler` in [tool.pybundle]: `nodot` is not a valid handler, expected `module.function`: it has no dot",
        ),
        (
            6,
            "[tool.pybundle]\nplatform = [\"windows/amd64\"]",
            "`platform` in [tool.pybundle]: `windows/amd64` is not a supported platform: expected linux/amd64 or linux/arm64",
        ),
        (6, "[tool.pybundle]\nenv = [\"A=B\"]", "`env` in [tool.pybundle]: expected a table of strings"),
        (6, "[tool.pybundle]\nenv = { \"\" = \"x\" }", "`env` in [tool.pybundle]: a name must not be empty"),
        (
            6,
            "[tool.pybundle]\nexpose = [\"http\"]",
            "`expose` in [tool.pybundle]: `http` is not a valid port: expected a number from 1 to 65535, optionally followed by `/tcp`, `/udp` or `/sctp`",
        ),
        (
            6,
            "[tool.pybundle]\nslim = [\"everything\"]",
            "`slim` in [tool.pybundle]: `everything` is not a rule: expected one of tests, stubs, headers, sources, docs, bytecode, services, discovery, locales",
        ),
        (
            6,
            "[tool.pybundle]\nentrypoint = 5",
            "`entrypoint` in [tool.pybundle]: expected a string or an array of strings, found the number 5",
        ),
        (
            6,
            "[tool.pybundle]\nentrypoint = \"'open\"",
            "`entrypoint` in [tool.pybundle]: missing closing quotation mark",
        ),
        (
            6,
            "[tool.pybundle]\nbase = \"Not A Reference\"",
            "`base` in [tool.pybundle]: `Not A Reference` is not a valid image reference: the repository `Not A Reference` must be lowercase",
        ),
        (
            6,
            "[tool.pybundle]\ntag = [\"Not A Reference\"]",
            "`tag` in [tool.pybundle]: `Not A Reference` is not a valid image reference: the repository `Not A Reference` must be lowercase",
        ),
        (
            6,
            "[tool.pybundle]\nmax-layers = 0",
            "`max-layers` in [tool.pybundle]: expected a whole number of at least 1, found the number 0",
        ),
        (
            6,
            "[tool.pybundle]\ncompression = \"xz\"",
            "`compression` in [tool.pybundle]: expected `gzip` or `zstd`, found `xz`",
        ),
        (
            6,
            "[tool.pybundle]\nindex-url = \"https://user:hunter2@\"",
            "`index-url` in [tool.pybundle]: `https://****@` is not a valid location: empty host",
        ),
        (
            6,
            "[tool.pybundle]\ninclude = [\"a:../b\"]",
            "`include` in [tool.pybundle]: `a:../b` is not a valid PATH[:DEST]: the destination has the component `..`",
        ),
        (
            6,
            "[tool.pybundle]\npython = 3.12",
            "`python` in [tool.pybundle]: expected a version in quotation marks, or a table such as { apt = \"python3.13\" }, found the number 3.12",
        ),
        (
            6,
            "[tool.pybundle]\nruntime = 3.12",
            "`runtime` in [tool.pybundle]: expected a string, found the number 3.12",
        ),
        (6, "[tool.pybundle]\ntarget = 1", "`target` in [tool.pybundle]: expected a table of targets by name"),
        (6, "[tool]\npybundle = 1", "`pybundle` in [tool]: expected a table"),
        (6, "[tool.pybundle.target]\na = 1", "`a` in [tool.pybundle.target]: expected a table"),
        (
            6,
            "[tool.pybundle.target.a]\nkind = \"zip\"",
            "`kind` in [tool.pybundle.target.a]: expected `lambda`, `layer` or `image`, found `zip`",
        ),
        (
            5,
            "[tool.pybundle.target.a]\nruntime = \"python3.12\"",
            "`a` in [tool.pybundle.target]: missing kind = \"lambda\", kind = \"layer\" or kind = \"image\"",
        ),
        (
            5,
            "[tool.pybundle.target.\"a/b\"]\nkind = \"image\"",
            "`a/b` in [tool.pybundle.target]: a target name may contain only ASCII letters, digits, `-`, `_` and `.`, and not start with `.`",
        ),
        (
            6,
            "[tool.pybundle.target.a]\nextends = 1",
            "`extends` in [tool.pybundle.target.a]: expected the name of a target",
        ),
        (
            6,
            "[tool.pybundle.target.a]\nextends = \"wbe\"\n[tool.pybundle.target.web]\nkind = \"image\"",
            "`extends` in [tool.pybundle.target.a]: unknown target `wbe`; did you mean `web`?",
        ),
        (6, "[tool.pybundle.target.a]\nextends = \"a\"", "target `a` extends itself"),
        (
            8,
            "[tool.pybundle.target.a]\nextends = \"b\"\n[tool.pybundle.target.b]\nextends = \"a\"",
            "target `a` extends itself",
        ),
        (
            5,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nextends = \"b\"\n[tool.pybundle.target.b]\nkind = \"image\"",
            "`a` in [tool.pybundle.target]: its kind is `lambda`, but it extends a target of another kind",
        ),
        (
            6,
            "[tool.pybundle]\nlocked = true\nfrozen = true",
            "`locked` and `frozen` in [tool.pybundle] cannot be used together\nhint: remove one of them",
        ),
        (
            7,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nonly-group = [\"a\"]\ngroup = [\"b\"]",
            "`only-group` and `group` in [tool.pybundle.target.a] cannot be used together\nhint: remove one of them",
        ),
        (
            7,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nruntime = \"python3.12\"\nprofile = \"python3.12\"",
            "`runtime` and `profile` in [tool.pybundle.target.a] cannot be used together\nhint: remove one of them",
        ),
        (
            7,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nno-build = true\nno-binary = true",
            "`no-build` and `no-binary` in [tool.pybundle.target.a] cannot be used together\nhint: remove one of them",
        ),
        (
            7,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nresolve = true\nno-deps = true",
            "`resolve` and `no-deps` in [tool.pybundle.target.a] cannot be used together\nhint: remove one of them",
        ),
    ] {
        let project = TestProject::configured(configuration);
        let (printed, said) = project.ends(1, &["config", "show"]);
        let expected = format!("error: pyproject.toml:{line}: {expected}\n");
        assert_eq!((printed.as_str(), said.trim_end()), ("", expected.trim_end()), "{configuration}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_target_is_built_by_the_command_of_its_kind() {
    let project = TestProject::configured("[tool.pybundle.target.web]\nkind = \"image\"\n");
    for (arguments, expected) in [
        (
            &["lambda", "--target", "web"][..],
            "error: cannot build target `web` as `lambda`: its kind is `image`\nhint: run `pybundle image --target web` or `pybundle build web`\n",
        ),
        (&["image", "--target", "wbe"], "error: pyproject.toml has no target `wbe`\nhint: did you mean `web`?\n"),
        (&["build", "other"], "error: pyproject.toml has no target `other`\nhint: the targets are web\n"),
        (&["config", "show", "--target", "x"], "error: pyproject.toml has no target `x`\nhint: the targets are web\n"),
    ] {
        assert_eq!(project.ends(1, arguments).1, expected, "{arguments:?}");
    }
    let project = TestProject::configured("");
    let (_, said) = project.ends(1, &["build"]);
    assert!(
        said.starts_with("error: pyproject.toml configures no targets\nhint: add a table [tool.pybundle.target.NAME]"),
        "{said}"
    );
    let project = TestProject::configured("[tool.pybundel.target.api]\nkind = \"lambda\"\n");
    let (_, said) = project.ends(1, &["build"]);
    assert_eq!(
        said,
        "error: pyproject.toml configures no targets\n\
         hint: did you mean [tool.pybundle]? The file has [tool.pybundel]\n"
    );
    std::fs::remove_file(project.0.path().join("pyproject.toml")).unwrap();
    let (_, said) = project.ends(1, &["build"]);
    assert!(
        said.starts_with(
            "error: pyproject.toml does not exist, and configures no targets\nhint: write it with `pybundle init`"
        ),
        "{said}"
    );
    // An error in flags alone is a usage error.
    project.ends(2, &["build", "--format", "github-matrix"]);
    project.ends(2, &["build", "--list", "--dry-run"]);
    let project = TestProject::configured("[tool.pybundle.target.web]\nkind = \"image\"\npush = true\n");
    let (_, said) = project.ends(2, &["image", "--target", "web"]);
    assert_eq!(
        said,
        "error: cannot push target `web`: it has no tag\nhint: name the image with --tag HOST/REPOSITORY:TAG\n"
    );
    let project = TestProject::configured("[tool.pybundle.target.web]\nkind = \"image\"\n");
    let (_, said) = project.ends(1, &["build", "--push"]);
    assert_eq!(
        said,
        "error: cannot push: no target in pyproject.toml has a tag\n\
         hint: add `tag = [\"HOST/REPOSITORY:TAG\"]` to a target of kind `image`\n"
    );
    let tag = "[tool.pybundle.target.web]\nkind = \"image\"\ntag = [\"localhost:1/team/app:1\"]\n\
               [tool.pybundle.target.worker]\nkind = \"image\"\n";
    let project = TestProject::configured(tag);
    project.ends(0, &["build", "--push", "--list"]);
    // Another target has a tag.
    let (_, said) = project.ends(1, &["build", "worker", "--push"]);
    assert_eq!(
        said,
        "error: cannot push: none of the named targets (worker) has a tag\n\
         hint: add `tag = [\"HOST/REPOSITORY:TAG\"]` to a target of kind `image`\n"
    );
}

#[test]
fn a_wheel_for_a_newer_python_is_refused_before_anything_is_written_and_an_upper_bound_warns_as_uv_installs_it() {
    let metadata = |versions: &str| {
        format!("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Python: {versions}\n").into_bytes()
    };
    let setup = |versions: &str| {
        format!(
            "from setuptools import setup\nsetup(name='demo', version='1.0', py_modules=[], python_requires='{versions}')"
        )
    };
    let newer = "error: demo-1.0-py3-none-any.whl requires Python >=3.13, but python3.12 on x86_64 has Python 3.12\n\
         hint: lock a version that supports Python 3.12, or choose a target with another Python\n";
    let older = "warning: demo-1.0-py3-none-any.whl requires Python >=3.9, <3.12, but python3.12 on x86_64 has \
         Python 3.12\n";
    for (versions, expected, is_refused) in
        [(">=3.13", newer, true), ("<3.12,>=3.9", older, false), (">=3.9", "", false)]
    {
        // Bundled from a directory of wheels, which states no versions of Python.
        let bundled = TestProject::new(&[("requirements.txt", "--no-index\n--find-links wheels\ndemo==1.0\n")]);
        let wheel = wheel_with("demo", "1.0", &[("demo-1.0.dist-info/METADATA", &metadata(versions))]);
        bundled.0.write("wheels/demo-1.0-py3-none-any.whl", &wheel);
        // Built from a directory.
        let built = TestProject::new(&[
            ("requirements.txt", "./demo\n"),
            ("demo/setup.py", &setup(versions)),
            ("demo/demo.py", ""),
        ]);
        for (project, how) in [(bundled, "bundled"), (built, "built")] {
            project.0.write("app.py", b"def handler(event, context): ...\n");
            let arguments =
                ["lambda", "--runtime", "python3.12", "--handler", "app.handler", "--output", "out/function.zip"];
            let (_, said) = project.ends(i32::from(is_refused), &arguments);
            assert_eq!(project.0.path().join("out").exists(), !is_refused, "{how}: {said}");
            let about_python = said.find(if is_refused { "error: " } else { "warning: demo" });
            let found = about_python.map_or("", |start| &said[start..]);
            assert!(if is_refused { found == expected } else { found.starts_with(expected) }, "{how}: {said}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{how}: {said}");
        }
    }
}

#[test]
fn an_unknown_keyring_provider_is_refused_as_by_uv() {
    let project = TestProject::example("");
    let mut uv = Command::new("uv");
    uv.args(["pip", "compile", "--offline", "pyproject.toml"]).current_dir(project.0.path());
    assert_eq!(uv.env("UV_KEYRING_PROVIDER", "nonsense").output().unwrap().status.code(), Some(2));
    let build = ["lambda", "--runtime", "python3.12", "--handler", "app.handler", "--output", "function.zip"];
    let said = fail(project.command(&build).env("UV_KEYRING_PROVIDER", "nonsense"));
    assert_eq!(said.trim_end(), "error: `nonsense` is not a keyring provider: expected disabled or subprocess");
    for provider in ["disabled", "subprocess"] {
        succeed(project.command(&build).env("UV_KEYRING_PROVIDER", provider));
    }
    let configured = TestProject::example("[tool.uv]\nkeyring-provider = \"nonsense\"\n");
    let (_, said) = configured.ends(1, &build);
    assert_eq!(said.trim_end(), "error: `nonsense` is not a keyring provider: expected disabled or subprocess");
}

#[test]
fn uvs_variables_alone_name_indexes() {
    let project = TestProject::new(&[
        ("requirements.txt", "demo==1.0\n"),
        ("app.py", "def handler(event, context): ...\n"),
        ("index/demo/index.html", "<a href='../../wheels/demo-1.0-py3-none-any.whl'></a>"),
    ]);
    project.0.write("wheels/demo-1.0-py3-none-any.whl", &wheel_with("demo", "1.0", &[("demo.py", b"")]));
    let build = ["lambda", "--runtime", "python3.12", "--handler", "app.handler", "--output", "function.zip"];
    // uv has no variable UV_NO_INDEX.
    succeed(project.command(&build).env("UV_DEFAULT_INDEX", "index").env("UV_NO_INDEX", "1"));
    succeed(project.command(&build).env("UV_INDEX", "own=index"));
    let said = fail(project.command(&build).env("UV_INDEX", "./own=index"));
    assert!(said.contains("an index name consists of ASCII letters, digits, `-`, `_` and `.`"), "{said}");
}

/// The hint names versions that have a wheel, as far as an index or a directory of wheels tells.
#[test]
fn a_missing_wheel_names_versions_that_have_one() {
    let project = TestProject::new(&[("requirements.txt", "numbers==1.0\n"), ("app.py", "")]);
    for name in [
        "numbers-0.9-py3-none-any.whl",
        "numbers-1.0-cp39-cp39-manylinux_2_17_x86_64.whl",
        "numbers-1.1-cp39-cp39-manylinux_2_17_x86_64.whl",
        "numbers-1.2-py3-none-any.whl",
        "numbers-2.0-py3-none-any.whl",
        "numbers-2.1rc1-py3-none-any.whl",
    ] {
        let (_, rest) = name.split_once('-').unwrap();
        let version = rest.split('-').next().unwrap();
        project.0.write(&format!("wheels/{name}"), &wheel_with("numbers", version, &[]));
    }
    let flags = ["lambda", "--runtime=3.12", "--no-index", "--find-links=wheels"];
    let (_, said) = project.ends(1, &flags);
    let expected = "hint: lock another version of numbers: 0.9, 1.2 and 2.0 have a wheel for the target\n";
    assert!(
        said.contains("numbers 1.0 has no wheel for cp312 on manylinux_2_34_x86_64") && said.contains(expected),
        "{said}"
    );
    // The hint.
    for version in ["0.9", "1.2", "2.0"] {
        project.0.write("requirements.txt", format!("numbers=={version}\n").as_bytes());
        project.run(&flags);
        project.0.write("requirements.txt", b"numbers==1.0\n");
    }
    let (_, said) = project.ends(1, &[&flags[..], &["--offline"]].concat());
    assert!(said.contains("hint: lock a version of numbers that has a wheel for the target\n"), "{said}");
    // Without a version that has one, the hint does not send anybody to look for it.
    for version in ["0.9", "1.2", "2.0", "2.1rc1"] {
        std::fs::remove_file(project.0.path().join(format!("wheels/numbers-{version}-py3-none-any.whl"))).unwrap();
    }
    let (_, said) = project.ends(1, &flags);
    assert!(said.contains("hint: replace numbers: no version of it has a wheel for the target\n"), "{said}");

    // Wheels for Windows alone.
    for version in ["1.0", "1.1"] {
        let path = project.0.path().join(format!("wheels/numbers-{version}-cp39-cp39-manylinux_2_17_x86_64.whl"));
        std::fs::remove_file(path).unwrap();
    }
    project.0.write("wheels/numbers-1.0-cp312-cp312-win_amd64.whl", &wheel_with("numbers", "1.0", &[]));
    let (_, said) = project.ends(1, &flags);
    let expected =
        "hint: if only Windows needs numbers, require it with the marker `; sys_platform == 'win32'`, and lock again\n";
    assert!(said.contains(expected), "{said}");
    project.0.write("requirements.txt", b"numbers==1.0 ; sys_platform == 'win32'\n");
    project.run(&flags);
}

/// The value of an optional flag is not the project, also where the project has no targets.
#[test]
fn a_name_that_is_nothing_is_said_to_be_nothing() {
    let project = TestProject::configured("");
    let (_, said) = project.ends(1, &["lambda", "--slim", "tests"]);
    let expected = "error: `tests` is neither a directory nor a target of this project\n\
                    hint: if it is meant for --slim, write --slim=tests\n\
                    hint: name a directory that exists: the project has no targets\n";
    assert_eq!(said, expected);
    project.run(&["lambda", "--slim=tests", "--frozen", "--handler=app.handler"]);
    let (_, said) = project.ends(1, &["plan", "api"]);
    assert!(
        said.starts_with("error: `api` is neither a directory nor a target of this project\nhint: name a"),
        "{said}"
    );
}
