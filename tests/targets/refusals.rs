//! What is wrong in a configuration, with where it is and what to do.

use crate::place::Place;

#[test]
fn every_wrong_key_and_value_is_refused_with_its_line() {
    // A configuration follows the four lines of [project].
    for (line, configuration, expected) in [
        (
            6,
            "[tool.pybundle]\nhandlr = \"a.b\"",
            "there is no key `handlr` in [tool.pybundle]\nhint: did you mean `handler`?",
        ),
        (
            6,
            "[tool.pybundle]\nnonsense = 1",
            "there is no key `nonsense` in [tool.pybundle]\nhint: `pybundle config schema` prints every key",
        ),
        (
            7,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nbase = \"scratch\"",
            "there is no key `base` in [tool.pybundle.target.a]\nhint: `base` is a key of targets of the kind `image`",
        ),
        (
            7,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nruntme = \"x\"",
            "there is no key `runtme` in [tool.pybundle.target.a]\nhint: did you mean `runtime`?",
        ),
        (
            6,
            "[tool.pybundle]\nfrozen = \"yes\"",
            "`frozen` in [tool.pybundle]: invalid type: string \"yes\", expected a boolean",
        ),
        (
            6,
            "[tool.pybundle]\narch = \"riscv\"",
            "`arch` in [tool.pybundle]: `riscv` is not a supported architecture: expected x86_64 or arm64",
        ),
        (6, "[tool.pybundle]\ngroup = [1.5]", "`group` in [tool.pybundle]: an array of texts is expected"),
        (
            6,
            "[tool.pybundle]\ngroup = [\"not a group!\"]",
            "`group` in [tool.pybundle]: `not a group!` is not a valid name: a name consists of ASCII letters, digits, `-`, `_` and `.`, and starts and ends with a letter or digit",
        ),
        (
            6,
            "[tool.pybundle]\nhandler = \"nodot\"",
            "`handler` in [tool.pybundle]: `nodot` is not a valid handler, expected `module.function`: it has no dot",
        ),
        (
            6,
            "[tool.pybundle]\nplatform = [\"windows/amd64\"]",
            "`platform` in [tool.pybundle]: linux/amd64 and linux/arm64 are the platforms that there are",
        ),
        (6, "[tool.pybundle]\nenv = [\"A=B\"]", "`env` in [tool.pybundle]: a table is expected whose values are texts"),
        (6, "[tool.pybundle]\nenv = { \"\" = \"x\" }", "`env` in [tool.pybundle]: a name is empty"),
        (
            6,
            "[tool.pybundle]\nexpose = [\"http\"]",
            "`expose` in [tool.pybundle]: `http` is not a valid port: expected a number from 1 to 65535, optionally followed by `/tcp`, `/udp` or `/sctp`",
        ),
        (
            6,
            "[tool.pybundle]\nslim = [\"everything\"]",
            "`slim` in [tool.pybundle]: `everything` is not a rule: expected one of tests, stubs, headers, sources, docs, bytecode",
        ),
        (
            6,
            "[tool.pybundle]\nentrypoint = 5",
            "`entrypoint` in [tool.pybundle]: a text or an array of texts is expected",
        ),
        (
            6,
            "[tool.pybundle]\nentrypoint = \"'open\"",
            "`entrypoint` in [tool.pybundle]: a quotation mark is not closed",
        ),
        (
            6,
            "[tool.pybundle]\nbase = \"Not A Reference\"",
            "`base` in [tool.pybundle]: `Not A Reference` is no reference to an image: the repository `Not A Reference` has upper-case letters",
        ),
        (
            6,
            "[tool.pybundle]\ntag = [\"Not A Reference\"]",
            "`tag` in [tool.pybundle]: `Not A Reference` is no reference to an image: the repository `Not A Reference` has upper-case letters",
        ),
        (
            6,
            "[tool.pybundle]\nmax-layers = 0",
            "`max-layers` in [tool.pybundle]: invalid value: integer `0`, expected a nonzero usize",
        ),
        (
            6,
            "[tool.pybundle]\ncompression = \"xz\"",
            "`compression` in [tool.pybundle]: unknown variant `xz`, expected `gzip` or `zstd`",
        ),
        (
            6,
            "[tool.pybundle]\nindex-url = \"https://user:hunter2@\"",
            "`index-url` in [tool.pybundle]: `https://****@` is not the location of files: empty host",
        ),
        (
            6,
            "[tool.pybundle]\ninclude = [\"a:../b\"]",
            "`include` in [tool.pybundle]: `a:../b` is not of the form PATH[:DEST]: the destination has the component `..`",
        ),
        (6, "[tool.pybundle]\ntarget = 1", "`target` in [tool.pybundle]: it is a table of targets by their names"),
        (6, "[tool]\npybundle = 1", "`pybundle` in [tool]: it is a table"),
        (6, "[tool.pybundle.target]\na = 1", "`a` in [tool.pybundle.target]: a target is a table"),
        (
            6,
            "[tool.pybundle.target.a]\nkind = \"zip\"",
            "`kind` in [tool.pybundle.target.a]: it is \"lambda\" or \"image\"",
        ),
        (
            5,
            "[tool.pybundle.target.a]\nruntime = \"python3.12\"",
            "`a` in [tool.pybundle.target]: it needs kind = \"lambda\" or kind = \"image\"",
        ),
        (
            5,
            "[tool.pybundle.target.\"a/b\"]\nkind = \"image\"",
            "`a/b` in [tool.pybundle.target]: the name of a target consists of ASCII letters, digits, `-`, `_` and `.`",
        ),
        (
            6,
            "[tool.pybundle.target.a]\nextends = 1",
            "`extends` in [tool.pybundle.target.a]: it is the name of a target",
        ),
        (
            6,
            "[tool.pybundle.target.a]\nextends = \"wbe\"\n[tool.pybundle.target.web]\nkind = \"image\"",
            "`extends` in [tool.pybundle.target.a]: there is no target `wbe`; did you mean `web`?",
        ),
        (6, "[tool.pybundle.target.a]\nextends = \"a\"", "the target `a` extends itself"),
        (
            8,
            "[tool.pybundle.target.a]\nextends = \"b\"\n[tool.pybundle.target.b]\nextends = \"a\"",
            "the target `a` extends itself",
        ),
        (
            5,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nextends = \"b\"\n[tool.pybundle.target.b]\nkind = \"image\"",
            "`a` in [tool.pybundle.target]: it is of the kind `lambda`, and what it extends is not",
        ),
        (
            6,
            "[tool.pybundle]\nlocked = true\nfrozen = true",
            "`locked` and `frozen` in [tool.pybundle] contradict each other\nhint: remove one of them",
        ),
        (
            7,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nonly-group = [\"a\"]\ngroup = [\"b\"]",
            "`only-group` and `group` in [tool.pybundle.target.a] contradict each other\nhint: remove one of them",
        ),
        (
            7,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nruntime = \"python3.12\"\nprofile = \"python3.12\"",
            "`runtime` and `profile` in [tool.pybundle.target.a] contradict each other\nhint: remove one of them",
        ),
        (
            7,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nno-build = true\nno-binary = true",
            "`no-build` and `no-binary` in [tool.pybundle.target.a] contradict each other\nhint: remove one of them",
        ),
        (
            7,
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nresolve = true\nno-deps = true",
            "`resolve` and `no-deps` in [tool.pybundle.target.a] contradict each other\nhint: remove one of them",
        ),
    ] {
        let place = Place::configured(configuration);
        let (printed, said) = place.ends(1, &["config", "show"]);
        let expected = format!("error: pyproject.toml:{line}: {expected}\n");
        assert_eq!((printed.as_str(), said.trim_end()), ("", expected.trim_end()), "{configuration}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_target_is_built_by_the_command_of_its_kind() {
    let place = Place::configured("[tool.pybundle.target.web]\nkind = \"image\"\n");
    for (arguments, expected) in [
        (
            &["lambda", "--target", "web"][..],
            "error: the target `web` is of the kind `image`\nhint: use pybundle image --target web, or pybundle build web\n",
        ),
        (&["image", "--target", "wbe"], "error: pyproject.toml has no target `wbe`\nhint: did you mean `web`?\n"),
        (&["build", "other"], "error: pyproject.toml has no target `other`\nhint: its targets are web\n"),
        (&["config", "show", "--target", "x"], "error: pyproject.toml has no target `x`\nhint: its targets are web\n"),
    ] {
        assert_eq!(place.ends(1, arguments).1, expected, "{arguments:?}");
    }
    let place = Place::configured("");
    let (_, said) = place.ends(1, &["build"]);
    assert!(
        said.starts_with(
            "error: pyproject.toml has no target\nhint: name one with a table [tool.pybundle.target.NAME]"
        ),
        "{said}"
    );
    // What only flags get wrong is wrong usage.
    place.ends(2, &["build", "--format", "github-matrix"]);
    place.ends(2, &["build", "--list", "--dry-run"]);
    let place = Place::configured("[tool.pybundle.target.web]\nkind = \"image\"\npush = true\n");
    let (_, said) = place.ends(2, &["image", "--target", "web"]);
    assert_eq!(
        said,
        "error: the target `web` is to be pushed, but has no tag\nhint: name it with --tag HOST/REPOSITORY:TAG\n"
    );
}
