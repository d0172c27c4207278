//! The CI workflow that builds the targets of a repository.

use std::path::{Path, PathBuf};

use crate::git::revision;

/// The path of the GitHub Actions workflow in the repository.
pub(crate) const WORKFLOW: &str = ".github/workflows/pybundle.yml";

/// The path of the GitLab CI/CD configuration in the repository.
const GITLAB: &str = ".gitlab-ci.yml";

/// The action that installs pybundle and builds. Nothing else here depends on where pybundle is published.
const ACTION: &str = "pybundle/pybundle/.github/actions/pybundle@v0";

/// The repository of a project and its CI service.
#[derive(Debug, Clone)]
pub(crate) struct CiRepository {
    /// The directory with `.git`, or else the root of the workspace.
    pub(super) root: PathBuf,
    pub(super) service: CiService,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CiService {
    /// The default.
    GitHub,
    GitLab,
}

impl CiRepository {
    /// Finds the repository of a workspace.
    pub(super) fn find(workspace: &Path) -> Self {
        let root =
            workspace.ancestors().find(|directory| directory.join(".git").exists()).unwrap_or(workspace).to_owned();
        let is_gitlab = root.join(GITLAB).is_file()
            || !root.join(".github").is_dir() && revision::source(&root).is_some_and(|source| is_on_gitlab(&source));
        Self { root, service: if is_gitlab { CiService::GitLab } else { CiService::GitHub } }
    }
}

fn is_on_gitlab(source: &str) -> bool {
    source.split('/').nth(2).is_some_and(|host| host.split('.').any(|part| part == "gitlab"))
}

/// The first line of the workflows that are written here.
const FIRST_LINE: &str = "# Builds every target of [tool.pybundle], like `pybundle build` on a developer's machine.\n";

/// Returns the jobs for projects that a workflow does not build yet, to be added at its end; `None` if it builds all of them,
/// or if it is not one that was written here: its jobs must come last. `is_of_root` tells whether the projects belong to the
/// workspace at the root of the repository.
pub(super) fn missing_jobs(
    workflow: &str,
    projects: &[PathBuf],
    is_workspace: bool,
    is_of_root: bool,
) -> Option<String> {
    let last_key = workflow.lines().rfind(|line| line.starts_with(|first: char| first.is_ascii_alphabetic()));
    if !workflow.starts_with(FIRST_LINE) || last_key != Some("jobs:") {
        return None;
    }
    let built: Vec<&str> = workflow.lines().filter_map(|line| line.trim_start().strip_prefix("project: ")).collect();
    // A step without the key builds the root.
    let has_root = workflow.matches(ACTION).count() > built.len();
    // A job of the root that builds the workspace builds its members.
    if is_of_root && has_root && workflow.contains("        with:\n          workspace: true\n") {
        return None;
    }
    let is_missing = |path: &PathBuf| match shown(path).as_str() {
        "." => !has_root,
        project => !built.contains(&project),
    };
    let missing: Vec<PathBuf> = projects.iter().filter(|path| is_missing(path)).cloned().collect();
    // One that is alone has another name in a workflow of its own.
    let named = missing.iter().map(|path| match shown(path).as_str() {
        "." => ("build".to_owned(), ".".to_owned()),
        project => (project.replace(['/', '.'], "-"), project.to_owned()),
    });
    let jobs = jobs(named.collect(), is_workspace);
    let gap = if workflow.ends_with('\n') { "" } else { "\n" };
    (!missing.is_empty()).then(|| format!("{gap}{jobs}"))
}

/// Returns the GitHub Actions workflow for projects in these directories, relative to the root of the repository.
pub(super) fn github(projects: &[PathBuf], is_workspace: bool) -> String {
    let jobs = jobs(jobs_of(projects), is_workspace);
    format!(
        "{FIRST_LINE}\
         name: pybundle\n\n\
         on:\n  push:\n    branches: [main, master]\n  pull_request:\n\n\
         permissions:\n  contents: read\n\n\
         jobs:\n{jobs}"
    )
}

/// Returns the text of jobs, each with its name and the directory of its project.
fn jobs(named: Vec<(String, String)>, is_workspace: bool) -> String {
    let mut jobs = String::new();
    for (name, project) in named {
        jobs.push_str(&format!("  {name}:\n    runs-on: ubuntu-24.04\n    steps:\n"));
        jobs.push_str("      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1\n");
        jobs.push_str("        with:\n          persist-credentials: false\n");
        jobs.push_str(&format!("      - uses: {ACTION}\n"));
        let project = (project != ".").then(|| format!("          project: {project}\n"));
        let workspace = is_workspace.then(|| "          workspace: true\n".to_owned());
        if project.is_some() || is_workspace {
            jobs.push_str("        with:\n");
            jobs.extend(project.into_iter().chain(workspace));
        }
    }
    jobs
}

/// Returns the jobs to add to the GitLab CI/CD configuration.
pub(super) fn gitlab(projects: &[PathBuf], is_workspace: bool) -> String {
    let mut jobs = String::new();
    let workspace = if is_workspace { " --workspace" } else { "" };
    for (name, project) in jobs_of(projects) {
        let project = if project == "." { String::new() } else { format!(" --project {project}") };
        let job = if name == "build" { "pybundle".to_owned() } else { format!("pybundle-{name}") };
        jobs.push_str(&format!(
            "{job}:\n  image: ghcr.io/astral-sh/uv:debian-slim\n  variables:\n    PYBUNDLE_CACHE_DIR: $CI_PROJECT_DIR/.cache/pybundle\n  \
             cache:\n    key: pybundle\n    paths: [.cache/pybundle]\n  \
             script:\n    - uvx pybundle build{project}{workspace}\n  \
             artifacts:\n    paths: [\"**/dist/*\"]\n"
        ));
    }
    jobs
}

/// Returns the name and the directory of each job.
fn jobs_of(projects: &[PathBuf]) -> Vec<(String, String)> {
    match projects {
        [only] => vec![("build".to_owned(), shown(only))],
        several => several.iter().map(|path| (shown(path).replace(['/', '.'], "-"), shown(path))).collect(),
    }
}

fn shown(path: &Path) -> String {
    if path.as_os_str().is_empty() { ".".to_owned() } else { path.display().to_string() }
}
