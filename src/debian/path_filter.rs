//! Which paths of packages dpkg does not unpack: `path-exclude` and `path-include`.
//!
//! Specification: [dpkg(1)](https://manpages.debian.org/dpkg.1), `--path-exclude`.

use globset::{GlobBuilder, GlobMatcher};

/// A pattern, of which the last that matches a path decides.
#[derive(Debug, Clone)]
struct PathPattern {
    is_included: bool,
    /// What comes before the first wildcard, without slashes at its end.
    fixed: String,
    matcher: GlobMatcher,
}

/// The patterns of a system, in the order of its configuration.
#[derive(Debug, Clone, Default)]
pub struct PathFilter(Vec<PathPattern>);

impl PathFilter {
    /// Reads configuration files of dpkg, in the order in which dpkg reads them. Other options, and patterns that are
    /// invalid, have no effect.
    pub fn parse<'a>(configurations: impl IntoIterator<Item = &'a str>) -> Self {
        let lines = configurations.into_iter().flat_map(str::lines);
        Self(lines.filter_map(|line| pattern(line.trim())).collect())
    }

    /// Tells whether dpkg omits a path, which begins with a slash. `may_be_above` is true for directories and symbolic
    /// links, which are kept if an included path may be below them.
    pub fn omits(&self, path: &str, may_be_above: bool) -> bool {
        let last = self.0.iter().rev().find(|pattern| pattern.matcher.is_match(path));
        let is_omitted = last.is_some_and(|pattern| !pattern.is_included);
        let mut included = self.0.iter().filter(|pattern| pattern.is_included);
        is_omitted && !(may_be_above && included.any(|pattern| path.starts_with(&pattern.fixed)))
    }

    /// Returns the number of patterns.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether nothing is omitted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn pattern(line: &str) -> Option<PathPattern> {
    let (option, value) = line.split_once(|between: char| between == '=' || between.is_ascii_whitespace())?;
    let is_included = match option.trim_start_matches("--") {
        "path-exclude" => false,
        "path-include" => true,
        _ => return None,
    };
    let glob = value.trim_start_matches(|between: char| between == '=' || between.is_ascii_whitespace());
    let glob = glob.trim_matches(['"', '\'']);
    // fnmatch(3) without flags: wildcards match slashes.
    let matcher = GlobBuilder::new(glob).literal_separator(false).backslash_escape(true).build().ok()?;
    let fixed = &glob[..glob.find(['*', '?', '[', '\\']).unwrap_or(glob.len())];
    Some(PathPattern { is_included, fixed: fixed.trim_end_matches('/').to_owned(), matcher: matcher.compile_matcher() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The configuration of Debian's slim images.
    const SLIM: &str = "# comment\npath-exclude /usr/share/doc/*\npath-include /usr/share/doc/*/copyright\n\
                        path-exclude=/usr/share/man/*\npath-exclude /usr/share/locale/*\nforce-unsafe-io\n";

    #[test]
    fn documentation_is_omitted_and_copyright_files_stay() {
        let filter = PathFilter::parse([SLIM]);
        assert_eq!(filter.len(), 4);
        for (path, may_be_above, expected) in [
            ("/usr/share/doc/tini/copyright", false, false),
            ("/usr/share/doc/tini/changelog.gz", false, true),
            ("/usr/share/doc/tini/examples/a/copyright", false, false),
            ("/usr/share/doc/tini", true, false),
            ("/usr/share/doc", true, false),
            ("/usr/share/man/man1", true, true),
            ("/usr/share/man", true, false),
            ("/usr/share/locale/de/LC_MESSAGES/a.mo", false, true),
            ("/usr/share/locales", true, false),
            ("/usr/bin/tini", false, false),
        ] {
            assert_eq!(filter.omits(path, may_be_above), expected, "{path}");
        }
        assert!(PathFilter::default().is_empty() && !PathFilter::default().omits("/usr", true));
    }
}
