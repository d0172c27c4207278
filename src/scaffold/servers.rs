//! Chooses the server of an application and its command.

use std::path::Path;

use super::entry_points::DetectedApplication;
use super::frameworks::ServerInterface;
use super::{DetectedLock, DetectedProject};

/// The port that servers listen on.
pub(crate) const PORT: u16 = 8000;

/// In order of preference. The first is recommended if none is locked.
const ASGI: [Server; 4] = [Server::Uvicorn, Server::Granian, Server::Hypercorn, Server::Daphne];
const WSGI: [Server; 4] = [Server::Gunicorn, Server::Uwsgi, Server::Granian, Server::Waitress];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Uvicorn,
    Gunicorn,
    Hypercorn,
    Granian,
    Daphne,
    Uwsgi,
    Waitress,
}

/// The command that serves an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerCommand {
    pub(super) server: Server,
    pub(super) is_locked: bool,
    pub(super) command: Vec<String>,
    /// A file of the project that configures the server.
    pub(super) configuration: Option<&'static str>,
}

impl Server {
    /// Returns the name of the distribution.
    pub(super) fn name(self) -> &'static str {
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

    /// Returns the file that configures the server, if the project has it.
    fn configuration(self, directory: &Path) -> Option<&'static str> {
        let name = match self {
            Self::Gunicorn => "gunicorn.conf.py",
            Self::Uwsgi => "uwsgi.ini",
            _ => return None,
        };
        directory.join(name).is_file().then_some(name)
    }

    /// Returns the command that serves an application.
    fn command(self, application: &DetectedApplication, configuration: Option<&str>) -> Vec<String> {
        let (reference, bind, port) = (application.reference(), format!("0.0.0.0:{PORT}"), PORT.to_string());
        let called = format!("{reference}{}", if application.is_factory { "()" } else { "" });
        let (factory, call): (&[&str], &[&str]) =
            if application.is_factory { (&["--factory"], &["--call"]) } else { (&[], &[]) };
        let words: Vec<&str> = match self {
            Self::Uvicorn => [&["uvicorn"], factory, &[&reference, "--host", "0.0.0.0", "--port", &port]].concat(),
            // The configuration file sets the address.
            Self::Gunicorn if configuration.is_some() => vec!["gunicorn", &called],
            Self::Gunicorn => vec!["gunicorn", "--bind", &bind, &called],
            Self::Hypercorn => vec!["hypercorn", "--bind", &bind, &called],
            Self::Granian => {
                let interface = if application.interface() == ServerInterface::Asgi { "asgi" } else { "wsgi" };
                let address = ["--host", "0.0.0.0", "--port", &port];
                [&["granian", "--interface", interface], &address[..], factory, &[&reference]].concat()
            }
            Self::Daphne => vec!["daphne", "-b", "0.0.0.0", "-p", &port, &reference],
            Self::Uwsgi if configuration.is_some() => vec!["uwsgi", "--ini", "uwsgi.ini"],
            Self::Uwsgi => {
                vec!["uwsgi", "--http-socket", &bind, "--master", "--die-on-term", "--need-app", "--module", &called]
            }
            Self::Waitress => [&["waitress-serve", "--listen", &bind], call, &[&reference]].concat(),
        };
        words.into_iter().map(str::to_owned).collect()
    }
}

impl ServerCommand {
    /// Chooses the server of an application: one that is locked, or else the recommended one.
    pub(super) fn choose(application: &DetectedApplication, project: &DetectedProject) -> Self {
        let servers = match application.interface() {
            ServerInterface::Asgi => ASGI,
            ServerInterface::Wsgi => WSGI,
        };
        // Daphne has no option for application factories.
        let mut fitting = servers.into_iter().filter(|server| *server != Server::Daphne || !application.is_factory);
        let found = fitting.find(|server| server.is_locked(&project.lock));
        let server = found.unwrap_or(servers[0]);
        let configuration = server.configuration(&project.directory);
        let command = server.command(application, configuration);
        Self { server, is_locked: found.is_some(), command, configuration }
    }
}
