//! Reads a command line: what it starts, one after the other.

use super::absolute;
use super::application::ApplicationName;
use super::servers::{ApplicationArgument, ApplicationServer};
use super::shell::{self, Word};
use crate::hints::quoted;

/// How many commands may be within each other: wrappers, shells and scripts.
const MOST_NESTED: usize = 8;

const SHELLS: [&str; 4] = ["ash", "bash", "dash", "sh"];

/// Commands that a shell runs itself, after which it runs what follows as before.
const BUILTINS: [&str; 11] =
    [":", "alias", "echo", "printf", "set", "shopt", "true", "ulimit", "umask", "wait", "unset"];

/// Executables that start what follows their own arguments.
struct Wrapper {
    name: &'static str,
    flags: &'static [&'static str],
    valued: &'static [&'static str],
    /// How many arguments of its own it has besides options.
    arguments: usize,
}

const fn wrapper(
    name: &'static str,
    flags: &'static [&'static str],
    valued: &'static [&'static str],
    arguments: usize,
) -> Wrapper {
    Wrapper { name, flags, valued, arguments }
}

/// From tini 0.19 (`tini -h`), dumb-init 1.2.5, catatonit 0.2, gosu 1.17, su-exec 0.2, coreutils 9 and ddtrace 3.
const WRAPPERS: [Wrapper; 10] = [
    wrapper("catatonit", &["-P", "-g"], &[], 0),
    wrapper("ddtrace-run", &["--debug", "--profiling", "-d", "-p"], &[], 0),
    wrapper("docker-init", &["-g", "-s", "-v", "-vv", "-vvv", "-w"], &["-e", "-p"], 0),
    wrapper("dumb-init", &["--single-child", "--verbose", "-c", "-v"], &["--rewrite", "-r"], 0),
    wrapper("gosu", &[], &[], 1),
    wrapper("nice", &[], &["-n"], 0),
    wrapper("nohup", &[], &[], 0),
    wrapper("su-exec", &[], &[], 1),
    wrapper("tini", &["-g", "-s", "-v", "-vv", "-vvv", "-w"], &["-e", "-p"], 0),
    wrapper("tini-static", &["-g", "-s", "-v", "-vv", "-vvv", "-w"], &["-e", "-p"], 0),
];

/// Something that a command starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) kind: StartedKind,
    /// The working directory, absolute.
    pub(crate) directory: String,
    /// Whether nothing that was not read can change what is started.
    pub(crate) is_certain: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StartedKind {
    /// A name that is searched for on `PATH`, or a path.
    Executable(String),
    /// A file that Python runs.
    Script {
        /// As it was named.
        name: String,
        /// Absolute.
        path: String,
    },
    /// A module that Python runs (`python -m`).
    Module(String),
    /// Statements that Python executes (`python -c`).
    Code(String),
    /// What runs the application of a server.
    Worker {
        server: &'static ApplicationServer,
        name: String,
        /// The directories that the server searches for the module first, absolute.
        search: Vec<String>,
    },
    /// What a server starts.
    Application {
        server: &'static ApplicationServer,
        name: ApplicationName,
        /// The directories that the server searches for the module first, absolute.
        search: Vec<String>,
    },
    /// A file with the settings of a server.
    Configuration {
        server: &'static ApplicationServer,
        /// As it was named.
        name: String,
        /// Absolute.
        path: String,
    },
}

/// What is around a command.
pub(crate) struct CommandReader<'a> {
    /// Returns the value of an environment variable.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    /// Returns the shell script that an executable is, by its name or path and the working directory.
    pub(crate) script: &'a dyn Fn(&str, &str) -> Option<String>,
    pub(crate) started: Vec<Started>,
}

