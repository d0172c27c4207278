//! Alternatives: names that one of several packages provides, and dpkg's database of them.
//!
//! Specification: [update-alternatives(1)](https://manpages.debian.org/update-alternatives.1), "FILES".

use std::collections::BTreeMap;

/// A choice that a package adds: `update-alternatives --install LINK NAME PATH PRIORITY [--slave LINK NAME PATH]…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlternativeChoice {
    /// The name of the group.
    pub name: String,
    /// The link that the group stands for.
    pub link: String,
    /// The path that the link leads to.
    pub path: String,
    /// The highest wins.
    pub priority: i64,
    /// The links that follow the choice.
    pub slaves: Vec<AlternativeSlave>,
}

/// A link that follows the choice of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlternativeSlave {
    /// The name.
    pub name: String,
    /// The link.
    pub link: String,
    /// The path that the link leads to.
    pub path: String,
}

/// A group of dpkg's database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlternativeGroup {
    /// Whether an administrator has chosen.
    pub is_manual: bool,
    /// The link that the group stands for.
    pub link: String,
    /// The links that follow, by their names.
    pub slaves: BTreeMap<String, String>,
    /// The choices by their paths: the priority, and the paths of the links that follow.
    pub choices: BTreeMap<String, (i64, BTreeMap<String, String>)>,
}

impl AlternativeGroup {
    /// Reads a file of the database; `None` if it is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let is_manual = match lines.next()? {
            "auto" => false,
            "manual" => true,
            _ => return None,
        };
        let link = lines.next()?.to_owned();
        let mut slaves = BTreeMap::new();
        loop {
            match lines.next()? {
                "" => break,
                name => slaves.insert(name.to_owned(), lines.next()?.to_owned()),
            };
        }
        let mut choices = BTreeMap::new();
        while let Some(path) = lines.next().filter(|line| !line.is_empty()) {
            let priority = lines.next()?.parse().ok()?;
            let mut followed = BTreeMap::new();
            for name in slaves.keys() {
                let path = lines.next()?;
                if !path.is_empty() {
                    followed.insert(name.clone(), path.to_owned());
                }
            }
            choices.insert(path.to_owned(), (priority, followed));
        }
        Some(Self { is_manual, link, slaves, choices })
    }

    /// Adds a choice, or replaces the one with its path.
    pub fn add(&mut self, choice: &AlternativeChoice) {
        self.link.clone_from(&choice.link);
        let slaves = choice.slaves.iter();
        self.slaves.extend(slaves.clone().map(|slave| (slave.name.clone(), slave.link.clone())));
        let followed = slaves.map(|slave| (slave.name.clone(), slave.path.clone())).collect();
        self.choices.insert(choice.path.clone(), (choice.priority, followed));
    }

    /// Returns the choice with the highest priority: its path, and the paths of the links that follow.
    pub fn best(&self) -> Option<(&str, &BTreeMap<String, String>)> {
        let mut best: Option<(&String, i64, &BTreeMap<String, String>)> = None;
        for (path, (priority, followed)) in &self.choices {
            if best.is_none_or(|(_, highest, _)| *priority > highest) {
                best = Some((path, *priority, followed));
            }
        }
        best.map(|(path, _, followed)| (path.as_str(), followed))
    }

    /// Returns the file of the database.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n", if self.is_manual { "manual" } else { "auto" }, self.link);
        self.slaves.iter().for_each(|(name, link)| text.push_str(&format!("{name}\n{link}\n")));
        text.push('\n');
        for (path, (priority, followed)) in &self.choices {
            text.push_str(&format!("{path}\n{priority}\n"));
            for name in self.slaves.keys() {
                text.push_str(followed.get(name).map_or("", String::as_str));
                text.push('\n');
            }
        }
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWK: &str = "auto\n/usr/bin/awk\nawk.1.gz\n/usr/share/man/man1/awk.1.gz\nnawk\n/usr/bin/nawk\n\n/usr/bin/mawk\n5\n\
                       /usr/share/man/man1/mawk.1.gz\n/usr/bin/mawk\n\n";

    #[test]
    fn the_database_is_read_and_written() {
        let mut group = AlternativeGroup::parse(AWK).unwrap();
        assert_eq!(group.text(), AWK);
        assert_eq!(group.best().unwrap().0, "/usr/bin/mawk");
        let slave =
            AlternativeSlave { name: "igawk".into(), link: "/usr/bin/igawk".into(), path: "/usr/bin/igawk.gnu".into() };
        let choice = AlternativeChoice {
            name: "awk".into(),
            link: "/usr/bin/awk".into(),
            path: "/usr/bin/gawk".into(),
            priority: 10,
            slaves: vec![slave],
        };
        group.add(&choice);
        assert_eq!(group.best().unwrap().0, "/usr/bin/gawk");
        assert!(group.text().contains("/usr/bin/gawk\n10\n\n/usr/bin/igawk.gnu\n\n/usr/bin/mawk\n5\n"));
        assert_eq!(AlternativeGroup::parse(&group.text()).unwrap(), group);
        assert_eq!(AlternativeGroup::parse("auto\n/usr/bin/awk\n"), None);
    }
}
