//! AWS SAM.

use std::fs;
use std::process::Command;

use crate::moto::{Moto, program};
use crate::support::artifact::{leaves_of_folder, leaves_of_zip, sha256};
use crate::support::command::{pybundle, succeed};
use crate::support::uv::Project;
use crate::{MAIN, built, installed, offline, recipes, shop};

/// Returns what is in a bucket of moto: the key and the digest of each object.
fn objects(moto: &Moto) -> Vec<String> {
    let code = "import boto3, hashlib, sys
s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='eu-west-1')
for each in s3.list_objects_v2(Bucket='artifacts').get('Contents', []):
    body = s3.get_object(Bucket='artifacts', Key=each['Key'])['Body'].read()
    print(hashlib.sha256(body).hexdigest())";
    let listed = succeed(with_keys(Command::new(program("python3")).args(["-c", code, &moto.url])));
    listed.lines().map(str::to_owned).collect()
}

fn with_keys(command: &mut Command) -> &mut Command {
    command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x")
}

/// `sam package` and `sam deploy` upload a prebuilt zip as it is.
#[test]
fn a_prebuilt_zip_is_uploaded_byte_for_byte() {
    let (project, moto) = (shop(), Moto::start());
    let artifact = built(&project, "api");
    let create = "import boto3, sys
boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1').create_bucket(Bucket='artifacts')";
    succeed(with_keys(Command::new(program("python3")).args(["-c", create, &moto.url])));
    project.write("template.yaml", recipes("AWS SAM", "yaml")[0].as_bytes());
    let mut sam = offline(&installed("aws-sam-cli/bin/sam"), project.path());
    sam.args(["package", "--s3-bucket=artifacts", "--output-template-file=packaged.yaml", "--no-progressbar"]);
    succeed(with_keys(&mut sam).env("AWS_ENDPOINT_URL", &moto.url));
    assert_eq!(objects(&moto), [artifact["sha256"].as_str().unwrap()]);
    assert!(project.read("packaged.yaml").contains("CodeUri: s3://artifacts/"));
}

/// SAM's own build copies the directory of the function elsewhere, without the workspace around it.
#[test]
fn a_makefile_builds_a_member_of_a_workspace() {
    let api = "[project]\nname = \"api\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n\
               dependencies = [\"idna==3.20\", \"shop-common\"]\n\n\
               [tool.uv.sources]\nshop-common = { workspace = true }\n";
    let common = "[project]\nname = \"shop-common\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n\n\
                  [build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n";
    let [_, template] = &recipes("AWS SAM", "yaml")[..] else { panic!("the section has two templates") };
    let template = format!("Transform: AWS::Serverless-2016-10-31\nResources:\n{template}");
    let project = Project::new(&[
        ("pyproject.toml", "[tool.uv.workspace]\nmembers = [\"api\", \"common\"]\n"),
        ("api/pyproject.toml", api),
        ("api/main.py", &MAIN.replace("import idna", "import idna, shop_common")),
        ("api/Makefile", &recipes("AWS SAM", "make")[0]),
        ("common/pyproject.toml", common),
        ("common/src/shop_common/__init__.py", "NAME = \"shop\"\n"),
        ("template.yaml", &template),
        ("samconfig.toml", &recipes("AWS SAM", "toml")[0]),
    ]);
    project.uv(&["lock"]);
    succeed(offline(&installed("aws-sam-cli/bin/sam"), project.path()).arg("build"));
    let arguments = ["lambda", "--handler=main.handler", "--runtime=python3.13", "--output=expected.zip"];
    succeed(pybundle(&arguments).current_dir(project.path().join("api")));
    let function = leaves_of_folder(&project.path().join(".aws-sam/build/Api"));
    assert_eq!(function, leaves_of_zip(&project.path().join("api/expected.zip")));
    assert_eq!(function["shop_common/__init__.py"].sha256, sha256(b"NAME = \"shop\"\n"));

    // An error of pybundle is shown as a whole.
    fs::write(project.path().join("api/main.py"), "").unwrap();
    let failed = offline(&installed("aws-sam-cli/bin/sam"), project.path()).arg("build").output().unwrap();
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(!failed.status.success() && said.contains("main.handler") && said.contains("hint: "), "{said}");
}
