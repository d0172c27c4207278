//! Zips for services other than Lambda: Azure Functions, loaded by Azure's own worker, and AWS Glue, imported as Spark does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::{fail, pybundle, repository, succeed};
use crate::support::uv::Project;

/// A function with an HTTP trigger in Azure's second programming model, which uses a pure and a compiled distribution.
const FUNCTION: &str = r#"
import azure.functions as func
import markupsafe
import yaml

import prices

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="price")
def price(req: func.HttpRequest) -> func.HttpResponse:
    assert markupsafe._speedups.__file__.endswith(".so")
    return func.HttpResponse(yaml.safe_dump(prices.of(req.params["item"])))
"#;

/// Loads the function as Azure's worker for Python 3.13 does, calls it, and prints its name and its answer.
const WORKER: &str = r#"
import sys
import azure.functions as func
from azure_functions_runtime.loader import index_function_app
(function,) = index_function_app("function_app.py")
print(function.get_function_name(), [binding.type for binding in function.get_bindings()])
request = func.HttpRequest("GET", "http://host/api/price", params={"item": "apple"}, body=b"")
print(function.get_user_function()(request).get_body().decode().strip(), func.__file__.split("/home", 1)[-1])
"#;

fn azure_project() -> Project {
    let project = Project::locked(
        "[project]\nname = \"prices\"\nversion = \"1.0\"\nrequires-python = \">=3.11\"\n\
         dependencies = [\"azure-functions\", \"pyyaml\", \"markupsafe\"]\n",
    );
    project.write("function_app.py", FUNCTION.as_bytes());
    project.write("prices.py", b"def of(item):\n    return {item: 3}\ndef handler(event, context):\n    pass\n");
    project.write("host.json", b"{\"version\": \"2.0\"}\n");
    project.write("local.settings.json", b"{\"Values\": {\"AzureWebJobsStorage\": \"secret\"}}\n");
    project
}

fn build(project: &Project, profile: &str, arguments: &[&str]) -> Command {
    let mut command = pybundle(&["lambda", "--json", "--profile", profile]);
    command.args(arguments).arg("-o").arg(project.path().join("app.zip")).arg(project.path());
    command
}

fn unpacked(project: &Project) -> TempDir {
    let (file, tree) = (fs::File::open(project.path().join("app.zip")).unwrap(), tempfile::tempdir().unwrap());
    zip::ZipArchive::new(file).unwrap().extract(tree.path()).unwrap();
    tree
}

/// Returns the files below a directory, without what installers write.
fn files(root: &Path) -> BTreeSet<String> {
    let (mut directories, mut found) = (vec![root.to_owned()], BTreeSet::new());
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                directories.push(path);
            } else if !relative.ends_with("/INSTALLER") && !relative.ends_with("/REQUESTED") && relative != ".lock" {
                found.insert(relative);
            }
        }
    }
    found
}

fn interpreter(python: &str) -> Command {
    let interpreters = fs::read_to_string(repository().join("target/test-tools/interpreters")).unwrap();
    let line = interpreters.lines().find_map(|line| line.strip_prefix(&format!("{python} "))).unwrap();
    let mut command = Command::new(Path::new(line).join(format!("bin/python{python}")));
    command.arg("-B").env_remove("PYTHONPATH");
    command
}

#[test]
fn azure_functions_are_laid_out_as_its_guide_says_and_loaded_by_its_worker() {
    let project = azure_project();
    let report: Value = serde_json::from_str(&succeed(&mut build(&project, "azure-python3.13", &[]))).unwrap();
    assert_eq!(report["target"]["glibc"], "2.36");
    assert_eq!(report["limits"]["unzipped_limit"], Value::Null);
    let tree = unpacked(&project);
    // `pip install --target=.python_packages/lib/site-packages -r requirements.txt`, as of Azure's guide, by uv.
    let (requirements, _) = project.uv(&["export", "--frozen", "--no-hashes", "--no-emit-project", "--quiet"]);
    let guide = tempfile::tempdir().unwrap();
    fs::write(guide.path().join("requirements.txt"), requirements).unwrap();
    let place = |name: &str| guide.path().join(name).to_str().unwrap().to_owned();
    let install = |target: &str, what: &[&str]| {
        let mut command = Command::new("uv");
        let common =
            ["pip", "install", "--quiet", "--no-deps", "--no-config", "--python-platform", "x86_64-manylinux_2_28"];
        command.args(common).args(["--python-version", "3.13", "--target", &place(target)]).args(what);
        succeed(&mut command);
    };
    install("packages", &["-r", &place("requirements.txt")]);
    let packages = files(&guide.path().join("packages")).into_iter();
    let mut expected: BTreeSet<String> =
        packages.map(|path| format!(".python_packages/lib/site-packages/{path}")).collect();
    expected.extend(["function_app.py", "host.json", "prices.py"].map(str::to_owned));
    assert_eq!(files(tree.path()), expected);
    if !cfg!(target_arch = "x86_64") {
        // Azure Functions run on x86_64 only, and so does what was compiled for them.
        return;
    }
    // The worker's own packages come after the application's, as worker.py of azure-functions-python-worker has it.
    install("worker", &["azure-functions-runtime", "azurefunctions-extensions-base"]);
    let mut worker = interpreter("3.13");
    let packages = tree.path().join(".python_packages/lib/site-packages");
    let path = format!("{}:{}:{}", packages.display(), place("worker"), tree.path().display());
    worker.env("PYTHONPATH", path).args(["-c", WORKER]).current_dir(tree.path());
    let printed = succeed(&mut worker);
    let expected =
        format!("price ['httpTrigger', 'http']\napple: 3 {}/azure/functions/__init__.py\n", packages.display());
    assert_eq!(printed, expected);
}

