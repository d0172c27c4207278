//! Entry points: the console and GUI scripts that an installer makes.
//!
//! Specification: [PyPA, entry points](https://packaging.python.org/en/latest/specifications/entry-points/).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::WheelErrorKind;

/// A script that an installer makes: it imports an object and calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPoint {
    /// The script's file name.
    pub name: String,
    /// The module to import.
    pub module: String,
    /// The object to call: an attribute of the module, or of its attributes (`Class.method`).
    pub object: String,
}

impl EntryPoint {
    /// Returns the text of a script that runs the entry point.
    pub fn launcher(&self, interpreter: &str) -> String {
        let Self { module, object, .. } = self;
        let imported = object.split('.').next().unwrap_or(object);
        format!(
            "#!{interpreter}\nimport sys\n\nfrom {module} import {imported}\n\nif __name__ == \"__main__\":\n    sys.exit({object}())\n"
        )
    }
}

/// Parses the console and GUI scripts in an `entry_points.txt`, ordered by name. What other groups hold is the affair of
/// the programs that read them.
pub(super) fn parse(text: &[u8]) -> Result<Vec<EntryPoint>, WheelErrorKind> {
    let text = std::str::from_utf8(text).map_err(|_| WheelErrorKind::NotUtf8)?;
    let mut scripts: BTreeMap<&str, EntryPoint> = BTreeMap::new();
    let mut in_scripts = false;
    for (index, line) in text.lines().enumerate() {
        let invalid = |reason: String| WheelErrorKind::EntryPoint { line: index + 1, reason };
        let line = line.split(['#', ';']).next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if let Some(group) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            in_scripts = matches!(group.trim(), "console_scripts" | "gui_scripts");
            continue;
        }
        if !in_scripts {
            continue;
        }
        let (name, reference) = line.split_once('=').ok_or_else(|| invalid(format!("`{line}` has no `=`")))?;
        let name = name.trim();
        check_script_name(name).map_err(|fault| invalid(fault.to_string()))?;
        let (module, object) = parse_reference(reference)
            .ok_or_else(|| invalid(format!("`{}` is not a reference to an object", reference.trim())))?;
        let script = EntryPoint { name: name.to_owned(), module: module.to_owned(), object: object.to_owned() };
        if let Some(other) = scripts.insert(name, script.clone())
            && other != script
        {
            return Err(invalid(format!("the script `{name}` is defined twice")));
        }
    }
    Ok(scripts.into_values().collect())
}

/// Parses `module:object [extras]`. Extras are no longer used, and ignored as the specification says.
fn parse_reference(reference: &str) -> Option<(&str, &str)> {
    let reference = match reference.split_once('[') {
        Some((reference, extras)) if extras.trim_end().ends_with(']') => reference,
        Some(_) => return None,
        None => reference,
    };
    let (module, object) = reference.split_once(':')?;
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-'))
    };
    let is_dotted = |path: &str| path.split('.').all(is_part);
    let (module, object) = (module.trim(), object.trim());
    (is_dotted(module) && is_dotted(object)).then_some((module, object))
}

/// Checks the file name of a script: one component, and not an interpreter's name.
pub(super) fn check_script_name(name: &str) -> Result<(), WheelErrorKind> {
    let is_file_name = !matches!(name, "" | "." | "..")
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
        && name.trim() == name;
    if !is_file_name {
        return Err(WheelErrorKind::ScriptName(name.to_owned()));
    }
    // Compared as a file system would that ignores case.
    let lower = name.to_ascii_lowercase();
    let stem = lower.strip_suffix(".exe").unwrap_or(&lower);
    let stem = stem.strip_suffix(".py").unwrap_or(stem);
    if is_interpreter(stem) { Err(WheelErrorKind::ReservedScript(stem.to_owned())) } else { Ok(()) }
}

/// Returns whether a name is an interpreter's: `python`, `python3`, `python3.13`, `python3.13t`, `pypy3` and the like.
fn is_interpreter(name: &str) -> bool {
    if matches!(name, "python" | "pythonw" | "python3" | "pythonw3" | "graalpy" | "pypy" | "pypy2" | "pypy3") {
        return true;
    }
    let minor = name.strip_prefix("python3.").or_else(|| name.strip_prefix("pythonw3."));
    minor.is_some_and(|minor| minor.strip_suffix('t').unwrap_or(minor).parse::<u8>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_read_and_other_groups_left_alone() {
        let text = "[console_scripts]\n# a comment\nb = pkg.mod : Class.run [extra]\r\na=pkg:main ; why not\n\n\
                    [other]\nnot an entry point\n[gui_scripts]\nc = pkg:gui\n";
        let scripts = parse(text.as_bytes()).unwrap();
        let texts: Vec<_> = scripts.iter().map(|s| format!("{}={}:{}", s.name, s.module, s.object)).collect();
        assert_eq!(texts, ["a=pkg:main", "b=pkg.mod:Class.run", "c=pkg:gui"]);
        assert_eq!(
            scripts[1].launcher("/usr/bin/python3"),
            "#!/usr/bin/python3\nimport sys\n\nfrom pkg.mod import Class\n\nif __name__ == \"__main__\":\n    sys.exit(Class.run())\n"
        );
    }

    #[test]
    fn scripts_that_cannot_be_made_are_refused() {
        for (line, reason) in [
            ("a", "has no `=`"),
            ("a = pkg", "not a reference"),
            ("a = pkg:", "not a reference"),
            ("a = :main", "not a reference"),
            ("a = pkg..x:main", "not a reference"),
            ("a = pkg:main [x", "not a reference"),
            ("a = pkg:main()", "not a reference"),
            ("a = pkg:main\\nimport os", "not a reference"),
            ("../a = pkg:main", "not a script's name"),
            ("= pkg:main", "not a script's name"),
            ("x/y = pkg:main", "not a script's name"),
            ("python = pkg:main", "interpreter's name"),
            ("Python3.13t.exe = pkg:main", "interpreter's name"),
            ("ok = pkg:other", "defined twice"),
        ] {
            let error =
                parse(format!("[console_scripts]\nok = pkg:main\n{line}\n").as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("line 3: ") && error.contains(reason), "{line}: {error}");
        }
    }

    #[test]
    fn names_that_only_resemble_an_interpreter_are_allowed() {
        for name in ["python-config", "python4", "pythonic", "python3.x", "ipython3", "pip3.12", "py.test"] {
            check_script_name(name).unwrap();
        }
    }
}
