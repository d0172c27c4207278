//! Which of several sources of a value takes precedence, and what `pybundle config show` prints of it.

use crate::test_project::TestProject;

/// A workspace whose root, member and targets set the same keys.
fn layered() -> TestProject {
    TestProject::new(&[
        (
            "pyproject.toml",
            "[tool.uv.workspace]\nmembers = [\"services/*\"]\n\n[tool.pybundle]\nno-audit = true\nruntime = \"python3.9\"\n\
             arch = \"arm64\"\nexclude = [\"root\"]\nindex-url = \"https://user:hunter2@example.org/simple\"\n",
        ),
        (
            "services/api/pyproject.toml",
            "[project]\nname = \"api\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n\n[tool.pybundle]\n\
             runtime = \"python3.10\"\nexclude = [\"project\"]\n\n[tool.pybundle.target.api]\nkind = \"lambda\"\n\
             runtime = \"python3.11\"\nno-install-package = [\"one\"]\nexclude = [\"*.sql\"]\ninclude = [\"src:.\"]\n\
             output = \"api.zip\"\nhandler = \"app.handler\"\n\n[tool.pybundle.target.variant]\nextends = \"api\"\n\
             runtime = \"python3.12\"\nno-install-package = [\"two\", \"one\"]\nexclude = [\"*.csv\"]\ninclude = [\"more:.\"]\n",
        ),
        ("services/api/app.py", "def handler(event, context): ...\n"),
        ("services/api/src/app.py", "def handler(event, context): ...\n"),
        ("services/api/more/two.py", ""),
    ])
}

#[test]
fn the_source_with_the_highest_precedence_is_used() {
    let project = layered();
    let shared = [
        "arch = \"arm64\" (HERE/pyproject.toml:7 [tool.pybundle])",
        "no-audit = true (HERE/pyproject.toml:5 [tool.pybundle])",
        "index-url = \"https://****@example.org/simple\" (HERE/pyproject.toml:9 [tool.pybundle])",
    ];
    let file = "services/api/pyproject.toml";
    let [arch, no_audit, index] = shared.map(str::to_owned);
    assert_eq!(
        project.in_force(&["services/api", "--target", "api"], &[]),
        [
            arch.clone(),
            format!("exclude = [\"*.sql\"] ({file}:14 [tool.pybundle.target.api])"),
            format!("handler = \"app.handler\" ({file}:17 [tool.pybundle.target.api])"),
            format!("include = [\"HERE/services/api/src:.\"] ({file}:15 [tool.pybundle.target.api])"),
            index.clone(),
            no_audit.clone(),
            format!("no-install-package = [\"one\"] ({file}:13 [tool.pybundle.target.api])"),
            format!("output = \"services/api/api.zip\" ({file}:16 [tool.pybundle.target.api])"),
            format!("runtime = \"python3.11\" ({file}:12 [tool.pybundle.target.api])"),
        ]
    );
    // Values of a variant are added or replace others; outputs are not inherited.
    let both = |one: usize, other: usize| {
        format!("{file}:{one} [tool.pybundle.target.api], {file}:{other} [tool.pybundle.target.variant]")
    };
    assert_eq!(
        project
            .in_force(&["services/api", "--target", "variant"], &[("UV_INDEX_URL", "https://a:b@example.com/simple")]),
        [
            arch,
            format!("exclude = [\"*.sql\",\"*.csv\"] ({})", both(14, 23)),
            format!("handler = \"app.handler\" ({file}:17 [tool.pybundle.target.api])"),
            format!("include = [\"HERE/services/api/more:.\"] ({file}:24 [tool.pybundle.target.variant])"),
            "index-url = \"https://****@example.com/simple\" (environment variable UV_INDEX_URL)".to_owned(),
            no_audit,
            format!("no-install-package = [\"one\",\"two\"] ({})", both(13, 22)),
            format!("runtime = \"python3.12\" ({file}:21 [tool.pybundle.target.variant])"),
        ]
    );
    // Without a target, those of the project and then of its workspace apply.
    let expected = format!("runtime = \"python3.10\" ({file}:7 [tool.pybundle])");
    assert!(project.in_force(&["services/api", "--target", "api"], &[]).iter().all(|row| *row != expected));
    let plan = |arguments: &[&str]| project.json(&[&["lambda", "services/api", "--dry-run"], arguments].concat());
    for (arguments, runtime) in [
        (&["--target", "variant"][..], "python3.12"),
        (&["--target", "api"], "python3.11"),
        (&[], "python3.10"),
        (&["--target", "api", "--runtime", "python3.13"], "python3.13"),
    ] {
        let plan = plan(arguments);
        assert_eq!((&plan["target"]["runtime"], &plan["target"]["architecture"]), (&runtime.into(), &"arm64".into()));
    }
}

