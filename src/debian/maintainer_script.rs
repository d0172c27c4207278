//! What can be known of a maintainer script without running it: its literal alternatives, and whether anything is left that
//! nobody knows.
//!
//! Specification: [Debian Policy 6](https://www.debian.org/doc/debian-policy/ch-maintainerscripts.html); debhelper 13,
//! `autoscripts`.

use super::alternatives::{AlternativeChoice, AlternativeSlave};

/// The tools of debhelper whose blocks change nothing that an image needs, but for what is read of them: services, caches,
/// menus, old versions, and profiles for the kernel of the host.
const HARMLESS_TOOLS: [&str; 17] = [
    "dh_apparmor",
    "dh_icons",
    "dh_installalternatives",
    "dh_installdeb",
    "dh_installemacsen",
    "dh_installinit",
    "dh_installmenu",
    "dh_installmime",
    "dh_installsystemd",
    SYSUSERS,
    "dh_installsystemduser",
    "dh_installtmpfiles",
    "dh_installxfonts",
    "dh_makeshlibs",
    "dh_python3",
    UCF,
    "installdeb-hunspell",
];

/// The tool whose block adds the users and groups of the package's files in `/usr/lib/sysusers.d`.
const SYSUSERS: &str = "dh_installsysusers";

/// The tool whose block copies configuration files, and keeps what the administrator has changed.
const UCF: &str = "dh_ucf";

/// What a script does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScriptReading {
    /// The alternatives that it installs.
    pub alternatives: Vec<AlternativeChoice>,
    /// The configuration files that it copies with ucf: from where, and to where.
    pub copies: Vec<(String, String)>,
    /// Whether it adds the users and groups of the package's files in `/usr/lib/sysusers.d`.
    pub adds_sysusers: bool,
    /// The lines that are not understood.
    pub unknown: Vec<String>,
}

/// Reads a script.
pub fn read_script(text: &str) -> ScriptReading {
    let mut reading = ScriptReading::default();
    let mut variables: Vec<(String, Vec<String>)> = Vec::new();
    let mut block: Option<bool> = None;
    let mut is_ucf = false;
    for line in logical_lines(text) {
        let line = line.trim();
        if let Some(tool) = line.strip_prefix("# Automatically added by ") {
            let tool = tool.split(['/', ' ']).next().unwrap_or_default();
            block = Some(HARMLESS_TOOLS.contains(&tool));
            reading.adds_sysusers |= tool == SYSUSERS;
            is_ucf = tool == UCF;
        } else if line.starts_with("# End automatically added section") {
            block = None;
        } else if line.starts_with('#') || line.is_empty() {
        } else if let Some((variable, words)) = loop_of(line) {
            variables.push((variable, words));
        } else if line == "done" {
            variables.pop();
        } else if line.contains("update-alternatives") {
            match choices(line, &variables) {
                Some(choices) => reading.alternatives.extend(choices),
                None => reading.unknown.push(line.to_owned()),
            }
        } else if is_ucf && block.is_some() && line.starts_with("ucf ") {
            match ucf_copy(line) {
                Some(copy) => reading.copies.push(copy),
                None => reading.unknown.push(line.to_owned()),
            }
        } else if block != Some(true) && !is_frame(line) {
            reading.unknown.push(line.to_owned());
        }
    }
    reading
}

/// Returns the lines with their continuations.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut is_continued = false;
    for line in text.lines() {
        let (line, continues) = match line.strip_suffix('\\') {
            Some(line) if !line.trim_start().starts_with('#') => (line, true),
            _ => (line, false),
        };
        match lines.last_mut().filter(|_| is_continued) {
            Some(last) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            None => lines.push(line.to_owned()),
        }
        is_continued = continues;
    }
    lines
}

/// Returns the variable and the words of `for VARIABLE in WORDS; do`.
fn loop_of(line: &str) -> Option<(String, Vec<String>)> {
    let (variable, words) = line.strip_prefix("for ")?.split_once(" in ")?;
    let words = words.trim().trim_end_matches("do").trim().trim_end_matches(';');
    let is_literal = !words.contains(['$', '`', '*', '?', '(']);
    is_literal.then(|| (variable.trim().to_owned(), words.split_whitespace().map(str::to_owned).collect()))
}

/// Tells whether a line does nothing by itself: it belongs to the frame that most scripts have.
fn is_frame(line: &str) -> bool {
    const WHOLE: [&str; 16] = [
        "set -e",
        "set -eu",
        "set -u",
        "exit 0",
        "exit 1",
        "fi",
        "esac",
        ";;",
        "then",
        "do",
        "else",
        "{",
        "}",
        ":",
        "true",
        "umask 022",
    ];
    let is_case =
        line.starts_with("case \"$1\" in") || line.starts_with("case \"${1}\" in") || line.starts_with("case $1 in");
    let is_test = ["if [ \"$1\" = ", "if [ \"${1}\" = ", "if [ x\"$1\" = ", "if [ $1 = ", "if [ \"x$1\" = "]
        .iter()
        .any(|start| line.starts_with(start))
        && (line.ends_with("then") || line.ends_with(']'))
        && !line.contains("$(")
        && !line.contains('`');
    // The patterns of `case "$1" in`.
    let pattern = line.trim_start_matches('(').trim_end_matches(";;").trim();
    let is_pattern = pattern
        .strip_suffix(')')
        .is_some_and(|pattern| pattern.bytes().all(|byte| byte.is_ascii_lowercase() || b"-|* ".contains(&byte)));
    let is_message = line.starts_with("echo ") && !line.contains(['$', '`', '>'])
        || line.starts_with("echo ") && line.ends_with(">&2") && !line.contains("$(");
    WHOLE.contains(&line) || is_case || is_test || is_pattern || is_message
}

