//! What a distribution states of itself.
//!
//! Specification: [PyPA, core metadata](https://packaging.python.org/en/latest/specifications/core-metadata/).

use std::collections::BTreeSet;

use mailparse::{MailAddr, MailHeaderMap};
use url::Url;

use super::license::License;

/// What a distribution states of itself in its METADATA, as far as documents repeat it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DistributionMetadata {
    /// What it is, in one line.
    pub summary: Option<String>,
    /// Its licence.
    pub license: Option<License>,
    /// Who wrote it.
    pub authors: Vec<Person>,
    /// Who keeps it; often nobody is named but its authors.
    pub maintainers: Vec<Person>,
    /// Its addresses, ordered.
    pub links: BTreeSet<ProjectLink>,
}

/// A person or a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name; an address may stand alone.
    pub name: Option<String>,
    /// The address of electronic mail.
    pub email: Option<String>,
}

/// An address of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProjectLink {
    /// What is there, by the name of CycloneDX's type of external references.
    pub kind: &'static str,
    /// The address, of http or https.
    pub url: String,
}

impl DistributionMetadata {
    /// Reads a METADATA. What is malformed in it is passed over: a document that says less is better than none.
    pub fn parse(text: &[u8]) -> Self {
        let Ok((headers, _)) = mailparse::parse_headers(text) else { return Self::default() };
        let all = |name: &str| -> Vec<String> {
            headers.get_all_values(name).into_iter().map(|value| value.trim().to_owned()).collect()
        };
        let one = |name: &str| {
            all(name).into_iter().next().filter(|value| !value.is_empty() && !value.eq_ignore_ascii_case("unknown"))
        };
        // A text keeps its lines, which are folded as those of a message.
        let license = headers.get_first_header("License").map(|header| unfold(header.get_value_raw()));
        let expression = one("License-Expression");
        Self {
            summary: one("Summary").map(|summary| summary.split_whitespace().collect::<Vec<_>>().join(" ")),
            license: License::declared(expression.as_deref(), license.as_deref(), &all("Classifier")),
            authors: people(one("Author"), one("Author-email")),
            maintainers: people(one("Maintainer"), one("Maintainer-email")),
            links: links(one("Home-page"), &all("Project-URL")),
        }
    }

    /// Returns the address of its home page.
    pub fn homepage(&self) -> Option<&str> {
        self.links.iter().find(|link| link.kind == "website").map(|link| link.url.as_str())
    }

    /// Returns who supplies it: who keeps it, or else who wrote it.
    pub fn supplier(&self) -> Option<&Person> {
        self.maintainers.first().or_else(|| self.authors.first())
    }
}

/// Returns the lines of a folded header: each but the first is indented, by some with a bar after the indentation.
fn unfold(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default().trim_end();
    let folded: Vec<&str> = lines.map(|line| line.strip_prefix("       |").unwrap_or(line).trim_end()).collect();
    let indentation = |line: &&str| line.len() - line.trim_start().len();
    let common = folded.iter().filter(|line| !line.is_empty()).map(indentation).min().unwrap_or_default();
    let rest = folded.iter().map(|line| line.get(common..).unwrap_or_default());
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n")
}

/// Returns who is meant by a name and by a list of addresses, in which names may be, too.
fn people(name: Option<String>, addresses: Option<String>) -> Vec<Person> {
    let parsed = addresses.and_then(|addresses| mailparse::addrparse(&addresses).ok());
    let single = parsed.into_iter().flat_map(|list| list.into_inner()).flat_map(|address| match address {
        MailAddr::Single(single) => vec![single],
        MailAddr::Group(group) => group.addrs,
    });
    let person = |single: mailparse::SingleInfo| Person {
        name: single.display_name.map(|name| one_line(&name)).filter(|name| !name.is_empty()),
        email: Some(single.addr).filter(|email| is_email(email)),
    };
    let mut people: Vec<Person> =
        single.map(person).filter(|person| person.name.is_some() || person.email.is_some()).collect();
    match (name.map(|name| one_line(&name)), &mut people[..]) {
        (None, _) => {}
        (Some(name), [Person { name: free @ None, .. }]) => *free = Some(name),
        (Some(name), people_so_far) if people_so_far.iter().any(|person| person.name.as_ref() == Some(&name)) => {}
        (Some(name), _) => people.insert(0, Person { name: Some(name), email: None }),
    }
    people
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Tells whether a text looks like an address of electronic mail to those who check documents.
fn is_email(text: &str) -> bool {
    let is_plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>,;\"".contains(&byte))
    };
    text.split_once('@')
        .is_some_and(|(user, host)| is_plain(user) && is_plain(host) && !host.contains('@') && host.contains('.'))
}

