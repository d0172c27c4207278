//! Layers that are published, and functions that get their versions.

use std::fs;

use serde_json::{Value, json};

use crate::cloud::{Cloud, Fault, REGION};
use crate::faults::{each, positions};
use crate::lambda::code_sha256;
use crate::layer_versions::arn;
use crate::test_project::TestProject;
use crate::{TARGET, command, edit, ended, run};

/// A layer, and a function that names it.
pub(crate) fn targets() -> String {
    let layer =
        "[tool.pybundle.target.common]\nkind = \"layer\"\nruntime = \"python3.12\"\nlayer-name = \"shop-common\"\n";
    format!("{TARGET}layers = [\"common\"]\n{layer}")
}

/// A layer that no function names.
pub(crate) const OLD_LAYER: &str = "[tool.pybundle.target.old]\nkind = \"layer\"\nruntime = \"python3.12\"\n\
    distributions = [\"example-tally\"]\nlayer-name = \"shop-old\"\n";

fn example() -> TestProject {
    TestProject::example(&targets())
}

fn zip(project: &TestProject) -> String {
    code_sha256(&fs::read(project.0.path().join("dist/common.zip")).unwrap())
}

/// Lets the layer contain less.
fn change_layer(project: &TestProject) {
    let pyproject = project.0.read("pyproject.toml");
    let less = pyproject.replace("kind = \"layer\"\n", "kind = \"layer\"\ndistributions = [\"example-tally\"]\n");
    project.0.write("pyproject.toml", less.as_bytes());
}

fn layer(document: &Value) -> &Value {
    &document["layers"][0]
}

#[test]
fn a_layer_is_published_and_its_function_gets_it() {
    let (cloud, project) = (Cloud::start(), example());
    let planned = run(&project, &cloud, &["deploy", "--dry-run"]).document();
    assert_eq!((&layer(&planned)["status"], &planned["targets"][0]["status"]), (&json!("planned"), &json!("planned")));
    assert_eq!(cloud.layers(|layers| layers.len()), 0);
    let before = cloud.requests().len();
    let first = run(&project, &cloud, &["deploy"]);
    assert_eq!((first.status, cloud.rejected()), (Some(0), Vec::new()), "{first:?}");
    let size = fs::metadata(project.0.path().join("dist/common.zip")).unwrap().len();
    assert_eq!(
        layer(&first.document()),
        &json!({
            "name": "common", "layer": "shop-common", "region": REGION, "status": "deployed", "version": "1",
            "previous_version": null, "code_sha256": zip(&project), "uploaded_bytes": size,
        })
    );
    let published = cloud.layers(|layers| layers["shop-common"].clone());
    assert_eq!((published.len(), &published[0].code_sha256), (1, &zip(&project)));
    assert_eq!((&published[0].runtimes, &published[0].architectures), (&json!(["python3.12"]), &json!(["x86_64"])));
    let function = cloud.function("shop");
    assert_eq!((function.live("live").0, function.live_layers("live")), ("2", &[arn("shop-common", 1)][..]));
    // The layer is there before the code that needs it, and the alias moves last.
    let changes = |requests: &[String]| {
        let changes = requests.iter().filter(|action| !action.starts_with("Get") && !action.starts_with("List"));
        changes.cloned().collect::<Vec<_>>()
    };
    let expected =
        ["PublishLayerVersion", "UpdateFunctionConfiguration", "UpdateFunctionCode", "PublishVersion", "UpdateAlias"];
    assert_eq!(changes(&cloud.requests()[before..]), expected);

    // A second time, nothing changes; after an edit of the application, the layer stays.
    let before = cloud.requests().len();
    let again = run(&project, &cloud, &["deploy", "api"]).document();
    assert_eq!((&layer(&again)["status"], &again["targets"][0]["status"]), (&json!("unchanged"), &json!("unchanged")));
    assert_eq!(changes(&cloud.requests()[before..]), [""; 0]);
    edit(&project, "VERSION = 2");
    assert_eq!(layer(&run(&project, &cloud, &["deploy"]).document())["status"], "unchanged");
    assert_eq!(cloud.function("shop").live_layers("live"), [arn("shop-common", 1)]);

    // A new version replaces the earlier one; the code comes first.
    change_layer(&project);
    let before = cloud.requests().len();
    let page = crate::support::command::succeed(&mut command(&project, &cloud.url(), &["deploy"]));
    assert!(page.contains("layer shop-common") && page.contains("1 -> 2") && page.contains("3 -> 4"), "{page}");
    assert!(page.contains("2 targets: 2 deployed, in "), "{page}");
    let expected =
        ["PublishLayerVersion", "UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion", "UpdateAlias"];
    assert_eq!(changes(&cloud.requests()[before..]), expected);
    let function = cloud.function("shop");
    assert_eq!(function.live_layers("live"), [arn("shop-common", 2)]);
    // A rollback returns to the version with its layers.
    let back = run(&project, &cloud, &["deploy", "api", "--rollback"]);
    assert_eq!((back.status, back.target()["version"].as_str()), (Some(0), Some("3")), "{back:?}");
    assert_eq!(cloud.function("shop").live_layers("live"), [arn("shop-common", 1)]);
}

