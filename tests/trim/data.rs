//! Data that libraries look up by name: what the code names works as before, and what is omitted fails with the library's
//! own error.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::built::interpreter;
use super::moto::Moto;
use super::support::command::{fail, pybundle, succeed};
use super::support::lambda::{architecture, newest_python};
use super::support::uv::Project;

/// A web application that uses AWS, and another caller of its handler, which names services at run time.
const SHOP: &str = r#"
import urllib.request
import boto3
from aws_lambda_powertools.utilities.streaming import S3Object
from botocore.exceptions import ClientError
from fastapi import FastAPI
from mangum import Mangum

app = FastAPI()
web = Mangum(app)
AT = {"region_name": "eu-west-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}


def queue(session, url):
    return session.client(service_name="sqs", endpoint_url=url, **AT)


def handler(event, context):
    session = boto3.session.Session()
    if "method" in event:
        try:
            return str(getattr(session, event["method"])(event["service"], **AT))
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    at = {"endpoint_url": event["url"], **AT}
    urllib.request.urlopen(urllib.request.Request(event["url"] + "/moto-api/reset", method="POST"))
    answers = [session.client("sts", **at).get_caller_identity()["Account"]]
    s3 = boto3.client("s3", **at)
    s3.create_bucket(Bucket="shop", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.get_waiter("bucket_exists").wait(Bucket="shop")
    for number in range(3):
        s3.put_object(Bucket="shop", Key=f"{number}", Body=b"one")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="shop", PaginationConfig={"PageSize": 2})
    answers.append([each["Key"] for page in pages for each in page["Contents"]])
    answers.append(S3Object(bucket="shop", key="0", boto3_client=s3).read().decode())
    try:
        s3.get_object(Bucket="shop", Key="none")
    except s3.exceptions.NoSuchKey as error:
        answers.append(error.response["Error"]["Code"])
    table = boto3.resource("dynamodb", **at).create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    table.wait_until_exists()
    table.put_item(Item={"id": "a", "count": 3})
    answers.append(int(table.get_item(Key={"id": "a"})["Item"]["count"]))
    for name in ("sns", "ssm"):
        client = session.client(name, **at)
        answers.append(client.meta.service_model.service_id)
    client.put_parameter(Name="/a", Value="b", Type="String")
    answers.append(client.get_parameter(Name="/a")["Parameter"]["Value"])
    queues = queue(session, event["url"])
    address = queues.create_queue(QueueName="q")["QueueUrl"]
    queues.send_message(QueueUrl=address, MessageBody="hello")
    answers.append(queues.receive_message(QueueUrl=address)["Messages"][0]["Body"])
    answers.append("eu-west-1" in session.get_available_regions("s3"))
    answers.append(queues.generate_presigned_url("list_queues").startswith(event["url"]))
    return answers
"#;

const SHOP_PROJECT: &str = "[project]\nname = \"shop\"\nversion = \"1.0\"\nrequires-python = \">=3.10\"\n\
     dependencies = [\"fastapi\", \"mangum\", \"boto3\", \"aws-lambda-powertools\"]\n\n\
     [tool.pybundle]\narch = \"ARCH\"\ntimeout = 60\nmemory = 1024\nhandler = \"app.handler\"\n\
     [tool.pybundle.target.whole]\nkind = \"lambda\"\nslim = [\"tests\"]\n[tool.pybundle.target.slim]\nkind = \"lambda\"\nslim = [\"services\"]\n";

/// Returns a locked project with one module.
fn project(pyproject: &str, app: &str) -> Project {
    let project = Project::locked(pyproject);
    project.write("app.py", app.as_bytes());
    project
}

/// Returns a locked project with these dependencies and one module.
fn project_of(dependencies: &[&str], app: &str) -> Project {
    let pyproject = format!(
        "[project]\nname = \"data\"\nversion = \"1.0\"\nrequires-python = \">=3.10\"\ndependencies = {dependencies:?}\n"
    );
    project(&pyproject, app)
}

/// Returns the command that builds a function of a project, whose zip is `data.zip` beside the project's files.
fn build(project: &Project, arguments: &[&str]) -> Command {
    let mut command = pybundle(&["lambda", "--runtime", &newest_python(), "--arch", architecture(), "--json"]);
    command.args(arguments).arg("-o").arg(project.path().join("data.zip")).arg(project.path());
    command
}

/// Returns the names that a rule kept, with their reasons.
fn kept(report: &str, rule: &str) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(report).unwrap();
    let kept = report["trim"]["kept"].as_array().unwrap().iter().filter(|kept| kept["rule"] == rule);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    kept.map(|kept| (text(&kept["name"]), text(&kept["reason"]))).collect()
}