/// Returns from where and to where a line copies a configuration file; `None` if it is not literal.
fn ucf_copy(line: &str) -> Option<(String, String)> {
    if line.contains(['$', '`', '|', '&', '>', '<', ';']) {
        return None;
    }
    let words = shlex::split(line)?;
    match words.iter().skip(1).filter(|word| !word.starts_with('-')).collect::<Vec<_>>().as_slice() {
        [from, to] => Some(((*from).clone(), (*to).clone())),
        _ => None,
    }
}

/// Returns the choices that a line installs, for each value of the loops around it; nothing if it removes some. `None` if
/// it is not literal.
fn choices(line: &str, variables: &[(String, Vec<String>)]) -> Option<Vec<AlternativeChoice>> {
    let line = line.trim_end_matches(';').trim();
    let line = line.strip_suffix("|| true").or_else(|| line.strip_suffix("|| :")).unwrap_or(line).trim();
    let mut lines = vec![line.to_owned()];
    for (variable, words) in variables {
        let replaced = lines.iter().flat_map(|line| {
            words
                .iter()
                .map(|word| line.replace(&format!("${{{variable}}}"), word).replace(&format!("${variable}"), word))
        });
        lines = replaced.collect();
    }
    let mut found = Vec::new();
    for line in lines {
        if line.contains(['$', '`', '|', '&', '>', '<', ';']) {
            return None;
        }
        let words = shlex::split(&line)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ["update-alternatives", options @ ..] = words.as_slice() else { return None };
        let start = options.iter().take_while(|word| matches!(**word, "--quiet" | "--force")).count();
        match &options[start..] {
            ["--remove" | "--remove-all" | "--auto", ..] => {}
            ["--install", link, name, path, priority, slaves @ ..] => {
                let mut choice = AlternativeChoice {
                    name: (*name).to_owned(),
                    link: (*link).to_owned(),
                    path: (*path).to_owned(),
                    priority: priority.parse().ok()?,
                    slaves: Vec::new(),
                };
                for slave in slaves.chunks(4) {
                    let ["--slave", link, name, path] = slave else { return None };
                    let [link, name, path] = [link, name, path].map(|text| (*text).to_owned());
                    choice.slaves.push(AlternativeSlave { name, link, path });
                }
                found.push(choice);
            }
            _ => return None,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_alternatives_are_found() {
        let reading = read_script(
            "#!/bin/sh\nset -e\nif [ \"$1\" = \"configure\" ]; then\n    update-alternatives \\\n        --install /bin/nc nc /bin/nc.openbsd 50 \\\n        \
             --slave /bin/netcat netcat /bin/nc.openbsd\nfi\n# Automatically added by dh_installsystemd/13.11.4\nrm -f /x\n\
             # End automatically added section\nexit 0\n",
        );
        assert_eq!(reading.unknown, [""; 0]);
        let [choice] = reading.alternatives.as_slice() else { panic!("{reading:?}") };
        assert_eq!((choice.name.as_str(), choice.path.as_str(), choice.priority), ("nc", "/bin/nc.openbsd", 50));
        assert_eq!(choice.slaves.len(), 1);
    }

    #[test]
    fn loops_over_words_are_unrolled() {
        let reading = read_script(
            "for prog in compare convert; do\nupdate-alternatives --install /usr/bin/$prog $prog /usr/bin/${prog}-im6 10\ndone\n",
        );
        let names: Vec<&str> = reading.alternatives.iter().map(|choice| choice.path.as_str()).collect();
        assert_eq!((names, reading.unknown.len()), (vec!["/usr/bin/compare-im6", "/usr/bin/convert-im6"], 0));
    }

    #[test]
    fn configuration_files_are_copied() {
        let block = |line: &str| {
            format!(
                "# Automatically added by dh_ucf/13.11.4\nif [ \"$1\" = \"configure\" ]; then\n\t{line}\n\tucfr --force a /etc/x\nfi\n\
                 # End automatically added section\n"
            )
        };
        let reading = read_script(&block("ucf --three-way \"/usr/share/a/x\" \"/etc/x\""));
        let expected = [("/usr/share/a/x".to_owned(), "/etc/x".to_owned())];
        assert_eq!((reading.copies.as_slice(), reading.unknown.len()), (&expected[..], 0));
        assert_eq!(read_script(&block("ucf \"$1\" /etc/x")).unknown, ["ucf \"$1\" /etc/x"]);
    }

    #[test]
    fn what_is_not_understood_is_reported() {
        for line in [
            "addgroup --system crontab",
            "update-alternatives --install \"$BIN\" x /usr/bin/x 10",
            "if [ \"$1\" = \"$(cat /x)\" ]; then",
            "echo \"$x\" > /etc/x",
            "for x in $(ls); do",
            "rm -rf /var/lib/x",
        ] {
            assert_eq!(read_script(&format!("#!/bin/sh\nset -e\n{line}\n")).unknown, [line]);
        }
        let block = "# Automatically added by dh_other/1\nrm -f /x\n# End automatically added section\n";
        assert_eq!(read_script(block).unknown, ["rm -f /x"]);
    }
}
