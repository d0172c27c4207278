//! Layers that a function has and its target does not name: those that the project publishes are removed, and others stay.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::layer_versions::arn;
use crate::layers::{OLD_LAYER, targets};
use crate::test_project::TestProject;
use crate::{command, edit, ended, run};

const OTHER: &str = "arn:aws:lambda:eu-west-1:999999999999:layer:traces";

/// Replaces the layer that the function names.
fn name_layer(project: &TestProject, layers: &str) {
    let pyproject = project.0.read("pyproject.toml");
    let at = pyproject.find("\nlayers = ").unwrap() + 1;
    let line = pyproject[at..].lines().next().unwrap();
    project.0.write("pyproject.toml", pyproject.replacen(line, &format!("layers = {layers}"), 1).as_bytes());
}

#[test]
fn a_layer_that_is_not_named_any_more_is_removed_after_the_code() {
    for has_alias in [true, false] {
        let targets = format!("{}{OLD_LAYER}", targets());
        let targets = if has_alias { targets } else { targets.replace("alias = \"live\"\n", "") };
        let (cloud, project) = (Cloud::start(), TestProject::example(&targets));
        let other = format!("{OTHER}:7");
        // Of the same name as the project's, but in another account.
        let same_name = "arn:aws:lambda:eu-west-1:999999999999:layer:shop-old:1".to_owned();
        cloud.with("shop", |function| function.set_layers(&[other.clone(), same_name.clone()]));
        name_layer(&project, "[\"old\"]");
        assert_eq!(run(&project, &cloud, &["deploy", "api"]).status, Some(0));
        let earlier = cloud.function("shop").latest_code().to_owned();
        let old = arn("shop-old", 1);
        assert_eq!(cloud.function("shop").latest_layers(), [other.clone(), same_name.clone(), old.clone()]);

        name_layer(&project, "[\"common\"]");
        let of_layers = |ended: &crate::Ended| {
            let layers = ended.target()["layers"].as_array().unwrap().clone();
            let fields =
                |layer: &Value| json!([layer["layer"], layer["change"], layer["version"], layer["previous_version"]]);
            layers.iter().map(fields).collect::<Vec<_>>()
        };
        let layer = |version: &str| version.rsplit_once(':').unwrap().0.to_owned();
        let expected = |version: Value| {
            [
                json!([OTHER, "kept", 7, 7]),
                json!([layer(&same_name), "kept", 1, 1]),
                json!([layer(&arn("shop-common", 1)), "added", version, null]),
                json!([layer(&old), "removed", null, 1]),
            ]
        };
        let planned = run(&project, &cloud, &["deploy", "api", "--dry-run"]);
        assert_eq!(of_layers(&planned), expected(json!(null)), "{planned:?}");
        let page = ended(&mut command(&project, &cloud.url(), &["deploy", "api", "--dry-run"])).out;
        let line =
            "layers of api: traces:7 kept, shop-old:1 kept, shop-common would be added, shop-old:1 would be removed";
        assert!(page.contains(line), "{page}");
        let before = cloud.function("shop").moments().len();
        let deployed = run(&project, &cloud, &["deploy", "api"]);
        assert_eq!((deployed.status, cloud.rejected()), (Some(0), Vec::new()), "{deployed:?}");
        assert_eq!(of_layers(&deployed), expected(json!(1)));
        let function = cloud.function("shop");
        let (both, after) = (
            vec![other.clone(), same_name.clone(), old.clone(), arn("shop-common", 1)],
            vec![other.clone(), same_name.clone(), arn("shop-common", 1)],
        );
        let now = function.latest_code().to_owned();
        assert_eq!(function.moments()[before..], [(earlier, both.clone()), (now.clone(), both), (now, after.clone())]);
        // A second time, nothing changes.
        let requests = cloud.requests().len();
        assert_eq!(run(&project, &cloud, &["deploy", "api"]).target()["status"], "unchanged");
        assert!(
            cloud.requests()[requests..].iter().all(|action| action.starts_with("Get") || action.starts_with("List"))
        );
        if has_alias {
            assert_eq!(function.live_layers("live"), after);
            assert_eq!(run(&project, &cloud, &["deploy", "api", "--rollback"]).status, Some(0));
            assert_eq!(cloud.function("shop").live_layers("live"), [other, same_name, old]);
        }
    }
}

