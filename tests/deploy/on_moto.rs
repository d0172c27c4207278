//! The same against moto, which others wrote: requests and answers are understood by both.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::moto::{Moto, program};
use crate::support::artifact::sha256;
use crate::support::command::succeed;
use crate::test_project::TestProject;
use crate::{TARGET, command, edit, ended, example};

/// The layer in moto's account.
const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:layer:shop-common";

/// A role of another account: whoever assumes it sees that account's functions.
const ROLE: &str = "arn:aws:iam::111122223333:role/deployer";

/// Creates the function, or shows it, in the account of a role if one is named.
const CLIENT: &str = r#"
import boto3, hashlib, io, sys, zipfile
keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
client = lambda name: boto3.client(name, endpoint_url=sys.argv[1], region_name="eu-west-1", **keys)
if len(sys.argv) > 3:
    assumed = client("sts").assume_role(RoleArn=sys.argv[3], RoleSessionName="test")["Credentials"]
    keys = {"aws_access_key_id": assumed["AccessKeyId"], "aws_secret_access_key": assumed["SecretAccessKey"],
            "aws_session_token": assumed["SessionToken"]}
functions = client("lambda")
if sys.argv[2] == "create":
    role = client("iam").create_role(RoleName="shop", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): ...")
    functions.create_function(FunctionName="shop", Runtime="python3.12", Role=role, Handler="app.handler",
                              Code={"ZipFile": code.getvalue()}, Publish=True)
    functions.create_alias(FunctionName="shop", Name="live", FunctionVersion="1")
    if len(sys.argv) == 3:
        client("s3").create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
elif sys.argv[2] == "layers":
    latest = max(each["Version"] for each in functions.list_layer_versions(LayerName="shop-common")["LayerVersions"])
    layer = functions.get_layer_version(LayerName="shop-common", VersionNumber=latest)
    print(latest, layer["Content"]["CodeSha256"], layer["CompatibleRuntimes"], layer["CompatibleArchitectures"])
    alias = functions.get_alias(FunctionName="shop", Name="live")
    live = functions.get_function(FunctionName="shop", Qualifier=alias["FunctionVersion"])["Configuration"]
    print(*(each["Arn"] for each in live["Layers"]))
elif sys.argv[2] == "objects":
    s3 = client("s3")
    for each in s3.list_objects_v2(Bucket="artifacts")["Contents"]:
        body = s3.get_object(Bucket="artifacts", Key=each["Key"])["Body"].read()
        print(each["Key"], hashlib.sha256(body).hexdigest(), len(body))
else:
    alias = functions.get_alias(FunctionName="shop", Name="live")
    live = functions.get_function(FunctionName="shop", Qualifier=alias["FunctionVersion"])["Configuration"]
    print(alias["FunctionVersion"], alias["Description"], live["CodeSha256"])
"#;

fn boto3(moto: &Moto, arguments: &[&str]) -> String {
    let mut python = Command::new(program("python3"));
    succeed(python.args(["-c", CLIENT, &moto.url]).args(arguments)).trim().to_owned()
}

