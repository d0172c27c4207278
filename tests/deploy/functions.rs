//! Functions that are deployed to.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::cloud::{Cloud, REGION};
use crate::lambda::code_sha256;
use crate::support::command::succeed;
use crate::test_project::TestProject;
use crate::{TARGET, command, edit, ended, example, run};

#[test]
fn a_version_is_published_and_the_alias_is_moved_last() {
    let (cloud, project) = (Cloud::start(), example());
    let first = run(&project, &cloud, &["deploy"]);
    assert_eq!((first.status, cloud.rejected()), (Some(0), Vec::new()), "{first:?}");
    let zip = fs::read(project.0.path().join("dist/api.zip")).unwrap();
    let (size, zip) = (zip.len(), code_sha256(&zip));
    assert_eq!(
        first.target(),
        json!({
            "name": "api", "function": "shop", "alias": "live", "region": REGION, "status": "deployed", "version": "2",
            "previous_version": "1", "code_sha256": zip, "uploaded_bytes": size,
        })
    );
    let function = cloud.function("shop");
    assert_eq!(function.live("live"), ("2", zip.as_str(), "For customers [pybundle: 1 -> 2]"));
    assert_eq!(
        cloud.requests(),
        [
            "GetFunction",
            "GetAlias",
            "GetFunction",
            "GetFunction",
            "UpdateFunctionCode",
            "GetFunction",
            "GetFunction",
            "GetFunction",
            "PublishVersion",
            "GetFunction",
            "GetFunction",
            "GetFunction",
            "UpdateAlias",
        ]
    );
    // A second time, nothing is sent.
    let again = run(&project, &cloud, &["deploy", "api"]);
    assert_eq!(again.target()["status"], "unchanged", "{again:?}");
    assert_eq!(cloud.requests()[13..], ["GetFunction", "GetAlias", "GetFunction"]);

    edit(&project, "VERSION = 2");
    let planned = run(&project, &cloud, &["deploy", "--dry-run"]);
    assert_eq!(
        (planned.target()["status"].as_str(), planned.target()["version"].as_str()),
        (Some("planned"), Some("2"))
    );
    let changes = &planned.target()["changes"];
    let changed: Vec<_> = changes["files"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
    assert_eq!((&changes["verdict"], changed), (&json!("different"), vec![&json!("app.py")]), "{changes}");
    let page = succeed(&mut command(&project, &cloud.url(), &["deploy", "--dry-run"]));
    assert!(page.contains("api, live and api, built") && page.contains("~ app.py"), "{page}");
    assert_eq!(cloud.function("shop").version_count(), 2);
    let page = succeed(&mut command(&project, &cloud.url(), &["deploy"]));
    assert!(
        page.contains("shop:live") && page.contains("2 -> 3") && page.contains("1 target: 1 deployed, in "),
        "{page}"
    );
    assert_eq!(cloud.function("shop").live("live").0, "3");
}

#[test]
fn versions_are_described_by_the_commit_or_a_text() {
    let (cloud, project) = (Cloud::start(), TestProject::example(&crate::layers::targets()));
    project.0.write(".gitignore", b"dist/\n");
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"];
        succeed(Command::new("git").arg("-C").arg(project.0.path()).args(identity).args(arguments))
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "First"]);
    let commit = format!("commit {}", git(&["rev-parse", "HEAD"]).trim());
    let deployed = run(&project, &cloud, &["deploy"]);
    assert_eq!((deployed.status, cloud.rejected()), (Some(0), Vec::new()), "{deployed:?}");
    assert_eq!(cloud.function("shop").live_description("live"), commit);
    assert_eq!(cloud.layers(|layers| layers["shop-common"][0].description.clone()), commit);
    // What differs from the commit is not described by it: Lambda copies what the function has.
    edit(&project, "VERSION = 2");
    assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
    assert_eq!(cloud.function("shop").live_description("live"), "Sells things");
    edit(&project, "VERSION = 3");
    assert_eq!(run(&project, &cloud, &["deploy", "--description=Release 7"]).status, Some(0));
    assert_eq!(cloud.function("shop").live_description("live"), "Release 7");
    let long = "ü".repeat(257);
    let refused = run(&project, &cloud, &["deploy", "--description", &long]);
    let text = "a description has 1 to 256 characters, and this one has 257";
    assert!(refused.status == Some(2) && refused.err.contains(text), "{refused:?}");
}

#[test]
fn without_an_alias_the_code_is_updated() {
    let (cloud, project) = (Cloud::start(), TestProject::example(&TARGET.replace("alias = \"live\"\n", "")));
    let first = run(&project, &cloud, &["deploy"]);
    assert_eq!((first.status, first.target()["alias"].clone()), (Some(0), json!(null)), "{first:?}");
    let function = cloud.function("shop");
    let zip = code_sha256(&fs::read(project.0.path().join("dist/api.zip")).unwrap());
    assert_eq!((function.latest_code(), function.version_count()), (zip.as_str(), 1));
    assert_eq!(run(&project, &cloud, &["deploy"]).target()["status"], "unchanged");
    // With one, the code that is there is published.
    let aliased = run(&project, &cloud, &["deploy", "--alias=live"]);
    assert_eq!(
        (aliased.target()["status"].as_str(), aliased.target()["version"].as_str()),
        (Some("deployed"), Some("2"))
    );
    assert_eq!(cloud.requests().iter().filter(|action| *action == "UpdateFunctionCode").count(), 1);
}