fn names(kept: &[(String, String)]) -> Vec<&str> {
    kept.iter().map(|(name, _)| &**name).collect()
}

#[test]
fn calls_of_named_services_work_as_before_and_others_fail_with_botocores_error() {
    let (moto, project) = (Moto::start(), project(&SHOP_PROJECT.replace("ARCH", architecture()), SHOP));
    let run = |target: &str, event: Value| -> Value {
        let mut command = pybundle(&["run", target, "--runtime", &newest_python(), "--timeout", "600", "--event"]);
        let event_file = project.path().join("event.json");
        fs::write(&event_file, event.to_string()).unwrap();
        serde_json::from_str(&succeed(command.arg(event_file).current_dir(project.path()))).unwrap()
    };
    let event = json!({"url": moto.url});
    let answers = run("slim", event.clone());
    assert_eq!(answers, run("whole", event));
    let expected =
        json!(["123456789012", ["0", "1", "2"], "one", "NoSuchKey", 3, "SNS", "SSM", "b", "hello", true, true]);
    for (method, service, expected) in [
        (
            "client",
            "ec2",
            "UnknownServiceError: Unknown service: 'ec2'. Valid service names are: dynamodb, s3, signin, sns,",
        ),
        ("resource", "ec2", "ResourceNotExistsError: The 'ec2' resource does not exist."),
    ] {
        let answer = run("slim", json!({"method": method, "service": service}));
        assert!(answer.as_str().unwrap().starts_with(expected), "{answer}");
    }
    let report = succeed(&mut build(&project, &["--slim=services"]));
    let kept = kept(&report, "services");
    assert_eq!(names(&kept), ["dynamodb", "s3", "signin", "sns", "sqs", "ssm", "sso", "sso-oidc", "sts"]);
    let reasons: Vec<&str> = kept.iter().map(|(_, reason)| &**reason).collect();
    assert_eq!(reasons[..4], ["app.py:40", "app.py:28", "needed by botocore", "app.py:50"]);
    let size = fs::metadata(project.path().join("data.zip")).unwrap().len();
    assert!(size < 6 << 20, "{size}");
    assert_eq!(answers, expected);
}

/// Prints the services that botocore's own sources create clients of.
const NEEDED: &str = r#"
import re, sys
from pathlib import Path
found = set()
for name in ("credentials", "tokens", "utils", "session"):
    text = Path(sys.argv[1], "botocore", name + ".py").read_text()
    found |= set(re.findall(r"""client(?:_creator)?\([^)'"]*['"]([a-z0-9-]+)['"]""", text))
print(*sorted(found))
"#;

#[test]
fn what_botocore_itself_needs_is_kept() {
    let project = project_of(&["botocore"], "import botocore.session\n");
    let kept = kept(&succeed(&mut build(&project, &["--slim=services"])), "services");
    let kept: Vec<&str> = kept.iter().map(|(name, _)| &**name).collect();
    let tree = unpacked(&project);
    let mut python = interpreter(&newest_python());
    assert_eq!(succeed(python.args(["-c", NEEDED]).arg(tree.path())).trim(), kept.join(" "));
    for name in ["endpoints.json", "partitions.json", "sdk-default-configuration.json", "_retry.json"] {
        assert!(tree.path().join("botocore/data").join(name).exists(), "{name}");
    }
}

/// Unpacks the last function that was built.
fn unpacked(project: &Project) -> TempDir {
    let (file, tree) = (fs::File::open(project.path().join("data.zip")).unwrap(), tempfile::tempdir().unwrap());
    zip::ZipArchive::new(file).unwrap().extract(tree.path()).unwrap();
    tree
}

