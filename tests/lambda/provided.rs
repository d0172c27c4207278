//! `--exclude-runtime`: what the runtime provides, as far as what stays is satisfied with it.

use serde_json::Value;

use crate::support::command::{pybundle, succeed};
use crate::support::uv::Project;

fn project(dependencies: &[&str]) -> Project {
    let project = Project::locked(&format!(
        "[project]\nname = \"app\"\nversion = \"1.0\"\nrequires-python = \">=3.12\"\ndependencies = {dependencies:?}\n"
    ));
    project.write("app.py", b"");
    project
}

/// Returns the report of a function for python3.12.
fn built(project: &Project, arguments: &[&str]) -> Value {
    let mut command = pybundle(&["lambda", "--json", "--runtime=python3.12", "--exclude-runtime", "-o", "out.zip"]);
    serde_json::from_str(&succeed(command.args(arguments).current_dir(project.path()))).unwrap()
}

fn names(report: &Value, list: &str) -> Vec<String> {
    let list = report[list].as_array().unwrap_or_else(|| panic!("{report}"));
    list.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

const OF_SDK: [&str; 6] = ["boto3", "botocore", "jmespath", "s3transfer", "six", "urllib3"];

#[test]
fn without_the_sdk_nothing_is_excluded() {
    let project = project(&["arrow==1.3.0", "requests==2.32.3"]);
    let report = built(&project, &[]);
    assert!(names(&report, "excluded").is_empty());
    assert!(names(&report, "distributions").contains(&"python-dateutil".to_owned()));
}

/// arrow requires python-dateutil 2.7, requests any urllib3 from 1.21.1, and python-dateutil any six from 1.5.
#[test]
fn what_others_require_stays_unless_the_runtime_satisfies_them() {
    let project = project(&["boto3", "arrow==1.3.0", "requests==2.32.3"]);
    let report = built(&project, &[]);
    assert_eq!(names(&report, "excluded"), OF_SDK);
    assert!(names(&report, "distributions").contains(&"python-dateutil".to_owned()));
    assert_eq!(report["excluded"][0]["reason"], "provided by python3.12, in version 1.38.36 or later");
    // A requirements file does not tell who requires what.
    project.uv(&["export", "--quiet", "--no-emit-project", "--no-hashes", "--output-file", "requirements.txt"]);
    assert_eq!(names(&built(&project, &["--lock=requirements.txt"]), "excluded"), OF_SDK);
}

#[test]
fn a_newer_sdk_than_the_runtime_is_known_to_have_is_bundled() {
    let project = project(&["boto3>=1.40"]);
    let plan = |arguments: &[&str]| {
        let mut command = pybundle(&["plan", "--json", "--exclude-runtime"]);
        let output = command.args(arguments).current_dir(project.path()).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (names(&report, "excluded"), String::from_utf8(output.stderr).unwrap())
    };
    let (excluded, said) = plan(&["--runtime=python3.12"]);
    let warning = "warning: app requires boto3 >=1.40, and python3.12 is only known to have boto3 1.38.36 or later: \
                   the SDK is bundled";
    assert!(excluded.is_empty() && said.contains(warning), "{said}");
    // Whoever knows better says so in a profile.
    let profile = succeed(&mut pybundle(&["profile", "show", "python3.12"]));
    assert!(profile.contains("boto3 = \"1.38.36\""), "{profile}");
    project.write("newer.toml", profile.replace("boto3 = \"1.38.36\"", "boto3 = \"1.45.0\"").as_bytes());
    let (excluded, said) = plan(&["--profile=newer.toml"]);
    let all = ["boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"];
    assert_eq!(excluded, all, "{said}");
}
