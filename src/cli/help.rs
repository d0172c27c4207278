//! What help, manual pages and the reference say besides the options: examples, environment variables and exit statuses.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::builder::{Resettable, Styles};
use clap::{ArgMatches, Command, CommandFactory};

use super::Cli;

/// A command line to paste, and what it does.
pub(crate) struct Example {
    pub(crate) what: &'static str,
    pub(crate) line: &'static str,
}

/// An environment variable.
pub(crate) struct EnvironmentVariable {
    /// The name; a part in angle brackets stands for another name.
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
}

/// Every exit status, and when a command ends with it.
pub(crate) const EXIT_STATUSES: &[(u8, &str)] = &[
    (0, "success"),
    (1, "failure; or `verify` found a problem, or `diff --exit-code` a difference"),
    (2, "usage error: nothing was done"),
    (129, "stopped by SIGHUP: temporary files were removed"),
    (130, "stopped by SIGINT, as by Ctrl-C"),
    (143, "stopped by SIGTERM"),
];

/// The variables that every command reads.
const GLOBAL_VARIABLES: &[EnvironmentVariable] = &[
    variable("PYBUNDLE_CACHE_DIR", "The cache directory, unless --cache-dir names one"),
    variable(
        "PYBUNDLE_NETWORK_TIMEOUT",
        "How long a server may be silent, in seconds, unless --network-timeout says so [default: 120]",
    ),
    variable("PYBUNDLE_OUTPUT_FORMAT", "text, json, github, gitlab or terraform, unless --output-format chooses one"),
    variable("XDG_CACHE_HOME", "The directory in which the cache is kept by default [default: ~/.cache]"),
    variable("NO_COLOR, CLICOLOR, CLICOLOR_FORCE", "Whether output is colored, unless --color decides"),
    variable("COLUMNS", "The width of tables where standard output is not a terminal [default: 80]"),
    variable("GITHUB_WORKSPACE", "The directory to which paths in annotations are relative"),
];

