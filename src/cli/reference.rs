//! The reference pages of `docs/reference`, in Markdown: from the command line's own definition and the schema of
//! `[tool.pybundle]`, so that they cannot say anything else.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{Arg, Command};
use serde_json::{Map, Value};

use super::help;
use crate::options;

/// The heading of options that have none.
const OPTIONS: &str = "Options";

/// Begins a page.
fn page(title: &str, introduction: &str) -> String {
    format!(
        "<!-- Generated: PYBUNDLE_BLESS=1 cargo test --test output reference. Change the options, not this page. -->\n\n\
         # {title}\n\n{introduction}\n"
    )
}

/// Adds text to a page; unlike [`write!`], it cannot fail.
macro_rules! add {
    ($page:expr, $($text:tt)*) => {
        if $page.write_fmt(format_args!($($text)*)).is_err() {
            unreachable!("a string takes every text");
        }
    };
}

/// Returns the page of the command line.
pub fn command_line() -> String {
    let mut root = help::command().disable_help_subcommand(true);
    root.build();
    let mut page = page(
        "Command line",
        "`pybundle help COMMAND` prints the same, and `pybundle man DIR` writes it as manual pages.",
    );
    add!(page, "\n| command | what it does |\n| --- | --- |\n");
    for command in commands(&root).into_iter().skip(1).filter(|command| !command.has_subcommands()) {
        let name = name(command);
        add!(page, "| [`{name}`](#{}) | {} |\n", name.replace(' ', "-"), sentence(&about(command)));
    }
    for command in commands(&root).into_iter().skip(1).filter(|command| !command.has_subcommands()) {
        describe(command, &mut page);
    }
    add!(page, "\n## Global options\n\nEvery command takes these options.\n");
    let globals: Vec<&Arg> = root.get_arguments().filter(|argument| argument.is_global_set()).collect();
    add!(page, "\n{}", entries(&globals));
    add!(page, "\n## Exit statuses\n\n| status | meaning |\n| --- | --- |\n");
    for (status, meaning) in help::EXIT_STATUSES {
        add!(page, "| {status} | {meaning} |\n");
    }
    page
}

/// Returns a command and those below it.
fn commands(command: &Command) -> Vec<&Command> {
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    std::iter::once(command).chain(below.flat_map(commands)).collect()
}

fn name(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// Adds the section of a command.
fn describe(command: &Command, page: &mut String) {
    let name = name(command);
    let about = command.get_long_about().map_or_else(|| about(command), ToString::to_string);
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    add!(page, "\n## {name}\n\n{}\n\n```\n{usage}\n```\n", sentence(&about));
    let own = command.get_arguments().filter(|argument| !argument.is_global_set() && !argument.is_hide_set());
    let own: Vec<&Arg> = own.filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version")).collect();
    let (positionals, options): (Vec<&Arg>, Vec<&Arg>) = own.into_iter().partition(|argument| argument.is_positional());
    if !positionals.is_empty() {
        add!(page, "\n### Arguments of {name}\n\n{}", entries(&positionals));
    }
    for (heading, options) in by_heading(&options) {
        add!(page, "\n### {heading} of {name}\n\n{}", entries(&options));
    }
    add!(page, "\n### Examples of {name}\n\n```sh\n");
    let words = name.trim_start_matches("pybundle").trim_start();
    let examples = help::examples(words).iter().map(|example| format!("# {}\n{}\n", example.what, example.line));
    add!(page, "{}```\n", examples.collect::<Vec<_>>().join("\n"));
}

/// Groups options by their headings, in the order in which help lists them.
fn by_heading<'a>(options: &[&'a Arg]) -> Vec<(&'a str, Vec<&'a Arg>)> {
    let mut groups: Vec<(&str, Vec<&Arg>)> = Vec::new();
    for option in options {
        let heading = option.get_help_heading().unwrap_or(OPTIONS);
        match groups.iter_mut().find(|(known, _)| *known == heading) {
            Some((_, group)) => group.push(option),
            None => groups.push((heading, vec![option])),
        }
    }
    groups.sort_by_key(|(heading, _)| *heading != OPTIONS);
    groups.iter_mut().for_each(|(_, group)| group.sort_by_key(|option| option.get_display_order()));
    groups
}

