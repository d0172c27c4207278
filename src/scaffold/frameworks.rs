//! What calling something known makes: an application, or a Lambda handler.

use std::fmt;

/// How a server calls an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interface {
    /// [ASGI](https://asgi.readthedocs.io/en/latest/specs/main.html).
    Asgi,
    /// [WSGI, PEP 3333](https://peps.python.org/pep-3333/).
    Wsgi,
}

impl fmt::Display for Interface {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Asgi => "ASGI",
            Self::Wsgi => "WSGI",
        })
    }
}

/// What an application is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framework {
    /// Its name, as its makers write it.
    pub name: &'static str,
    /// How it is called.
    pub interface: Interface,
}

impl Framework {
    /// Pyramid, whose applications come from a method.
    pub(super) const PYRAMID: Self = Self { name: "Pyramid", interface: Interface::Wsgi };
}

/// What a call makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    Application(Framework),
    /// A handler: the library that makes it.
    Handler(&'static str),
}

/// Classes and functions by the names that they are imported by.
const APPLICATIONS: [(&str, &str, Interface); 28] = [
    ("fastapi.FastAPI", "FastAPI", Interface::Asgi),
    ("fastapi.applications.FastAPI", "FastAPI", Interface::Asgi),
    ("starlette.applications.Starlette", "Starlette", Interface::Asgi),
    ("litestar.Litestar", "Litestar", Interface::Asgi),
    ("litestar.app.Litestar", "Litestar", Interface::Asgi),
    ("quart.Quart", "Quart", Interface::Asgi),
    ("quart.app.Quart", "Quart", Interface::Asgi),
    ("sanic.Sanic", "Sanic", Interface::Asgi),
    ("blacksheep.Application", "BlackSheep", Interface::Asgi),
    ("blacksheep.server.Application", "BlackSheep", Interface::Asgi),
    ("connexion.AsyncApp", "Connexion", Interface::Asgi),
    ("fasthtml.FastHTML", "FastHTML", Interface::Asgi),
    ("fasthtml.common.FastHTML", "FastHTML", Interface::Asgi),
    ("falcon.asgi.App", "Falcon", Interface::Asgi),
    ("socketio.ASGIApp", "Socket.IO", Interface::Asgi),
    ("channels.routing.ProtocolTypeRouter", "Django", Interface::Asgi),
    ("django.core.asgi.get_asgi_application", "Django", Interface::Asgi),
    ("django.core.wsgi.get_wsgi_application", "Django", Interface::Wsgi),
    ("flask.Flask", "Flask", Interface::Wsgi),
    ("flask.app.Flask", "Flask", Interface::Wsgi),
    ("apiflask.APIFlask", "APIFlask", Interface::Wsgi),
    ("flask_openapi3.OpenAPI", "Flask", Interface::Wsgi),
    ("bottle.Bottle", "Bottle", Interface::Wsgi),
    ("bottle.default_app", "Bottle", Interface::Wsgi),
    ("falcon.App", "Falcon", Interface::Wsgi),
    ("falcon.API", "Falcon", Interface::Wsgi),
    ("eve.Eve", "Eve", Interface::Wsgi),
    ("socketio.WSGIApp", "Socket.IO", Interface::Wsgi),
];

/// Returns what calling something makes, given its full name.
pub(super) fn made_by(callable: &str) -> Option<Made> {
    match callable {
        "mangum.Mangum" | "mangum.adapter.Mangum" => Some(Made::Handler("Mangum")),
        "apig_wsgi.make_lambda_handler" => Some(Made::Handler("apig-wsgi")),
        "chalice.Chalice" | "chalice.app.Chalice" => Some(Made::Handler("Chalice")),
        _ => {
            let found = APPLICATIONS.into_iter().find(|(name, ..)| *name == callable);
            found.map(|(_, name, interface)| Made::Application(Framework { name, interface }))
        }
    }
}
