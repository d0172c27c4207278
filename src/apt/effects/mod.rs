//! What the maintainer scripts of packages would do, written into an image instead of running them.
//!
//! A script is understood if it consists of literal alternatives and of what debhelper adds, or if the table of facts knows
//! the package. Everything else is refused by name.

mod facts;
mod registries;

use std::fmt;
use std::str::FromStr;

use crate::debian::alternatives::{AlternativeChoice, AlternativeSlave};
use crate::debian::maintainer_script::read_script;
use crate::debian::{ControlFile, DebianVersion};

use facts::fact;

pub use registries::registry;

/// The scripts that run when a package is installed.
const SCRIPTS: [&str; 2] = ["preinst", "postinst"];

/// One thing that a maintainer script does. Paths are absolute.
///
/// The table of facts has effects as text: a verb and its arguments, quoted as by a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Adds a choice to a group of alternatives.
    Alternative(AlternativeChoice),
    /// Appends text to a file that does not contain it.
    Append {
        /// The file.
        path: String,
        /// The text.
        text: String,
    },
    /// Gives a file capabilities, for instance `cap_net_raw=ep`.
    Capability {
        /// The file.
        path: String,
        /// In the form of cap_from_text(3).
        capabilities: String,
    },
    /// Writes the bundle of CA certificates, and the links by which OpenSSL finds each.
    Certificates,
    /// Copies a file unless the copy exists.
    Copy {
        /// The file.
        from: String,
        /// The copy.
        to: String,
    },
    /// Makes a directory unless it exists.
    Directory {
        /// The directory.
        path: String,
        /// The permissions.
        mode: u32,
        /// `USER:GROUP`, by name.
        owner: String,
    },
    /// Adds a system group unless it exists.
    Group(String),
    /// Writes the keystore with the CA certificates for Java.
    JavaKeystore,
    /// Makes a symbolic link unless the path exists.
    Link {
        /// The link.
        path: String,
        /// What it leads to.
        target: String,
    },
    /// Changes the permissions and the owner of a file or a directory.
    Mode {
        /// The file or the directory.
        path: String,
        /// The permissions.
        mode: u32,
        /// `USER:GROUP`, by name.
        owner: String,
    },
    /// As [`Effect::Mode`], and dpkg keeps both when it unpacks the package again (dpkg-statoverride(1)).
    Override {
        /// The file or the directory.
        path: String,
        /// The permissions.
        mode: u32,
        /// `USER:GROUP`, by name.
        owner: String,
    },
    /// Writes a registry of known content.
    Registry {
        /// The file.
        path: String,
        /// The name of the [registry].
        name: String,
        /// The directory of the architecture's libraries.
        multiarch: String,
    },
    /// Adds the users and groups of a line of sysusers.d(5) unless they exist.
    Sysusers(String),
    /// Adds a system user unless it exists.
    User {
        /// The name.
        name: String,
        /// The group, by name.
        group: String,
        /// The home directory.
        home: String,
    },
    /// Writes a file unless it exists.
    Write {
        /// The file.
        path: String,
        /// The content.
        text: String,
    },
}

/// A string that is not an effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid effect of a package", .0.escape_debug())]
pub struct InvalidEffect(pub String);

