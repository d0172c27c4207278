//! What is refused, and what the message says.

use crate::cloud::Cloud;
use crate::lambda::Function;
use crate::test_project::TestProject;
use crate::{TARGET, command, edit, ended, example, run};

/// Deploys to a function that was changed, and asserts that it fails with these texts and leaves version 1 live.
fn refused(change: fn(&mut Function), texts: &[&str]) {
    let (cloud, project) = (Cloud::start(), example());
    cloud.with("shop", change);
    let ended = run(&project, &cloud, &["deploy"]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    for text in texts {
        assert!(ended.err.contains(text), "{text} is not in {}", ended.err);
    }
    assert_eq!(cloud.function("shop").live("live").0, "1");
}

#[test]
fn code_for_another_function_is_not_sent() {
    refused(
        |function| function.architecture = "arm64".to_owned(),
        &["the function has architecture arm64, but the artifact is built for x86_64", "--arch arm64"],
    );
    refused(
        |function| function.runtime = "python3.13".to_owned(),
        &[
            "the function has runtime python3.13, but the artifact is built for python3.12",
            "hint: build for the function's runtime with --runtime 3.13",
        ],
    );
    refused(
        |function| function.package_type = "Image".to_owned(),
        &[
            "the function has package type Image, but the artifact is built for Zip",
            "hint: name another function: the package type",
        ],
    );
    refused(|function| function.state = "Failed".to_owned(), &["its state is Failed: FunctionError.InitTimedOut"]);
    refused(
        |function| function.route("1"),
        &[
            "the alias `live` also sends requests to version 1",
            "hint: finish that deployment first, or end it with `aws lambda update-alias",
        ],
    );
}

#[test]
fn code_that_lambda_rejects_leaves_the_version_live() {
    refused(
        |function| function.update_failure = Some("Could not unzip".to_owned()),
        &[
            "error: api: cannot deploy to shop:live: version 1 stays live",
            "Lambda rejected the new code: InvalidZipFileException: Could not unzip",
        ],
    );
    refused(
        |function| function.is_storage_full = true,
        &[
            "version 1 stays live",
            "Lambda returned 400 Bad Request to UpdateFunctionCode: CodeStorageExceededException: Code storage limit exceeded.",
            "hint: delete versions of functions that are no longer used",
        ],
    );
    refused(
        |function| function.versions_fail = true,
        &["version 1 stays live", "Lambda cannot start version 2: FunctionError.InitTimedOut: The snapshot failed"],
    );
}

#[test]
fn what_others_do_at_the_same_time_is_not_overwritten() {
    for (action, change, text) in [
        (
            "UpdateFunctionCode",
            Function::replace_code as fn(&mut Function),
            "another process changed the code of the function",
        ),
        ("PublishVersion", Function::replace_code, "another process changed the code of the function"),
        ("UpdateAlias", Function::move_alias, "another process moved the alias to version 3"),
    ] {
        let (cloud, project) = (Cloud::start(), example());
        cloud.interfere(action, change);
        let ended = run(&project, &cloud, &["deploy"]);
        assert!(ended.status == Some(1) && ended.err.contains(text), "{action}: {ended:?}");
        let live = cloud.function("shop").live("live").0.to_owned();
        assert!(ended.err.contains(&format!("version {live} stays live")), "{ended:?}");
        // As the hint says.
        assert!(ended.err.contains("hint: run the same command again: it continues"), "{ended:?}");
        assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
    }
}

#[test]
fn missing_permissions_are_named() {
    for action in ["GetFunction", "GetAlias", "UpdateFunctionCode", "PublishVersion", "UpdateAlias"] {
        let (cloud, project) = (Cloud::start(), example());
        cloud.deny(action);
        let ended = run(&project, &cloud, &["deploy"]);
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.err.contains(&format!("hint: grant the identity the permission lambda:{action}")), "{ended:?}");
        assert_eq!(cloud.function("shop").live("live").0, "1");
    }
}

#[test]
fn unknown_functions_have_a_nearest_one() {
    let (cloud, project) = (Cloud::start(), example());
    let ended = run(&project, &cloud, &["deploy", "--function=shpo"]);
    assert!(ended.err.contains("function shpo does not exist in eu-west-1"), "{ended:?}");
    assert!(ended.err.contains("hint: did you mean `shop`?"), "{ended:?}");
    cloud.deny("ListFunctions");
    let ended = run(&project, &cloud, &["deploy", "--function=shpo"]);
    assert!(
        ended.err.contains("hint: create the function first, or choose its region: this one is eu-west-1"),
        "{ended:?}"
    );
}

