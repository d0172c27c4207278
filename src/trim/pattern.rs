//! Patterns of files that the user excludes from dependencies.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};

/// A pattern of paths below site-packages, for instance `**/tests/**`. `*` matches within a directory, `**` across them.
#[derive(Debug, Clone)]
pub(crate) struct FilePattern(GlobMatcher);

impl FilePattern {
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}

impl FromStr for FilePattern {
    type Err = globset::Error;

    fn from_str(text: &str) -> Result<Self, globset::Error> {
        // A directory means what it contains.
        let text = if text.ends_with('/') { format!("{text}**") } else { text.to_owned() };
        Ok(Self(GlobBuilder::new(&text).literal_separator(true).build()?.compile_matcher()))
    }
}

impl fmt::Display for FilePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.glob().glob())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths_below_site_packages() {
        for (pattern, path, expected) in [
            ("**/tests/**", "numpy/core/tests/test_a.py", true),
            ("**/tests/**", "tests/test_a.py", true),
            ("**/tests/**", "numpy/tests.py", false),
            ("botocore/data/ec2/", "botocore/data/ec2/2016-11-15/service-2.json.gz", true),
            ("botocore/data/*", "botocore/data/ec2/service-2.json.gz", false),
            ("*.md", "README.md", true),
            ("*.md", "numpy/README.md", false),
            ("**/*.{md,rst}", "numpy/README.rst", true),
        ] {
            assert_eq!(pattern.parse::<FilePattern>().unwrap().matches(path), expected, "{pattern} {path}");
        }
        assert!("a[".parse::<FilePattern>().is_err());
    }
}