#[test]
fn the_architecture_of_a_function_stays() {
    let (cloud, project) = (Cloud::start(), example());
    cloud.with("shop", |function| function.architecture = "arm64".to_owned());
    let deployed = run(&project, &cloud, &["deploy", "--arch=arm64"]);
    assert_eq!(deployed.status, Some(0), "{deployed:?}");
    assert_eq!(cloud.function("shop").architecture, "arm64");
}

#[test]
fn functions_are_named_by_their_arn_or_by_flags() {
    let cloud = Cloud::start();
    let arn = format!("arn:aws:lambda:{REGION}:123456789012:function:shop");
    let project = TestProject::example(&TARGET.replace("\"shop\"", &format!("\"{arn}\"")));
    let mut there = command(&project, &cloud.url(), &["deploy", "--json"]);
    let deployed = ended(there.env("AWS_REGION", "us-east-1"));
    assert_eq!((deployed.status, cloud.rejected()), (Some(0), Vec::new()), "{deployed:?}");
    assert_eq!(deployed.target()["region"], REGION);
    // The flag wins.
    cloud.create("other");
    let other = run(&project, &cloud, &["deploy", "--function=other"]);
    assert_eq!(other.target()["status"], "deployed", "{other:?}");
    assert_eq!(cloud.function("other").live("live").0, "2");
}

#[test]
fn several_functions_are_deployed_at_once_and_all_are_checked_first() {
    let cloud = Cloud::start();
    cloud.create("store");
    let second = TARGET.replace("target.api", "target.web").replace("\"shop\"", "\"store\"");
    let third = TARGET.replace("target.api", "target.layer").replace("function = \"shop\"\nalias = \"live\"\n", "");
    let project = TestProject::example(&format!("{TARGET}{second}{third}"));
    let deployed = run(&project, &cloud, &["deploy"]);
    let statuses = |ended: &crate::Ended| {
        let document = ended.document();
        let targets = document["targets"].as_array().unwrap().clone();
        targets.iter().map(|target| target["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((deployed.status, statuses(&deployed)), (Some(0), vec!["deployed".to_owned(); 2]), "{deployed:?}");

    edit(&project, "VERSION = 2");
    let planned = run(&project, &cloud, &["deploy", "--dry-run"]).document();
    for (target, name) in planned["targets"].as_array().unwrap().iter().zip(["api", "web"]) {
        let changes = &target["changes"];
        assert_eq!((&target["name"], &changes["files"][0]["path"]), (&json!(name), &json!("app.py")), "{planned}");
        assert!(changes.to_string().contains(&format!("{name}, live")), "{changes}");
    }
    // One that cannot take its code stops the others before anything is changed.
    cloud.with("store", |function| function.architecture = "arm64".to_owned());
    let stopped = run(&project, &cloud, &["deploy"]);
    assert_eq!((stopped.status, statuses(&stopped)), (Some(1), vec!["skipped".to_owned(), "failed".to_owned()]));
    assert_eq!(cloud.function("shop").live("live").0, "2");
    // And so does one that cannot be built.
    cloud.with("store", |function| function.architecture = "x86_64".to_owned());
    let pyproject = project.0.read("pyproject.toml").replacen("app.handler", "app.missing", 1);
    project.0.write("pyproject.toml", pyproject.as_bytes());
    let stopped = run(&project, &cloud, &["deploy"]);
    assert_eq!((stopped.status, statuses(&stopped)), (Some(1), vec!["failed".to_owned(), "skipped".to_owned()]));
    assert_eq!(cloud.function("store").live("live").0, "2");
}

#[test]
fn an_alias_is_created_on_request() {
    let (cloud, project) = (Cloud::start(), example());
    let missing = run(&project, &cloud, &["deploy", "--alias=lvie"]);
    assert_eq!(missing.status, Some(1));
    assert!(missing.err.contains("function shop has no alias `lvie`") && missing.err.contains("did you mean `live`?"));
    cloud.with("shop", |function| function.remove_aliases());
    let missing = run(&project, &cloud, &["deploy"]);
    assert!(missing.err.contains("hint: an alias is created by a deployment with --create-alias"), "{missing:?}");
    let created = run(&project, &cloud, &["deploy", "--create-alias"]);
    assert_eq!((created.status, created.target()["version"].as_str()), (Some(0), Some("2")), "{created:?}");
    assert_eq!(cloud.function("shop").live("live").0, "2");
    assert_eq!(run(&project, &cloud, &["deploy", "--create-alias"]).target()["status"], "unchanged");
}

#[test]
fn a_change_of_the_configuration_does_not_disturb() {
    let (cloud, project) = (Cloud::start(), example());
    // While it is checked, somebody changes the memory; later again.
    cloud.interfere("UpdateFunctionCode", |function| function.reconfigure());
    cloud.interfere("PublishVersion", |function| function.begin_update());
    let deployed = run(&project, &cloud, &["deploy"]);
    assert_eq!((deployed.status, deployed.target()["version"].as_str()), (Some(0), Some("2")), "{deployed:?}");
}

/// The code that the function has at first cannot be downloaded.
#[test]
fn a_dry_run_tells_that_it_cannot_compare() {
    let (cloud, project) = (Cloud::start(), example());
    let planned = run(&project, &cloud, &["deploy", "--dry-run"]);
    assert_eq!((planned.status, &planned.target()["changes"]), (Some(0), &json!(null)), "{planned:?}");
    let expected = "warning: api: cannot compare what is built with what is live: the server returned status 403";
    assert!(planned.err.contains(expected), "{planned:?}");
}