impl Started {
    /// Returns the part of the command that names it.
    pub(crate) fn text(&self) -> String {
        match &self.kind {
            StartedKind::Executable(program) => program.clone(),
            StartedKind::Script { name, .. } => format!("python {name}"),
            StartedKind::Module(module) => format!("python -m {module}"),
            StartedKind::Code(code) => format!("python -c {}", quoted(code)),
            StartedKind::Worker { server, name, .. } => format!("{} {} {name}", server.executable(), server.workers[0]),
            StartedKind::Application { server, name, .. } => match server.application {
                ApplicationArgument::Positional => format!("{} {}", server.executable(), name.text),
                ApplicationArgument::Option(options, _) => {
                    format!("{} {} {}", server.executable(), options[0], name.text)
                }
            },
            StartedKind::Configuration { server, name, .. } => {
                format!("{} {} {name}", server.executable(), server.configuration[0])
            }
        }
    }
}

impl CommandReader<'_> {
    /// Reads the arguments of a process in a working directory.
    pub(crate) fn read(&mut self, arguments: &[String], directory: &str) {
        let words: Vec<Word> = arguments.iter().cloned().map(Word::Known).collect();
        self.command(&words, directory, 0);
    }

    fn add(&mut self, kind: StartedKind, directory: &str, is_certain: bool) {
        self.started.push(Started { kind, directory: directory.to_owned(), is_certain });
    }

    fn command(&mut self, words: &[Word], directory: &str, depth: usize) {
        let Some((Word::Known(program), arguments)) = words.split_first() else { return };
        if depth > MOST_NESTED {
            return;
        }
        self.add(StartedKind::Executable(program.clone()), directory, true);
        let name = program.rsplit('/').next().unwrap_or(program);
        if SHELLS.contains(&name) {
            self.shell(arguments, directory, depth);
        } else if name == "env" {
            // `-i` and `-u` take away variables that decide what is started.
            let assignments = arguments.iter().take_while(|word| is_assignment(word)).count();
            let is_plain = !arguments.get(assignments).is_some_and(is_option);
            if is_plain && !changes_search(&arguments[..assignments]) {
                self.command(&arguments[assignments..], directory, depth + 1);
            }
        } else if let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.name == name) {
            if let Some(command) = wrapper.command(arguments) {
                self.command(command, directory, depth + 1);
            }
        } else if is_python(name) {
            self.python(arguments, directory);
        } else if let Some(server) = ApplicationServer::named(name) {
            self.server(server, arguments, directory);
        } else if let Some(script) = (self.script)(program, directory) {
            // The usual end of an entrypoint script.
            if script.lines().any(|line| line.trim() == "exec \"$@\"") {
                self.command(arguments, directory, depth + 1);
            }
        }
    }

    /// Reads the script of `sh -c`.
    fn shell(&mut self, arguments: &[Word], directory: &str, depth: usize) {
        let mut arguments = arguments.iter();
        let script = loop {
            match arguments.next().map(Word::known) {
                Some(Some("-o")) => drop(arguments.next()),
                Some(Some(option)) if option.starts_with('-') && !option.starts_with("--") => {
                    // A login shell reads files that may set variables.
                    if option.contains(['l', 's']) {
                        return;
                    }
                    if option.contains('c') {
                        break arguments.next();
                    }
                }
                _ => return,
            }
        };
        let Some(Word::Known(script)) = script else { return };
        let mut directory = directory.to_owned();
        for words in shell::commands(script) {
            let assignments = words.iter().take_while(|word| is_assignment(word)).count();
            let Some((Word::Known(program), arguments)) = words[assignments..].split_first() else {
                if changes_search(&words) || assignments < words.len() {
                    return;
                }
                continue;
            };
            if changes_search(&words[..assignments]) {
                return;
            }
            match program.as_str() {
                "cd" => match arguments {
                    [Word::Known(path)] if !path.starts_with('-') => directory = absolute(&directory, path),
                    _ => return,
                },
                "export" if changes_search(arguments) => return,
                "export" => {}
                "exec" => return self.command(arguments, &directory, depth + 1),
                name if BUILTINS.contains(&name) => {}
                // What these begin runs under a condition, or with other variables.
                "[" | "test" | "false" | "." | "source" | "eval" | "exit" | "return" | "command" => return,
                _ => self.command(&words[assignments..], &directory, depth + 1),
            }
        }
    }

    /// Reads the arguments of Python (The Python Language, command line and environment).
    fn python(&mut self, arguments: &[Word], directory: &str) {
        let mut is_certain = true;
        let mut at = 0;
        while let Some(Word::Known(word)) = arguments.get(at) {
            at += 1;
            let Some(options) = word.strip_prefix('-').filter(|options| !options.is_empty()) else {
                if word != "-" {
                    let kind = StartedKind::Script { name: word.clone(), path: absolute(directory, word) };
                    self.add(kind, directory, is_certain);
                }
                return;
            };
            if options.starts_with('-') {
                match options {
                    "-check-hash-based-pycs" => at += 1,
                    _ => return,
                }
                continue;
            }
            for (offset, option) in options.char_indices() {
                let attached = &options[offset + option.len_utf8()..];
                match option {
                    'm' => {
                        let (module, rest) = if attached.is_empty() {
                            (arguments.get(at).and_then(Word::known), arguments.get(at + 1..).unwrap_or_default())
                        } else {
                            (Some(attached), &arguments[at..])
                        };
                        return module.into_iter().for_each(|name| self.module(name, rest, directory, is_certain));
                    }
                    'c' => {
                        let next = arguments.get(at).and_then(Word::known);
                        let code = if attached.is_empty() { next } else { Some(attached) };
                        let code = code.map(|code| StartedKind::Code(code.to_owned()));
                        return code.into_iter().for_each(|code| self.add(code, directory, is_certain));
                    }
                    'W' | 'X' => {
                        at += usize::from(attached.is_empty());
                        break;
                    }
                    // These change where modules are searched for.
                    'E' | 'I' | 'P' => is_certain = false,
                    'B' | 'O' | 'R' | 'S' | 'b' | 'd' | 'i' | 'q' | 's' | 'u' | 'v' | 'x' => {}
                    _ => return,
                }
            }
        }
    }

    fn module(&mut self, name: &str, arguments: &[Word], directory: &str, is_certain: bool) {
        self.add(StartedKind::Module(name.to_owned()), directory, is_certain);
        if let Some(server) = ApplicationServer::named(name) {
            self.server(server, arguments, directory);
        }
    }

    /// Reads the arguments of a server.
    fn server(&mut self, server: &'static ApplicationServer, arguments: &[Word], directory: &str) {
        let mut found = ServerArguments { directory: directory.to_owned(), ..ServerArguments::default() };
        found.read(server, arguments);
        let is_certain = !found.is_cut && server.variable.is_none_or(|name| (self.variable)(name).is_none());
        for path in &found.configuration {
            match path.split_once(':') {
                // `python:MODULE` and the like.
                Some(("file", path)) => self.configuration(server, path, directory),
                Some(_) => {}
                None => self.configuration(server, path, directory),
            }
        }
        let configuration = found.configuration.first().map(String::as_str).or(server.default_configuration);
        if let Some(text) = configuration.and_then(|path| (self.script)(path.trim_start_matches("file:"), directory)) {
            // Only running the settings tells where modules are searched for.
            if ["chdir", "pythonpath", "sys.path"].iter().any(|name| text.contains(name)) {
                return;
            }
        }
        let from_variable = match server.application {
            ApplicationArgument::Option(_, name) => (self.variable)(name),
            ApplicationArgument::Positional => None,
        };
        let search: Vec<String> =
            found.python_path.iter().map(|path| absolute(directory, path)).chain([found.directory]).collect();
        if let Some(name) = found.worker {
            self.add(StartedKind::Worker { server, name, search: search.clone() }, directory, is_certain);
        }
        let named = found.application.or(from_variable);
        let Some(text) = named.or_else(|| self.default_file(server, arguments, directory)) else { return };
        let name = ApplicationName { text };
        let kind = StartedKind::Application { server, name, search };
        self.add(kind, directory, is_certain);
    }

    /// Returns the file that a server starts if no application is named; the last one that it searches for if there is none.
    fn default_file(&self, server: &ApplicationServer, arguments: &[Word], directory: &str) -> Option<String> {
        let has = |name: &str| (self.script)(&absolute(directory, name), directory).is_some();
        // Flask reads the variable from these files.
        let is_run = arguments.first().and_then(Word::known) == Some("run") && !has(".env") && !has(".flaskenv");
        let (last, others) = server.default_files.split_last().filter(|_| is_run)?;
        Some((*others.iter().find(|name| has(name)).unwrap_or(last)).to_owned())
    }

    fn configuration(&mut self, server: &'static ApplicationServer, path: &str, directory: &str) {
        let kind = StartedKind::Configuration { server, name: path.to_owned(), path: absolute(directory, path) };
        self.add(kind, directory, true);
    }
}

