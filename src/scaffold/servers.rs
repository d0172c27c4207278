//! The command by which a server starts an application.

use std::path::Path;

use super::DetectedLock;
use super::entry_points::DetectedApplication;
use super::frameworks::ServerInterface;

/// The port that servers are told to listen on.
pub(crate) const PORT: u16 = 8000;

/// Servers by the names of their distributions, the first that is locked first. The first of all is recommended where
/// none is.
const ASGI: [Server; 4] = [Server::Uvicorn, Server::Granian, Server::Hypercorn, Server::Daphne];
const WSGI: [Server; 4] = [Server::Gunicorn, Server::Uwsgi, Server::Granian, Server::Waitress];

/// A server of Python applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// uvicorn.
    Uvicorn,
    /// gunicorn.
    Gunicorn,
    /// hypercorn.
    Hypercorn,
    /// granian.
    Granian,
    /// daphne.
    Daphne,
    /// uWSGI.
    Uwsgi,
    /// waitress.
    Waitress,
}

/// How an application is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerCommand {
    /// The server.
    pub(crate) server: Server,
    /// Whether it is locked.
    pub(crate) is_locked: bool,
    /// The command.
    pub(crate) command: Vec<String>,
    /// A file beside the application that the server reads.
    pub(crate) configuration: Option<&'static str>,
}

impl Server {
    /// Returns the name of its distribution.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uvicorn => "uvicorn",
            Self::Gunicorn => "gunicorn",
            Self::Hypercorn => "hypercorn",
            Self::Granian => "granian",
            Self::Daphne => "daphne",
            Self::Uwsgi => "uwsgi",
            Self::Waitress => "waitress",
        }
    }

    fn is_locked(self, locked: &DetectedLock) -> bool {
        locked.contains(self.name()) || self == Self::Uwsgi && locked.contains("pyuwsgi")
    }

    /// Returns the file that it is configured by, if the project has it.
    fn configuration(self, directory: &Path) -> Option<&'static str> {
        let name = match self {
            Self::Gunicorn => "gunicorn.conf.py",
            Self::Uwsgi => "uwsgi.ini",
            _ => return None,
        };
        directory.join(name).is_file().then_some(name)
    }

    /// Returns the words by which it starts an application.
    fn command(self, application: &DetectedApplication, configuration: Option<&str>) -> Vec<String> {
        let (reference, bind, port) = (application.reference(), format!("0.0.0.0:{PORT}"), PORT.to_string());
        let called = format!("{reference}{}", if application.is_factory { "()" } else { "" });
        let factory = |option: &'static str| if application.is_factory { vec![option] } else { Vec::new() };
        let words: Vec<&str> = match self {
            Self::Uvicorn => {
                [vec!["uvicorn"], factory("--factory"), vec![&reference, "--host", "0.0.0.0", "--port", &port]].concat()
            }
            // Its file says where it listens.
            Self::Gunicorn if configuration.is_some() => vec!["gunicorn", &called],
            Self::Gunicorn => vec!["gunicorn", "--bind", &bind, &called],
            Self::Hypercorn => vec!["hypercorn", "--bind", &bind, &called],
            Self::Granian => {
                let interface = if application.interface() == ServerInterface::Asgi { "asgi" } else { "wsgi" };
                let address = ["--host", "0.0.0.0", "--port", &port];
                [&["granian", "--interface", interface][..], &address, &factory("--factory"), &[&reference]].concat()
            }
            Self::Daphne => vec!["daphne", "-b", "0.0.0.0", "-p", &port, &reference],
            Self::Uwsgi if configuration.is_some() => vec!["uwsgi", "--ini", "uwsgi.ini"],
            Self::Uwsgi => {
                vec!["uwsgi", "--http-socket", &bind, "--master", "--die-on-term", "--need-app", "--module", &called]
            }
            Self::Waitress => [vec!["waitress-serve", "--listen", &bind], factory("--call"), vec![&reference]].concat(),
        };
        words.into_iter().map(str::to_owned).collect()
    }
}

impl ServerCommand {
    /// Chooses the server of an application: one that is locked, else the one that is recommended.
    pub(crate) fn choose(application: &DetectedApplication, locked: &DetectedLock, directory: &Path) -> Self {
        let servers = match application.interface() {
            ServerInterface::Asgi => ASGI,
            ServerInterface::Wsgi => WSGI,
        };
        // Daphne calls no function.
        let mut fitting = servers.into_iter().filter(|server| *server != Server::Daphne || !application.is_factory);
        let found = fitting.find(|server| server.is_locked(locked));
        let server = found.unwrap_or(servers[0]);
        let configuration = server.configuration(directory);
        let command = server.command(application, configuration);
        Self { server, is_locked: found.is_some(), command, configuration }
    }
}
