//! The servers that are told by their command line which application to start.
//!
//! An option that is not listed takes a value: a flag that a later version adds then hides the application, and nothing is
//! reported about it.

use crate::audit::handler::is_identifier;

/// A server and how it reads its command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApplicationServer {
    /// The name of its module and of its distribution.
    pub(crate) name: &'static str,
    /// The name of its executable, if it is another.
    executable: Option<&'static str>,
    /// The modules that it imports before it searches for the application, if its executable does not import them at once.
    pub(crate) loads: &'static [&'static str],
    /// The options without a value.
    pub(super) flags: &'static [&'static str],
    pub(super) application: ApplicationArgument,
    /// The options that name what runs the application.
    pub(super) workers: &'static [&'static str],
    /// The option with the directory that is searched for modules instead of the working directory.
    pub(super) directory: Option<&'static str>,
    /// The option with further directories, separated by commas.
    pub(super) python_path: Option<&'static str>,
    /// The options with a file of settings.
    pub(super) configuration: &'static [&'static str],
    /// The file of settings that is read if it is in the working directory.
    pub(super) default_configuration: Option<&'static str>,
    /// The environment variable that can change where modules are searched for.
    pub(super) variable: Option<&'static str>,
    pub(crate) module: ModuleSyntax,
    pub(super) attribute: AttributeSyntax,
    pub(super) default: DefaultAttribute,
    /// The files of the working directory of which the first one is started if no application is named.
    pub(super) default_files: &'static [&'static str],
}

/// Which argument names the application.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ApplicationArgument {
    /// The first one that is neither an option nor the value of one.
    Positional,
    /// The value of an option, or else of an environment variable.
    Option(&'static [&'static str], &'static str),
}

/// How a server reads the module of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModuleSyntax {
    /// A dotted name.
    Name,
    /// A dotted name, or a path to a module at the top level: `src/main.py`.
    Path,
    /// A dotted name, or a path to a module in a package.
    PathInPackage,
}

/// How a server reads the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttributeSyntax {
    /// `app` or `container.app`.
    Dotted,
    /// `app` or `create_app("production")`.
    NameOrCall,
    /// Any expression.
    Expression,
}

/// What a server starts if the attribute is not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DefaultAttribute {
    /// Nothing: it must be named.
    Required,
    Named(&'static str),
    /// What it finds in the module.
    Searched,
    /// What it finds in the module, or what the last component of the dotted name stands for.
    LastComponent,
}

const UVICORN: &[&str] = &[
    "--access-log",
    "--date-header",
    "--factory",
    "--help",
    "--http2",
    "--no-access-log",
    "--no-date-header",
    "--no-proxy-headers",
    "--no-server-header",
    "--no-use-colors",
    "--proxy-headers",
    "--reload",
    "--reset-contextvars",
    "--server-header",
    "--use-colors",
    "--version",
];

const GUNICORN: &[&str] = &[
    "--capture-output",
    "--casefold-http-method",
    "--check-config",
    "--daemon",
    "--disable-redirect-access-to-syslog",
    "--do-handshake-on-connect",
    "--enable-backlog-metric",
    "--enable-stdio-inheritance",
    "--help",
    "--initgroups",
    "--log-syslog",
    "--no-control-socket",
    "--no-sendfile",
    "--permit-obsolete-folding",
    "--permit-unconventional-http-method",
    "--permit-unconventional-http-version",
    "--preload",
    "--print-config",
    "--reload",
    "--reuse-port",
    "--spew",
    "--strip-header-spaces",
    "--suppress-ragged-eofs",
    "--version",
    "-D",
    "-R",
    "-h",
    "-v",
];

const GRANIAN: &[&str] = &[
    "--access-log",
    "--factory",
    "--help",
    "--http1-keep-alive",
    "--http1-pipeline-flush",
    "--http2-adaptive-window",
    "--log",
    "--metrics",
    "--no-access-log",
    "--no-factory",
    "--no-http1-keep-alive",
    "--no-http1-pipeline-flush",
    "--no-http2-adaptive-window",
    "--no-log",
    "--no-metrics",
    "--no-reload",
    "--no-reload-ignore-worker-failure",
    "--no-respawn-failed-workers",
    "--no-ssl-client-verify",
    "--no-ws",
    "--reload",
    "--reload-ignore-worker-failure",
    "--respawn-failed-workers",
    "--ssl-client-verify",
    "--version",
    "--ws",
];

/// A server that is told only `MODULE:ATTRIBUTE`, from which the others differ.
const PLAIN_SERVER: ApplicationServer = ApplicationServer {
    name: "",
    executable: None,
    loads: &[],
    flags: &[],
    application: ApplicationArgument::Positional,
    workers: &[],
    directory: None,
    python_path: None,
    configuration: &[],
    default_configuration: None,
    variable: None,
    module: ModuleSyntax::Name,
    attribute: AttributeSyntax::Dotted,
    default: DefaultAttribute::Required,
    default_files: &[],
};

const WAITRESS: &[&str] = &[
    "--asyncore-use-poll",
    "--call",
    "--clear-untrusted-proxy-headers",
    "--expose-tracebacks",
    "--help",
    "--ipv4",
    "--ipv6",
    "--log-socket-errors",
    "--log-untrusted-proxy-headers",
    "--no-asyncore-use-poll",
    "--no-clear-untrusted-proxy-headers",
    "--no-expose-tracebacks",
    "--no-ipv4",
    "--no-ipv6",
    "--no-log-socket-errors",
    "--no-log-untrusted-proxy-headers",
];

