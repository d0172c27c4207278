//! What known functions and classes create: an application, a Lambda handler and others.

use crate::audit::frameworks;
pub(super) use crate::audit::frameworks::{Framework, ServerInterface};

impl Framework {
    /// Not in the table, because its applications are created by a method (`Configurator.make_wsgi_app`).
    pub(super) const PYRAMID: Self = Self { name: "Pyramid", interface: ServerInterface::Wsgi };
}

/// What a call of a known function or class returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameworkObject {
    Application(Framework),
    /// The library that creates the handler.
    Handler(&'static str),
    /// An application of Celery, which workers run.
    Celery,
    /// A page of Gradio, which its module serves when it is run.
    Gradio,
}

/// Returns what a function or class creates, by its full name.
pub(super) fn framework_object(callable: &str) -> Option<FrameworkObject> {
    match callable {
        "mangum.Mangum" | "mangum.adapter.Mangum" => Some(FrameworkObject::Handler("Mangum")),
        "apig_wsgi.make_lambda_handler" => Some(FrameworkObject::Handler("apig-wsgi")),
        "celery.Celery" | "celery.app.Celery" => Some(FrameworkObject::Celery),
        "gradio.Blocks" | "gradio.Interface" | "gradio.ChatInterface" | "gradio.TabbedInterface" => {
            Some(FrameworkObject::Gradio)
        }
        "chalice.Chalice" | "chalice.app.Chalice" => Some(FrameworkObject::Handler("Chalice")),
        _ => frameworks::application(callable).map(FrameworkObject::Application),
    }
}