#[test]
fn the_configuration_is_shown_as_text() {
    let project = layered();
    let page = project.run(&["config", "show", "services/api"]);
    assert!(page.contains("api") && page.contains("variant") && !page.contains("hunter2"), "{page}");
    assert!(page.contains("runtime = \"python3.12\"") && page.contains("pyproject.toml:21"), "{page}");
    // A project without targets shows the values for each command.
    let project =
        TestProject::configured("[tool.pybundle]\nexclude = \"*.sql\"\nhandler = \"app.handler\"\nuser = 1000\n");
    let page = project.run(&["config", "show"]);
    for (part, at) in [("pybundle lambda", 0), ("handler = \"app.handler\"", 1), ("pybundle image", 2), ("user = ", 3)]
    {
        assert!(page.contains(part), "part {at}: {page}");
    }
    let document = project.json(&["config", "show"]);
    let kinds = [0, 1].map(|at| (document["targets"][at]["kind"].as_str(), document["targets"][at]["name"].is_null()));
    assert_eq!(kinds, [(Some("lambda"), true), (Some("image"), true)]);
    assert_eq!(document["targets"][0]["values"][0]["value"], serde_json::json!(["*.sql"]), "one text is a list of one");
    assert_eq!(document["path"], "pyproject.toml");
}

#[test]
fn a_flag_removes_what_conflicts_with_it() {
    let project = TestProject::configured(
        "[tool.pybundle.target.api]\nkind = \"lambda\"\nfrozen = true\nprofile = \"python3.11\"\nno-build = true\n\
         slim = true\n",
    );
    let plan =
        project.json(&["lambda", "--target=api", "--locked", "--runtime=python3.12", "--no-binary", "--dry-run"]);
    assert_eq!(plan["target"]["runtime"], "python3.12");
}

/// As `docker compose build` and `uv run` do with the only thing that can be meant.
#[test]
fn the_only_target_of_a_kind_is_meant_and_several_are_named() {
    let target = |name: &str| {
        format!(
            "\n[tool.pybundle.target.{name}]\nkind = \"lambda\"\nhandler = \"app.handler\"\nruntime = \"python3.11\"\n"
        )
    };
    let one = TestProject::configured(&target("api"));
    for command in [&["lambda", "--dry-run"][..], &["plan", "--arch=arm64"]] {
        let plan = one.json(command);
        assert_eq!(plan["target"]["runtime"], "python3.11");
        assert!(plan["outputs"][0].as_str().unwrap().ends_with("dist/api.zip"), "{plan}");
    }
    // A handler is another function.
    let plan = one.json(&["lambda", "--dry-run", "--handler=app.handler"]);
    assert!(plan["outputs"][0].as_str().unwrap().ends_with("dist/shop.zip"), "{plan}");

    let two = TestProject::configured(&(target("api") + &target("jobs")));
    let (_, said) = two.ends(0, &["lambda", "--no-audit", "--output=function.zip"]);
    let warning = "warning: the targets api, jobs are not used: name one, as in `pybundle lambda api`, or build all with \
                   `pybundle build`\n";
    assert!(said.contains(warning), "{said}");
    for command in [&["lambda", "api"][..], &["build"]] {
        let (_, said) = two.ends(0, command);
        assert!(!said.contains("are not used"), "{said}");
    }
}

/// What a key is without a value is in the help of its flag, too.
#[test]
fn keys_that_are_not_set_have_defaults() {
    let project = TestProject::configured(
        "[tool.pybundle.target.api]\nkind = \"lambda\"\narch = \"arm64\"\n[tool.pybundle.target.job]\nextends = \"api\"\n\
         [tool.pybundle.target.check]\nextends = \"job\"\n[tool.pybundle.target.web]\nkind = \"image\"\n",
    );
    let page = project.run(&["config", "show", "--defaults", "--target=check"]);
    assert!(page.starts_with("check  lambda, extends job, which extends api\n"), "{page}");
    for line in [
        "  arch = \"arm64\"  # pyproject.toml:7 [tool.pybundle.target.api]\n",
        "  output  # default: dist/NAME.zip\n",
        "  runtime  # default: the project's\n",
        "  strip  # default: false\n",
        "  handler  # not set\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
    let page = project.run(&["config", "show", "--defaults", "--target=web"]);
    assert!(page.contains("  platform  # default: linux/amd64\n") && !page.contains("  handler"), "{page}");
    let report = project.json(&["config", "show", "--defaults", "--target=check"]);
    let target = &report["targets"][0];
    assert_eq!(target["extends"], serde_json::json!(["job", "api"]));
    let value = |key: &str| {
        let values = target["values"].as_array().unwrap();
        values.iter().find(|value| value["key"] == key).unwrap().clone()
    };
    assert_eq!(value("strip"), serde_json::json!({ "key": "strip", "value": false, "sources": ["default"] }));
    assert_eq!(value("handler")["value"], serde_json::Value::Null);
    assert!(!project.run(&["config", "show", "--target=check"]).contains("default"));
}