/// From the sources of celery 5.7.0, daphne 4.2.3, fastapi 0.165.0, flask 3.1.3, granian 2.8.9, gunicorn 27.0.1, hypercorn 0.18.0, uvicorn
/// 0.54.0 and waitress 3.0.2.
static SERVERS: [ApplicationServer; 9] = [
    ApplicationServer {
        name: "celery",
        loads: &["celery.bin.celery"],
        application: ApplicationArgument::Option(&["-A", "--app"], "APP"),
        directory: Some("--workdir"),
        default: DefaultAttribute::LastComponent,
        ..PLAIN_SERVER
    },
    ApplicationServer {
        name: "daphne",
        flags: &["--help", "--no-server-name", "--proxy-headers", "-h"],
        ..PLAIN_SERVER
    },
    ApplicationServer {
        name: "fastapi",
        // Its console script imports this in a `try` and then refuses to run without it.
        loads: &["fastapi_cli.cli"],
        flags: &["--help", "--no-proxy-headers", "--no-reload", "--proxy-headers", "--reload", "--version"],
        application: ApplicationArgument::Option(&["--entrypoint", "-e"], ""),
        ..PLAIN_SERVER
    },
    ApplicationServer {
        name: "flask",
        application: ApplicationArgument::Option(&["--app", "-A"], "FLASK_APP"),
        module: ModuleSyntax::PathInPackage,
        attribute: AttributeSyntax::NameOrCall,
        default: DefaultAttribute::Searched,
        default_files: &["wsgi.py", "app.py"],
        ..PLAIN_SERVER
    },
    ApplicationServer {
        name: "granian",
        flags: GRANIAN,
        directory: Some("--working-dir"),
        variable: Some("GRANIAN_WORKING_DIR"),
        module: ModuleSyntax::PathInPackage,
        default: DefaultAttribute::Named("app"),
        ..PLAIN_SERVER
    },
    ApplicationServer {
        name: "gunicorn",
        flags: GUNICORN,
        workers: &["-k", "--worker-class"],
        directory: Some("--chdir"),
        python_path: Some("--pythonpath"),
        configuration: &["-c", "--config"],
        default_configuration: Some("gunicorn.conf.py"),
        variable: Some("GUNICORN_CMD_ARGS"),
        attribute: AttributeSyntax::NameOrCall,
        default: DefaultAttribute::Named("application"),
        ..PLAIN_SERVER
    },
    ApplicationServer {
        name: "hypercorn",
        flags: &["--daemon", "--debug", "--help", "--reload", "-D", "-h"],
        configuration: &["-c", "--config"],
        module: ModuleSyntax::Path,
        attribute: AttributeSyntax::Expression,
        default: DefaultAttribute::Named("app"),
        ..PLAIN_SERVER
    },
    ApplicationServer {
        name: "uvicorn",
        flags: UVICORN,
        directory: Some("--app-dir"),
        variable: Some("UVICORN_APP_DIR"),
        ..PLAIN_SERVER
    },
    ApplicationServer {
        name: "waitress",
        executable: Some("waitress-serve"),
        flags: WAITRESS,
        // `main.app` is an attribute as well, and so is a module: what is served is called at each request only.
        default: DefaultAttribute::LastComponent,
        ..PLAIN_SERVER
    },
];

/// The workers of gunicorn that are told by a name without a module, and the modules that they need.
const WORKERS: [(&str, &str); 5] = [
    ("eventlet", "eventlet"),
    ("gevent", "gevent"),
    ("gevent_pywsgi", "gevent"),
    ("gevent_wsgi", "gevent"),
    ("tornado", "tornado"),
];

/// Returns the module of a worker, and its attribute; `None` if the server has it.
pub(crate) fn worker(name: &str) -> Option<(&str, Option<&str>)> {
    match name.rsplit_once('.') {
        Some((module, class)) => module.split('.').all(is_identifier).then_some((module, Some(class))),
        None => WORKERS.iter().find(|(known, _)| *known == name).map(|(_, module)| (*module, None)),
    }
}

/// Distributions by the names of their executables, besides servers, which have the names of their distributions.
const SCRIPTS: [(&str, &str); 16] = [
    ("airflow", "apache-airflow"),
    ("alembic", "alembic"),
    ("arq", "arq"),
    ("dagster", "dagster"),
    ("ddtrace-run", "ddtrace"),
    ("django-admin", "django"),
    ("dramatiq", "dramatiq"),
    ("jupyter", "jupyter-core"),
    ("litestar", "litestar"),
    ("mlflow", "mlflow"),
    ("newrelic-admin", "newrelic"),
    ("opentelemetry-instrument", "opentelemetry-instrumentation"),
    ("prefect", "prefect"),
    ("rq", "rq"),
    ("streamlit", "streamlit"),
    ("uwsgi", "uwsgi"),
];

/// Returns the distribution that an executable belongs to.
pub(crate) fn distribution_of(name: &str) -> Option<&str> {
    let known = SCRIPTS.iter().find(|(script, _)| *script == name).map(|(_, distribution)| *distribution);
    known.or_else(|| ApplicationServer::named(name).map(|server| server.name))
}

impl ApplicationServer {
    /// Returns the server with the name of an executable or a module.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        SERVERS.iter().find(|server| server.name == name || server.executable == Some(name))
    }

    /// Returns the name of its executable.
    pub(super) fn executable(&self) -> &'static str {
        self.executable.unwrap_or(self.name)
    }

    /// Returns whether an option decides where modules are searched for.
    pub(super) fn searches(&self, option: &str) -> bool {
        self.directory == Some(option) || self.python_path == Some(option) || self.configuration.contains(&option)
    }
}