impl fmt::Display for Effect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = match self {
            Self::Alternative(AlternativeChoice { name, link, path, priority, slaves }) => {
                let own =
                    ["alternative", name, link, path].map(str::to_owned).into_iter().chain([priority.to_string()]);
                let slaves = slaves.iter();
                own.chain(slaves.flat_map(|slave| [slave.name.clone(), slave.link.clone(), slave.path.clone()]))
                    .collect()
            }
            Self::Append { path, text } => words(&["append", path, &text.escape_default().to_string()]),
            Self::Capability { path, capabilities } => words(&["capability", path, capabilities]),
            Self::Certificates => words(&["certificates"]),
            Self::Copy { from, to } => words(&["copy", from, to]),
            Self::Directory { path, mode, owner } => words(&["directory", path, &format!("{mode:04o}"), owner]),
            Self::Group(name) => words(&["group", name]),
            Self::JavaKeystore => words(&["java-keystore"]),
            Self::Link { path, target } => words(&["link", path, target]),
            Self::Mode { path, mode, owner } => words(&["mode", path, &format!("{mode:04o}"), owner]),
            Self::Override { path, mode, owner } => words(&["override", path, &format!("{mode:04o}"), owner]),
            Self::Registry { path, name, multiarch } => words(&["registry", path, name, multiarch]),
            Self::Sysusers(line) => words(&["sysusers", line]),
            Self::User { name, group, home } => words(&["user", name, group, home]),
            Self::Write { path, text } => words(&["write", path, &text.escape_default().to_string()]),
        };
        let quoted = words.iter().map(|word| shlex::try_quote(word).map_or(word.clone(), |quoted| quoted.into_owned()));
        formatter.write_str(&quoted.collect::<Vec<String>>().join(" "))
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl FromStr for Effect {
    type Err = InvalidEffect;

    fn from_str(text: &str) -> Result<Self, InvalidEffect> {
        parse(text).ok_or_else(|| InvalidEffect(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Effect> {
    let words = shlex::split(text)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let owned = str::to_owned;
    Some(match words.as_slice() {
        ["alternative", name, link, path, priority, slaves @ ..] if slaves.len().is_multiple_of(3) => {
            let slaves = slaves.chunks(3).filter_map(|slave| {
                let [name, link, path] = slave else { return None };
                Some(AlternativeSlave { name: owned(name), link: owned(link), path: owned(path) })
            });
            Effect::Alternative(AlternativeChoice {
                name: owned(name),
                link: owned(link),
                path: owned(path),
                priority: priority.parse().ok()?,
                slaves: slaves.collect(),
            })
        }
        ["append", path, text] => Effect::Append { path: owned(path), text: unescape(text)? },
        ["capability", path, capabilities] => {
            Effect::Capability { path: owned(path), capabilities: owned(capabilities) }
        }
        ["certificates"] => Effect::Certificates,
        ["copy", from, to] => Effect::Copy { from: owned(from), to: owned(to) },
        ["directory", path, mode, owner] => {
            Effect::Directory { path: owned(path), mode: octal(mode)?, owner: owned(owner) }
        }
        ["group", name] => Effect::Group(owned(name)),
        ["java-keystore"] => Effect::JavaKeystore,
        ["link", path, target] => Effect::Link { path: owned(path), target: owned(target) },
        ["mode", path, mode, owner] => Effect::Mode { path: owned(path), mode: octal(mode)?, owner: owned(owner) },
        ["override", path, mode, owner] => {
            Effect::Override { path: owned(path), mode: octal(mode)?, owner: owned(owner) }
        }
        ["registry", path, name, multiarch] => {
            Effect::Registry { path: owned(path), name: owned(name), multiarch: owned(multiarch) }
        }
        ["sysusers", line] => Effect::Sysusers(owned(line)),
        ["user", name, group, home] => Effect::User { name: owned(name), group: owned(group), home: owned(home) },
        ["write", path, text] => Effect::Write { path: owned(path), text: unescape(text)? },
        _ => return None,
    })
}

fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)
}

/// Undoes `escape_default`.
fn unescape(text: &str) -> Option<String> {
    let mut characters = text.chars();
    let mut unescaped = String::new();
    while let Some(character) = characters.next() {
        unescaped.push(match (character, character == '\\') {
            (_, true) => match characters.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'u' => {
                    let digits: String =
                        characters.by_ref().skip(1).take_while(|character| *character != '}').collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                other => other,
            },
            (character, false) => character,
        });
    }
    Some(unescaped)
}

/// Returns what the maintainer scripts of a package would do. `sysusers` returns the lines of its files in
/// `/usr/lib/sysusers.d`.
///
/// # Errors
/// The lines of the scripts that are not understood, if the table of facts does not know the package.
pub fn effects_of<'a>(
    (name, version, architecture): (&str, &str, &str),
    control_files: impl Fn(&str) -> Option<&'a ControlFile>,
    sysusers: impl FnOnce() -> Vec<String>,
) -> Result<Vec<Effect>, Vec<String>> {
    let (mut effects, mut unknown, mut adds_sysusers) = (Vec::new(), Vec::new(), false);
    for script in SCRIPTS.iter().filter_map(|script| control_files(script)) {
        let reading = read_script(&String::from_utf8_lossy(&script.bytes));
        effects.extend(reading.alternatives.into_iter().map(Effect::Alternative));
        effects.extend(reading.copies.into_iter().map(|(from, to)| Effect::Copy { from, to }));
        unknown.extend(reading.unknown);
        adds_sysusers |= reading.adds_sysusers;
    }
    if adds_sysusers {
        // Before all else: modes refer to them.
        let lines = sysusers().into_iter().map(Effect::Sysusers).collect();
        effects = [lines, effects].concat();
    }
    let version: Option<DebianVersion> = version.parse().ok();
    match version.and_then(|version| fact(name, &version)) {
        Some(fact) => {
            effects.retain(|effect| fact.has_alternatives || !matches!(effect, Effect::Alternative(_)));
            effects.extend(fact.effects(architecture));
            Ok(effects)
        }
        None if unknown.is_empty() => Ok(effects),
        None => Err(unknown),
    }
}

/// Returns the paths that the scripts of packages generate and an image does not need, relative to the root: caches that are
/// made again when they are used, services, and bytecode.
pub fn omitted_paths() -> Vec<String> {
    facts::omitted_paths()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_read_as_they_are_written() {
        for text in [
            "alternative nc /bin/nc /bin/nc.openbsd 50 netcat /bin/netcat /bin/nc.openbsd",
            "capability /bin/ping cap_net_raw=ep",
            "certificates",
            "copy /usr/share/a /etc/a",
            "directory /var/lib/x 0750 x:x",
            "group crontab",
            "java-keystore",
            "link /etc/x ../y",
            "mode /var/spool/cron/crontabs 1730 root:crontab",
            "override /usr/bin/crontab 2755 root:crontab",
            "registry /x graphviz-2.42 y",
            "sysusers 'g crontab - -'",
            "user redis redis /var/lib/redis",
        ] {
            let effect: Effect = text.parse().unwrap();
            assert_eq!(effect.to_string().parse(), Ok(effect), "{text}");
        }
        assert_eq!(Effect::Group("crontab".to_owned()).to_string(), "group crontab");
        for text in ["append /etc/x 'a\\n'", "write /etc/x 'a b\\n\\t\"'"] {
            let effect: Effect = text.parse().unwrap();
            assert_eq!(effect.to_string().parse(), Ok(effect), "{text}");
        }
        let Ok(Effect::Write { text, .. }) = "write /etc/x 'a b\\n\\u{e9}'".parse() else { panic!("it is a file") };
        assert_eq!(text, "a b\n\u{e9}");
        for text in ["", "run x", "mode /x 99999 a:b", "group", "alternative a b c 1 d"] {
            assert_eq!(text.parse::<Effect>(), Err(InvalidEffect(text.to_owned())));
        }
    }
}
