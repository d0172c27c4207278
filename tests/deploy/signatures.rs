//! The emulation accepts what botocore signs, and nothing else: so what it accepts of pybundle is signed as AWS demands.

use std::process::Command;

use crate::cloud::{ACCESS_KEY, Cloud, REGION, SECRET_KEY, SESSION_TOKEN};
use crate::moto::program;
use crate::support::command::succeed;

const CLIENT: &str = r#"
import base64, botocore.exceptions, botocore.session, sys, datetime, io, zipfile
url, region, key, secret, token = sys.argv[1:]

def client(key=key, secret=secret, token=token, region=region, change=None):
    session = botocore.session.Session()
    config = botocore.config.Config(retries={"total_max_attempts": 1})
    client = session.create_client("lambda", region_name=region, endpoint_url=url, aws_access_key_id=key,
                                   aws_secret_access_key=secret, aws_session_token=token, config=config)
    if change:
        client.meta.events.register("before-send.lambda.*", change)
    return client

zipped = io.BytesIO()
zipfile.ZipFile(zipped, "w").close()
code = zipped.getvalue()
code = b"PK" + code
good = client()
arn = f"arn:aws:lambda:{region}:123456789012:function:shop"
print(good.get_function(FunctionName="shop", Qualifier="live")["Configuration"]["Version"])
print(good.get_function(FunctionName=arn)["Configuration"]["Version"])
print(good.update_function_code(FunctionName=arn, ZipFile=code, Architectures=["x86_64"])["LastUpdateStatus"])
for _ in range(3):
    good.get_function(FunctionName="shop")
print(good.publish_version(FunctionName="shop")["Version"])
print(good.update_alias(FunctionName="shop", Name="live", FunctionVersion="2")["FunctionVersion"])
print([each["FunctionName"] for each in good.list_functions()["Functions"]])

def other_body(request, **kw):
    request.body = request.body.replace(b'"live"', b'"evil"') if request.body else request.body
def other_query(request, **kw):
    request.url = request.url.replace("live", "1")
def other_header(request, **kw):
    request.headers["X-Amz-Date"] = "20200101T000000Z"
def unsigned_header(request, **kw):
    request.headers["X-Amz-Meta"] = "x"

def refused(client, call):
    try:
        call(client)
    except botocore.exceptions.ClientError as error:
        print(error.response["Error"]["Code"])
    else:
        print("accepted")
get = lambda client: client.get_function(FunctionName="shop", Qualifier="live")
for bad in [client(secret="other"), client(key="AKIDOTHER"), client(token="other"), client(region="us-east-1"),
            client(change=other_query), client(change=other_header), client(change=unsigned_header)]:
    refused(bad, get)
refused(client(change=other_body), lambda client: client.create_alias(FunctionName="shop", Name="new", FunctionVersion="1", Description="live"))
"#;

#[test]
fn botocore_is_accepted_and_any_change_is_not() {
    let cloud = Cloud::start();
    let mut python = Command::new(program("python3"));
    python.args(["-c", CLIENT, &cloud.url(), REGION, ACCESS_KEY, SECRET_KEY, SESSION_TOKEN]);
    let printed = succeed(python.env("AWS_EC2_METADATA_DISABLED", "true"));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[..6], ["1", "$LATEST", "InProgress", "2", "2", "['shop']"], "{:?}", cloud.rejected());
    assert_eq!(lines[6..], ["InvalidSignatureException"; 8]);
}
