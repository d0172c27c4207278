//! Reads the Dockerfile of a project: what its last stage says of the base, the environment and the command.
//!
//! Specification: [Dockerfile reference](https://docs.docker.com/reference/dockerfile/). Only what becomes a key of
//! `[tool.pybundle]` is understood; everything else is listed, so that nothing is lost without a word.

mod accounts;

use std::path::Path;

use accounts::Accounts;

use crate::apt::PackageRequest;
use crate::image::NewUser;
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};

/// The name of the file.
pub(super) const NAME: &str = "Dockerfile";

/// Variables that matter only while an image is built, or that pybundle's images do not need.
const BUILD_VARIABLES: [&str; 5] = ["PATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "DEBIAN_FRONTEND", "PYTHONPATH"];
const BUILD_PREFIXES: [&str; 4] = ["PIP_", "UV_", "POETRY_", "PIPENV_"];

/// Packages that an image does not need at run time, besides those of headers: wheels are installed, and Python is the base's.
const BUILD_PACKAGES: [&str; 13] = [
    "apt-transport-https",
    "build-essential",
    "cmake",
    "g++",
    "gcc",
    "make",
    "pkg-config",
    "python-is-python3",
    "python3",
    "python3-pip",
    "python3-setuptools",
    "python3-venv",
    "software-properties-common",
];

/// What the last stage of a Dockerfile says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dockerfile {
    /// The image that the last stage is based on, unless a variable names it.
    pub(super) base: Option<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) expose: Vec<u16>,
    pub(super) user: Option<String>,
    accounts: Accounts,
    pub(super) entrypoint: Option<Vec<String>>,
    pub(super) command: Option<Vec<String>>,
    pub(super) stop_signal: Option<String>,
    pub(super) volumes: Vec<String>,
    /// The keys of the health check with their values.
    pub(super) health: Vec<(&'static str, String)>,
    /// The packages of Debian that are installed, as apt-get takes them.
    pub(super) packages: Vec<PackageRequest>,
    /// Other packages that are installed: those that only build, patterns of versions, and Alpine's.
    pub(super) other_packages: Vec<String>,
    /// Instructions that have no key, each with its line.
    pub(super) others: Vec<(usize, String)>,
}

/// An instruction with its arguments, on one line.
struct Instruction {
    line: usize,
    name: String,
    arguments: String,
}

impl Dockerfile {
    /// Reads the Dockerfile in a directory; `None` if there is none that can be read.
    pub(super) fn read(directory: &Path) -> Option<Self> {
        let text = limited_reader::read_regular_text(&directory.join(NAME), LARGEST_PROJECT_FILE).ok()?;
        Self::parse(&text)
    }

    /// Parses a Dockerfile; `None` if it has no `FROM`.
    fn parse(text: &str) -> Option<Self> {
        let instructions = instructions(text);
        // An earlier stage by its name, and the image that it begins with.
        let mut stages: Vec<(String, Self)> = Vec::new();
        for instruction in instructions {
            if instruction.name == "FROM" {
                let words: Vec<&str> =
                    instruction.arguments.split_whitespace().filter(|word| !word.starts_with("--")).collect();
                let image = *words.first()?;
                let name = match words.get(1) {
                    Some(keyword) if keyword.eq_ignore_ascii_case("as") => words.get(2).copied().unwrap_or_default(),
                    _ => "",
                };
                let earlier = stages.iter().find(|(known, _)| known.eq_ignore_ascii_case(image));
                let stage = earlier.map_or_else(|| Self::of_base(image, instruction.line), |(_, stage)| stage.clone());
                stages.push((name.to_owned(), stage));
            } else if let Some((_, stage)) = stages.last_mut() {
                stage.apply(&instruction);
            }
        }
        stages.pop().map(|(_, stage)| stage)
    }

    /// Returns a stage that begins with an image, which is a base for pybundle if it has Python.
    fn of_base(image: &str, line: usize) -> Self {
        let is_base = image.contains("python") && !image.contains('$');
        Self {
            base: is_base.then(|| image.to_owned()),
            others: if is_base { Vec::new() } else { vec![(line, format!("FROM {image}"))] },
            ..Self::default()
        }
    }

