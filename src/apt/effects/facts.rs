//! The table of facts: what the scripts of known packages do.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Effect;
use crate::debian::DebianVersion;

/// What is known of the scripts of a package.
#[derive(Debug, Clone)]
pub(super) struct PackageFact {
    /// The first version that is not known.
    below: DebianVersion,
    /// Whether the literal alternatives of its scripts count, too.
    pub(super) has_alternatives: bool,
    /// As text, with `{multiarch}` and `{architecture}`.
    effects: Vec<String>,
    omits: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FactsDocument {
    package: Vec<FactTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FactTable {
    /// The packages, each with the first version that is not known.
    below: BTreeMap<String, String>,
    /// Where it was read.
    #[serde(rename = "source")]
    _source: String,
    #[serde(default = "yes")]
    alternatives: bool,
    #[serde(default)]
    effects: Vec<String>,
    #[serde(default)]
    omits: Vec<String>,
}

fn yes() -> bool {
    true
}

static FACTS: LazyLock<BTreeMap<String, Vec<PackageFact>>> =
    LazyLock::new(|| facts(include_str!("facts.toml")).unwrap_or_default());

/// Reads the table. The text is a part of the program, and a test reads it.
fn facts(text: &str) -> Result<BTreeMap<String, Vec<PackageFact>>, String> {
    let document: FactsDocument = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut facts: BTreeMap<String, Vec<PackageFact>> = BTreeMap::new();
    for FactTable { below, alternatives, effects, omits, .. } in document.package {
        for (name, below) in below {
            let below = below.parse().map_err(|error| format!("{name}: {error}"))?;
            let (effects, omits) = (effects.clone(), omits.clone());
            let fact = PackageFact { below, has_alternatives: alternatives, effects, omits };
            facts.entry(name).or_default().push(fact);
        }
    }
    Ok(facts)
}

impl PackageFact {
    /// Returns the effects on an architecture. A test parses every one.
    pub(super) fn effects(&self, architecture: &str) -> impl Iterator<Item = Effect> {
        let effects = self.effects.iter().map(|effect| effect.replace("{multiarch}", multiarch(architecture)));
        effects.filter_map(move |effect| effect.replace("{architecture}", architecture).parse().ok())
    }
}

/// Returns the name of the directory of an architecture's libraries (Debian Policy 9.1.1).
fn multiarch(architecture: &str) -> &'static str {
    match architecture {
        "arm64" => "aarch64-linux-gnu",
        _ => "x86_64-linux-gnu",
    }
}

/// Returns what is known of a version of a package.
pub(super) fn fact(name: &str, version: &DebianVersion) -> Option<&'static PackageFact> {
    FACTS.get(name)?.iter().find(|fact| *version < fact.below)
}

pub(super) fn omitted_paths() -> Vec<String> {
    let mut paths: Vec<String> = FACTS.values().flatten().flat_map(|fact| fact.omits.clone()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_valid() {
        let facts = facts(include_str!("facts.toml")).unwrap();
        assert!(facts.len() > 20);
        let version = "3.0pl1-162".parse().unwrap();
        assert_eq!(fact("cron", &version).unwrap().effects("x").count(), 1);
        for (name, fact) in facts.iter().flat_map(|(name, facts)| facts.iter().map(move |fact| (name, fact))) {
            let parsed = fact.effects.iter().map(|effect| effect.parse::<Effect>());
            parsed.for_each(|effect| assert!(effect.is_ok(), "{name}: {effect:?}"));
        }
        assert!(fact("cron", &"99".parse().unwrap()).is_none());
        assert!(fact("git", &"1:2.47.3-0+deb13u1".parse().unwrap()).is_some());
        assert!(fact("git", &"1:2.48.0-1".parse().unwrap()).is_none());
    }
}