#[test]
fn what_azure_does_not_take_is_an_error() {
    let project = azure_project();
    let layer = project.path().join("layer.zip");
    let error = fail(&mut build(&project, "azure-python3.12", &["--layer", layer.to_str().unwrap()]));
    assert!(error.contains("error: Azure Functions has no layers"), "{error}");
    assert!(error.contains("omit --layer and `layers`, so that the zip contains the dependencies"), "{error}");
    let target =
        "[tool.pybundle.target.api]\nkind = \"lambda\"\nprofile = \"azure-python3.12\"\nhandler = \"prices.handler\"\n";
    project.write("pyproject.toml", format!("{}{target}", project.read("pyproject.toml")).as_bytes());
    let error = fail(pybundle(&["run", "api"]).current_dir(project.path()));
    assert!(error.contains("cannot run the function: it is built for Azure Functions, not for Lambda"), "{error}");
    assert!(error.contains("choose one of Lambda's runtimes with --runtime"), "{error}");
    let error = fail(&mut build(&project, "azure-python3.12", &["--arch", "arm64"]));
    assert!(error.contains("azure-python3.12 is not available for arm64"), "{error}");
    fs::remove_file(project.path().join("host.json")).unwrap();
    let error = fail(&mut build(&project, "azure-python3.12", &[]));
    assert!(error.contains("the application has no file host.json, which Azure Functions requires"), "{error}");
    assert!(error.contains("hint: add host.json to the project's directory"), "{error}");
}

#[test]
fn a_profile_file_may_limit_the_zip() {
    let project = azure_project();
    let text = fs::read_to_string(repository().join("profiles/azure-python3.12.toml")).unwrap();
    project.write("small.toml", text.replace("zip = 1_073_741_824", "zip = 1_000").as_bytes());
    let profile = project.path().join("small.toml");
    let profile = profile.to_str().unwrap();
    let error = fail(&mut build(&project, profile, &[]));
    assert!(error.contains(" bytes, more than the 1000 that Azure Functions accepts"), "{error}");
    assert!(error.contains("write the zip anyway with --allow-oversize"), "{error}");
    assert!(!project.path().join("app.zip").exists());
    succeed(&mut build(&project, profile, &["--allow-oversize"]));
}

#[test]
fn a_zip_for_glue_is_imported_as_it_is() {
    let project = Project::locked(
        "[project]\nname = \"job\"\nversion = \"1.0\"\nrequires-python = \">=3.11\"\ndependencies = [\"requests\"]\n",
    );
    project.write(
        "job/__init__.py",
        b"import requests\nURL = requests.Request('GET', 'http://h', params={'a': 1}).prepare().url\n",
    );
    succeed(&mut build(&project, "glue-5.0", &[]));
    let mut python = interpreter("3.11");
    python.env("PYTHONPATH", project.path().join("app.zip"));
    let printed =
        succeed(python.args(["-c", "import job, charset_normalizer; print(job.URL, job.__file__)"]).current_dir("/"));
    assert_eq!(printed, format!("http://h/?a=1 {}/app.zip/job/__init__.py\n", project.path().display()));

    let project = Project::locked(
        "[project]\nname = \"job\"\nversion = \"1.0\"\nrequires-python = \">=3.11\"\ndependencies = [\"pyyaml\", \"lxml\"]\n",
    );
    project.write("job.py", b"import yaml\n");
    let error = fail(&mut build(&project, "glue-5.0", &[]));
    let expected = "AWS Glue imports modules from the zip itself, which cannot load the compiled module lxml/";
    assert!(error.contains(expected), "{error}");
    assert!(error.contains("have AWS Glue install lxml, and exclude it with --no-install-package lxml"), "{error}");
    succeed(&mut build(
        &project,
        "glue-5.0",
        &["--no-install-package", "lxml", "--no-install-package", "pyyaml", "--no-audit"],
    ));
}

