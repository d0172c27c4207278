//! The same against moto, which others wrote: requests and answers are understood by both.

use std::process::Command;

use crate::moto::{Moto, program};
use crate::support::command::succeed;
use crate::{command, edit, ended, example};

/// Creates the function, or shows it.
const CLIENT: &str = r#"
import boto3, io, sys, zipfile
client = lambda name: boto3.client(name, endpoint_url=sys.argv[1], region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
functions = client("lambda")
if sys.argv[2] == "create":
    role = client("iam").create_role(RoleName="shop", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): ...")
    functions.create_function(FunctionName="shop", Runtime="python3.12", Role=role, Handler="app.handler",
                              Code={"ZipFile": code.getvalue()}, Publish=True)
    functions.create_alias(FunctionName="shop", Name="live", FunctionVersion="1")
else:
    alias = functions.get_alias(FunctionName="shop", Name="live")
    live = functions.get_function(FunctionName="shop", Qualifier=alias["FunctionVersion"])["Configuration"]
    print(alias["FunctionVersion"], alias["Description"], live["CodeSha256"])
"#;

fn boto3(moto: &Moto, action: &str) -> String {
    let mut python = Command::new(program("python3"));
    succeed(python.args(["-c", CLIENT, &moto.url, action])).trim().to_owned()
}

#[test]
fn moto_has_the_code_behind_the_alias() {
    let (moto, project) = (Moto::start(), example());
    boto3(&moto, "create");
    let run = |arguments: &[&str]| {
        let ended = ended(command(&project, &moto.url, arguments).arg("--json"));
        assert_eq!(ended.status, Some(0), "{ended:?}");
        ended.target()
    };
    let first = run(&["deploy"]);
    assert_eq!((first["status"].as_str(), first["previous_version"].as_str()), (Some("deployed"), Some("1")));
    let code = first["code_sha256"].as_str().unwrap();
    assert_eq!(boto3(&moto, "show"), format!("2 [pybundle: 1 -> 2] {code}"));
    assert_eq!(run(&["deploy"])["status"], "unchanged");
    edit(&project, "VERSION = 2");
    assert_eq!(run(&["deploy"])["version"], "3");
    assert_eq!(run(&["deploy", "--rollback"])["version"], "2");
    assert_eq!(boto3(&moto, "show"), format!("2 [pybundle: 3 -> 2] {code}"));
}