/// What the arguments of a server say.
#[derive(Default)]
struct ServerArguments {
    application: Option<String>,
    /// The directory that modules are searched in.
    directory: String,
    python_path: Vec<String>,
    configuration: Vec<String>,
    worker: Option<String>,
    /// Whether there are arguments that only running the command tells.
    is_cut: bool,
}

impl ServerArguments {
    fn read(&mut self, server: &ApplicationServer, arguments: &[Word]) {
        let mut arguments = arguments.iter();
        let mut is_option_possible = true;
        while let Some(word) = arguments.next() {
            let word = match word {
                Word::Known(word) => word,
                // The value is attached: `--port=$PORT`.
                Word::Unknown(start) if start.starts_with('-') && split_option(start).1.is_some() => continue,
                Word::Unknown(_) => {
                    self.is_cut = true;
                    return;
                }
            };
            if word == "--" {
                is_option_possible = false;
            } else if is_option_possible && word.starts_with('-') && word.len() > 1 {
                let (name, attached) = split_option(word);
                if server.flags.contains(&name) {
                    continue;
                }
                match attached.or_else(|| arguments.next()?.known()) {
                    Some(value) => self.option(server, name, value),
                    None => self.is_cut |= server.searches(name),
                }
            } else if server.application == ApplicationArgument::Positional {
                self.application.get_or_insert_with(|| word.clone());
            }
        }
    }

