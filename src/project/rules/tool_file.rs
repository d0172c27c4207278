//! Files at the top level of a project that only tools read.

use super::CandidatePath;

/// How much of a file is searched for what tells its kind, in bytes.
const LARGEST_READ: u64 = 1 << 16;

/// Names in lower case.
const NAMES: &[&str] = &[
    // Packaging and locks.
    "apt.lock",
    "conda-lock.yml",
    "environment.yaml",
    "environment.yml",
    "hatch.toml",
    "manifest.in",
    "pdm.lock",
    "pdm.toml",
    "pex.lock",
    "pipfile",
    "pipfile.lock",
    "pixi.lock",
    "pixi.toml",
    "poetry.lock",
    "poetry.toml",
    "pyproject.toml",
    "runtime.txt",
    "setup.cfg",
    "setup.py",
    "uv.lock",
    "uv.toml",
    // Tests, linters and type checkers.
    "codecov.yaml",
    "codecov.yml",
    "coverage.xml",
    "mypy.ini",
    "noxfile.py",
    "pylintrc",
    "pyrightconfig.json",
    "pytest.ini",
    "ruff.toml",
    "sonar-project.properties",
    "tox.ini",
    "toxfile.py",
    // Task runners.
    "conanfile.py",
    "dodo.py",
    "fabfile.py",
    "gnumakefile",
    "justfile",
    "makefile",
    "pavement.py",
    "procfile",
    "taskfile.yaml",
    "taskfile.yml",
    "tiltfile",
    "vagrantfile",
    // Containers and continuous integration.
    "appveyor.yml",
    "cloudbuild.yaml",
    "cloudbuild.yml",
    "containerfile",
    "docker-bake.hcl",
    "docker-bake.json",
    "dockerfile",
    "jenkinsfile",
    "renovate.json",
    "skaffold.yaml",
    // Documentation generators.
    "mkdocs.yaml",
    "mkdocs.yml",
    // Deployment.
    "cdk.context.json",
    "cdk.json",
    "fly.toml",
    "netlify.toml",
    "render.yaml",
    "samconfig.toml",
    "samconfig.yaml",
    "samconfig.yml",
    "serverless.js",
    "serverless.json",
    "serverless.ts",
    "serverless.yaml",
    "serverless.yml",
    "vercel.json",
    "zappa_settings.json",
    "zappa_settings.toml",
    "zappa_settings.yaml",
    "zappa_settings.yml",
    // Node.js, for Serverless, CDK and front ends.
    "package-lock.json",
    "package.json",
    "pnpm-lock.yaml",
    "tsconfig.json",
    "yarn.lock",
];

/// Beginnings of names, with the extensions that such files have.
const FAMILIES: &[(&str, &[&str])] = &[
    ("azure-pipelines", &[".yml", ".yaml"]),
    ("bitbucket-pipelines", &[".yml", ".yaml"]),
    ("buildspec", &[".yml", ".yaml"]),
    ("compose", &[".yml", ".yaml"]),
    ("constraints", &[".txt", ".in"]),
    ("docker-compose", &[".yml", ".yaml"]),
    ("dockerfile.", &[""]),
    ("pylock", &[".toml"]),
    ("requirements", &[".txt", ".in", ".lock"]),
];

/// The extension of container files.
const CONTAINER_FILE: &str = ".dockerfile";

/// The extensions of Terraform's configuration, which no application reads. Its variables and state are secrets.
const TERRAFORM: [&str; 3] = [".tf", ".tf.json", ".tofu"];

/// The keys that every Kubernetes manifest has.
const KUBERNETES: [&str; 2] = ["apiVersion", "kind"];

/// The key that every ECS task definition has.
const TASK_DEFINITION: &str = "containerDefinitions";

/// What the templates of CloudFormation and SAM contain.
const TEMPLATE: [&str; 2] = ["AWSTemplateFormatVersion", "AWS::"];

/// Returns whether a file or directory at the top level is for tools only.
pub(super) fn is_tool_file(candidate: &CandidatePath) -> bool {
    let name = candidate.name.to_lowercase();
    if candidate.is_directory {
        return (name == "requirements" && contains_only(candidate, &[".txt", ".in"])) || is_events_of_sam(candidate);
    }
    NAMES.contains(&name.as_str())
        || name.ends_with(CONTAINER_FILE)
        || FAMILIES.iter().any(|(prefix, extensions)| {
            name.starts_with(prefix) && extensions.iter().any(|extension| name.ends_with(extension))
        })
        || is_template(candidate, &name)
        || is_manifest(candidate, &name)
}

/// Returns whether a file is a template of CloudFormation. Applications may have a `template.yaml` of their own.
fn is_template(candidate: &CandidatePath, name: &str) -> bool {
    name.starts_with("template")
        && text(candidate, name).is_some_and(|text| TEMPLATE.iter().any(|mark| text.contains(mark)))
}

/// Returns whether a file is a Kubernetes manifest or an ECS task definition, as `pybundle resolve` reads and writes them:
/// an image that contains what names its digest would never have that digest.
fn is_manifest(candidate: &CandidatePath, name: &str) -> bool {
    text(candidate, name).is_some_and(|text| {
        let is_of_kubernetes = KUBERNETES.iter().all(|key| {
            text.contains(&format!("\"{key}\"")) || text.lines().any(|line| line.starts_with(&format!("{key}:")))
        });
        is_of_kubernetes || text.contains(TASK_DEFINITION)
    })
}

/// Returns the beginning of a file if its name is that of YAML or JSON.
fn text(candidate: &CandidatePath, name: &str) -> Option<String> {
    let is_text = [".yaml", ".yml", ".json"].iter().any(|extension| name.ends_with(extension));
    is_text.then(|| candidate.beginning(LARGEST_READ)).flatten()
}

/// Returns whether a file is configuration of Terraform or OpenTofu, which is often in a directory of its own.
pub(super) fn is_terraform(candidate: &CandidatePath) -> bool {
    TERRAFORM.iter().any(|extension| candidate.name.to_lowercase().ends_with(extension))
}

/// Returns whether a directory has the events that `sam init` creates for `sam local invoke`.
fn is_events_of_sam(candidate: &CandidatePath) -> bool {
    let Some(project) = candidate.path.parent().filter(|_| candidate.name == "events") else { return false };
    let is_sam = ["samconfig.toml", "samconfig.yaml", "samconfig.yml"].iter().any(|name| project.join(name).is_file())
        || ["template.yaml", "template.yml", "template.json"].iter().any(|name| {
            CandidatePath::new(&project.join(name), false).is_some_and(|template| is_template(&template, name))
        });
    is_sam && contains_only(candidate, &[".json"])
}

/// Returns whether the names of all entries of a directory end with one of these extensions.
fn contains_only(candidate: &CandidatePath, extensions: &[&str]) -> bool {
    let Ok(entries) = candidate.path.read_dir() else { return false };
    let mut names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.all(|name| name.starts_with('.') || extensions.iter().any(|extension| name.ends_with(extension)))
}