#[test]
fn a_computed_name_is_an_error_without_a_list() {
    let project = project_of(&["boto3", "kombu"], "");
    let refused = |app: &str, expected: &str| {
        project.write("app.py", app.as_bytes());
        let error = fail(&mut build(&project, &["--slim=services"]));
        let expected = format!("cannot tell which services the code uses: {expected}");
        assert!(error.contains(&expected), "{app}\n{error}");
        assert!(error.contains("pass every service whose name is computed, such as --services s3,sqs"), "{error}");
    };
    for (app, line) in [
        ("import boto3\ndef f(name):\n    return boto3.client(name)\n", 3),
        ("import boto3 as aws\nclient = aws.client(f'{1}')\n", 2),
        ("from boto3 import client as make\nmake(**{})\n", 2),
        ("from boto3 import resource\nresource(*[])\n", 2),
        ("import aioboto3\nasync def f(x):\n    async with aioboto3.Session().client(x) as s3:\n        pass\n", 3),
        ("def f(session, name):\n    return session.client(name)\n", 2),
        ("import boto3\nprint(boto3.Session().get_available_services())\n", 2),
        ("import boto3\nmake = boto3.client\n", 2),
        ("import boto3, functools\nfunctools.partial(boto3.client, x)\n", 2),
        ("import boto3\ngetattr(boto3, 'client')('s3')\n", 2),
    ] {
        refused(app, &format!("app.py:{line} computes the name"));
    }
    refused(
        "import boto3\nboto3.client(a)\nboto3.client(b)\nboto3.client(c)\n",
        "app.py:2 computes the name (and 2 other lines)",
    );
    refused("BROKER = 'kombu.transport.SQS:Transport'\n", "kombu/transport/SQS/__init__.py:");
    // With a list, it is decided. What the code names is kept, too.
    let app = "import boto3, functools\nfunctools.partial(boto3.client, 'sns')\nfor name in ('sqs', 'ssm'):\n    boto3.client(name)\n\
               boto3.client(a)\nNAME = 's3' if b else 'kms'\ndef f():\n    boto3.resource(NAME)\n# boto3.client('ec2')\n";
    project.write("app.py", app.as_bytes());
    let report = succeed(&mut build(&project, &["--slim=services", "--services", "kms,logs", "--no-audit"]));
    let kept = kept(&report, "services");
    let expected = ["kms", "logs", "s3", "signin", "sns", "sqs", "ssm", "sso", "sso-oidc", "sts"];
    assert_eq!(names(&kept), expected);
    assert_eq!(kept[1].1, "requested");
    let error = fail(&mut build(&project, &["--slim=services", "--services", "s4"]));
    assert!(error.contains(" has no service `s4`, which --services names"), "{error}");
    assert!(error.contains("did you mean `s3`?"), "{error}");
}

#[test]
fn a_layer_needs_a_list() {
    let pyproject = "[project]\nname = \"data\"\nversion = \"1.0\"\nrequires-python = \">=3.10\"\ndependencies = [\"boto3\"]\n\
         [tool.pybundle.target.common]\nkind = \"layer\"\nslim = [\"services\"]\n";
    let project = project(pyproject, "");
    let layer = |arguments: &[&str]| {
        let mut command = pybundle(&["build", "common", "--json"]);
        command.args(arguments).current_dir(project.path());
        command
    };
    let error = fail(&mut layer(&[]));
    let expected = "cannot tell which services are used: the artifact contains no application that names them";
    assert!(error.contains(expected), "{error}");
    assert!(error.contains("pass every service that is used, such as --services s3,sqs"), "{error}");
    let listed = format!("{pyproject}services = [\"s3\", \"sqs\"]\n");
    let function = "[tool.pybundle.target.api]\nkind = \"lambda\"\nlayers = [\"common\"]\n";
    project.write("pyproject.toml", format!("{listed}{function}").as_bytes());
    succeed(&mut layer(&[]));
    // What a function names has to be in its layer.
    let api = || {
        let mut command = pybundle(&["build", "api", "--json"]);
        command.current_dir(project.path());
        command
    };
    project
        .write("app.py", b"import boto3\ndef handler(event, context):\n    boto3.client('sqs'), boto3.client(event)\n");
    succeed(&mut api());
    project.write("app.py", b"import boto3\nclient = boto3.client('kms')\n");
    let error = fail(&mut api());
    assert!(error.contains("app.py:2 names the service `kms`, which layer `common` omits"), "{error}");
    assert!(error.contains("add `kms` to `services` of the target `common`"), "{error}");
    let listed = listed.replace("\"sqs\"", "\"kms\"");
    project.write("pyproject.toml", format!("{listed}{function}").as_bytes());
    succeed(&mut api());
}