#[test]
fn a_function_has_at_most_five_layers_at_any_time() {
    let targets = format!("{}{OLD_LAYER}", targets());
    let (cloud, project) = (Cloud::start(), TestProject::example(&targets));
    let others: Vec<String> = (1..=5).map(|number| format!("{OTHER}{number}:1")).collect();
    cloud.with("shop", |function| function.set_layers(&others));
    let refused = run(&project, &cloud, &["deploy", "api"]);
    for text in [
        "cannot deploy to shop:live: nothing was changed",
        &format!("the function would have 6 layers, and Lambda allows 5: {}, ", others[0]),
        "hint: name fewer layers, or remove those of others from the function",
    ] {
        assert!(refused.status == Some(1) && refused.err.contains(text), "{text}: {refused:?}");
    }
    // As the hint says, and one that is replaced by another.
    cloud.publish_layer("shop-old");
    let current = [&others[..4], &[arn("shop-old", 1)]].concat();
    cloud.with("shop", |function| function.set_layers(&current));
    let latest = TestProject::example(&targets.replace("alias = \"live\"\n", ""));
    let refused = run(&latest, &cloud, &["deploy", "api"]);
    for text in [
        "cannot deploy to shop: nothing was changed",
        "the function would have 6 layers until its code is updated, and Lambda allows 5: ",
        "hint: set `alias`: the callers of an alias get code and layers at once",
    ] {
        assert!(refused.status == Some(1) && refused.err.contains(text), "{text}: {refused:?}");
    }
    assert!(!cloud.requests().iter().any(|action| action.starts_with("Update") || action.starts_with("Publish")));
    let deployed = run(&latest, &cloud, &["deploy", "api", "--alias=live"]);
    assert_eq!((deployed.status, cloud.rejected()), (Some(0), Vec::new()), "{deployed:?}");
    assert_eq!(cloud.function("shop").live_layers("live"), [&others[..4], &[arn("shop-common", 1)]].concat());
}

#[test]
fn existing_layers_are_named_by_their_arns() {
    let (cloud, project) = (Cloud::start(), TestProject::example(&targets()));
    edit(&project, "import extras");
    let missing = run(&project, &cloud, &["deploy", "api"]);
    let import = "imports `extras`, which is neither in the artifact nor in Python 3.12";
    assert!(missing.status == Some(1) && missing.err.contains(import), "{missing:?}");

    let extras = "arn:aws:lambda:eu-west-1:999999999999:layer:extras";
    name_layer(&project, &format!("[\"common\", \"{extras}:7\"]"));
    let deployed = run(&project, &cloud, &["deploy", "api"]);
    assert_eq!((deployed.status, cloud.rejected()), (Some(0), Vec::new()), "{deployed:?}");
    assert_eq!(cloud.function("shop").live_layers("live"), [arn("shop-common", 1), format!("{extras}:7")]);
    // What is not known is said once.
    let unknown = format!("warning: api: the content of {extras}:7 is not known: what is missing may be in it");
    assert_eq!((deployed.err.matches(&unknown).count(), deployed.err.matches(import).count()), (1, 1), "{deployed:?}");
    // Their order and their versions are as they are named.
    name_layer(&project, &format!("[\"{extras}:8\", \"common\"]"));
    let deployed = run(&project, &cloud, &["deploy", "api"]);
    assert_eq!((deployed.status, &deployed.target()["version"]), (Some(0), &json!("3")), "{deployed:?}");
    assert_eq!(cloud.function("shop").live_layers("live"), [format!("{extras}:8"), arn("shop-common", 1)]);

    for (named, texts) in [
        (
            extras.replace("eu-west-1", "us-east-1") + ":7",
            ["is in us-east-1, but the function is in eu-west-1", "hint: name a version of the layer in eu-west-1"],
        ),
        (
            extras.to_owned(),
            ["is not a version of a layer: expected arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION"; 2],
        ),
    ] {
        name_layer(&project, &format!("[\"{named}\"]"));
        let refused = run(&project, &cloud, &["deploy", "api"]);
        assert!(refused.status == Some(1) && texts.iter().all(|text| refused.err.contains(text)), "{refused:?}");
    }
    let six: Vec<String> = (1..=6).map(|number| format!("{extras}{number}:1")).collect();
    name_layer(&project, &format!("{six:?}"));
    let refused = run(&project, &cloud, &["deploy", "api"]);
    assert!(refused.err.contains("the function has 6 layers, but Lambda allows 5: arn:aws:"), "{refused:?}");
}
