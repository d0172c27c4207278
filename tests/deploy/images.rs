//! Functions of package type `Image`.

use crate::cloud::Cloud;
use crate::registry::{MemoryRegistry, Profile};
use crate::test_project::TestProject;
use crate::tiny::Tiny;
use crate::{command, edit, ended, run};

#[test]
fn an_image_is_pushed_and_deployed_by_its_digest() {
    let (cloud, registry) = (Cloud::start(), MemoryRegistry::start(Profile::Plain));
    let target = format!(
        "\n[tool.pybundle.target.web]\nkind = \"image\"\nbase = \"oci:base\"\ncmd = [\"python\", \"app.py\"]\n\
         tag = \"{}/team/shop:1\"\nfunction = \"shop\"\nalias = \"live\"\n",
        registry.host()
    );
    let project = TestProject::example(&target);
    Tiny::python().write(&project.0.path().join("base"));
    let refused = run(&project, &cloud, &["deploy"]);
    assert!(
        refused.err.contains("the function has package type Zip, but the artifact is built for Image"),
        "{refused:?}"
    );

    cloud.with("shop", |function| function.package_type = "Image".to_owned());
    for version in ["2", "3"] {
        let deployed = run(&project, &cloud, &["deploy"]);
        assert_eq!((deployed.status, cloud.rejected()), (Some(0), Vec::new()), "{deployed:?}");
        assert_eq!(deployed.target()["version"], version);
        let digest = deployed.target()["code_sha256"].as_str().unwrap().to_owned();
        assert_eq!(cloud.function("shop").live("live").1, digest);
        // The registry has the image under its tag.
        let pushed = registry.document("team/shop", &format!("sha256:{digest}"));
        assert!(pushed.is_some() && pushed == registry.document("team/shop", "1"));
        assert_eq!(run(&project, &cloud, &["deploy"]).target()["status"], "unchanged");
        edit(&project, "VERSION = 2");
    }
    assert_eq!(run(&project, &cloud, &["deploy", "--rollback"]).target()["version"], "2");
}

#[test]
fn images_need_a_tag_and_one_platform() {
    let cloud = Cloud::start();
    let target = "\n[tool.pybundle.target.web]\nkind = \"image\"\nbase = \"oci:base\"\nfunction = \"shop\"\n";
    let project = TestProject::example(target);
    let untagged = ended(&mut command(&project, &cloud.url(), &["deploy"]));
    assert!(untagged.err.contains("the image of target `web` has no tag"), "{untagged:?}");
    assert!(untagged.err.contains("hint: set `tag` of the target to a repository in Amazon ECR"), "{untagged:?}");
    let several = ["deploy", "--tag=localhost:1/shop:1", "--platform=linux/amd64,linux/arm64"];
    let several = ended(&mut command(&project, &cloud.url(), &several));
    assert!(several.err.contains("is an image for several platforms: a function has one architecture"), "{several:?}");
    assert!(
        several.err.contains("hint: choose the function's architecture with --platform linux/amd64"),
        "{several:?}"
    );
    assert_eq!(cloud.requests(), [""; 0]);
}