#[test]
fn layers_of_others_stay() {
    let (cloud, project) = (Cloud::start(), example());
    let others =
        ["arn:aws:lambda:eu-west-1:999999999999:layer:traces:7", "arn:aws:lambda:eu-west-1:999999999999:layer:logs:1"];
    let others = others.map(str::to_owned);
    cloud.with("shop", |function| function.set_layers(&others));
    assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
    let [traces, logs] = others;
    assert_eq!(cloud.function("shop").live_layers("live"), [traces.clone(), logs.clone(), arn("shop-common", 1)]);
    // One that somebody adds meanwhile, too.
    change_layer(&project);
    cloud.interfere("UpdateFunctionConfiguration", |function| {
        let more = "arn:aws:lambda:eu-west-1:999999999999:layer:more:1".to_owned();
        function.set_layers(&[function.latest_layers(), &[more]].concat());
    });
    let deployed = run(&project, &cloud, &["deploy"]);
    assert_eq!(deployed.status, Some(0), "{deployed:?}");
    let more = "arn:aws:lambda:eu-west-1:999999999999:layer:more:1".to_owned();
    assert_eq!(cloud.function("shop").live_layers("live"), [traces, logs, arn("shop-common", 2), more]);
}

#[test]
fn a_layer_is_deployed_alone() {
    let (cloud, project) = (Cloud::start(), example());
    let deployed = run(&project, &cloud, &["deploy", "common"]);
    assert_eq!((deployed.status, deployed.document()["targets"].clone()), (Some(0), json!([])), "{deployed:?}");
    assert_eq!(layer(&deployed.document())["version"], "1");
    assert_eq!(cloud.function("shop").version_count(), 1);
    // What somebody published with the same content is used.
    let function = run(&project, &cloud, &["deploy", "api"]);
    assert_eq!((function.status, layer(&function.document())["status"].as_str()), (Some(0), Some("unchanged")));
}

#[test]
fn code_that_is_too_large_for_the_layer_is_replaced_first() {
    let (cloud, project) = (Cloud::start(), example());
    cloud.with("shop", |function| function.has_large_code = true);
    let deployed = run(&project, &cloud, &["deploy"]);
    assert_eq!(deployed.status, Some(0), "{deployed:?}");
    assert_eq!(cloud.function("shop").live_layers("live"), [arn("shop-common", 1)]);
}

#[test]
fn zips_of_layers_go_through_s3() {
    let bucket = "s3-bucket = \"artifacts\"\n";
    let (cloud, project) = (Cloud::start(), TestProject::example(&format!("{}{bucket}", targets())));
    let deployed = run(&project, &cloud, &["deploy"]);
    assert_eq!((deployed.status, cloud.rejected()), (Some(0), Vec::new()), "{deployed:?}");
    assert!(cloud.requests().contains(&"PutObject".to_owned()));
    assert_eq!(cloud.layers(|layers| layers["shop-common"][0].code_sha256.clone()), zip(&project));
}

#[test]
fn missing_permissions_of_layers_are_named_and_no_function_changes() {
    let actions = ["ListLayerVersions", "GetLayerVersion", "PublishLayerVersion", "UpdateFunctionConfiguration"];
    for action in actions {
        let (cloud, project) = (Cloud::start(), example());
        if action == "GetLayerVersion" {
            assert_eq!(run(&project, &cloud, &["deploy", "common"]).status, Some(0));
            change_layer(&project);
        }
        cloud.deny(action);
        let ended = run(&project, &cloud, &["deploy"]);
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.err.contains(&format!("hint: grant the identity the permission lambda:{action}")), "{ended:?}");
        let says = if action.contains("Layer") {
            "common: cannot publish layer shop-common: no function was changed"
        } else {
            "api: cannot deploy to shop:live: version 1 stays live"
        };
        assert!(ended.err.contains(says), "{ended:?}");
        assert_eq!(cloud.function("shop").live("live").0, "1");
        if action.contains("Layer") {
            assert_eq!(ended.target()["status"], "skipped");
        }
    }
}

/// Starts the emulation with a function that has a layer of the project, which its target does not name any more.
fn cloud_with_old_layer() -> Cloud {
    let cloud = Cloud::start();
    cloud.publish_layer("shop-old");
    cloud.with("shop", |function| function.set_layers(&[arn("shop-old", 1)]));
    cloud
}

/// Asserts that the earlier code always had the earlier layer, and the new code the new one.
fn check_moments(cloud: &Cloud, about: &str) {
    for (code, layers) in cloud.function("shop").moments() {
        let needed = if *code == code_sha256(b"first") { "shop-old" } else { "shop-common" };
        assert!(layers.contains(&arn(needed, 1)), "{about}: {code} has {layers:?}");
    }
}