    /// Returns what of it has no place in the configuration.
    pub(super) fn notes(&self) -> Vec<String> {
        let packages = (!self.other_packages.is_empty()).then(|| {
            format!(
                "{NAME} installs {}, which {} not carried over: what is missing at run time, a build tells",
                self.other_packages.join(", "),
                if self.other_packages.len() == 1 { "is" } else { "are" }
            )
        });
        let others = self.others.iter().map(|(line, text)| format!("{NAME}:{line} is not carried over: {text}"));
        packages.into_iter().chain(others).collect()
    }

    /// Returns the users that are added.
    pub(super) fn added_users(&self) -> &[NewUser] {
        &self.accounts.users
    }

    fn apply(&mut self, Instruction { line, name, arguments }: &Instruction) {
        let is_understood = match name.as_str() {
            "ENV" => self.env(arguments),
            "EXPOSE" => self.expose(arguments),
            "USER" => literal(arguments).map(|user| self.user = Some(user.to_owned())).is_some(),
            "ENTRYPOINT" => command(arguments).map(|command| self.entrypoint = Some(command)).is_some(),
            "CMD" => command(arguments).map(|command| self.command = Some(command)).is_some(),
            "RUN" => self.run(arguments),
            "STOPSIGNAL" => literal(arguments).map(|signal| self.stop_signal = Some(signal.to_owned())).is_some(),
            "VOLUME" => self.volume(arguments),
            "HEALTHCHECK" => self.health(arguments),
            // The files of the project and the working directory are pybundle's matter, and arguments that of the build.
            "COPY" | "WORKDIR" | "ARG" | "LABEL" | "SHELL" => true,
            _ => false,
        };
        if !is_understood {
            let first = arguments.split_whitespace().collect::<Vec<_>>().join(" ");
            self.others.push((*line, format!("{name} {first}")));
        }
    }

    fn env(&mut self, arguments: &str) -> bool {
        let Some(words) = shlex::split(arguments) else { return false };
        let pairs: Option<Vec<(String, String)>> = match words.first().map(|first| first.contains('=')) {
            Some(true) => {
                words.iter().map(|word| word.split_once('=').map(|(name, value)| (name.into(), value.into()))).collect()
            }
            // The old form: `ENV NAME value`.
            Some(false) => Some(vec![(words[0].clone(), words[1..].join(" "))]),
            None => None,
        };
        let Some(pairs) = pairs else { return false };
        let mut is_understood = true;
        for (name, value) in pairs {
            if BUILD_VARIABLES.contains(&name.as_str()) || BUILD_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            {
                continue;
            }
            is_understood &= !value.contains('$');
            self.env.retain(|(known, _)| *known != name);
            self.env.extend((!value.contains('$')).then_some((name, value)));
        }
        is_understood
    }

    fn expose(&mut self, arguments: &str) -> bool {
        let ports: Option<Vec<u16>> =
            arguments.split_whitespace().map(|port| port.trim_end_matches("/tcp").parse().ok()).collect();
        let is_understood = ports.is_some();
        self.expose.extend(ports.unwrap_or_default());
        is_understood
    }

    fn volume(&mut self, arguments: &str) -> bool {
        let volumes =
            if arguments.starts_with('[') { serde_json::from_str(arguments).ok() } else { shlex::split(arguments) };
        let volumes: Vec<String> = volumes.unwrap_or_default();
        let is_understood = !volumes.is_empty() && volumes.iter().all(|volume| literal(volume).is_some());
        self.volumes.extend(volumes.into_iter().filter(|_| is_understood));
        is_understood
    }

    /// Understands a health check: options, and a command for a shell or as a JSON array.
    fn health(&mut self, arguments: &str) -> bool {
        let mut rest = arguments.trim();
        let mut health = Vec::new();
        while let Some(option) = rest.strip_prefix("--") {
            let (option, after) = option.split_once(char::is_whitespace).unwrap_or((option, ""));
            let key = match option.split_once('=') {
                Some(("interval", _)) => "healthcheck-interval",
                Some(("timeout", _)) => "healthcheck-timeout",
                Some(("start-period", _)) => "healthcheck-start-period",
                Some(("retries", _)) => "healthcheck-retries",
                _ => return false,
            };
            health.extend(option.split_once('=').map(|(_, value)| (key, value.to_owned())));
            rest = after.trim_start();
        }
        let command = match rest.split_once(char::is_whitespace) {
            Some((keyword, command)) if keyword.eq_ignore_ascii_case("CMD") => command.trim(),
            _ if rest.eq_ignore_ascii_case("NONE") => "none",
            _ => return false,
        };
        self.health = std::iter::once(("healthcheck", command.to_owned())).chain(health).collect();
        true
    }

