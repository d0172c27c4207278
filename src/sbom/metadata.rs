//! The core metadata of a distribution.
//!
//! Specification: [PyPA, core metadata](https://packaging.python.org/en/latest/specifications/core-metadata/).

use std::collections::BTreeSet;

use mailparse::{MailAddr, MailHeader, MailHeaderMap};
use url::Url;

use super::license::License;
use crate::mail_headers;

/// The fields of METADATA that SBOMs contain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DistributionMetadata {
    /// One line.
    pub(super) summary: Option<String>,
    pub(super) license: Option<License>,
    pub(super) authors: Vec<Person>,
    pub(super) maintainers: Vec<Person>,
    pub(super) links: BTreeSet<ProjectLink>,
}

/// A person or an organization: a name, an email address or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
}

/// A project URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProjectLink {
    /// A type of external references in CycloneDX.
    pub(super) kind: &'static str,
    /// An `http` or `https` URL.
    pub(super) url: String,
}

impl DistributionMetadata {
    /// Parses METADATA. Malformed fields are ignored: an incomplete SBOM is better than none.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let Ok((headers, _)) = mailparse::parse_headers(text) else { return Self::default() };

        // `License` may be a text of several lines, which email headers fold.
        let license = headers.get_first_header("License").map(|header| unfold(header.get_value_raw()));
        let expression = value(&headers, "License-Expression");
        Self {
            summary: value(&headers, "Summary").map(|summary| one_line(&summary)),
            license: License::declared(
                expression.as_deref(),
                license.as_deref(),
                &mail_headers::all_values(&headers, "Classifier"),
            ),
            authors: people(value(&headers, "Author"), value(&headers, "Author-email")),
            maintainers: people(value(&headers, "Maintainer"), value(&headers, "Maintainer-email")),
            links: links(value(&headers, "Home-page"), &mail_headers::all_values(&headers, "Project-URL")),
        }
    }

    pub(super) fn homepage(&self) -> Option<&str> {
        self.links.iter().find(|link| link.kind == "website").map(|link| link.url.as_str())
    }

    /// Returns the first maintainer, or else the first author.
    pub(super) fn supplier(&self) -> Option<&Person> {
        self.maintainers.first().or_else(|| self.authors.first())
    }
}

/// Returns the first value of a field, unless it is empty or `UNKNOWN`, which distutils and old setuptools write for
/// missing fields.
fn value(headers: &[MailHeader], name: &str) -> Option<String> {
    mail_headers::first_value(headers, name).filter(|value| !value.is_empty() && !value.eq_ignore_ascii_case("unknown"))
}

/// Unfolds a header: each line but the first is indented, by some tools with 7 spaces and a pipe (core metadata,
/// Description).
fn unfold(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default().trim_end();
    let folded: Vec<&str> = lines.map(|line| line.strip_prefix("       |").unwrap_or(line).trim_end()).collect();
    let indentations = folded.iter().filter(|line| !line.is_empty()).map(|line| line.len() - line.trim_start().len());
    let common = indentations.min().unwrap_or_default();
    let rest = folded.iter().map(|line| line.get(common..).unwrap_or_default());
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n")
}

/// Returns the people in a name field and an email field, which may contain names, too.
fn people(name: Option<String>, addresses: Option<String>) -> Vec<Person> {
    let parsed = addresses.and_then(|addresses| mailparse::addrparse(&addresses).ok());
    let single = parsed.into_iter().flat_map(|list| list.into_inner()).flat_map(|address| match address {
        MailAddr::Single(single) => vec![single],
        MailAddr::Group(group) => group.addrs,
    });
    let people = single.map(|single| Person {
        name: single.display_name.map(|name| one_line(&name)).filter(|name| !name.is_empty()),
        email: Some(single.addr).filter(|email| is_email(email)),
    });
    let mut people: Vec<Person> = people.filter(|person| person.name.is_some() || person.email.is_some()).collect();
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

/// Returns whether a string is an email address that validators of SBOMs accept.
fn is_email(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(user, host)| is_plain(user) && is_plain(host) && !host.contains('@') && host.contains('.'))
}

fn is_plain(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>,;\"".contains(&byte))
}

/// Returns the valid URLs.
fn links(homepage: Option<String>, others: &[String]) -> BTreeSet<ProjectLink> {
    let labelled = others.iter().filter_map(|text| text.split_once(',')).map(|(label, url)| (kind(label), url.trim()));
    let homepage = homepage.as_deref().map(|url| ("website", url));
    homepage.into_iter().chain(labelled).filter_map(|(kind, url)| link(kind, url)).collect()
}

fn link(kind: &'static str, url: &str) -> Option<ProjectLink> {
    let url: Url = url.parse().ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    is_web.then(|| ProjectLink { kind, url: url.to_string() })
}

/// Returns the type of a label ([PyPA, well-known project URLs](https://packaging.python.org/en/latest/specifications/well-known-project-urls/)),
/// in CycloneDX.
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
        Person { name: non_empty(name), email: non_empty(email) }
    }

    fn non_empty(text: &str) -> Option<String> {
        (!text.is_empty()).then(|| text.to_owned())
    }

    #[test]
    fn people_are_parsed_from_names_and_addresses() {
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
            assert_eq!(people(non_empty(name), non_empty(addresses)), expected, "{name} {addresses}");
        }
    }

    #[test]
    fn headers_of_all_tools_are_unfolded() {
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
    fn metadata_is_parsed() {
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
