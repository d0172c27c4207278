//! The environment of a function.
//!
//! Specification: [AWS, defined runtime environment variables](https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;

use super::function::{LocalFunction, RuntimeDirectories};
use crate::lambda::configuration::FunctionMemory;
use crate::lambda::{LIBRARY_PATH, TASK_ROOT};

/// What the user must not set: it changes how the client works, or what the interpreter is.
const IGNORED: [&str; 6] = [
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_RUNTIME_API",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "_HANDLER",
    "_LAMBDA_TELEMETRY_LOG_FD",
];

/// Returns the variables of a function, with those of the user. Without `api`, the process does not run the client itself.
pub(super) fn of(
    function: &LocalFunction,
    directories: &RuntimeDirectories,
    search_path: Option<&OsStr>,
    api: Option<SocketAddr>,
) -> BTreeMap<String, String> {
    let python = function.python_version();
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    let (task, layer, runtime) = (shown(&directories.function), shown(&directories.layer), shown(&directories.client));
    let library_path = LIBRARY_PATH.join(":").replace("/var/runtime", &runtime).replace(TASK_ROOT, &task);
    let path = match search_path {
        // Without a sandbox, programs are where this machine has them.
        Some(path) => shown(Path::new(path)),
        None => "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin".to_owned(),
    };
    let memory = function.memory().unwrap_or(FunctionMemory::DEFAULT);
    let name = function.name();
    let search_modules = format!("{task}:{layer}/python/lib/python{python}/site-packages:{layer}/python:{runtime}");
    let variables = [
        ("PATH", path),
        ("LD_LIBRARY_PATH", library_path.replace("/opt/lib", &format!("{layer}/lib"))),
        ("PYTHONPATH", search_modules.clone()),
        ("PYTHONNOUSERSITE", "1".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("LAMBDA_TASK_ROOT", task),
        ("LAMBDA_RUNTIME_DIR", runtime),
        ("_HANDLER", function.handler().to_owned()),
        ("AWS_EXECUTION_ENV", format!("AWS_Lambda_python{python}")),
        ("AWS_REGION", function.region().to_owned()),
        ("AWS_DEFAULT_REGION", function.region().to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
    ];
    let own = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
    let of_user = function.variables().iter().filter(|(name, _)| !IGNORED.contains(&name.as_str())).cloned();
    let api = api.map(|api| ("AWS_LAMBDA_RUNTIME_API".to_owned(), api.to_string()));
    let mut variables: BTreeMap<_, _> = own.chain(of_user).chain(api).collect();
    // The interpreter finds the client by this variable.
    if let Some(path) = variables.get_mut("PYTHONPATH").filter(|path| **path != search_modules) {
        *path = format!("{path}:{search_modules}");
    }
    variables
}