#[test]
fn modules_that_are_not_reached_name_nothing() {
    let project =
        project_of(&["boto3", "aws-lambda-powertools"], "import boto3\nfrom aws_lambda_powertools import Logger\n");
    project.write("testutils.py", b"import boto3\nqueue = boto3.client('sqs')\n");
    let services = || kept(&succeed(&mut build(&project, &["--slim=services"])), "services");
    // The logger imports classes of events, of which some read what they are about.
    assert_eq!(names(&services()), ["s3", "signin", "sso", "sso-oidc", "sts"]);
    project.write("app.py", b"def f():\n    from aws_lambda_powertools.utilities.parameters.ssm import SSMProvider\n");
    let kept = services();
    assert!(names(&kept).contains(&"ssm"), "{kept:?}");
    assert!(
        kept.iter().any(|(_, reason)| reason.starts_with("aws_lambda_powertools/utilities/parameters/ssm.py:")),
        "{kept:?}"
    );
}

/// Builds clients of Google's APIs without a network, and prints the errors of those that are omitted.
const GOOGLE: &str = r#"
import sys
sys.path.insert(0, sys.argv[1])
from google.auth.credentials import AnonymousCredentials
from googleapiclient.discovery import build
for name, version in (("drive", "v3"), ("gmail", "v1"), ("admin", "directory_v1"), ("sheets", "v4")):
    try:
        print(type(build(name, version, credentials=AnonymousCredentials())).__name__)
    except Exception as error:
        print(type(error).__name__, error)
"#;

#[test]
fn discovery_documents_that_the_code_names_are_kept() {
    let app = "from googleapiclient import discovery\ndef handler(event, context):\n    \
               discovery.build('drive', 'v3')\n    discovery.build(serviceName='admin', version='directory_v1')\n    \
               discovery.build('sheets', 'v4', static_discovery=False)\n";
    let project = project_of(&["google-api-python-client"], app);
    let report = succeed(&mut build(&project, &["--slim=discovery", "--discovery", "gmail"]));
    let kept = kept(&report, "discovery");
    assert_eq!(names(&kept), ["admin.directory_v1", "drive.v3", "gmail"]);
    let tree = unpacked(&project);
    let mut python = interpreter(&newest_python());
    let printed = succeed(python.args(["-c", GOOGLE]).arg(tree.path()));
    assert_eq!(printed, "Resource\nResource\nResource\nUnknownApiNameOrVersion name: sheets  version: v4\n");
    project.write("app.py", b"from googleapiclient.discovery import build\ndef f(x):\n    build(x, 'v3')\n");
    let error = fail(&mut build(&project, &["--slim=discovery"]));
    assert!(error.contains("cannot tell which APIs the code uses: app.py:3 computes the name"), "{error}");
    let error = fail(&mut build(&project, &["--slim=discovery", "--discovery", "drive.v4"]));
    assert!(error.contains(" has no API `drive.v4`, which --discovery names"), "{error}");
}

/// Prints, as JSON, a call of every function of Babel with each of its parameters `locale` by position, the languages whose
/// locales inherit from others, and what each locale of some languages gives; an error is given by its type.
const BABEL: &str = r#"
import hashlib, importlib, inspect, json, sys
sys.path.insert(0, sys.argv[1])
from datetime import datetime
from babel import Locale, localedata
from babel.core import get_global
from babel.dates import format_datetime
from babel.numbers import format_currency
languages = sorted({name.split("_")[0] for name in localedata.locale_identifiers()})
calls, rest = {}, iter(languages)
for module in ("dates", "numbers", "lists", "units", "support"):
    for name, function in sorted(vars(importlib.import_module("babel." + module)).items()):
        if getattr(function, "__module__", None) != "babel." + module or name.startswith("_") or name.endswith("Error"):
            continue
        parameters = list(inspect.signature(function).parameters)
        if "locale" in parameters:
            language = next(rest, None)
            calls[language] = f"{module}.{name}({'0, ' * parameters.index('locale')}'{language}')"
inherited = set()
for name in localedata.locale_identifiers():
    parent = get_global("parent_exceptions").get(name)
    if parent and parent != "root" and parent.split("_")[0] != name.split("_")[0]:
        inherited.add((name.split("_")[0], parent.split("_")[0]))
