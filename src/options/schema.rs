//! The JSON schema of `[tool.pybundle]`, generated from the options, for editors.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use clap::{ArgAction, Command};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::precedence::FLAGS_ONLY;
use super::{ImageOptions, LambdaOptions, LayerOptions, TargetKind, TargetOptions};

/// The keys about an application, which a layer does not contain.
const OF_APPLICATIONS: [&str; 4] = ["include", "exclude", "prepare", "no-install-project"];

/// The properties of the options of each kind.
static LAMBDA: LazyLock<Map<String, Value>> = LazyLock::new(properties::<LambdaOptions>);
static LAYER: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let mut properties = properties::<LayerOptions>();
    properties.retain(|key, _| !OF_APPLICATIONS.contains(&key.as_str()));
    properties
});
static IMAGE: LazyLock<Map<String, Value>> = LazyLock::new(properties::<ImageOptions>);

fn properties<O: TargetOptions>() -> Map<String, Value> {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<O>();
    match schema.remove("properties") {
        Some(Value::Object(mut properties)) => {
            properties.retain(|key, _| !FLAGS_ONLY.contains(&key.as_str()));
            properties
        }
        _ => Map::new(),
    }
}

fn of(kind: TargetKind) -> &'static Map<String, Value> {
    match kind {
        TargetKind::Lambda => &LAMBDA,
        TargetKind::Layer => &LAYER,
        TargetKind::Image => &IMAGE,
    }
}

pub(super) fn knows(kind: TargetKind, key: &str) -> bool {
    of(kind).contains_key(key)
}

pub(super) fn keys(kind: TargetKind) -> impl Iterator<Item = String> {
    of(kind).keys().cloned()
}

/// Returns the keys of a kind of target with their defaults, as the help of their flags says; of a switch `false`, and `None`
/// for what is not set by default.
pub(crate) fn defaults<O: TargetOptions>() -> BTreeMap<String, Option<String>> {
    let command = O::augment_args(Command::new("defaults"));
    let arguments = command.get_arguments().filter_map(|argument| Some((argument.get_long()?, argument)));
    let keys = arguments.filter(|(key, _)| knows(O::KIND, key));
    let defaults = keys.map(|(key, argument)| {
        let help = [argument.get_help(), argument.get_long_help()].into_iter().flatten().map(ToString::to_string);
        let mut stated = help.filter_map(|help| {
            let (_, rest) = help.split_once("[default: ")?;
            Some(rest.split_once(']')?.0.to_owned())
        });
        let switch = matches!(argument.get_action(), ArgAction::SetTrue).then(|| "false".to_owned());
        (key.to_owned(), stated.next_back().or(switch))
    });
    defaults.collect()
}

/// Returns the JSON schema of `[tool.pybundle]`, in draft 07: editors that read SchemaStore support no later one.
pub(crate) fn schema() -> Value {
    let mut shared = of(TargetKind::Lambda).clone();
    for (key, image) in of(TargetKind::Image) {
        shared
            .entry(key.clone())
            .and_modify(|known| {
                if known != image {
                    *known = json!({ "anyOf": [known.clone(), image.clone()] });
                }
            })
            .or_insert_with(|| image.clone());
    }
    // What layers and functions have in common has the same values.
    for (key, layer) in of(TargetKind::Layer) {
        shared.entry(key.clone()).or_insert_with(|| layer.clone());
    }
    let targets = json!({
        "description": "Targets by name: `pybundle build` builds each of them",
        "type": "object",
        "additionalProperties": { "anyOf": TargetKind::ALL.map(target) },
    });
    shared.insert("target".to_owned(), targets);
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "pybundle",
        "description": "`[tool.pybundle]` in pyproject.toml: each key has the name of its flag",
        "type": "object",
        "additionalProperties": false,
        "properties": shared,
    })
}

/// Returns the schema of a target. One that extends another may omit its kind.
fn target(kind: TargetKind) -> Value {
    let mut properties = of(kind).clone();
    properties.insert(
        "kind".to_owned(),
        json!({ "description": "Build a Lambda zip, a Lambda layer or an image", "const": kind.name() }),
    );
    if kind == TargetKind::Layer {
        return json!({
            "type": "object", "additionalProperties": false, "properties": properties, "required": ["kind"],
        });
    }
    let extends = "Inherit everything from this target, except for where its artifact goes";
    properties.insert("extends".to_owned(), json!({ "description": extends, "type": "string" }));
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "anyOf": [{ "required": ["kind"] }, { "required": ["extends"] }],
    })
}