    /// Understands the installation of packages. What else is run prepares the distributions and the files of the project,
    /// or is listed.
    fn run(&mut self, arguments: &str) -> bool {
        let mut is_understood = true;
        for command in arguments.split("&&").flat_map(|part| part.split(';')) {
            let words: Vec<&str> = command.split_whitespace().filter(|word| !word.starts_with("--")).collect();
            let words = words.iter().skip_while(|word| word.contains('=')).copied().collect::<Vec<_>>();
            match words[..] {
                ["apt-get" | "apt", ref rest @ ..] if rest.contains(&"install") => {
                    let packages = rest.iter().skip_while(|word| **word != "install").skip(1);
                    packages.filter(|word| !word.starts_with('-')).for_each(|package| self.package(package));
                }
                ["apk", "add", ref rest @ ..] => {
                    self.other_packages
                        .extend(rest.iter().filter(|word| !word.starts_with('-')).map(|name| (*name).to_owned()));
                }
                ["useradd" | "adduser" | "groupadd" | "addgroup", ..] => {
                    is_understood &= shlex::split(command).is_some_and(|words| self.accounts.add(&words));
                }
                ["uv" | "poetry" | "pipenv", "run", ..] => is_understood = false,
                ["apt-get" | "apt" | "rm" | "pip" | "pip3" | "uv" | "poetry" | "pipenv", ..] | [] => {}
                ["python" | "python3", "-m", "pip" | "venv" | "compileall", ..] => {}
                _ => is_understood = false,
            }
        }
        is_understood
    }

    fn package(&mut self, text: &str) {
        match text.parse::<PackageRequest>() {
            Ok(request) if !is_for_building(text) => {
                if !self.packages.contains(&request) {
                    self.packages.push(request);
                }
            }
            _ => self.other_packages.push(text.to_owned()),
        }
    }
}

/// Returns whether a package is there to compile distributions, or to install Python.
fn is_for_building(package: &str) -> bool {
    package.ends_with("-dev") || BUILD_PACKAGES.contains(&package)
}

/// Returns the instructions of a Dockerfile, without comments, with continued lines joined.
fn instructions(text: &str) -> Vec<Instruction> {
    let mut found: Vec<Instruction> = Vec::new();
    let mut begun: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.starts_with('#') || (line.is_empty() && begun.is_none()) {
            continue;
        }
        let (start, mut joined) = begun.take().unwrap_or((number, String::new()));
        let continued = line.strip_suffix('\\');
        joined.push_str(continued.unwrap_or(line));
        if continued.is_some() {
            joined.push(' ');
            begun = Some((start, joined));
            continue;
        }
        if let Some((name, arguments)) = joined.split_once(char::is_whitespace) {
            let (name, arguments) = (name.to_ascii_uppercase(), arguments.trim().to_owned());
            found.push(Instruction { line: start, name, arguments });
        }
    }
    found
}

/// Returns a value without variables.
fn literal(text: &str) -> Option<&str> {
    (!text.contains('$') && !text.is_empty()).then_some(text)
}

