//! Follows a handler from the module that it is named in to where it is defined: through imports and aliases.

use std::io;

use super::{
    Handler, HandlerError, HandlerUncertainty, ImportRoot, LARGEST_MODULE, LocatedHandler, similar_handlers,
    web_application,
};
use crate::audit::frameworks::Framework;
use crate::audit::imports;
use crate::audit::names::{Binding, ImportedName, IncompleteNames, ModuleNames};
use crate::audit::search::{self, ModuleFile, ModuleLookup, SearchDirectory};
use crate::platform::PythonVersion;
use crate::syntax::PythonSyntaxError;
use crate::tree::FileOrigin;

/// How many imports and aliases are followed: a circular one never ends.
const LONGEST_CHAIN: usize = 16;

/// Classes of the standard library whose subclasses are called as other classes are, and cannot be serialized.
const PLAIN_BASES: [&str; 5] = ["Exception", "abc.ABC", "object", "typing.Generic", "typing.Protocol"];

/// Checks a handler in the trees of an artifact.
pub(super) struct HandlerCheck<'a> {
    pub(super) handler: &'a Handler,
    pub(super) roots: &'a [ImportRoot<'a>],
    pub(super) python: PythonVersion,
    pub(super) is_own: &'a dyn Fn(&FileOrigin) -> bool,
}

/// A name in a module, which may define it or get it from elsewhere.
struct NameInModule<'a> {
    /// The module's dotted name.
    module: String,
    file: ModuleFile<'a>,
    name: String,
}