given = {}
for name in sys.argv[2].split():
    try:
        locale = Locale.parse(name)
        text = [str(locale), locale.display_name, format_datetime(datetime(2026, 3, 4), "full", locale=locale)]
        text += [format_currency(1234.5, "EUR", locale=locale), sorted(locale.territories.items()), locale.plural_form(2)]
        given[name] = hashlib.sha256(repr(text).encode()).hexdigest()
    except Exception as error:
        given[name] = type(error).__name__
print(json.dumps({"calls": calls, "inherited": sorted(inherited), "given": given}))
"#;

/// Locales of every kind: with parents in their language and in another one, likely subtags, and aliases.
const LOCALES: &str = "de de_AT de_DE pt_PT pt_AO pt_BR pt zh_TW zh_Hant_HK zh hi hi_Latn nb nb_NO no nn_NO sr_ME sr_Latn_BA en \
                       en_GB en_150 en_US_POSIX es_MX";

#[test]
fn locales_that_the_code_names_are_kept_with_their_parents() {
    let app = "from babel import Locale, dates\ndef handler(event, context):\n    here = Locale.parse('de-AT', sep='-')\n    \
               dates.format_date(event, locale=here)\n    dates.format_date(event, 'short', 'pt_PT')\n    \
               return here.get_display_name('zh_TW'), dates.format_date(event), Locale('hi'), Locale.parse('nn_NO')\n";
    let project = project_of(&["babel"], app);
    let babel = |tree: TempDir| -> Value {
        let mut python = interpreter(&newest_python());
        serde_json::from_str(&succeed(python.args(["-c", BABEL]).arg(tree.path()).arg(LOCALES))).unwrap()
    };
    succeed(&mut build(&project, &[]));
    let whole = babel(unpacked(&project));
    let report = succeed(&mut build(&project, &["--slim=locales", "--locales", "sr"]));
    let slim = babel(unpacked(&project));
    assert_eq!(names(&kept(&report, "locales")), ["de", "en", "hi", "nn", "no", "pt", "sr", "zh"]);
    for (name, given) in slim["given"].as_object().unwrap() {
        let expected = match &**name {
            "es_MX" | "nb" | "nb_NO" => json!("UnknownLocaleError"),
            name => whole["given"][name].clone(),
        };
        assert_eq!(*given, expected, "{name}");
    }
    assert_eq!(whole["inherited"], json!([["hi", "en"], ["nb", "no"], ["nn", "no"]]));
    // Each function of Babel, with its locale by position.
    let calls = whole["calls"].as_object().unwrap();
    let lines: Vec<&str> = calls.values().map(|call| call.as_str().unwrap()).collect();
    assert!(lines.len() > 45, "{lines:?}");
    let app = format!("from babel import dates, lists, numbers, support, units\n{}\n", lines.join("\n"));
    project.write("app.py", app.as_bytes());
    let report = succeed(&mut build(&project, &["--slim=locales", "--no-audit"]));
    let kept = kept(&report, "locales");
    for (language, call) in calls {
        assert!(names(&kept).contains(&&**language), "{call}");
    }
    for (app, line) in [
        ("from babel import Locale\ndef f(x):\n    Locale.parse(x)\n", 3),
        ("from babel import Locale, negotiate_locale\nLocale.parse(negotiate_locale(['a'], ['b']))\n", 2),
        ("import babel\nlanguage = babel.localedata.locale_identifiers()\n", 2),
        ("from babel.dates import format_date\ndef f(locale):\n    format_date(0, locale=locale)\n", 3),
        ("from babel.dates import format_date\nformat_date(0, **{})\n", 2),
        ("from babel import Locale\nLocale('iw')\n", 2),
    ] {
        project.write("app.py", app.as_bytes());
        let error = fail(&mut build(&project, &["--slim=locales", "--no-audit"]));
        let expected = format!("cannot tell which locales the code uses: app.py:{line} computes the name");
        assert!(error.contains(&expected), "{app}\n{error}");
    }
}

#[test]
fn a_list_without_its_rule_is_a_warning() {
    let project = project_of(&["six"], "import six\n");
    let output = build(&project, &["--services", "s3"]).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && log.contains("--services has no effect without --slim=services"), "{log}");
}
