//! The credentials and the region are found as by AWS's own tools.

use crate::cloud::{ACCESS_KEY, Cloud, REGION, SECRET_KEY, SESSION_TOKEN};
use crate::{command, ended, example};

#[test]
fn profiles_have_keys_and_the_region() {
    let (cloud, project) = (Cloud::start(), example());
    let config = format!(
        "[profile work]\nregion = {REGION}\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n\
         aws_session_token = {SESSION_TOKEN}\nservices = local\n\n[services local]\nlambda =\n  endpoint_url = {}\n",
        cloud.url()
    );
    project.0.write("home/.aws/config", config.as_bytes());
    let mut deploy = command(&project, "", &["deploy", "--json"]);
    for name in ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        deploy.env_remove(name);
    }
    let deployed = ended(deploy.env("AWS_PROFILE", "work"));
    assert_eq!((deployed.status, cloud.rejected()), (Some(0), Vec::new()), "{deployed:?}");
    assert_eq!(deployed.target()["region"], REGION);
    // What is configured and fails ends the search.
    let failed = ended(deploy.env("AWS_PROFILE", "other").env("AWS_REGION", REGION));
    assert!(failed.err.contains("cannot load the AWS credentials"), "{failed:?}");
    assert!(failed.err.contains("the AWS profile `other` does not exist"), "{failed:?}");
}