/// Returns the arguments of a command, in either form; `None` if a shell would have to run it.
fn command(text: &str) -> Option<Vec<String>> {
    let arguments: Vec<String> = if text.starts_with("[") {
        serde_json::from_str(text).ok()?
    } else {
        let needs_shell = text.contains(['$', '&', '|', ';', '<', '>', '`', '*', '(']);
        shlex::split(text).filter(|_| !needs_shell)?
    };
    // The image contains what uv and Poetry would look up first.
    let arguments = match &arguments[..] {
        [tool, run, rest @ ..] if matches!(tool.as_str(), "uv" | "poetry" | "pipenv") && run == "run" => rest.to_vec(),
        _ => arguments,
    };
    (arguments.first().is_none_or(|first| !first.starts_with('-'))).then_some(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_is_read() {
        let text = "# syntax=docker/dockerfile:1\n\
                    ARG VERSION=3.12\n\
                    FROM python:3.12-slim AS base\n\
                    ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1\n\
                    FROM base AS build\n\
                    RUN pip install build\n\
                    FROM base\n\
                    RUN apt-get update && apt-get install -y --no-install-recommends \\\n    libpq5 gcc libpq-dev \\\n    # for images\n    libmagic1 && rm -rf /var/lib/apt/lists/*\n\
                    RUN groupadd -r web && useradd --uid 1234 -g web app\n\
                    WORKDIR /app\n\
                    COPY --from=build /app /app\n\
                    RUN python manage.py collectstatic --noinput\n\
                    ENV DJANGO_SETTINGS_MODULE shop.settings\n\
                    EXPOSE 8000 9000/tcp\n\
                    USER 1000\n\
                    HEALTHCHECK --interval=30s --retries=2 CMD curl -f http://localhost:8000/ || exit 1\n\
                    STOPSIGNAL SIGINT\n\
                    VOLUME [\"/data\"]\n\
                    RUN uv run manage.py compress\n\
                    ENTRYPOINT [\"uv\", \"run\", \"gunicorn\"]\n\
                    CMD gunicorn shop.wsgi --bind 0.0.0.0:8000\n";
        let found = Dockerfile::parse(text).unwrap();
        assert_eq!(found.base.as_deref(), Some("python:3.12-slim"));
        let pairs = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(found.env, pairs(&[("PYTHONUNBUFFERED", "1"), ("DJANGO_SETTINGS_MODULE", "shop.settings")]));
        assert_eq!((&found.expose[..], found.user.as_deref()), (&[8000, 9000][..], Some("1000")));
        assert_eq!(found.added_users(), ["app:1234".parse().unwrap()]);
        assert_eq!(found.entrypoint, Some(vec!["gunicorn".to_owned()]));
        assert_eq!(found.command.unwrap().join(" "), "gunicorn shop.wsgi --bind 0.0.0.0:8000");
        assert_eq!(found.packages, ["libpq5", "libmagic1"].map(|name| name.parse().unwrap()));
        assert_eq!(found.other_packages, ["gcc", "libpq-dev"]);
        let health = [
            ("healthcheck", "curl -f http://localhost:8000/ || exit 1"),
            ("healthcheck-interval", "30s"),
            ("healthcheck-retries", "2"),
        ];
        assert_eq!(found.health, health.map(|(key, value)| (key, value.to_owned())));
        assert_eq!((found.stop_signal.as_deref(), &found.volumes[..]), (Some("SIGINT"), &["/data".to_owned()][..]));
        let others = [(15, "RUN python manage.py collectstatic --noinput"), (22, "RUN uv run manage.py compress")];
        assert_eq!(found.others, others.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn what_only_a_shell_understands_is_listed() {
        let found = Dockerfile::parse(
            "FROM $BASE\nENV PORT=8000 URL=http://$HOST\nEXPOSE $PORT\nCMD exec gunicorn --bind :$PORT app:app\nCMD [\"broken\"\n",
        )
        .unwrap();
        assert_eq!((found.base, found.command, found.expose), (None, None, vec![]));
        assert_eq!(found.env, [("PORT".to_owned(), "8000".to_owned())]);
        let lines: Vec<usize> = found.others.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5]);
        let found = Dockerfile::parse("FROM ubuntu:24.04\n").unwrap();
        assert_eq!((found.base, found.others), (None, vec![(1, "FROM ubuntu:24.04".to_owned())]));
        // What `apk` installs is not in the image.
        let found = Dockerfile::parse("FROM python:3.13-alpine\nRUN apk add --no-cache libpq\n").unwrap();
        assert_eq!(found.base.as_deref(), Some("python:3.13-alpine"));
        assert_eq!((found.packages, found.other_packages), (vec![], vec!["libpq".to_owned()]));
        for text in ["", "# nothing\n", "RUN echo\n", "FROM\n", "\\", "FROM \\\n"] {
            assert_eq!(Dockerfile::parse(text), None, "{text:?}");
        }
    }
}
