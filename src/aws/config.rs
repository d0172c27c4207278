//! The files that AWS's tools share: `~/.aws/config` and `~/.aws/credentials`.
//!
//! Format: [shared config and credentials files](https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{AwsEnvironment, AwsError};

/// The characters that separate, as in AWS's SDKs. Others that Unicode calls white space belong to the text.
const BLANK: [char; 2] = [' ', '\t'];

pub(super) type Properties = BTreeMap<String, String>;

/// The sections of both files. Where both have a profile, the properties in `credentials` win.
#[derive(Default)]
pub(super) struct SharedConfig {
    profiles: BTreeMap<String, Properties>,
    /// Of `[sso-session NAME]`.
    sso_sessions: BTreeMap<String, Properties>,
    /// Of `[services NAME]`.
    services: BTreeMap<String, Properties>,
}

impl SharedConfig {
    /// Reads the files that `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` name, or those in `~/.aws`. A file that
    /// does not exist is empty.
    pub(super) async fn read(environment: &AwsEnvironment) -> Result<Self, AwsError> {
        let mut config = Self::default();
        for (variable, name) in [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")] {
            let home = environment.home.as_deref();
            let path = match environment.variable(variable) {
                Some(path) => Some(expand_home(path, home)),
                None => home.map(|home| home.join(".aws").join(name)),
            };
            let Some(path) = path else { continue };
            let text = match tokio::fs::read_to_string(&path).await {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(AwsError::Read { path, source }),
            };
            let sections = parse(&text).map_err(|(line, reason)| AwsError::InvalidConfig { path, line, reason })?;
            config.merge(sections, name == "credentials");
        }
        Ok(config)
    }

    pub(super) fn profile(&self, name: &str) -> Option<&Properties> {
        self.profiles.get(name)
    }

    /// Returns the names of the profiles in alphabetical order.
    pub(super) fn profile_names(&self) -> Vec<String> {
        self.profiles.keys().cloned().collect()
    }

    /// Returns a setting: the value of the variable, or else of the property in the selected profile.
    pub(super) fn setting<'a>(&'a self, environment: &'a AwsEnvironment, variable: &str, key: &str) -> Option<&'a str> {
        environment.variable(variable).or_else(|| self.profile(environment.profile())?.get(key).map(String::as_str))
    }

