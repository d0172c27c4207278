//! What the command of a container starts, and whether it can start.

use crate::audit::command::code::CodeImport;
use crate::audit::command::{
    ApplicationAttribute, ApplicationServer, CommandReader, ModuleLocation, ModuleSyntax, StartFinding, StartProblem,
    Started, StartedKind, absolute, code, servers,
};
use crate::audit::imports::{ModuleUse, SearchedSince, StartedModule};
use crate::image::Base;
use crate::image::config::health::HealthCommand;
use crate::pipeline::BuildError;
use crate::pipeline::image::container_files::{ContainerFile, ContainerFiles};
use crate::pipeline::install::InstalledDistribution;
use crate::platform::ImageTarget;
use crate::settings::ImageSettings;

/// What a command starts.
#[derive(Default)]
pub(super) struct StartedCommand {
    /// In the order in which it is started.
    pub started: Vec<Started>,
    pub modules: Vec<StartedModule>,
    /// The directories that are searched for modules first, relative to the root.
    pub search: Vec<(String, SearchedSince)>,
    /// What is wrong with the names of applications.
    pub findings: Vec<StartFinding>,
}

impl StartedCommand {
    /// Reads a command line.
    ///
    /// # Errors
    /// The base cannot be read.
    pub(super) fn read(
        arguments: &[String],
        directory: &str,
        variable: &dyn Fn(&str) -> Option<String>,
        files: &ContainerFiles,
        distributions: &[InstalledDistribution],
        target: &ImageTarget,
    ) -> Result<Self, BuildError> {
        let script = |program: &str, directory: &str| files.script(program, directory);
        let mut reader = CommandReader { variable, script: &script, started: Vec::new() };
        reader.read(arguments, directory);
        let mut command =
            Self { started: reader.started, modules: Vec::new(), search: Vec::new(), findings: Vec::new() };
        for started in command.started.clone() {
            command.add(&started, files, distributions, target)?;
        }
        Ok(command)
    }

    fn add(
        &mut self,
        started: &Started,
        files: &ContainerFiles,
        distributions: &[InstalledDistribution],
        target: &ImageTarget,
    ) -> Result<(), BuildError> {
        let is_certain = started.is_certain;
        match &started.kind {
            StartedKind::Module(module) => {
                self.search(&started.directory, SearchedSince::Command);
                let command = started.text();
                self.modules.push(StartedModule { command, module: module.clone(), usage: ModuleUse::Run, is_certain });
                self.loads(module, started);
            }
            StartedKind::Executable(program) => {
                for candidate in files.candidates(program, &started.directory) {
                    let ContainerFile::Own(path, _) = files.known(&candidate) else { continue };
                    let name = path.strip_prefix(&*target.scheme.scripts).and_then(|path| path.strip_prefix('/'));
                    let Some(name) = name else { return Ok(()) };
                    let mut entry_points =
                        distributions.iter().flat_map(|distribution| &distribution.wheel.inventory.entry_points);
                    if let Some(entry_point) = entry_points.find(|entry_point| entry_point.name == name) {
                        let attribute = match entry_point.object.split_once('.') {
                            Some((owner, _)) => ApplicationAttribute::Owner(owner.to_owned()),
                            None => ApplicationAttribute::Named(entry_point.object.clone()),
                        };
                        self.modules.push(StartedModule {
                            command: started.text(),
                            module: entry_point.module.clone(),
                            usage: ModuleUse::Serve(attribute),
                            is_certain,
                        });
                        self.loads(name, started);
                    }
                    return Ok(());
                }
            }
            StartedKind::Code(code) => {
                self.search(&started.directory, SearchedSince::Command);
                let command = started.text();
                match code::imports(code, target.python) {
                    Ok(imports) => self.modules.extend(imports.into_iter().map(|CodeImport { module, name }| {
                        let usage = name.map_or(ApplicationAttribute::Any, ApplicationAttribute::Owner);
                        StartedModule { command: command.clone(), module, usage: ModuleUse::Serve(usage), is_certain }
                    })),
                    Err(error) => {
                        let problem = StartProblem::Syntax(error);
                        self.findings.push(StartFinding { command, problem, is_error: is_certain });
                    }
                }
            }
            StartedKind::Worker { name, search, .. } => {
                if let Some((module, class)) = servers::worker(name) {
                    search.iter().for_each(|directory| self.search(directory, SearchedSince::Server));
                    let usage =
                        class.map_or(ApplicationAttribute::Any, |class| ApplicationAttribute::Named(class.to_owned()));
                    let (command, module) = (started.text(), module.to_owned());
                    self.modules.push(StartedModule { command, module, usage: ModuleUse::Serve(usage), is_certain });
                }
            }
            StartedKind::Application { server, name, search, .. } => {
                let command = started.text();
                match name.location(server) {
                    Ok(None) => {}
                    Ok(Some(location)) => {
                        search.iter().for_each(|directory| self.search(directory, SearchedSince::Server));
                        let module = match location.module {
                            ModuleLocation::Name(module) => Some(module),
                            ModuleLocation::Path(stem) => self.module_at(server, &stem, started, files)?,
                        };
                        if let Some(module) = module {
                            let usage = ModuleUse::Serve(location.attribute);
                            self.modules.push(StartedModule { command, module, usage, is_certain });
                        }
                    }
                    Err(invalid) => {
                        let problem = StartProblem::InvalidApplication(invalid);
                        self.findings.push(StartFinding { command, problem, is_error: is_certain });
                    }
                }
            }
            StartedKind::Script { path, .. } => {
                self.search(path.rsplit_once('/').map_or("", |(directory, _)| directory), SearchedSince::Command);
            }
            StartedKind::Configuration { .. } => {}
        }
        Ok(())
    }
}