#[test]
fn one_error_at_any_request_publishes_a_layer_once_and_removes_one() {
    for has_alias in [true, false] {
        let targets = format!("{}{OLD_LAYER}", targets());
        let targets = if has_alias { targets } else { targets.replace("alias = \"live\"\n", "") };
        let project = TestProject::example(&targets);
        let cloud = cloud_with_old_layer();
        assert_eq!(run(&project, &cloud, &["deploy", "api"]).status, Some(0));
        let requests = cloud.requests().len();
        for (series, fault) in Fault::ALL.into_iter().enumerate() {
            each(positions(requests, series), |position| {
                let cloud = cloud_with_old_layer();
                cloud.fault(position, fault);
                let ended = run(&project, &cloud, &["deploy", "api"]);
                let about = format!("{fault:?} at {position} of {requests}");
                assert_eq!((ended.status, cloud.rejected()), (Some(0), Vec::new()), "{about}: {ended:?}");
                assert_eq!(cloud.layers(|layers| layers["shop-common"].len()), 1, "{about}");
                let function = cloud.function("shop");
                let layers = if has_alias { function.live_layers("live") } else { function.latest_layers() };
                assert_eq!(layers, [arn("shop-common", 1)], "{about}");
                check_moments(&cloud, &about);
            });
        }
        // Without end: what is live is as before or new, and the same command continues.
        for (series, fault) in [Fault::Cut, Fault::Lost].into_iter().enumerate() {
            each(positions(requests, series), |position| {
                let cloud = cloud_with_old_layer();
                cloud.fault_from(position, fault);
                let ended = run(&project, &cloud, &["deploy", "api"]);
                let about = format!("{fault:?} from {position} of {requests}");
                let texts = ["no function was changed", "nothing was changed", "stays live", "cannot tell whether"];
                assert!(
                    ended.status == Some(0) || texts.iter().any(|text| ended.err.contains(text)),
                    "{about}: {ended:?}"
                );
                cloud.fault_from(usize::MAX, fault);
                assert_eq!(run(&project, &cloud, &["deploy", "api"]).status, Some(0), "{about}");
                check_moments(&cloud, &about);
                assert_eq!(cloud.layers(|layers| layers["shop-common"].len()), 1, "{about}");
            });
        }
    }
}

#[test]
fn layers_that_cannot_be_published_are_refused() {
    let cloud = Cloud::start();
    let unnamed = TestProject::example(&targets().replace("layer-name = \"shop-common\"\n", ""));
    for arguments in [&["deploy"][..], &["deploy", "common"]] {
        let ended = ended(&mut command(&unnamed, &cloud.url(), arguments));
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.err.contains("target `common` is a layer without `layer-name`"), "{ended:?}");
        assert!(ended.err.contains("hint: set `layer-name` in [tool.pybundle.target.common]"), "{ended:?}");
    }
    let other =
        "[tool.pybundle.target.other]\nkind = \"layer\"\nruntime = \"python3.12\"\nlayer-name = \"shop-common\"\n";
    let twice = TestProject::example(&format!("{}{other}", targets()));
    let refused = ended(&mut command(&twice, &cloud.url(), &["deploy"]));
    assert!(refused.err.contains("targets `common` and `other` publish the same layer"), "{refused:?}");
    assert!(refused.err.contains("hint: give each layer its own `layer-name`"), "{refused:?}");
    let elsewhere = TestProject::example(&format!("{}region = \"us-east-1\"\n", targets()));
    let refused = ended(&mut command(&elsewhere, &cloud.url(), &["deploy"]));
    let text = "layer shop-common is published to us-east-1, but the function is in eu-west-1";
    assert!(refused.status == Some(1) && refused.err.contains(text), "{refused:?}");
    assert!(refused.err.contains("hint: set the same `region` for both"), "{refused:?}");
    let named = TestProject::example(&targets().replace("shop-common", "shop common"));
    let refused = ended(&mut command(&named, &cloud.url(), &["deploy"]));
    assert!(refused.err.contains("`shop common` is not a valid layer name"), "{refused:?}");
    assert!(!cloud.requests().iter().any(|action| action.starts_with("Update") || action.starts_with("Publish")));
}

#[test]
fn a_dry_run_lists_what_a_layer_would_lose() {
    let (cloud, project) = (Cloud::start(), example());
    assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
    change_layer(&project);
    let planned = run(&project, &cloud, &["deploy", "--dry-run"]).document();
    let lost = layer(&planned)["changes"]["distributions"].as_array().unwrap();
    assert!(!lost.is_empty(), "{planned}");
    for distribution in lost {
        assert_eq!((&distribution["after"], &distribution["size_after"]), (&json!(null), &json!(0)), "{distribution}");
        assert!(distribution["size_before"].as_u64().unwrap() > 0 && distribution["name"] != "example-tally");
    }
}