    fn option(&mut self, server: &ApplicationServer, name: &str, value: &str) {
        if let ApplicationArgument::Option(names, _) = &server.application
            && names.contains(&name)
        {
            self.application = Some(value.to_owned());
        } else if server.directory == Some(name) {
            self.directory = absolute(&self.directory, value);
        } else if server.python_path == Some(name) {
            self.python_path.extend(value.split(',').map(str::to_owned));
        } else if server.workers.contains(&name) {
            self.worker = Some(value.to_owned());
        } else if server.configuration.contains(&name) {
            self.configuration.push(value.to_owned());
        }
    }
}

/// Splits an option from the value that is attached to it: `--option=value` or `-ovalue`.
fn split_option(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") {
        return word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    }
    match word.char_indices().nth(2) {
        Some((end, _)) => (&word[..end], Some(word[end..].trim_start_matches('='))),
        None => (word, None),
    }
}

impl Wrapper {
    /// Returns the command after the wrapper's own arguments; `None` if they cannot be read.
    fn command<'w>(&self, mut words: &'w [Word]) -> Option<&'w [Word]> {
        loop {
            let (first, rest) = words.split_first()?;
            match first.known()? {
                "--" => {
                    words = rest;
                    break;
                }
                flag if self.flags.contains(&flag) => words = rest,
                option if self.valued.contains(&option) => words = rest.get(1..)?,
                option if option.starts_with('-') => return None,
                _ => break,
            }
        }
        words.get(self.arguments..)
    }
}

fn is_option(word: &Word) -> bool {
    word.start().starts_with('-')
}

fn is_assignment(word: &Word) -> bool {
    let name = word.start().split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| {
        !name.is_empty() && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
    })
}

/// Returns whether assignments change where executables and modules are searched for, or which application is started.
fn changes_search(assignments: &[Word]) -> bool {
    assignments.iter().any(|word| {
        let name = word.start().split('=').next().unwrap_or_default();
        name == "PATH" || name.starts_with("PYTHON") || name.ends_with("APP")
    })
}

fn is_python(name: &str) -> bool {
    name.strip_prefix("python")
        .is_some_and(|version| version.chars().all(|character| character.is_ascii_digit() || character == '.'))
}
