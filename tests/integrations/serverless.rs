//! osls, the free fork of the Serverless Framework.

use serde_json::Value;

use crate::support::command::succeed;
use crate::{built, installed, offline, recipes, shop};

/// Without credentials, and without a request to AWS.
#[test]
fn osls_packages_the_artifact_as_it_is() {
    let project = shop();
    let artifact = built(&project, "api");
    project.write("serverless.yml", recipes("Serverless Framework", "yaml")[0].as_bytes());
    let mut osls = offline(&installed("bin/node"), project.path());
    succeed(osls.arg(installed("npm/node_modules/osls/bin/serverless.js")).arg("package"));
    let template = project.read(".serverless/cloudformation-template-update-stack.json");
    let template: Value = serde_json::from_str(&template).unwrap();
    let resources = template["Resources"].as_object().unwrap().values();
    let versions: Vec<&Value> = resources.filter(|resource| resource["Type"] == "AWS::Lambda::Version").collect();
    assert_eq!(versions.len(), 2);
    for version in versions {
        assert_eq!(version["Properties"]["CodeSha256"], artifact["code_sha256"]);
    }
}