#[test]
fn moto_has_the_code_behind_the_alias() {
    let (moto, project) = (Moto::start(), example());
    boto3(&moto, &["create"]);
    let run = |arguments: &[&str]| {
        let ended = ended(command(&project, &moto.url, arguments).arg("--json"));
        assert_eq!(ended.status, Some(0), "{ended:?}");
        ended.target()
    };
    let first = run(&["deploy"]);
    assert_eq!((first["status"].as_str(), first["previous_version"].as_str()), (Some("deployed"), Some("1")));
    let code = first["code_sha256"].as_str().unwrap();
    assert_eq!(boto3(&moto, &["show"]), format!("2 [pybundle: 1 -> 2] {code}"));
    assert_eq!(run(&["deploy"])["status"], "unchanged");
    edit(&project, "VERSION = 2");
    assert_eq!(run(&["deploy"])["version"], "3");
    assert_eq!(run(&["deploy", "--rollback"])["version"], "2");
    assert_eq!(boto3(&moto, &["show"]), format!("2 [pybundle: 3 -> 2] {code}"));
    for (target, expected) in [
        (TARGET.replace("\"shop\"", "\"store\""), "function store does not exist in eu-west-1"),
        (TARGET.replace("\"live\"", "\"beta\""), "function shop has no alias `beta`"),
    ] {
        let unknown = ended(&mut command(&TestProject::example(&target), &moto.url, &["deploy", "--rollback"]));
        assert!(unknown.status == Some(1) && unknown.err.contains(expected), "{unknown:?}");
    }

    // The function of the other account, which only the role sees, gets the code; this account's stays.
    boto3(&moto, &["create", ROLE]);
    let config = format!(
        "[profile keys]\naws_access_key_id = x\naws_secret_access_key = x\n\n\
         [profile deployer]\nregion = eu-west-1\nrole_arn = {ROLE}\nsource_profile = keys\n"
    );
    project.0.write("home/.aws/config", config.as_bytes());
    let mut assumed = command(&project, &moto.url, &["deploy", "--json"]);
    for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        assumed.env_remove(name);
    }
    let deployed = ended(assumed.env("AWS_PROFILE", "deployer"));
    assert_eq!(deployed.status, Some(0), "{deployed:?}");
    let other = deployed.target()["code_sha256"].as_str().unwrap().to_owned();
    assert_eq!(boto3(&moto, &["show", ROLE]), format!("2 [pybundle: 1 -> 2] {other}"));
    assert_eq!(boto3(&moto, &["show"]), format!("2 [pybundle: 3 -> 2] {code}"));
}

#[test]
fn moto_has_the_layer_behind_the_function() {
    let layer = "layers = [\"common\"]\n[tool.pybundle.target.common]\nkind = \"layer\"\nruntime = \"python3.12\"\n\
        layer-name = \"shop-common\"\n";
    let (moto, project) = (Moto::start(), TestProject::example(&format!("{TARGET}{layer}")));
    boto3(&moto, &["create"]);
    let run = |arguments: &[&str]| {
        let ended = ended(command(&project, &moto.url, arguments).arg("--json"));
        assert_eq!(ended.status, Some(0), "{ended:?}");
        ended.document()
    };
    let first = run(&["deploy"]);
    let code = first["layers"][0]["code_sha256"].as_str().unwrap();
    assert_eq!(boto3(&moto, &["layers"]), format!("1 {code} ['python3.12'] ['x86_64']\n{ARN}:1"));
    let again = run(&["deploy"]);
    assert_eq!(
        (&again["layers"][0]["status"], &again["targets"][0]["status"]),
        (&json!("unchanged"), &json!("unchanged"))
    );
    let pyproject = project.0.read("pyproject.toml");
    let less = pyproject.replace("kind = \"layer\"\n", "kind = \"layer\"\ndistributions = [\"example-tally\"]\n");
    project.0.write("pyproject.toml", less.as_bytes());
    let second = run(&["deploy"]);
    let code = second["layers"][0]["code_sha256"].as_str().unwrap();
    assert_eq!(boto3(&moto, &["layers"]), format!("2 {code} ['python3.12'] ['x86_64']\n{ARN}:2"));
}

#[test]
fn the_objects_of_moto_are_the_zips() {
    let (moto, project) = (Moto::start(), crate::buckets::example(17 << 20));
    boto3(&moto, &["create"]);
    let mut sent = Vec::new();
    for edit_number in 0..2 {
        let deployed = ended(command(&project, &moto.url, &["deploy"]).arg("--json"));
        assert_eq!(deployed.status, Some(0), "{deployed:?}");
        sent.push(deployed.target()["uploaded_bytes"].as_u64().unwrap());
        let zip = fs::read(project.0.path().join("dist/api.zip")).unwrap();
        let digest = sha256(&zip);
        let expected = format!("shop/{digest}.zip {digest} {}", zip.len());
        assert!(boto3(&moto, &["objects"]).lines().any(|line| line == expected), "{expected}");
        edit(&project, &format!("VERSION = {edit_number}"));
    }
    assert!(sent[0] > 17 << 20 && sent[1] < 100 << 10, "{sent:?}");
}
