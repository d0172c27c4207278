//! The licence that a distribution declares in its metadata.
//!
//! Specifications: [PyPA, core metadata](https://packaging.python.org/en/latest/specifications/core-metadata/#license-expression),
//! [SPDX 2.3, licence expressions](https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/),
//! [PEP 639, mapping classifiers](https://peps.python.org/pep-0639/#appendix-mapping-license-classifiers-to-spdx-identifiers),
//! and [DEP-5, licence short names](https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/#license-short-name).
//!
//! A name is mapped to an identifier only if it is unambiguous: `BSD License`, `Apache Software License` and `GPLv3` stand
//! for several licences each and stay names.

use spdx::{Expression, LicenseItem, ParseMode};

/// A declared licence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum License {
    /// An SPDX licence expression, often a single identifier.
    Expression(String),
    /// A licence without a certain identifier, with its text if the metadata contains it.
    Named { name: String, text: Option<String> },
}

/// The length in characters from which a `License` field is a text rather than a name.
const LONGEST_NAME: usize = 120;

/// The prefix of licence classifiers.
const CLASSIFIER: &str = "License :: ";

/// The unambiguous classifiers by their last part, and the SPDX identifiers.
const CLASSIFIERS: [(&str, &str); 27] = [
    ("Apache License 2.0", "Apache-2.0"),
    ("Blue Oak Model License (BlueOak-1.0.0)", "BlueOak-1.0.0"),
    ("Boost Software License 1.0 (BSL-1.0)", "BSL-1.0"),
    ("CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "CC0-1.0"),
    ("CMU License (MIT-CMU)", "MIT-CMU"),
    ("Common Development and Distribution License 1.0 (CDDL-1.0)", "CDDL-1.0"),
    ("Eclipse Public License 1.0 (EPL-1.0)", "EPL-1.0"),
    ("Eclipse Public License 2.0 (EPL-2.0)", "EPL-2.0"),
    ("European Union Public Licence 1.0 (EUPL 1.0)", "EUPL-1.0"),
    ("European Union Public Licence 1.1 (EUPL 1.1)", "EUPL-1.1"),
    ("European Union Public Licence 1.2 (EUPL 1.2)", "EUPL-1.2"),
    ("GNU Affero General Public License v3 or later (AGPLv3+)", "AGPL-3.0-or-later"),
    ("GNU General Public License v2 or later (GPLv2+)", "GPL-2.0-or-later"),
    ("GNU General Public License v3 or later (GPLv3+)", "GPL-3.0-or-later"),
    ("GNU Lesser General Public License v2 or later (LGPLv2+)", "LGPL-2.0-or-later"),
    ("GNU Lesser General Public License v3 or later (LGPLv3+)", "LGPL-3.0-or-later"),
    ("Historical Permission Notice and Disclaimer (HPND)", "HPND"),
    ("ISC License (ISCL)", "ISC"),
    ("MIT License", "MIT"),
    ("MIT No Attribution License (MIT-0)", "MIT-0"),
    ("Mozilla Public License 1.1 (MPL 1.1)", "MPL-1.1"),
    ("Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
    ("Mulan Permissive Software License v2 (MulanPSL-2.0)", "MulanPSL-2.0"),
    ("SIL Open Font License 1.1 (OFL-1.1)", "OFL-1.1"),
    ("The Unlicense (Unlicense)", "Unlicense"),
    ("Universal Permissive License (UPL)", "UPL-1.0"),
    ("zlib/libpng License", "Zlib"),
];

/// Unambiguous values of `License` in lower case, and the SPDX identifiers.
const NAMES: [(&str, &str); 24] = [
    ("apache 2", "Apache-2.0"),
    ("apache 2.0", "Apache-2.0"),
    ("apache license 2.0", "Apache-2.0"),
    ("apache license v2.0", "Apache-2.0"),
    ("apache license, version 2.0", "Apache-2.0"),
    ("apache license version 2.0", "Apache-2.0"),
    ("apache software license 2.0", "Apache-2.0"),
    ("apache software license, version 2.0", "Apache-2.0"),
    ("apache-2", "Apache-2.0"),
    ("2-clause bsd", "BSD-2-Clause"),
    ("bsd 2-clause", "BSD-2-Clause"),
    ("bsd 2-clause license", "BSD-2-Clause"),
    ("3-clause bsd", "BSD-3-Clause"),
    ("3-clause bsd license", "BSD-3-Clause"),
    ("bsd 3-clause", "BSD-3-Clause"),
    ("bsd 3-clause license", "BSD-3-Clause"),
    ("bsd-3-clause license", "BSD-3-Clause"),
    ("isc license", "ISC"),
    ("mit license", "MIT"),
    ("the mit license", "MIT"),
    ("the mit license (mit)", "MIT"),
    ("mozilla public license 2.0", "MPL-2.0"),
    ("mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"),
    ("mpl 2.0", "MPL-2.0"),
];

/// Debian's short names that SPDX writes in another way. The GNU licences follow a rule.
const DEBIAN_NAMES: [(&str, &str); 9] = [
    ("Apache-2", "Apache-2.0"),
    ("BSD-2-clause", "BSD-2-Clause"),
    ("BSD-3-clause", "BSD-3-Clause"),
    ("BSD-4-clause", "BSD-4-Clause"),
    ("CC0", "CC0-1.0"),
    ("Expat", "MIT"),
    ("PSF-2", "PSF-2.0"),
    ("PostgreSQL", "PostgreSQL"),
    ("zlib", "Zlib"),
];

impl License {
    /// Returns the licences of a package of Debian, whose files have these short names: an expression if SPDX lists all.
    pub(super) fn of_debian(names: &[String]) -> Option<Self> {
        let expressions: Option<Vec<String>> = names.iter().map(|name| debian_expression(name)).collect();
        match expressions {
            _ if names.is_empty() => None,
            None => Some(Self::Named { name: names.join(", "), text: None }),
            Some(mut expressions) => {
                expressions.sort_unstable();
                expressions.dedup();
                if expressions.len() > 1 {
                    // AND binds more tightly than OR.
                    let choices = expressions.iter_mut().filter(|expression| expression.contains(" OR "));
                    choices.for_each(|expression| *expression = format!("({expression})"));
                }
                Some(Self::Expression(expressions.join(" AND ")))
            }
        }
    }

    /// Returns the declared licence: `License-Expression`, else a known `License`, else a known single classifier, else
    /// the name or text in these fields.
    pub(super) fn declared(expression: Option<&str>, license: Option<&str>, classifiers: &[String]) -> Option<Self> {
        let license = license.filter(|license| !license.is_empty() && !license.eq_ignore_ascii_case("unknown"));
        let classified: Vec<&str> = classifiers.iter().filter_map(|classifier| license_name(classifier)).collect();
        let only = match classified[..] {
            [only] => CLASSIFIERS.iter().find(|(name, _)| *name == only).map(|(_, id)| (*id).to_owned()),
            _ => None,
        };
        let known = expression.and_then(canonical).or_else(|| license.and_then(known)).or(only);
        if let Some(expression) = known {
            return Some(Self::Expression(expression));
        }
        let classified = (!classified.is_empty()).then(|| classified.join(", "));
        match (expression, license) {
            (Some(expression), _) => Some(Self::Named { name: expression.to_owned(), text: None }),
            (None, Some(license)) if is_name(license) => Some(Self::Named { name: license.to_owned(), text: None }),
            (None, Some(text)) => {
                let name = classified.unwrap_or_else(|| "its own".to_owned());
                Some(Self::Named { name, text: Some(text.to_owned()) })
            }
            (None, None) => classified.map(|name| Self::Named { name, text: None }),
        }
    }

    /// Returns the SPDX identifier if the expression is a single one.
    pub(super) fn identifier(&self) -> Option<&str> {
        match self {
            Self::Expression(expression) => spdx::license_id(expression).map(|id| id.name),
            Self::Named { .. } => None,
        }
    }

    /// Returns the references to licences that SPDX does not list: `LicenseRef-…`.
    pub(super) fn references(&self) -> Vec<String> {
        let Self::Expression(text) = self else { return Vec::new() };
        let Ok(expression) = Expression::parse_mode(text, MODE) else { return Vec::new() };
        let items = expression.requirements().filter_map(|requirement| match &requirement.req.license {
            LicenseItem::Other(reference) => Some(reference.to_string()),
            LicenseItem::Spdx { .. } => None,
        });
        items.collect()
    }
}

/// Deprecated identifiers are accepted, since published metadata contains them.
const MODE: ParseMode = ParseMode { allow_deprecated: true, ..ParseMode::STRICT };

/// Returns whether a `License` field is a name rather than the text of a licence.
fn is_name(text: &str) -> bool {
    text.chars().count() <= LONGEST_NAME && !text.contains('\n')
}

/// Returns a licence expression with its operators in upper case, or `None` if the text is not an expression.
fn canonical(text: &str) -> Option<String> {
    Expression::parse_mode(text, MODE).ok()?;
    let words = text.split_whitespace().map(|word| match word.to_ascii_uppercase() {
        operator if matches!(operator.as_str(), "AND" | "OR" | "WITH") => operator,
        _ => word.to_owned(),
    });
    Some(words.collect::<Vec<_>>().join(" "))
}

/// Returns Debian's short names, joined by `and` and `or`, as an expression; `None` if SPDX does not list one.
fn debian_expression(names: &str) -> Option<String> {
    let words = names.split_whitespace().map(|word| match word {
        "and" | "or" => Some(word.to_uppercase()),
        name => debian_identifier(name),
    });
    canonical(&words.collect::<Option<Vec<String>>>()?.join(" "))
}

/// Returns the identifier of a short name: `GPL-2+` is `GPL-2.0-or-later`.
fn debian_identifier(name: &str) -> Option<String> {
    let known = DEBIAN_NAMES.iter().find(|(known, _)| *known == name).map(|(_, id)| (*id).to_owned());
    let of_gnu = || {
        let (base, range) = name.strip_suffix('+').map_or((name, "only"), |base| (base, "or-later"));
        let (family, version) = base.split_once('-')?;
        let minor = if version.contains('.') { "" } else { ".0" };
        matches!(family, "AGPL" | "GFDL" | "GPL" | "LGPL").then(|| format!("{family}-{version}{minor}-{range}"))
    };
    let id = known.or_else(of_gnu).unwrap_or_else(|| name.to_owned());
    spdx::license_id(&id).filter(|found| !found.is_deprecated()).map(|found| found.name.to_owned())
}

/// Returns the expression for a `License` field that is a known name or already an expression.
fn known(license: &str) -> Option<String> {
    let lower = license.to_lowercase();
    let name = NAMES.iter().find(|(name, _)| *name == lower).map(|(_, id)| (*id).to_owned());
    // A deprecated identifier such as `GPL-3.0` may mean "only" or "or later".
    name.or_else(|| canonical(license).filter(|text| !spdx::license_id(text).is_some_and(|id| id.is_deprecated())))
}

/// Returns the last part of a licence classifier, or `None` if it is only a category such as `OSI Approved`.
fn license_name(classifier: &str) -> Option<&str> {
    let license = classifier.strip_prefix(CLASSIFIER)?;
    let last = license.rsplit(" :: ").next()?;
    (!matches!(last, "OSI Approved" | "DFSG approved")).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(expression: Option<&str>, license: Option<&str>, classifiers: &[&str]) -> Option<License> {
        let classifiers: Vec<String> =
            classifiers.iter().map(|last| format!("License :: OSI Approved :: {last}")).collect();
        License::declared(expression, license, &classifiers)
    }

    #[test]
    fn unambiguous_names_become_expressions() {
        for (expression, license, classifiers, expected) in [
            (Some("MIT"), Some("BSD"), &["ISC License (ISCL)"][..], "MIT"),
            (Some("mit or Apache-2.0"), None, &[], ""),
            (Some("MIT or Apache-2.0"), None, &[], "MIT OR Apache-2.0"),
            (Some("(MIT AND LicenseRef-x)"), None, &[], "(MIT AND LicenseRef-x)"),
            (Some("GPL-3.0"), None, &[], "GPL-3.0"),
            (None, Some("BSD-3-Clause"), &["BSD License"], "BSD-3-Clause"),
            (None, Some("The MIT License"), &[], "MIT"),
            (None, Some("UNKNOWN"), &["Mozilla Public License 2.0 (MPL 2.0)"], "MPL-2.0"),
            (None, Some("GPL-3.0"), &["GNU General Public License v3 or later (GPLv3+)"], "GPL-3.0-or-later"),
            (None, None, &["BSD License"], ""),
            (None, None, &["MIT License", "ISC License (ISCL)"], ""),
        ] {
            let found = declared(expression, license, classifiers);
            let text = match &found {
                Some(License::Expression(text)) => text.as_str(),
                _ => "",
            };
            assert_eq!(text, expected, "{expression:?} {license:?} {classifiers:?}");
        }
    }

    #[test]
    fn ambiguous_names_are_kept() {
        fn named(name: &str, text: Option<&str>) -> Option<License> {
            Some(License::Named { name: name.to_owned(), text: text.map(str::to_owned) })
        }
        assert_eq!(declared(None, Some("BSD"), &["BSD License"]), named("BSD", None));
        assert_eq!(declared(None, None, &["BSD License", "MIT License"]), named("BSD License, MIT License", None));
        assert_eq!(declared(Some("Beerware 42"), None, &[]), named("Beerware 42", None));
        let text = "Permission\nis granted";
        assert_eq!(declared(None, Some(text), &["BSD License"]), named("BSD License", Some(text)));
        assert_eq!(declared(None, Some(text), &[]), named("its own", Some(text)));
        assert_eq!(License::declared(None, None, &["License :: OSI Approved".to_owned()]), None);
        assert_eq!(declared(None, Some("unknown"), &[]), None);
    }

    #[test]
    fn short_names_of_debian_become_expressions() {
        for (names, expected) in [
            (&["Expat"][..], Some("MIT")),
            (&["GPL-2+", "LGPL-2.1+"], Some("GPL-2.0-or-later AND LGPL-2.1-or-later")),
            (&["GPL-3", "Expat or Apache-2.0", "Expat"], Some("GPL-3.0-only AND MIT AND (MIT OR Apache-2.0)")),
            (&["MPL-2.0 or GPL-2+ and zlib"], Some("MPL-2.0 OR GPL-2.0-or-later AND Zlib")),
            (&["Expat", "public-domain"], None),
            (&["GPL-2+ with OpenSSL exception"], None),
        ] {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let named = License::Named { name: names.join(", "), text: None };
            let expected = expected.map_or(named, |text| License::Expression(text.to_owned()));
            assert_eq!(License::of_debian(&names), Some(expected));
        }
        assert_eq!(License::of_debian(&[]), None);
    }

    #[test]
    fn the_tables_contain_valid_identifiers() {
        for (name, id) in CLASSIFIERS.iter().chain(&NAMES).chain(&DEBIAN_NAMES) {
            assert!(spdx::license_id(id).is_some_and(|found| !found.is_deprecated()), "{name}: {id}");
        }
    }
}