/// Where a name leads.
enum NameTarget<'a> {
    /// To a function, or to what may be one.
    Found,
    /// Not decidable: what is in the way, at a path.
    Uncertain(String, HandlerUncertainty),
    /// To something else that is not callable: a class, a literal, a module.
    NoCallable(&'static str),
    Coroutine,
    OtherParameters,
    WebApplication(Framework),
    Undefined,
    Next(NameInModule<'a>),
}

impl<'a> HandlerCheck<'a> {
    pub(super) fn run(&self) -> Result<LocatedHandler, HandlerError> {
        let file = match search::locate(self.handler.components(), self.roots) {
            ModuleLookup::Source(file) => file,
            ModuleLookup::Compiled(file) => {
                let uncertainty = Some(HandlerUncertainty::Compiled);
                return Ok(LocatedHandler { path: file.path.to_owned(), uncertainty });
            }
            ModuleLookup::Namespace(_) => {
                return Err(HandlerError::NamespacePackage { handler: self.handler.clone(), similar: self.similar() });
            }
            ModuleLookup::Foreign(_) | ModuleLookup::NotFound => {
                let directories: Vec<SearchDirectory> = self.roots.iter().map(SearchDirectory::of).collect();
                let hidden = search::unfound(&directories, &self.handler.module());
                let handler = self.handler.clone();
                return Err(match hidden {
                    Some(hidden) => HandlerError::HiddenModule { handler, hidden },
                    None => HandlerError::NoModule {
                        handler,
                        similar: self.similar(),
                        omitted: None,
                        is_file: false,
                        excluded_by: None,
                    },
                });
            }
        };
        let first = file.path;
        let mut at = NameInModule { module: self.handler.module(), file, name: self.handler.function().to_owned() };
        let mut before = None;
        for _ in 0..LONGEST_CHAIN {
            let path = at.file.path.to_owned();
            let (handler, function) = (self.handler.clone(), at.name.clone());
            let next = match self.target(&at)? {
                NameTarget::Found => break,
                NameTarget::Uncertain(path, uncertainty) => {
                    return Ok(LocatedHandler { path, uncertainty: Some(uncertainty) });
                }
                NameTarget::NoCallable(kind) => {
                    let is_imported = path != first;
                    let mut similar = self.similar();
                    // Another module that imports it has the same.
                    similar.retain(|other| !is_imported || !other.ends_with(&format!(".{}", handler.function())));
                    return Err(HandlerError::NoCallable { handler, path, kind, is_imported, similar });
                }
                NameTarget::Coroutine => return Err(HandlerError::Coroutine { handler, path, function }),
                NameTarget::OtherParameters => return Err(HandlerError::Parameters { handler, path, function }),
                NameTarget::WebApplication(framework) => {
                    let similar = self.similar();
                    return Err(HandlerError::WebApplication {
                        handler,
                        path,
                        name: function.into(),
                        framework,
                        similar,
                    });
                }
                NameTarget::Undefined => {
                    return Err(match before {
                        Some(importing) => {
                            HandlerError::NotReExported { handler, path: importing, from: path, name: at.name }
                        }
                        None => HandlerError::NoFunction { handler, path, similar: self.similar() },
                    });
                }
                NameTarget::Next(next) => next,
            };
            before = Some(path);
            at = next;
        }
        Ok(LocatedHandler { path: first.to_owned(), uncertainty: None })
    }

    fn similar(&self) -> Vec<String> {
        similar_handlers(self.handler, self.roots, self.python, self.is_own)
    }

    /// Returns where a name in a module leads.
    fn target(&self, at: &NameInModule<'a>) -> Result<NameTarget<'a>, HandlerError> {
        let path = at.file.path.to_owned();
        let Some(names) = self.names(&at.file)? else {
            return Ok(NameTarget::Uncertain(path, HandlerUncertainty::Unparsed));
        };
        let uncertainty = names.incomplete.as_ref().map(|incomplete| match incomplete {
            IncompleteNames::StarImport(module) => HandlerUncertainty::StarImport(module.clone()),
            IncompleteNames::GetAttr | IncompleteNames::Dynamic => HandlerUncertainty::Dynamic,
            IncompleteNames::TooDeep => HandlerUncertainty::Unparsed,
        });
        let is_rebound = matches!(names.incomplete, Some(IncompleteNames::Dynamic | IncompleteNames::StarImport(_)));
        Ok(match (names.get(&at.name), uncertainty) {
            (None, Some(uncertainty)) => NameTarget::Uncertain(path, uncertainty),
            // Only the names of the application's modules are certain: others may be patched.
            (None, None) if !(self.is_own)(&at.file.entry.origin) => {
                NameTarget::Uncertain(path, HandlerUncertainty::Dynamic)
            }
            (None, None) => NameTarget::Undefined,
            (Some(Binding::Literal(_)), Some(uncertainty)) if is_rebound => NameTarget::Uncertain(path, uncertainty),
            (Some(Binding::Object), _) => NameTarget::Found,
            (Some(Binding::Call(callee)), _) => {
                web_application::of_call(&names, callee).map_or(NameTarget::Found, NameTarget::WebApplication)
            }
            (Some(Binding::Literal(kind)), _) => NameTarget::NoCallable(kind),
            (Some(Binding::Class { bases }), _) if self.are_plain(at, &names, bases, 0) => {
                NameTarget::NoCallable("a class")
            }
            (Some(Binding::Class { .. }), _) => NameTarget::Found,
            (Some(Binding::Module(_)), _) => NameTarget::NoCallable("a module"),
            (Some(Binding::Coroutine), _) => NameTarget::Coroutine,
            (Some(Binding::OtherParameters), _) => NameTarget::OtherParameters,
            (Some(Binding::Imported(imported)), _) => self.imported(at, imported),
            (Some(Binding::Alias(components)), _) => self.alias(at, &names, components),
        })
    }

    /// Returns the names of a module; `None` if it is too large.
    fn names(&self, file: &ModuleFile) -> Result<Option<ModuleNames>, HandlerError> {
        let (handler, path) = (self.handler.clone(), file.path.to_owned());
        let source = match file.entry.content.read(LARGEST_MODULE) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(None),
            Err(source) => return Err(HandlerError::Read { handler, path, source }),
        };
        match ModuleNames::read(&source, self.python) {
            Ok(names) => Ok(Some(names)),
            Err(error) => {
                let PythonSyntaxError { line, column, reason, is_of_version } = error;
                Err(HandlerError::Syntax { handler, path, line, column, reason, is_of_version })
            }
        }
    }

    fn imported(&self, at: &NameInModule<'a>, imported: &ImportedName) -> NameTarget<'a> {
        // The audit of imports reports one that leads nowhere.
        let Some(module) = absolute(at, imported) else { return NameTarget::Found };
        let submodule = format!("{module}.{}", imported.name);
        match self.locate(&module) {
            ModuleLookup::Source(file) => {
                let is_self = file.path == at.file.path;
                let is_attribute = !is_self && self.names(&file).is_ok_and(|names| has_name(names, &imported.name));
                if !is_attribute && !matches!(self.locate(&submodule), ModuleLookup::NotFound) {
                    NameTarget::NoCallable("a module")
                } else if is_self {
                    NameTarget::Found
                } else {
                    NameTarget::Next(NameInModule { module, file, name: imported.name.clone() })
                }
            }
            ModuleLookup::Compiled(file) => NameTarget::Uncertain(file.path.to_owned(), HandlerUncertainty::Compiled),
            ModuleLookup::Namespace(_) if !matches!(self.locate(&submodule), ModuleLookup::NotFound) => {
                NameTarget::NoCallable("a module")
            }
            ModuleLookup::Namespace(_) | ModuleLookup::Foreign(_) | ModuleLookup::NotFound => NameTarget::Found,
        }
    }

    /// Returns where an assigned name leads, such as `main` or `other.main`.
    fn alias(&self, at: &NameInModule<'a>, names: &ModuleNames, components: &[String]) -> NameTarget<'a> {
        let (first, rest) = (&components[0], &components[1..]);
        let (module, Some((last, inner))) = (names.get(first), rest.split_last()) else {
            let NameInModule { module, file, .. } = at;
            // Otherwise a built-in function.
            let is_defined = names.get(first).is_some() && *first != at.name;
            let own = NameInModule { module: module.clone(), file: *file, name: first.clone() };
            return if is_defined { NameTarget::Next(own) } else { NameTarget::Found };
        };
        let module = match module {
            Some(Binding::Module(module)) => Some(module.clone()),
            Some(Binding::Imported(imported)) => {
                absolute(at, imported).map(|module| format!("{module}.{}", imported.name))
            }
            // An attribute of an object.
            _ => None,
        };
        let Some(module) = module else { return NameTarget::Found };
        let module = [&[module], inner].concat().join(".");
        match self.locate(&module) {
            ModuleLookup::Source(file) => NameTarget::Next(NameInModule { module, file, name: last.clone() }),
            ModuleLookup::Compiled(file) => NameTarget::Uncertain(file.path.to_owned(), HandlerUncertainty::Compiled),
            ModuleLookup::Namespace(_) | ModuleLookup::Foreign(_) | ModuleLookup::NotFound => NameTarget::Found,
        }
    }

    /// Returns whether a call of a class with these bases returns an instance of it, which is no answer.
    fn are_plain(&self, at: &NameInModule<'a>, names: &ModuleNames, bases: &[Vec<String>], depth: usize) -> bool {
        bases.iter().all(|base| {
            let imported = match names.get(&base[0]) {
                Some(Binding::Imported(imported)) => format!("{}.{}", imported.module, imported.name),
                _ => base.join("."),
            };
            if PLAIN_BASES.contains(&imported.as_str()) {
                return true;
            }
            let mut target = self.alias(at, names, base);
            for _ in depth..LONGEST_CHAIN {
                let NameTarget::Next(next) = target else { break };
                let Ok(Some(names)) = self.names(&next.file) else { return false };
                if let Some(Binding::Class { bases }) = names.get(&next.name) {
                    return self.are_plain(&next, &names, bases, depth + 1);
                }
                target = match names.get(&next.name) {
                    Some(Binding::Imported(imported)) => self.imported(&next, imported),
                    Some(Binding::Alias(components)) => self.alias(&next, &names, components),
                    _ => return false,
                };
            }
            false
        })
    }

    fn locate(&self, module: &str) -> ModuleLookup<'a> {
        search::locate(module.split('.'), self.roots)
    }
}

fn has_name(names: Option<ModuleNames>, name: &str) -> bool {
    names.is_none_or(|names| names.get(name).is_some() || names.incomplete.is_some())
}

/// Returns the dotted name of the module that a name is imported from; `None` if it is beyond the top-level package.
fn absolute(at: &NameInModule, imported: &ImportedName) -> Option<String> {
    imports::absolute(&at.module, at.file.package_directory().is_some(), imported.level, &imported.module)
}