    /// Tells whether a setting is `true`.
    pub(super) fn is_true(&self, environment: &AwsEnvironment, variable: &str, key: &str) -> bool {
        self.setting(environment, variable, key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(super) fn sso_session(&self, name: &str) -> Option<&Properties> {
        self.sso_sessions.get(name)
    }

    /// Returns the properties of a service in `[services NAME]`, which are nested:
    ///
    /// ```ini
    /// [services local]
    /// ecr =
    ///   endpoint_url = http://localhost:4566
    /// ```
    pub(super) fn service(&self, name: &str, service: &str) -> Option<Properties> {
        let nested = self.services.get(name)?.get(service)?;
        Some(nested.lines().filter_map(property).collect())
    }

    fn merge(&mut self, sections: Vec<(String, Properties)>, is_credentials: bool) {
        // `[profile default]` replaces `[default]`, as in AWS's SDKs.
        let has_prefixed_default = sections.iter().any(|(name, _)| words(name) == ("profile", "default"));
        for (section, properties) in sections {
            let target = match words(&section) {
                (name, "") if is_credentials => self.profiles.entry(name.to_owned()),
                ("default", "") if !has_prefixed_default => self.profiles.entry("default".to_owned()),
                ("profile", name) if !is_credentials => self.profiles.entry(name.to_owned()),
                ("sso-session", name) if !is_credentials => self.sso_sessions.entry(name.to_owned()),
                ("services", name) if !is_credentials => self.services.entry(name.to_owned()),
                // AWS's SDKs ignore other sections.
                _ => continue,
            };
            target.or_default().extend(properties);
        }
    }
}

/// Returns the kind and the name in a section's header. A header of one word has no kind.
fn words(header: &str) -> (&str, &str) {
    let (first, rest) = header.split_once(BLANK).unwrap_or((header, ""));
    (first, rest.trim_matches(BLANK))
}

/// Replaces a leading `~/` with the home directory.
pub(super) fn expand_home(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// Parses a file into its sections. The error is a line, from 1 on, and what is wrong with it.
fn parse(text: &str) -> Result<Vec<(String, Properties)>, (usize, &'static str)> {
    let mut sections: Vec<(String, Properties)> = Vec::new();
    let mut last_key = None;
    for (index, line) in text.lines().enumerate() {
        if line.trim_matches(BLANK).is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with('[') {
            let end = line.find(['#', ';']).unwrap_or(line.len());
            let header = line[..end].trim_matches(BLANK).strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let header = header.ok_or((index + 1, "expected `]` at the end of the section's name"))?;
            sections.push((header.trim_matches(BLANK).to_owned(), Properties::new()));
            last_key = None;
            continue;
        }
        let Some((_, properties)) = sections.last_mut() else {
            return Err((index + 1, "expected a section such as `[default]` before the first property"));
        };
        if line.starts_with(BLANK) {
            let key: &String = last_key.as_ref().ok_or((index + 1, "expected a property before the indented line"))?;
            let value = properties.entry(key.clone()).or_default();
            value.push('\n');
            value.push_str(line.trim_matches(BLANK));
            continue;
        }
        let (key, value) = property(line).ok_or((index + 1, "expected `key = value`"))?;
        properties.insert(key.clone(), value);
        last_key = Some(key);
    }
    Ok(sections)
}

/// Parses `key = value`. A comment in the same line has a blank before it; without one, `#` belongs to the value.
fn property(line: &str) -> Option<(String, String)> {
    let comments = [" #", " ;", "\t#", "\t;"];
    let end = comments.iter().filter_map(|comment| line.find(comment)).min().unwrap_or(line.len());
    let (key, value) = line[..end].split_once('=')?;
    let key = key.trim_matches(BLANK);
    (!key.is_empty()).then(|| (key.to_ascii_lowercase(), value.trim_matches(BLANK).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_properties_comments_and_nested_lines() {
        let text = "# comment\n[default]\nRegion = eu-west-1 ; comment\nkey=a#b\n\n[ profile  work ] # comment\nempty =\n\
                    s3 =\n  max = 1\n\tmin = 0\n";
        let sections = parse(text).unwrap();
        let names: Vec<&str> = sections.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["default", "profile  work"]);
        assert_eq!(sections[0].1["region"], "eu-west-1");
        assert_eq!(sections[0].1["key"], "a#b");
        assert_eq!(sections[1].1["empty"], "");
        assert_eq!(sections[1].1["s3"], "\nmax = 1\nmin = 0");
    }

    #[test]
    fn malformed_lines_are_errors() {
        for (text, line) in [("a = 1", 1), ("[a\n", 1), ("[a]\n b = 1", 2), ("[a]\nb = 1\nc", 3), ("[a]\n= 1", 2)] {
            assert_eq!(parse(text).unwrap_err().0, line, "{text}");
        }
    }

    #[test]
    fn sections_are_named_as_their_file_names_them() {
        let mut config = SharedConfig::default();
        let text = "[default]\na = 1\n[profile default]\na = 2\n[profile work]\nb = 1\nc = 1\n[stray]\na = 1\n\
                    [sso-session s]\nsso_region = eu-west-1\n[services local]\necr =\n  endpoint_url = http://localhost\n";
        config.merge(parse(text).unwrap(), false);
        config.merge(parse("[work]\nb = 2\n[profile other]\na = 1\n").unwrap(), true);
        assert_eq!(config.profile("default").unwrap()["a"], "2");
        assert_eq!(config.profile("work").unwrap()["b"], "2", "the file `credentials` wins");
        assert_eq!(config.profile("work").unwrap()["c"], "1");
        assert!(config.profile("stray").is_none() && config.profile("other").is_none());
        assert_eq!(config.sso_session("s").unwrap()["sso_region"], "eu-west-1");
        assert_eq!(config.service("local", "ecr").unwrap()["endpoint_url"], "http://localhost");
        assert!(config.service("local", "sts").is_none());
    }
}