/// The variables that commands read which select from a lock and build.
const BUILD_VARIABLES: &[EnvironmentVariable] = &[
    variable("SOURCE_DATE_EPOCH", "The creation time of images and documents, and the time that builds of wheels see"),
    variable("UV_DEFAULT_INDEX, UV_INDEX_URL", "The default index, unless --index-url names one"),
    variable("UV_INDEX, UV_EXTRA_INDEX_URL", "Indexes that are searched before the default one"),
    variable("UV_FIND_LINKS", "Directories and pages with files, separated by commas"),
    variable("UV_INDEX_STRATEGY", "How several indexes are searched, unless --index-strategy chooses"),
    variable("UV_EXCLUDE_NEWER", "The date after which uploaded files are ignored"),
    variable("UV_KEYRING_PROVIDER", "disabled or subprocess, unless --keyring-provider chooses"),
    variable("UV_INDEX_<NAME>_USERNAME, UV_INDEX_<NAME>_PASSWORD", "The credentials of the index NAME"),
    variable(
        "POETRY_HTTP_BASIC_<NAME>_USERNAME, POETRY_HTTP_BASIC_<NAME>_PASSWORD",
        "The same, where the variables of uv are not set",
    ),
    variable(
        "UV_CREDENTIALS_DIR",
        "The directory of what `uv auth login` stores [default: ~/.local/share/uv/credentials]",
    ),
    variable("POETRY_CONFIG_DIR", "The directory of Poetry's auth.toml [default: ~/.config/pypoetry]"),
    variable("NETRC", "The file with further credentials [default: ~/.netrc]"),
    variable("PATH", "Where uv, git, the keyring command, credential helpers and Python interpreters are found"),
    variable("UV_PYTHON_INSTALL_DIR, XDG_DATA_HOME, PYENV_ROOT", "Where further Python interpreters are found"),
    variable("HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "The proxies of downloads"),
    variable("SSL_CERT_FILE", "A file with the certificates of further authorities"),
];

/// The variables that commands read which use registries.
const REGISTRY_VARIABLES: &[EnvironmentVariable] = &[
    variable(
        "PYBUNDLE_REGISTRY_<HOST>_USERNAME, PYBUNDLE_REGISTRY_<HOST>_PASSWORD",
        "The credentials of the registry HOST, in upper case with __ for a hyphen and _ for a dot or a colon",
    ),
    variable(
        "PYBUNDLE_INSECURE_REGISTRY",
        "Registry hosts to use plain HTTP for, separated by commas, as --insecure-registry does",
    ),
    variable(
        "CONTAINERS_REGISTRIES_CONF",
        "Podman's registries.conf, with mirrors [default: ~/.config/containers or /etc/containers/registries.conf]",
    ),
    variable("DOCKER_AUTH_CONFIG", "The content of a Docker config.json, which precedes the file"),
    variable("DOCKER_CONFIG", "The directory of Docker's config.json [default: ~/.docker]"),
    variable("REGISTRY_AUTH_FILE", "Podman's credentials file"),
    variable("XDG_RUNTIME_DIR, XDG_CONFIG_HOME", "The directories that have containers/auth.json otherwise"),
    variable(
        "AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, …",
        "The credentials for Amazon ECR and AWS Lambda, as for the AWS CLI",
    ),
];

const fn variable(name: &'static str, what: &'static str) -> EnvironmentVariable {
    EnvironmentVariable { name, what }
}

const fn example(what: &'static str, line: &'static str) -> Example {
    Example { what, line }
}

/// The examples of each command, by its words.
const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "",
        &[
            example("Build a Lambda function", "pybundle lambda --handler app.handler"),
            example("Build and push an image", "pybundle image --tag ghcr.io/acme/shop:1.0 --push"),
        ],
    ),
    (
        "lambda",
        &[
            example("Build dist/NAME.zip for the project's version of Python", "pybundle lambda --handler app.handler"),
            example(
                "Build for arm64, with the dependencies in a layer",
                "pybundle lambda --runtime python3.13 --arch arm64 --layer dist/layer.zip",
            ),
            example("Build a script whose dependencies `uv lock --script` locked", "pybundle lambda app.py"),
        ],
    ),
    (
        "image",
        &[
            example(
                "Push an image for two platforms",
                "pybundle image --tag ghcr.io/acme/shop:1.0 --platform linux/amd64,linux/arm64 --push",
            ),
            example(
                "Write an archive that Docker loads",
                "pybundle image --base python:3.13-slim --output docker-archive:dist/shop.tar",
            ),
        ],
    ),
    (
        "build",
        &[
            example("Build every target of the project", "pybundle build"),
            example(
                "List the targets of a workspace that changed since main, for a CI matrix",
                "pybundle build --workspace --changed-since origin/main --list --format github-matrix",
            ),
        ],
    ),
    (
        "deploy",
        &[
            example("Build and deploy every target that has a function", "pybundle deploy"),
            example("Show what would be deployed", "pybundle deploy --dry-run"),
            example("Point the alias to the previous version", "pybundle deploy api --rollback"),
        ],
    ),
    (
        "resolve",
        &[
            example(
                "Build and push the images that a manifest names, and print it with their digests",
                "pybundle resolve k8s.yaml",
            ),
            example("The same for what `helm template` prints", "pybundle resolve -"),
        ],
    ),
    (
        "run",
        &[
            example("Call the handler with an empty event", "pybundle run --handler app.handler"),
            example("Call it with an event from a file", "pybundle run --handler app.handler --event event.json"),
            example("Run the image of a target with Docker or podman", "pybundle run web"),
            example("Show how long the imports of a target take when it starts", "pybundle run api --profile-imports"),
        ],
    ),
    ("push", &[example("Push an archive under a name", "pybundle push dist/shop.tar ghcr.io/acme/shop:1.0")]),
    (
        "plan",
        &[
            example("Show what a function for arm64 would contain", "pybundle plan --runtime python3.13 --arch arm64"),
            example("Show what a target would contain, as JSON", "pybundle plan --target web --json"),
            example("Show what requires what, the largest first", "pybundle plan --tree --sort size"),
        ],
    ),
    ("why", &[example("Show what requires numpy", "pybundle why numpy")]),
    ("apt", &[example("Lock the packages that the images request", "pybundle apt lock")]),
    (
        "apt lock",
        &[
            example("Lock the packages that the images request", "pybundle apt lock"),
            example("Lock the latest versions of two packages", "pybundle apt lock --upgrade libpq5,openssl"),
        ],
    ),
    ("apt list", &[example("List the locked packages", "pybundle apt list")]),
    ("apt outdated", &[example("Show which packages have later versions", "pybundle apt outdated")]),
    ("apt why", &[example("Show why libkrb5-3 is locked", "pybundle apt why libkrb5-3")]),
    ("apt search-file", &[example("Show which package has OpenGL", "pybundle apt search-file libGL.so.1")]),
    (
        "inspect",
        &[
            example("Show the largest parts of a zip, and all of its files", "pybundle inspect dist/shop.zip --files"),
            example("Draw a treemap of an image", "pybundle inspect ghcr.io/acme/shop:1.0 --html shop.html"),
        ],
    ),
    ("diff", &[example("Compare two builds", "pybundle diff before.zip after.zip")]),
    (
        "verify",
        &[
            example("Check a zip against the digests that it contains", "pybundle verify dist/shop.zip"),
            example("Rebuild it and compare every byte", "pybundle verify dist/shop.zip . --handler app.handler"),
        ],
    ),
    (
        "init",
        &[
            example("Show what would be written for the project", "pybundle init --dry-run"),
            example("Configure an image", "pybundle init --kind image"),
        ],
    ),
    ("config", &[example("Show every target's configuration", "pybundle config show")]),
    ("config show", &[example("Show one target's configuration", "pybundle config show --target web")]),
    ("config schema", &[example("Write the schema to a file", "pybundle config schema > pybundle.schema.json")]),
    ("profile", &[example("List the profiles", "pybundle profile list")]),
    ("profile list", &[example("List the profiles as JSON", "pybundle profile list --json")]),
    ("profile show", &[example("Start a profile of your own", "pybundle profile show python3.13 > runtime.toml")]),
    ("cache", &[example("Show how large the cache is", "pybundle cache size")]),
    ("cache dir", &[example("Print the directory", "pybundle cache dir")]),
    ("cache size", &[example("Print the size as JSON", "pybundle cache size --json")]),
    ("cache prune", &[example("Remove what was not used for a week", "pybundle cache prune --days 7")]),
    ("cache clean", &[example("Empty the cache", "pybundle cache clean")]),
    ("schema", &[example("Print the schema of what `pybundle lambda --json` prints", "pybundle schema lambda")]),
    (
        "completions",
        &[example(
            "Install the completions of bash",
            "pybundle completions bash > ~/.local/share/bash-completion/completions/pybundle",
        )],
    ),
    ("man", &[example("Install the manual pages", "pybundle man ~/.local/share/man/man1")]),
];

