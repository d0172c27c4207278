//! Namespace packages from before PEP 420, whose `__init__.py` every distribution of the namespace contains.
//!
//! Specification: [PyPA, packaging namespace packages](https://packaging.python.org/en/latest/guides/packaging-namespace-packages/).

/// The statements of such a file, without spaces and with double quotes. They extend `__path__`, which makes no difference
/// in one site-packages.
const STATEMENTS: [(&str, NamespaceStyle); 13] = [
    ("__path__=__import__(\"pkgutil\").extend_path(__path__,__name__)", NamespaceStyle::Pkgutil),
    ("__path__=extend_path(__path__,__name__)", NamespaceStyle::Pkgutil),
    ("__path__=pkgutil.extend_path(__path__,__name__)", NamespaceStyle::Pkgutil),
    ("frompkgutilimportextend_path", NamespaceStyle::Pkgutil),
    ("importpkgutil", NamespaceStyle::Pkgutil),
    ("__import__(\"pkg_resources\").declare_namespace(__name__)", NamespaceStyle::PkgResources),
    ("pkg_resources.declare_namespace(__name__)", NamespaceStyle::PkgResources),
    ("importpkg_resources", NamespaceStyle::PkgResources),
    ("frompkg_resourcesimportdeclare_namespace", NamespaceStyle::PkgResources),
    ("try:", NamespaceStyle::Empty),
    ("exceptImportError:", NamespaceStyle::Empty),
    ("exceptModuleNotFoundError:", NamespaceStyle::Empty),
    ("from__future__importabsolute_import", NamespaceStyle::Empty),
];

/// How a file declares its namespace, the most useful first: pkgutil is a part of Python, pkg_resources needs setuptools,
/// and with nothing at all the package would be in one directory only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NamespaceStyle {
    Pkgutil,
    PkgResources,
    Empty,
}

/// Returns how an `__init__.py` declares its namespace; `None` if it does anything else.
pub(crate) fn style(text: &str) -> Option<NamespaceStyle> {
    let mut styles = Vec::new();
    for line in without_docstring(text).lines() {
        let line = line.split('#').next().unwrap_or_default();
        for statement in line.split(';') {
            let statement: String = statement.split_whitespace().collect::<String>().replace('\'', "\"");
            if !statement.is_empty() && statement != "pass" {
                let (_, style) = STATEMENTS.iter().find(|(known, _)| *known == statement)?;
                styles.push(*style);
            }
        }
    }
    Some(styles.into_iter().min().unwrap_or(NamespaceStyle::Empty))
}

/// Removes a docstring at the beginning, after comments.
fn without_docstring(text: &str) -> &str {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    while rest.starts_with('#') {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
    }
    for quotes in ["\"\"\"", "'''"] {
        if let Some((_, after)) = rest.strip_prefix(quotes).and_then(|rest| rest.split_once(quotes)) {
            return after;
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_statement_are_the_same() {
        for (text, expected) in [
            ("__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n", Some(NamespaceStyle::Pkgutil)),
            (
                "# one\n__path__ = __import__(\"pkgutil\").extend_path(__path__, __name__)  # type: ignore\n",
                Some(NamespaceStyle::Pkgutil),
            ),
            (
                "from pkgutil import extend_path; __path__ = extend_path(__path__, __name__)",
                Some(NamespaceStyle::Pkgutil),
            ),
            ("__import__('pkg_resources').declare_namespace(__name__)\r\n", Some(NamespaceStyle::PkgResources)),
            (
                "try:\n    import pkg_resources\n    pkg_resources.declare_namespace(__name__)\nexcept ImportError:\n    \
                 import pkgutil\n    __path__ = pkgutil.extend_path(__path__, __name__)\n",
                Some(NamespaceStyle::Pkgutil),
            ),
            ("", Some(NamespaceStyle::Empty)),
            ("# -*- coding: utf-8 -*-\n\"\"\"A namespace.\n\nIt has parts.\n\"\"\"\n", Some(NamespaceStyle::Empty)),
            ("__version__ = '1.0'\n", None),
            ("__path__ = __import__('pkgutil').extend_path(__path__, __name__)\nimport os\n", None),
        ] {
            assert_eq!(style(text), expected, "{text}");
        }
    }
}