impl StartedCommand {
    /// Adds what is started by a health check. With an alternative to it, what does not start is no error.
    pub(super) fn extend_with_health_check(&mut self, health_check: Self, has_alternative: bool) {
        let text = |command: &str| format!("HEALTHCHECK {command}");
        self.modules.extend(health_check.modules.into_iter().map(|named| StartedModule {
            command: text(&named.command),
            is_certain: named.is_certain && !has_alternative,
            ..named
        }));
        self.findings.extend(health_check.findings.into_iter().map(|finding| StartFinding {
            command: text(&finding.command),
            is_error: finding.is_error && !has_alternative,
            ..finding
        }));
    }

    /// Returns the dotted name of the module at a path without suffix, below a directory that is then searched first.
    fn module_at(
        &mut self,
        server: &ApplicationServer,
        stem: &str,
        started: &Started,
        files: &ContainerFiles,
    ) -> Result<Option<String>, BuildError> {
        let path = absolute(&started.directory, stem);
        let candidates = [format!("{path}.py"), format!("{path}/__init__.py")];
        if !candidates.iter().any(|candidate| matches!(files.known(candidate), ContainerFile::Own(..))) {
            let [file, package] = candidates;
            let is_missing = matches!(files.certain(&file)?, ContainerFile::Missing)
                && matches!(files.certain(&package)?, ContainerFile::Missing);
            if is_missing {
                let similar = files.similar(&file, &started.directory);
                let problem = StartProblem::MissingFile { path: file, similar };
                self.findings.push(StartFinding { command: started.text(), problem, is_error: started.is_certain });
            }
            return Ok(None);
        }
        let mut components: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let mut module = components.pop().unwrap_or_default().to_owned();
        if server.module == ModuleSyntax::PathInPackage {
            while let Some(parent) = components.last() {
                let above = components.join("/");
                if files.tree.get(&format!("{above}/__init__.py")).is_none() {
                    break;
                }
                module = format!("{parent}.{module}");
                components.pop();
            }
        }
        self.search(&components.join("/"), SearchedSince::Server);
        Ok(Some(module))
    }

    /// Adds the modules that a server imports besides.
    fn loads(&mut self, server: &str, started: &Started) {
        let loaded = ApplicationServer::named(server).map(|server| server.loads).unwrap_or_default();
        self.modules.extend(loaded.iter().map(|module| StartedModule {
            command: started.text(),
            module: (*module).to_owned(),
            usage: ModuleUse::Serve(ApplicationAttribute::Any),
            is_certain: started.is_certain,
        }));
    }

    fn search(&mut self, directory: &str, since: SearchedSince) {
        let directory = directory.trim_matches('/').to_owned();
        if !self.search.iter().any(|(known, _)| *known == directory) {
            self.search.push((directory, since));
        }
    }
}

/// Returns the arguments of the process of a health check; none if there is none.
pub(super) fn health_arguments(health: &HealthCommand, settings: &ImageSettings, base: &Base) -> Vec<String> {
    match health {
        HealthCommand::None => Vec::new(),
        HealthCommand::Arguments(arguments) => arguments.clone(),
        HealthCommand::Shell(line) => {
            let shell = settings.container.shell.clone().or_else(|| base.config.execution.shell());
            // As of Docker, for images that state none.
            let shell = shell.unwrap_or_else(|| ["/bin/sh", "-c"].map(str::to_owned).to_vec());
            shell.into_iter().chain([line.clone()]).collect()
        }
    }
}