/// Returns a list of arguments.
fn entries(arguments: &[&Arg]) -> String {
    arguments.iter().map(|argument| entry(argument)).collect()
}

fn entry(argument: &Arg) -> String {
    let values = argument.get_value_names().map(|names| names.join(" ")).unwrap_or_default();
    let short = argument.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    let takes_values =
        argument.get_action().takes_values() && argument.get_num_args().is_none_or(|range| range.max_values() != 0);
    let name = match argument.get_long() {
        Some(long) if takes_values => format!("{short}`--{long} {values}`"),
        Some(long) => format!("{short}`--{long}`"),
        None => format!("`{values}`"),
    };
    let aliases = argument.get_visible_aliases().unwrap_or_default();
    let aliases: String = aliases.iter().map(|alias| format!(", `--{alias}`")).collect();
    let help = argument.get_long_help().or_else(|| argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = sentence(&help);
    let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() && takes_values {
        add!(text, " [default: {}]", defaults.join(" "));
    }
    if let Some(variable) = argument.get_env() {
        add!(text, " [env: {}]", variable.to_string_lossy());
    }
    let mut entry = format!("- {name}{aliases}: {}\n", text.replace("\n\n", "\n\n  "));
    if takes_values && !argument.is_hide_possible_values_set() {
        for value in argument.get_possible_values().iter().filter(|value| !value.is_hide_set()) {
            let help = value.get_help().map(|help| format!(": {help}")).unwrap_or_default();
            add!(entry, "  - `{}`{help}\n", value.get_name());
        }
    }
    entry
}

/// Returns help as Markdown: what looks like HTML or a link is neither.
fn sentence(text: &str) -> String {
    text.replace('<', "\\<")
        .replace("[tool.pybundle]", "`[tool.pybundle]`")
        .replace("[default:", "\\[default:")
        .replace("[env:", "\\[env:")
}

/// Returns the page of the configuration.
pub fn configuration() -> String {
    let mut page = page(
        "Configuration",
        "`[tool.pybundle]` in pyproject.toml applies to every target of the project, `[tool.pybundle.target.NAME]` for one \
         target. Each key has the name of its flag.\n\n```toml\n[tool.pybundle]\nexclude = [\"*.sql\"]\n\n\
         [tool.pybundle.target.api]\nkind = \"lambda\"\nhandler = \"app.handler\"\n\n\
         [tool.pybundle.target.web]\nkind = \"image\"\nbase = \"python:3.13-slim\"\nexpose = [8000]\n\n\
         [tool.pybundle.target.test]\nextends = \"web\"\ngroup = [\"test\"]\n```\n\n\
         A flag takes precedence over an environment variable, which takes precedence over the target's table, which takes \
         precedence over `[tool.pybundle]` of the project, and that over `[tool.pybundle]` of the workspace's root. \
         `pybundle config show` prints every value in force and where it is set, and `pybundle config schema` prints the JSON \
         schema for editors.",
    );
    let schema = options::schema();
    let shared = object(&schema["properties"]);
    let targets =
        schema["properties"]["target"]["additionalProperties"]["anyOf"].as_array().cloned().unwrap_or_default();
    let of_target = targets.first().map(|target| object(&target["properties"])).unwrap_or_default();
    add!(page, "\n## Keys of a target only\n\n| key | type | meaning |\n| --- | --- | --- |\n");
    add!(page, "| `kind` | `\"lambda\"`, `\"layer\"` or `\"image\"` | {} |\n", description(&of_target["kind"]));
    add!(page, "| `extends` | string | {} |\n", description(&of_target["extends"]));
    let mut root = help::command();
    root.build();
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for kind in ["lambda", "image"] {
        let arguments: Vec<&Arg> =
            root.find_subcommand(kind).map(|command| command.get_arguments().collect()).unwrap_or_default();
        for (heading, options) in by_heading(&arguments) {
            let heading = if heading == OPTIONS { kind } else { heading };
            for key in options
                .iter()
                .filter_map(|option| option.get_long())
                .filter(|key| shared.contains_key(*key) && *key != "target")
            {
                kinds.entry(key).or_default().push(kind);
                if groups.iter().any(|(_, keys)| keys.contains(&key)) {
                    continue;
                }
                match groups.iter_mut().find(|(known, _)| *known == heading) {
                    Some((_, keys)) => keys.push(key),
                    None => groups.push((heading, vec![key])),
                }
            }
        }
    }
    for (heading, keys) in &groups {
        let title = match *heading {
            "lambda" => "Functions",
            "image" => "Images",
            other => other,
        };
        add!(page, "\n## {title}\n\n| key | type | kind | meaning |\n| --- | --- | --- | --- |\n");
        for key in keys {
            let schema = &shared[*key];
            add!(page, "| `{key}` | {} | {} | {} |\n", types(schema), kinds[key].join(", "), description(schema));
        }
    }
    add!(
        page,
        "\n## Layers\n\nA target of kind `layer` has the keys of functions, except for those about the handler and the application.\n\n\
         | key | type | kind | meaning |\n| --- | --- | --- | --- |\n"
    );
    for (key, kind) in [("layers", "lambda"), ("distributions", "layer"), ("layer-name", "layer")] {
        let Some(schema) = shared.get(key) else { continue };
        add!(page, "| `{key}` | {} | {kind} | {} |\n", types(schema), description(schema));
    }
    add!(page, "\n## Environment variables\n");
    for (readers, variables) in help::all_variables() {
        add!(page, "\n{readers}:\n\n| variable | meaning |\n| --- | --- |\n");
        for variable in variables {
            let names: Vec<String> = variable.name.split(", ").map(|name| format!("`{name}`")).collect();
            add!(page, "| {} | {} |\n", names.join(", "), sentence(variable.what));
        }
    }
    page
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// Returns the description of a key as one line of a table.
fn description(schema: &Value) -> String {
    let text = match (&schema["description"], &schema["anyOf"][0], &schema["anyOf"][1]) {
        (Value::String(text), ..) => text.clone(),
        // The kinds have different descriptions.
        (_, lambda, image) => {
            let [lambda, image] = [lambda, image].map(|schema| schema["description"].as_str().unwrap_or_default());
            format!("lambda: {lambda}\n\nimage: {image}")
        }
    };
    sentence(&text.replace("\n\n", "<br>").replace('\n', " ")).replace("\\<br>", "<br>").replace('|', "\\|")
}

/// Returns the types that a key takes.
fn types(schema: &Value) -> String {
    let mut types = Vec::new();
    add_types(schema, &mut types);
    // An integer is another spelling of a string.
    if types.iter().any(|name| name == "string") {
        types.retain(|name| name != "integer");
    }
    types.join(" or ")
}

/// Adds the types that a schema allows, each once.
fn add_types(schema: &Value, types: &mut Vec<String>) {
    for choices in [&schema["anyOf"], &schema["oneOf"]] {
        choices.as_array().into_iter().flatten().for_each(|choice| add_types(choice, types));
    }
    let names: Vec<String> = match (&schema["const"], &schema["type"]) {
        (Value::String(value), _) => vec![format!("`\"{value}\"`")],
        (_, Value::String(name)) => vec![type_name(name, schema)],
        (_, Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).map(|name| type_name(name, schema)).collect()
        }
        _ => Vec::new(),
    };
    for name in names {
        if name != "null" && !types.contains(&name) {
            types.push(name);
        }
    }
}

fn type_name(name: &str, schema: &Value) -> String {
    match name {
        "array" if schema["items"]["anyOf"].is_array() => "array of strings and tables".to_owned(),
        "array" => "array of strings".to_owned(),
        "object" => "table of strings".to_owned(),
        other => other.to_owned(),
    }
}
