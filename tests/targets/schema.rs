//! The schema of `[tool.pybundle]` accepts what pybundle accepts, and each key is a flag.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::command::{pybundle, succeed, tool};
use crate::test_project::TestProject;

/// Reads a schema, and a TOML file for each line of standard input; prints what is wrong in each, or nothing.
const JUDGE: &str = "import json, sys, tomllib, jsonschema
schema, texts = json.load(sys.stdin)
jsonschema.Draft7Validator.check_schema(schema)
judge = jsonschema.Draft7Validator(schema)
print(json.dumps([[error.message for error in judge.iter_errors(tomllib.loads(text)['tool']['pybundle'])] for text in texts]))
";

fn schema() -> Value {
    serde_json::from_str(&succeed(&mut pybundle(&["config", "schema"]))).unwrap()
}

/// Returns the errors that jsonschema finds in each of some files.
fn judged(texts: &[&str]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    std::fs::write(&input, json!([schema(), texts]).to_string()).unwrap();
    let mut command = Command::new(tool("python"));
    command.args(["-c", JUDGE]).stdin(std::fs::File::open(input).unwrap());
    serde_json::from_str(&succeed(&mut command)).unwrap()
}

#[test]
fn the_schema_accepts_what_pybundle_accepts() {
    let good = [
        "[tool.pybundle]\n",
        "[tool.pybundle]\nfrozen = true\ngroup = \"one\"\nslim = true\n[tool.pybundle.target.a]\nkind = \"lambda\"\n\
         runtime = \"python3.13\"\nhandler = \"a.b\"\nslim = [\"tests\", \"services\"]\n\
         services = [\"s3\", \"sqs\"]\ndiscovery = \"drive.v3\"\nlocales = [\"de\"]\nexclude = [\"*.sql\"]\narch = \"arm64\"\n",
        "[tool.pybundle]\nlayers = [\"common\"]\n[tool.pybundle.target.common]\nkind = \"layer\"\ngroup = \"shared\"\n\
         distributions = [\"pandas\"]\nlayer-name = \"common\"\nregion = \"eu-west-1\"\nruntime = \"python3.13\"\nslim = true\nexclude-runtime = true\n\
         [tool.pybundle.target.a]\nkind = \"lambda\"\nlayers = \"common\"\n",
        "[tool.pybundle.target.web]\nkind = \"image\"\nbase = \"python:3.13-slim\"\nplatform = [\"linux/amd64\"]\n\
         env = { A = \"b\" }\nexpose = [8000, \"53/udp\"]\nuser = 1000\nentrypoint = \"python -m app\"\n\
         cmd = [\"a\", \"b c\"]\nmax-layers = 3\ncompression = \"zstd\"\nlabel = {}\ncompile-bytecode = false\n\
         [tool.pybundle.target.test]\nextends = \"web\"\ngroup = [\"test\"]\n",
    ];
    for (text, wrong) in good.iter().zip(judged(&good)) {
        assert_eq!(wrong, [""; 0], "{text}");
        let project = TestProject::configured(text);
        project.run(&["config", "show"]);
    }
    let bad = [
        "[tool.pybundle]\nhandlr = \"a.b\"\n",
        "[tool.pybundle]\nfrozen = \"yes\"\n",
        "[tool.pybundle]\ngroup = [1.5]\n",
        "[tool.pybundle]\nenv = [\"A=B\"]\n",
        "[tool.pybundle]\ncompression = \"xz\"\n",
        "[tool.pybundle]\nmax-layers = 0\n",
        "[tool.pybundle]\ntarget = 1\n",
        "[tool.pybundle.target.a]\nkind = \"zip\"\n",
        "[tool.pybundle.target.a]\nruntime = \"python3.12\"\n",
        "[tool.pybundle.target.a]\nkind = \"lambda\"\nbase = \"scratch\"\n",
        "[tool.pybundle.target.a]\nkind = \"image\"\nruntime = \"python3.12\"\n",
        "[tool.pybundle.target.a]\nextends = 1\n",
        "[tool.pybundle.target.a]\nkind = \"layer\"\nhandler = \"a.b\"\n",
        "[tool.pybundle.target.a]\nkind = \"layer\"\ninclude = \"a.py\"\n",
        "[tool.pybundle.target.b]\nkind = \"layer\"\n[tool.pybundle.target.a]\nkind = \"layer\"\nextends = \"b\"\n",
    ];
    for (text, wrong) in bad.iter().zip(judged(&bad)) {
        assert_ne!(wrong, [""; 0], "{text}");
        let (_, said) = TestProject::configured(text).ends(1, &["config", "show"]);
        assert!(said.starts_with("error: pyproject.toml:"), "{text}: {said}");
    }
}

/// Returns the long flags that the help of a command lists, without those that are not options of a build.
fn flags(command: &str) -> BTreeSet<String> {
    let help = succeed(&mut pybundle(&[command, "--help"]));
    let words = help.lines().filter_map(|line| {
        line.trim_start()
            .strip_prefix('-')?
            .split_once("--")
            .or(line.trim_start().strip_prefix("--").map(|rest| ("", rest)))
    });
    let name = |(_, rest): (&str, &str)| {
        rest.split(|character: char| !character.is_ascii_alphanumeric() && character != '-').next().unwrap().to_owned()
    };
    let others = [
        "target",
        "dry-run",
        "help",
        "json",
        "quiet",
        "verbose",
        "no-progress",
        "color",
        "cache-dir",
        "no-cache",
        "no-compile-bytecode",
        "pin",
        // It is for the machine of who builds.
        "load",
        "output-format",
        "network-timeout",
        // A project's file cannot set it: it would send the user's login unencrypted.
        "insecure-registry",
    ];
    words.map(name).filter(|name| !others.contains(&name.as_str())).collect()
}

#[test]
fn each_key_is_a_flag_and_each_flag_a_key() {
    let schema = schema();
    let targets = schema["properties"]["target"]["additionalProperties"]["anyOf"].as_array().unwrap();
    let (deployed, run) = (flags("deploy"), flags("run"));
    for command in ["lambda", "image"] {
        let of_kind = targets.iter().find(|target| target["properties"]["kind"]["const"] == command).unwrap();
        let mut keys: BTreeSet<String> = of_kind["properties"].as_object().unwrap().keys().cloned().collect();
        assert!(keys.remove("kind") && keys.remove("extends"));
        // Tables, which are too long for a flag.
        assert_eq!(keys.remove("apt-source"), command == "image");
        // Names of other targets.
        assert_eq!(keys.remove("layers"), command == "lambda");
        // Flags of `pybundle deploy`.
        for key in ["function", "alias", "region", "s3-bucket"] {
            assert!(keys.remove(key) && deployed.contains(key), "{key}");
        }
        // Flags of `pybundle run`, for functions.
        for key in ["timeout", "memory"] {
            assert_eq!(keys.remove(key), command == "lambda", "{key}");
            assert!(run.contains(key), "{key}");
        }
        // The argument of the commands.
        keys.remove("script");
        assert_eq!(keys, flags(command), "the schema (left) and the command (right) differ");
        let shared = schema["properties"].as_object().unwrap();
        assert!(keys.iter().all(|key| shared.contains_key(key)), "{command}");
        for (key, property) in of_kind["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{key} is not described");
        }
    }
}
