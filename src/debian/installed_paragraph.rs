//! A paragraph of dpkg's status for a package that was just installed, as dpkg writes it.
//!
//! Specification: dpkg 1.21, `lib/dpkg/parse.c` (the order of the fields) and `lib/dpkg/dump.c` (their form).

/// The fields that dpkg knows, in its order. All others follow in the order of the control file.
const ORDER: [&str; 26] = [
    "Package",
    "Essential",
    "Protected",
    "Status",
    "Priority",
    "Section",
    "Installed-Size",
    "Origin",
    "Maintainer",
    "Bugs",
    "Architecture",
    "Multi-Arch",
    "Source",
    "Version",
    "Config-Version",
    "Replaces",
    "Provides",
    "Depends",
    "Pre-Depends",
    "Recommends",
    "Suggests",
    "Breaks",
    "Conflicts",
    "Enhances",
    "Conffiles",
    "Description",
];

/// The fields whose value is a list of relations, which dpkg writes anew.
const RELATIONS: [&str; 9] =
    ["Replaces", "Provides", "Depends", "Pre-Depends", "Recommends", "Suggests", "Breaks", "Conflicts", "Enhances"];

/// What dpkg says of an installed package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstalledState {
    /// It is configured.
    Installed,
    /// It is unpacked, and its maintainer scripts have not run: `dpkg --configure -a` runs them.
    Unpacked,
}

impl InstalledState {
    fn status(self) -> &'static str {
        match self {
            Self::Installed => "install ok installed",
            Self::Unpacked => "install ok unpacked",
        }
    }
}

/// A configuration file of a package: its absolute path, and the MD5 of its content in hexadecimal.
pub type Conffile = (String, String);

/// Returns the paragraph of an installed package, with a line break at its end.
pub fn installed_paragraph(control: &str, state: InstalledState, conffiles: &[Conffile]) -> String {
    let fields = fields(control);
    let mut text = String::new();
    for known in ORDER {
        match known {
            "Status" => text.push_str(&format!("Status: {}\n", state.status())),
            "Conffiles" if !conffiles.is_empty() => {
                text.push_str("Conffiles:\n");
                conffiles.iter().for_each(|(path, md5)| text.push_str(&format!(" {path} {md5}\n")));
            }
            _ => {
                if let Some((_, value)) = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(known)) {
                    let value = if RELATIONS.contains(&known) { relations(value) } else { value.clone() };
                    text.push_str(&format!("{known}:{}{value}\n", if value.starts_with('\n') { "" } else { " " }));
                }
            }
        }
    }
    let others = fields.iter().filter(|(name, _)| !ORDER.iter().any(|known| name.eq_ignore_ascii_case(known)));
    others.for_each(|(name, value)| {
        text.push_str(&format!("{name}:{}{value}\n", if value.starts_with('\n') { "" } else { " " }));
    });
    text
}

/// Returns the fields of a paragraph with their values, which may have several lines. dpkg removes white space only at the end
/// of a value: it stays at the end of the first line of a description.
fn fields(paragraph: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in paragraph.lines().filter(|line| !line.trim().is_empty()) {
        match (line.starts_with([' ', '\t']), fields.last_mut()) {
            (true, Some((_, value))) => {
                value.push('\n');
                value.push_str(line);
            }
            (true, None) => {}
            (false, _) => {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                fields.push((name.trim().to_owned(), value.trim_ascii_start().to_owned()));
            }
        }
    }
    fields.iter_mut().for_each(|(_, value)| value.truncate(value.trim_ascii_end().len()));
    fields
}

/// Writes relations as dpkg does: one space around operators, `, ` and ` | ` between names.
fn relations(value: &str) -> String {
    let groups = value.split(',').map(str::trim).filter(|group| !group.is_empty());
    let groups = groups.map(|group| group.split('|').map(|one| relation(one.trim())).collect::<Vec<_>>().join(" | "));
    groups.collect::<Vec<_>>().join(", ")
}

fn relation(text: &str) -> String {
    let Some((name, rest)) = text.split_once('(') else { return text.to_owned() };
    let (condition, after) = rest.split_once(')').unwrap_or((rest, ""));
    let condition = condition.trim();
    let operator = condition.find(|character| !"<>=".contains(character)).unwrap_or(condition.len());
    let (operator, version) = condition.split_at(operator);
    // `<` and `>` are obsolete forms of `<=` and `>=`.
    let operator = match operator {
        "<" => "<=",
        ">" => ">=",
        other => other,
    };
    format!("{} ({operator} {}){}", name.trim(), version.trim(), after.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_in_dpkgs_order() {
        let control = "Package: demo\nVersion: 1:2-3\nArchitecture: amd64\nMaintainer: A <a@example.org>\n\
                       Depends: libc6 (>=2.34) , a|b(<< 1), c:any\nSection: libs\nPriority: optional\n\
                       Homepage: https://example.org\nDescription: short \n long\n .\n more \nTag: x::y,\n z::w\n";
        let conffiles = [("/etc/demo".to_owned(), "d41d8cd98f00b204e9800998ecf8427e".to_owned())];
        assert_eq!(
            installed_paragraph(control, InstalledState::Unpacked, &conffiles),
            "Package: demo\nStatus: install ok unpacked\nPriority: optional\nSection: libs\n\
             Maintainer: A <a@example.org>\nArchitecture: amd64\nVersion: 1:2-3\n\
             Depends: libc6 (>= 2.34), a | b (<< 1), c:any\n\
             Conffiles:\n /etc/demo d41d8cd98f00b204e9800998ecf8427e\n\
             Description: short \n long\n .\n more\nHomepage: https://example.org\nTag: x::y,\n z::w\n"
        );
    }
}
