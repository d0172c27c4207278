//! The licences in the copyright file of a package.
//!
//! Specification: [machine-readable debian/copyright files](https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/)
//! (DEP-5).

/// Returns the licences of a package's files by their short names, in the order of the file, each once: `GPL-2+`,
/// `Expat or Apache-2.0`. There are none if the file is free text.
pub(crate) fn licenses(copyright: &str) -> Vec<String> {
    let mut paragraphs = copyright.split("\n\n").map(paragraph);
    let is_machine_readable = paragraphs
        .next()
        .is_some_and(|header| value(&header, "Format").is_some_and(|format| format.contains("copyright-format")));
    let mut found: Vec<String> = Vec::new();
    if !is_machine_readable {
        return found;
    }
    // A paragraph without files has the text of a licence that others name.
    for paragraph in paragraphs.filter(|paragraph| value(paragraph, "Files").is_some()) {
        let names = value(&paragraph, "License").map(|name| name.split_whitespace().collect::<Vec<_>>().join(" "));
        if let Some(name) = names.filter(|name| !name.is_empty() && !found.contains(name)) {
            found.push(name);
        }
    }
    found
}

/// Returns the fields of a paragraph with their first lines.
fn paragraph(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().filter(|line| !line.starts_with([' ', '\t', '#']));
    lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim())).collect()
}

fn value<'a>(paragraph: &[(&str, &'a str)], field: &str) -> Option<&'a str> {
    paragraph.iter().find(|(name, _)| name.eq_ignore_ascii_case(field)).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_licences() {
        let text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nSource: https://example.org\n\
                    \nFiles: *\nCopyright: 2015 A\nLicense: Expat\n\nFiles: debian/*\nCopyright: 2016 B\nLicense:  GPL-2+  or Artistic\n \
                    text\n .\n more\n\nFiles: x\nCopyright: C\nLicense: Expat\n\nLicense: BSD-3-clause\n Redistribution\n";
        assert_eq!(licenses(text), ["Expat", "GPL-2+ or Artistic"]);
        for text in ["", "This package was debianized by A.\n\nFiles: *\nLicense: MIT\n", "\n\nFormat: x\n"] {
            assert_eq!(licenses(text), [""; 0], "{text}");
        }
    }
}
