//! `pybundle deploy --rollback`.

use serde_json::json;

use crate::cloud::Cloud;
use crate::test_project::TestProject;
use crate::{TARGET, command, edit, ended, example, run};

#[test]
fn the_alias_returns_to_the_version_before() {
    let (cloud, project) = (Cloud::start(), example());
    assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
    edit(&project, "VERSION = 2");
    assert_eq!(run(&project, &cloud, &["deploy"]).target()["version"], "3");
    let back = run(&project, &cloud, &["deploy", "--rollback"]);
    let expected = json!({
        "name": "api", "function": "shop", "alias": "live", "region": "eu-west-1", "status": "rolled-back",
        "version": "2", "previous_version": "3",
    });
    assert_eq!((back.status, back.target()), (Some(0), expected), "{back:?}");
    assert_eq!(cloud.function("shop").live("live").0, "2");
    // Again: undone. And the code that is still in $LATEST is deployed without being sent.
    assert_eq!(run(&project, &cloud, &["deploy", "--rollback"]).target()["version"], "3");
    assert_eq!(run(&project, &cloud, &["deploy", "--rollback"]).target()["version"], "2");
    assert_eq!(run(&project, &cloud, &["deploy"]).target()["version"], "3");
    assert_eq!(cloud.requests().iter().filter(|action| *action == "UpdateFunctionCode").count(), 2);
    let page = ended(&mut command(&project, &cloud.url(), &["deploy", "--rollback"])).out;
    assert!(page.contains("3 -> 2") && page.contains("1 target: 1 rolled back, in "), "{page}");
}

#[test]
fn what_was_not_recorded_cannot_be_rolled_back() {
    let (cloud, project) = (Cloud::start(), example());
    let unknown = run(&project, &cloud, &["deploy", "--rollback"]);
    assert_eq!(unknown.status, Some(1));
    for text in [
        "cannot roll back shop:live: version 1 stays live",
        "cannot roll back: no earlier version of alias `live` is recorded for version 1",
        "hint: choose a version of `aws lambda list-versions-by-function --function-name shop`, and run `aws lambda update-alias --function-name shop --name live --function-version VERSION`",
    ] {
        assert!(unknown.err.contains(text), "{text}: {unknown:?}");
    }
    assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
    // Somebody else moves the alias: what was before is not known any more.
    cloud.with("shop", |function| function.move_alias());
    let unknown = run(&project, &cloud, &["deploy", "--rollback"]);
    assert!(unknown.err.contains("is recorded for version 3"), "{unknown:?}");

    let (cloud, project) = (Cloud::start(), example());
    assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
    cloud.with("shop", |function| function.remove_version(1));
    let deleted = run(&project, &cloud, &["deploy", "--rollback"]);
    assert!(deleted.err.contains("version 1, which the alias pointed to before, was deleted"), "{deleted:?}");
    assert!(deleted.err.contains("hint: check out the earlier revision and deploy it"), "{deleted:?}");

    cloud.with("shop", |function| function.remove_aliases());
    let unknown = run(&project, &cloud, &["deploy", "--rollback"]);
    assert!(unknown.err.contains("function shop has no alias `live`"), "{unknown:?}");
    let project = TestProject::example(&TARGET.replace("\"shop\"", "\"shpo\""));
    let unknown = run(&project, &cloud, &["deploy", "--rollback"]);
    for text in [
        "cannot roll back shpo:live: nothing was changed",
        "function shpo does not exist in eu-west-1",
        "hint: did you mean `shop`?",
    ] {
        assert!(unknown.err.contains(text), "{text}: {unknown:?}");
    }
    // What the suggestions need is not granted to everybody.
    ["ListAliases", "ListFunctions"].iter().for_each(|action| cloud.deny(action));
    let unknown = run(&project, &cloud, &["deploy", "--rollback"]);
    assert!(unknown.err.contains("function shpo does not exist in eu-west-1"), "{unknown:?}");
    assert!(unknown.err.contains("hint: create the function first, or choose its region"), "{unknown:?}");

    let project = TestProject::example(&TARGET.replace("alias = \"live\"\n", ""));
    let latest = run(&project, &cloud, &["deploy", "--rollback"]);
    assert!(latest.err.contains("a function without an alias cannot be rolled back"), "{latest:?}");
    assert!(
        latest.err.contains("hint: check out the earlier revision and deploy it, and give the function an `alias`")
    );
}
