//! Web frameworks, known by the functions and classes that create their applications.

use std::fmt;

/// How a server calls an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServerInterface {
    /// [ASGI](https://asgi.readthedocs.io/en/latest/specs/main.html).
    Asgi,
    /// [WSGI, PEP 3333](https://peps.python.org/pep-3333/).
    Wsgi,
}

impl fmt::Display for ServerInterface {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Asgi => "ASGI",
            Self::Wsgi => "WSGI",
        })
    }
}

/// A web framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Framework {
    /// As the framework's documentation spells it.
    pub(crate) name: &'static str,
    pub(crate) interface: ServerInterface,
}

/// Functions and classes that create an application, by their full names.
const APPLICATIONS: [(&str, &str, ServerInterface); 28] = [
    ("fastapi.FastAPI", "FastAPI", ServerInterface::Asgi),
    ("fastapi.applications.FastAPI", "FastAPI", ServerInterface::Asgi),
    ("starlette.applications.Starlette", "Starlette", ServerInterface::Asgi),
    ("litestar.Litestar", "Litestar", ServerInterface::Asgi),
    ("litestar.app.Litestar", "Litestar", ServerInterface::Asgi),
    ("quart.Quart", "Quart", ServerInterface::Asgi),
    ("quart.app.Quart", "Quart", ServerInterface::Asgi),
    ("sanic.Sanic", "Sanic", ServerInterface::Asgi),
    ("blacksheep.Application", "BlackSheep", ServerInterface::Asgi),
    ("blacksheep.server.Application", "BlackSheep", ServerInterface::Asgi),
    ("connexion.AsyncApp", "Connexion", ServerInterface::Asgi),
    ("fasthtml.FastHTML", "FastHTML", ServerInterface::Asgi),
    ("fasthtml.common.FastHTML", "FastHTML", ServerInterface::Asgi),
    ("falcon.asgi.App", "Falcon", ServerInterface::Asgi),
    ("socketio.ASGIApp", "Socket.IO", ServerInterface::Asgi),
    ("channels.routing.ProtocolTypeRouter", "Django", ServerInterface::Asgi),
    ("django.core.asgi.get_asgi_application", "Django", ServerInterface::Asgi),
    ("django.core.wsgi.get_wsgi_application", "Django", ServerInterface::Wsgi),
    ("flask.Flask", "Flask", ServerInterface::Wsgi),
    ("flask.app.Flask", "Flask", ServerInterface::Wsgi),
    ("apiflask.APIFlask", "APIFlask", ServerInterface::Wsgi),
    ("flask_openapi3.OpenAPI", "Flask", ServerInterface::Wsgi),
    ("bottle.Bottle", "Bottle", ServerInterface::Wsgi),
    ("bottle.default_app", "Bottle", ServerInterface::Wsgi),
    ("falcon.App", "Falcon", ServerInterface::Wsgi),
    ("falcon.API", "Falcon", ServerInterface::Wsgi),
    ("eve.Eve", "Eve", ServerInterface::Wsgi),
    ("socketio.WSGIApp", "Socket.IO", ServerInterface::Wsgi),
];

/// Returns the framework of the application that a function or class creates, by its full name.
pub(crate) fn application(callable: &str) -> Option<Framework> {
    let found = APPLICATIONS.into_iter().find(|(name, ..)| *name == callable);
    found.map(|(_, name, interface)| Framework { name, interface })
}