/// Returns the addresses, each once for what is there.
fn links(homepage: Option<String>, others: &[String]) -> BTreeSet<ProjectLink> {
    let labelled = others.iter().filter_map(|text| text.split_once(',')).map(|(label, url)| (kind(label), url.trim()));
    let homepage = homepage.as_deref().map(|url| ("website", url));
    let link = |(kind, url): (&'static str, &str)| {
        let url: Url = url.parse().ok()?;
        (matches!(url.scheme(), "http" | "https") && url.host().is_some())
            .then(|| ProjectLink { kind, url: url.to_string() })
    };
    homepage.into_iter().chain(labelled).filter_map(link).collect()
}

/// Returns what a label means ([PyPA, well-known project URLs](https://packaging.python.org/en/latest/specifications/well-known-project-urls/)),
/// by CycloneDX's name.
fn kind(label: &str) -> &'static str {
    let label: String = label.to_lowercase().chars().filter(|character| character.is_alphanumeric()).collect();
    match label.as_str() {
        "homepage" | "home" | "website" => "website",
        "source" | "repository" | "sourcecode" | "github" | "code" => "vcs",
        "download" => "distribution",
        "changelog" | "changes" | "whatsnew" | "history" | "releasenotes" => "release-notes",
        "documentation" | "docs" => "documentation",
        "issues" | "bugs" | "issue" | "tracker" | "issuetracker" | "bugtracker" => "issue-tracker",
        "chat" | "discord" | "gitter" | "slack" => "chat",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, email: &str) -> Person {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Person { name: some(name), email: some(email) }
    }

    #[test]
    fn people_are_found_in_every_form() {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        for (name, addresses, expected) in [
            ("", "", vec![]),
            ("Ann", "", vec![person("Ann", "")]),
            ("Ann", "ann@example.org", vec![person("Ann", "ann@example.org")]),
            (
                "",
                "Ann <ann@example.org>, \"Lee, B.\" <b@example.org>",
                vec![person("Ann", "ann@example.org"), person("Lee, B.", "b@example.org")],
            ),
            ("Ann", "Ann <ann@example.org>", vec![person("Ann", "ann@example.org")]),
            (
                "Team",
                "a@example.org, b@example.org",
                vec![person("Team", ""), person("", "a@example.org"), person("", "b@example.org")],
            ),
            ("Ann", "nobody", vec![person("Ann", "")]),
        ] {
            assert_eq!(people(some(name), some(addresses)), expected, "{name} {addresses}");
        }
    }

    #[test]
    fn lines_are_unfolded_as_each_tool_folds_them() {
        for (folded, text) in [
            ("", ""),
            (" MIT \r\n", "MIT"),
            ("one\n        two\n\n          three\n", "one\ntwo\n\n  three"),
            ("one\n       |two\n       |\n       |  three", "one\ntwo\n\n  three"),
            ("one\n         two", "one\ntwo"),
        ] {
            assert_eq!(unfold(folded.as_bytes()), text, "{folded:?}");
        }
    }

    #[test]
    fn a_metadata_is_read() {
        let text = "Metadata-Version: 2.1\nName: x\nVersion: 1\nSummary: a  thing\nHome-page: https://example.org\n\
            License: Permission is\n       |granted\n       |\n       |to all\nProject-URL: Source Code, https://example.org/x\n\
            Project-URL: Odd, not an address\nAuthor: UNKNOWN\nClassifier: License :: OSI Approved :: BSD License\n\nbody\n";
        let metadata = DistributionMetadata::parse(text.as_bytes());
        assert_eq!(metadata.summary.as_deref(), Some("a thing"));
        let text = "Permission is\ngranted\n\nto all".to_owned();
        assert_eq!(metadata.license, Some(License::Named { name: "BSD License".to_owned(), text: Some(text) }));
        assert_eq!(metadata.homepage(), Some("https://example.org/"));
        let links: Vec<_> = metadata.links.iter().map(|link| (link.kind, link.url.as_str())).collect();
        assert_eq!(links, [("vcs", "https://example.org/x"), ("website", "https://example.org/")]);
        assert!(metadata.authors.is_empty() && metadata.supplier().is_none());
        assert_eq!(DistributionMetadata::parse(b"\xff\xfe"), DistributionMetadata::default());
    }
}