/// zipimport finds a namespace package by the entry of its directory alone.
#[test]
fn a_zip_for_glue_has_namespace_packages() {
    let project = Project::locked(
        "[project]\nname = \"job\"\nversion = \"1.0\"\nrequires-python = \">=3.11\"\n\
         dependencies = [\"jaraco-context==6.0.1\"]\n",
    );
    project.write("acme/etl/steps/load.py", b"import jaraco.context\nNAME = jaraco.context.__name__\n");
    project.write("acme/etl/steps/query.sql", b"select 1\n");
    succeed(&mut build(&project, "glue-5.0", &[]));
    let zip = project.path().join("app.zip");
    let archive = zip::ZipArchive::new(fs::File::open(&zip).unwrap()).unwrap();
    let names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    let directories: Vec<&str> = names.iter().map(String::as_str).filter(|name| name.ends_with('/')).collect();
    assert_eq!(directories, ["acme/", "acme/etl/", "acme/etl/steps/", "jaraco/"]);
    assert!(names.ends_with(&["jaraco/".to_owned()]), "{names:?}");
    for python in ["3.11", "3.13"] {
        let mut python = interpreter(python);
        python.env("PYTHONPATH", &zip);
        let code = "import acme.etl.steps.load as load; print(load.NAME, load.__file__)";
        let printed = succeed(python.args(["-c", code]).current_dir("/"));
        assert_eq!(printed, format!("jaraco.context {}/acme/etl/steps/load.py\n", zip.display()));
    }
    let arguments = ["--profile", "glue-5.0"];
    succeed(pybundle(&["verify"]).arg(&zip).arg(project.path()).args(arguments));
    // After an edit, and in other zips, directories have no entries of their own but these.
    project.write("acme/etl/steps/load.py", b"NAME = 'edited'\n");
    succeed(&mut build(&project, "glue-5.0", &[]));
    succeed(pybundle(&["verify"]).arg(&zip).arg(project.path()).args(arguments));
}

/// zipimport reads no `__pycache__`: bytecode is loaded if it is beside its source.
#[test]
fn bytecode_in_a_zip_for_glue_is_loaded() {
    let project = Project::locked(
        "[project]\nname = \"job\"\nversion = \"1.0\"\nrequires-python = \">=3.11\"\ndependencies = [\"idna\"]\n",
    );
    project.write("job.py", b"import idna.core\ndef failing():\n    raise ValueError('the reason')\n");
    let report: Value =
        serde_json::from_str(&succeed(&mut build(&project, "glue-5.0", &["--compile-bytecode"]))).unwrap();
    assert!(report["bytecode"]["files"].as_u64() > Some(5), "{report}");
    let zip = project.path().join("app.zip");
    let mut python = interpreter("3.11");
    let code = "import job, sys, traceback\nprint(job.__file__, job.idna.core.__file__)\n\
                try: job.failing()\nexcept ValueError: traceback.print_exc(file=sys.stdout)\n";
    let printed = succeed(python.env("PYTHONPATH", &zip).args(["-c", code]).current_dir("/"));
    let path = zip.display();
    assert!(printed.starts_with(&format!("{path}/job.pyc {path}/idna/core.pyc\n")), "{printed}");
    assert!(printed.contains("File \"job.py\", line 3, in failing\n    raise ValueError('the reason')"), "{printed}");
    succeed(pybundle(&["verify"]).arg(&zip).arg(project.path()).args(["--profile", "glue-5.0", "--compile-bytecode"]));
    let contents: Value = serde_json::from_str(&succeed(pybundle(&["inspect", "--json"]).arg(&zip))).unwrap();
    let application =
        contents["contents"].as_array().unwrap().iter().find(|part| part["kind"] == "application").unwrap();
    assert_eq!(application["files"], 2, "{contents}");
}

#[test]
fn the_profile_of_the_documents_is_one() {
    let documents = fs::read_to_string(repository().join("docs/functions.md")).unwrap();
    let (_, text) = documents.split_once("```toml\n# gcf-python312.toml").unwrap();
    let project = Project::locked(
        "[project]\nname = \"web\"\nversion = \"1.0\"\nrequires-python = \">=3.11\"\ndependencies = [\"idna\"]\n",
    );
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("gcf.toml");
    fs::write(&profile, format!("#{}", text.split("```").next().unwrap())).unwrap();
    project.write("requirements.txt", b"idna\n");
    let profile = profile.to_str().unwrap();
    project.write("other.py", b"import idna\n");
    let error = fail(&mut build(&project, profile, &[]));
    assert!(error.contains("the application has no file main.py, which Google Cloud Functions requires"), "{error}");
    project.write("main.py", b"import other\ndef hello(request):\n    return 'hello'\n");
    succeed(&mut build(&project, profile, &[]));
    let tree = unpacked(&project);
    let names = fs::read_dir(tree.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = names.filter(|name| !name.ends_with(".dist-info")).collect();
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), ["bin", "idna", "main.py", "other.py"]);
}