#[test]
fn wrong_credentials_and_regions_are_explained() {
    let (cloud, project) = (Cloud::start(), example());
    let deploy = || command(&project, &cloud.url(), &["deploy"]);
    let wrong = ended(deploy().env("AWS_SECRET_ACCESS_KEY", "other"));
    assert!(wrong.err.contains("Lambda returned 403 Forbidden to GetFunction: InvalidSignatureException"), "{wrong:?}");
    assert!(wrong.err.contains("`aws sts get-caller-identity`"), "{wrong:?}");
    let none = ended(deploy().env_remove("AWS_ACCESS_KEY_ID"));
    assert!(
        none.err.contains("no AWS credentials in the environment") && none.err.contains("`aws sso login`"),
        "{none:?}"
    );
    let nowhere = ended(deploy().env_remove("AWS_REGION"));
    assert!(nowhere.err.contains("the AWS region of the function is unknown"), "{nowhere:?}");
    assert!(nowhere.err.contains("hint: set `region` in [tool.pybundle], --region or AWS_REGION"), "{nowhere:?}");
    assert_eq!(ended(deploy().env_remove("AWS_REGION").args(["--region", "eu-west-1", "--dry-run"])).status, Some(0));
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop";
    let other = ended(deploy().args(["--region=us-east-1", "--function", arn]));
    assert!(other.err.contains("the function is in eu-west-1, but the region is `us-east-1`"), "{other:?}");
    assert!(other.err.contains("hint: remove the region, or set it to eu-west-1"), "{other:?}");
}

#[test]
fn targets_without_a_function_are_not_deployed() {
    let cloud = Cloud::start();
    let second = TARGET.replace("target.api", "target.web");
    let third = TARGET.replace("target.api", "target.none").replace("function = \"shop\"\n", "");
    let project = TestProject::example(&format!("{TARGET}{second}{third}"));
    for (arguments, status, texts) in [
        (
            &["deploy", "none"][..],
            1,
            [
                "target `none` has no function to deploy to",
                "hint: set `function` of the target in [tool.pybundle], or --function",
            ],
        ),
        (&["deploy", "absent"], 1, ["absent", "none"]),
        (
            &["deploy", "--function=shop"],
            1,
            ["--function names one function, but 3 targets", "pybundle deploy api --function"],
        ),
        (&["deploy", "--function=a b"], 2, ["`a b` is not a valid function name", "64 ASCII letters"]),
        (&["deploy", "--alias=12"], 2, ["`12` is not a valid alias", "not only digits"]),
        (&["deploy", "--rollback", "--dry-run"], 2, ["--rollback", "cannot be used with"]),
    ] {
        let ended = ended(&mut command(&project, &cloud.url(), arguments));
        assert_eq!(ended.status, Some(status), "{ended:?}");
        texts.iter().for_each(|text| assert!(ended.err.contains(text), "{text}: {ended:?}"));
    }
    project.0.write("pyproject.toml", format!("{}output = \"dir:api\"\n", project.0.read("pyproject.toml")).as_bytes());
    let ended = run(&project, &cloud, &["deploy", "none", "--function=shop"]);
    assert!(
        ended.err.contains("target `none` is written to a directory, but only zips and images can be deployed"),
        "{ended:?}"
    );
    assert!(ended.err.contains("hint: set `output` of the target to a file, or omit it"), "{ended:?}");
    let profile = "profile = \"azure-python3.12\"";
    let project = TestProject::example(&TARGET.replace("runtime = \"python3.12\"", profile));
    let ended = run(&project, &cloud, &["deploy", "--dry-run"]);
    assert!(ended.err.contains("target `api` is built for Azure Functions, not for Lambda"), "{ended:?}");
    assert!(ended.err.contains("hint: choose one of Lambda's runtimes with --runtime"), "{ended:?}");
    assert_eq!(cloud.requests(), [""; 0]);
}

#[test]
fn a_zip_that_needs_s3_is_refused_before_it_is_sent() {
    let (cloud, project) = (Cloud::start(), example());
    let profile = crate::support::command::succeed(&mut project.command(&["profile", "show", "python3.12"]));
    let profile = profile
        .lines()
        .map(|line| if line.trim_start().starts_with("direct-upload") { "direct-upload = 100" } else { line });
    project.0.write("small.toml", profile.collect::<Vec<_>>().join("\n").as_bytes());
    let pyproject = project.0.read("pyproject.toml").replace("runtime = \"python3.12\"", "profile = \"small.toml\"");
    project.0.write("pyproject.toml", pyproject.as_bytes());
    edit(&project, "VERSION = 2");
    let ended = run(&project, &cloud, &["deploy"]);
    assert!(
        ended.status == Some(1) && ended.err.contains("more than the 100 that Lambda accepts without S3"),
        "{ended:?}"
    );
    assert!(!cloud.requests().contains(&"UpdateFunctionCode".to_owned()));
}
