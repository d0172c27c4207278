//! The name of the application that a server starts: `MODULE:ATTRIBUTE`.

use super::servers::{ApplicationServer, AttributeSyntax, DefaultAttribute, ModuleSyntax};
use crate::audit::handler::is_identifier;

/// What a server is told to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApplicationName {
    pub(crate) text: String,
}

/// Where an application is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApplicationLocation {
    pub(crate) module: ModuleLocation,
    pub(crate) attribute: ApplicationAttribute,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModuleLocation {
    /// A dotted name.
    Name(String),
    /// A path without the suffix `.py`.
    Path(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApplicationAttribute {
    /// The server finds it in the module, or only running the server tells.
    Any,
    /// An attribute of the module.
    Named(String),
    /// An attribute of the module of which an attribute is used, for instance `cli` of `granian:cli.entrypoint`.
    Owner(String),
    /// The last component of the module's name may be one.
    LastComponent,
}

/// A name that a server does not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidApplication {
    pub(crate) reason: &'static str,
    /// What was probably meant.
    pub(crate) instead: Option<String>,
}

impl ApplicationName {
    /// Reads the name as a server does; `None` if only running the server tells.
    ///
    /// # Errors
    /// The server refuses the name.
    pub(crate) fn location(
        &self,
        server: &ApplicationServer,
    ) -> Result<Option<ApplicationLocation>, InvalidApplication> {
        // hypercorn takes the kind of the application before it.
        let kinds = if server.attribute == AttributeSyntax::Expression { &["asgi:", "wsgi:"][..] } else { &[] };
        let text = kinds.iter().find_map(|kind| self.text.strip_prefix(kind).filter(|rest| rest.contains(':')));
        let text = text.unwrap_or(&self.text);
        let (module, attribute) = match text.split_once(':') {
            Some((module, attribute)) => (module, Some(attribute).filter(|attribute| !attribute.is_empty())),
            None => (text, None),
        };
        let module_text = module;
        let Some(module) = module_location(module, server.module) else { return Ok(None) };
        let attribute = match (attribute, server.default) {
            (Some(attribute), _) => match attribute_name(module_text, attribute, server)? {
                Some(name) if attribute[name.len()..].starts_with('.') => ApplicationAttribute::Owner(name.to_owned()),
                Some(name) => ApplicationAttribute::Named(name.to_owned()),
                None => ApplicationAttribute::Any,
            },
            (None, DefaultAttribute::Named(name)) => ApplicationAttribute::Named(name.to_owned()),
            (None, DefaultAttribute::Searched) => ApplicationAttribute::Any,
            (None, DefaultAttribute::LastComponent) => ApplicationAttribute::LastComponent,
            (None, DefaultAttribute::Required) => {
                let instead = match self.text.rsplit_once('.') {
                    Some((module, "py")) => format!("{}:app", module.replace('/', ".")),
                    Some((module, attribute)) => format!("{module}:{attribute}"),
                    None => format!("{}:app", self.text),
                };
                return Err(InvalidApplication {
                    reason: "it does not name an attribute of the module",
                    instead: Some(instead),
                });
            }
        };
        Ok(Some(ApplicationLocation { module, attribute }))
    }
}

/// Returns the module of a name; `None` if it is neither a dotted name nor a path.
fn module_location(module: &str, syntax: ModuleSyntax) -> Option<ModuleLocation> {
    if syntax != ModuleSyntax::Name && (module.contains('/') || module.ends_with(".py")) {
        let stem = module.strip_suffix(".py").unwrap_or(module);
        return Some(ModuleLocation::Path(stem.to_owned()));
    }
    module.split('.').all(is_identifier).then(|| ModuleLocation::Name(module.to_owned()))
}

/// Returns the attribute of the module that is used first; `None` if only running the server tells.
fn attribute_name<'a>(
    module: &str,
    attribute: &'a str,
    server: &ApplicationServer,
) -> Result<Option<&'a str>, InvalidApplication> {
    let end = attribute.find(|character: char| !(character.is_alphanumeric() || character == '_'));
    let (name, rest) = attribute.split_at(end.unwrap_or(attribute.len()));
    let is_call = rest.starts_with('(') && rest.ends_with(')');
    match server.attribute {
        _ if !is_identifier(name) => Ok(None),
        AttributeSyntax::Dotted if rest.starts_with('(') => {
            let factory = ["--factory", "--call"].into_iter().find(|flag| server.flags.contains(flag));
            let instead = factory.map(|factory| format!("{factory} {module}:{name}"));
            Err(InvalidApplication { reason: "it calls the attribute", instead })
        }
        AttributeSyntax::NameOrCall if rest.starts_with('.') => {
            Err(InvalidApplication { reason: "its attribute is neither a name nor a call", instead: None })
        }
        AttributeSyntax::NameOrCall if !rest.is_empty() && !is_call => Ok(None),
        AttributeSyntax::Dotted | AttributeSyntax::NameOrCall | AttributeSyntax::Expression => Ok(Some(name)),
    }
}
