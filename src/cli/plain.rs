//! Text that others wrote, made harmless for terminals and CI systems: names in wheels, locks and registries, file names,
//! the output of other programs.

use std::borrow::Cow;

/// Escapes characters that terminals obey or that reorder text, and what CI systems obey at the beginning of a line.
pub(super) fn plain(text: &str) -> String {
    let escaped = text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        if is_obeyed(character) {
            escaped.extend(character.escape_unicode());
        } else {
            escaped.push(character);
        }
        escaped
    });
    without_commands(&escaped)
}

/// Escapes workflow commands. GitHub's runner obeys `::NAME::` after white space, and `##[NAME]` anywhere in a line
/// (actions/runner 2.330, `ActionCommand`).
pub(super) fn without_commands(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let line = line.replace("##[", "#\\u{23}[");
        match line.trim_start() {
            rest if rest.starts_with("::") => {
                format!("{}\\u{{3a}}{}", &line[..line.len() - rest.len()], &rest[1..])
            }
            _ => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Escapes the control characters that JSON does not have to escape, and serde_json does not: DEL and C1, of which terminals
/// obey some (ECMA-48). They occur in strings only.
pub(super) fn escaped_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unescaped_control) {
        return json.into();
    }
    let characters = json.chars().map(|character| match character {
        character if is_unescaped_control(character) => format!("\\u{:04x}", u32::from(character)),
        character => character.to_string(),
    });
    characters.collect::<String>().into()
}

fn is_unescaped_control(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{9f}')
}

/// Returns whether a character does something else than being shown: a control character except for line end and tab, or
/// one of Unicode's for directions and line ends (UAX #9, explicit formatting; CVE-2021-42574).
fn is_obeyed(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_obeyed_is_escaped_and_all_else_is_kept() {
        for (text, expected) in [
            ("naïve 漢字 🐍\n  because: a::b", "naïve 漢字 🐍\n  because: a::b"),
            ("\u{1b}[2J\rok\u{9b}31m\u{7f}", "\\u{1b}[2J\\u{d}ok\\u{9b}31m\\u{7f}"),
            ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"),
            ("::warning::a", "\\u{3a}:warning::a"),
            ("a\n \t::set-output name=b::c\n::", "a\n \t\\u{3a}:set-output name=b::c\n\\u{3a}:"),
            ("a ##[error]b", "a #\\u{23}[error]b"),
        ] {
            assert_eq!(plain(text), expected);
        }
        let json = serde_json::json!("a\u{1b}\u{7f}\u{9b}\u{e9}").to_string();
        assert_eq!(escaped_json(&json), "\"a\\u001b\\u007f\\u009b\u{e9}\"");
    }
}