/// Returns the examples of a command, given by its words without `pybundle`.
pub(crate) fn examples(words: &str) -> &'static [Example] {
    EXAMPLES.iter().find(|(command, _)| *command == words).map_or(&[], |(_, examples)| examples)
}

/// Returns the environment variables that a command reads, given by its words without `pybundle`.
pub(crate) fn variables(words: &str) -> impl Iterator<Item = &'static EnvironmentVariable> {
    let (build, registry) = match words {
        "image" | "build" | "deploy" | "plan" | "why" | "verify" | "apt lock" | "apt list" | "apt why"
        | "apt outdated" => (BUILD_VARIABLES, REGISTRY_VARIABLES),
        "lambda" | "run" => (BUILD_VARIABLES, &[][..]),
        "push" | "inspect" | "diff" => (&[][..], REGISTRY_VARIABLES),
        _ => (&[][..], &[][..]),
    };
    build.iter().chain(registry).chain(GLOBAL_VARIABLES)
}

/// Returns every environment variable under the heading of those who read it.
pub(crate) fn all_variables() -> [(&'static str, &'static [EnvironmentVariable]); 3] {
    [
        ("Every command", GLOBAL_VARIABLES),
        ("Commands that build", BUILD_VARIABLES),
        ("Commands that use registries", REGISTRY_VARIABLES),
    ]
}

/// Returns the command line with its examples.
pub(crate) fn command() -> Command {
    let command = with_examples(Cli::command(), "");
    let long = command.get_after_long_help().map(|help| help.ansi().to_string()).unwrap_or_default();
    let mut statuses = format!("{long}\n\n{}", heading("Exit status"));
    for (status, meaning) in EXIT_STATUSES {
        // It is a string that is written to.
        let _ = write!(statuses, "\n  {status:>3}  {meaning}");
    }
    command
        .after_long_help(statuses)
        .after_help("Use `pybundle help <COMMAND>` for all options and examples of a command")
}

/// Returns the names of the subcommands that were parsed, each below the one before it.
pub(super) fn words(matches: &ArgMatches) -> Vec<String> {
    let below = std::iter::successors(matches.subcommand(), |(_, matches)| matches.subcommand());
    below.map(|(name, _)| name.to_owned()).collect()
}

/// Returns a subcommand, given by its words. Its usage begins with `pybundle` and the words.
pub(super) fn subcommand(words: &[String]) -> Command {
    let mut root = command();
    root.build();
    let found = words.iter().try_fold(&root, |command, word| command.find_subcommand(word));
    found.cloned().unwrap_or(root)
}

/// Returns an error of the command line as it is without the variables of the environment that set options: the usage lists
/// what is given as if it were required (clap 4.6), and these are not.
pub(super) fn with_plain_usage(
    error: clap::Error,
    command: Command,
    words: &[impl Into<OsString> + Clone],
) -> clap::Error {
    if !error.use_stderr() {
        return error;
    }
    match without_variables(command).try_get_matches_from(words.iter().cloned()) {
        Err(plain) if plain.kind() == error.kind() => plain,
        // The value of a variable is what is wrong.
        _ => error,
    }
}

fn without_variables(command: Command) -> Command {
    command.mut_args(|argument| argument.env(Resettable::Reset)).mut_subcommands(without_variables)
}

fn with_examples(command: Command, words: &str) -> Command {
    let lines = examples(words).iter().map(|Example { what, line }| format!("\n  # {what}\n  {line}"));
    let help = format!("{}{}", heading("Examples"), lines.collect::<Vec<_>>().join("\n"));
    let command = command.after_long_help(help).mut_subcommands(|below| {
        let words = format!("{words} {}", below.get_name());
        with_examples(below, words.trim_start())
    });
    // A group of commands has no options of its own that would be hidden.
    if command.has_subcommands() {
        return command;
    }
    command.after_help(format!("Use `pybundle help {words}` for all options and examples"))
}

/// Returns a heading as clap prints its own.
fn heading(text: &str) -> String {
    let styles = Styles::styled();
    let style = styles.get_header();
    format!("{style}{text}:{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls a function for each command, with its words.
    fn each(command: &Command, words: &str, act: &mut impl FnMut(&Command, &str)) {
        act(command, words);
        for below in command.get_subcommands() {
            each(below, format!("{words} {}", below.get_name()).trim_start(), act);
        }
    }

    #[test]
    fn every_command_has_examples_that_are_understood() {
        let mut known = 0;
        each(&Cli::command(), "", &mut |_, words| {
            assert!(!examples(words).is_empty(), "`pybundle {words}` has no example");
            known += 1;
            for Example { line, .. } in examples(words) {
                assert!(line.starts_with(format!("pybundle {words}").trim_end()), "{line}");
                let line = line.split(" > ").next().unwrap_or_default();
                let parsed = command().try_get_matches_from(shlex::split(line).unwrap());
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            }
        });
        assert_eq!(known, EXAMPLES.len(), "an example belongs to no command");
    }

    #[test]
    fn the_help_of_every_option_is_one_short_line_first() {
        each(&Cli::command(), "", &mut |command, words| {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let options =
                command.get_arguments().filter(|argument| !argument.is_positional() && !argument.is_hide_set());
            let helps = options.map(|option| {
                let help = option.get_help().map(ToString::to_string).unwrap_or_default();
                (format!("{words} --{}", option.get_long().unwrap_or_default()), help)
            });
            for (name, help) in helps.chain([(words.to_owned(), about)]) {
                let length = help.chars().count();
                assert!((1..80).contains(&length), "`{name}`: {length} characters: {help}");
                assert!(!help.contains('\n') && !help.ends_with('.'), "`{name}`: {help}");
                let begins_well = help.starts_with(|first: char| first.is_ascii_uppercase());
                let is_noun = ["The ", "A ", "An ", "How ", "Which ", "When ", "Whether "]
                    .iter()
                    .any(|word| help.starts_with(word));
                assert!(begins_well && !is_noun, "`{name}` is not imperative: {help}");
            }
        });
    }
}
