//! Entry points: the console and GUI scripts that an installer generates.
//!
//! Specification: [PyPA, entry points](https://packaging.python.org/en/latest/specifications/entry-points/).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::WheelErrorKind;

/// A console or GUI script, which imports an object and calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPoint {
    /// The file name of the script.
    pub name: String,
    /// The module to import.
    pub module: String,
    /// The object to call, for instance `main` or `Class.method`.
    pub object: String,
}

impl EntryPoint {
    /// Returns the source of the script.
    pub(super) fn launcher(&self, interpreter: &str) -> String {
        let Self { module, object, .. } = self;
        let imported = object.split('.').next().unwrap_or(object);
        format!(
            "#!{interpreter}\nimport sys\n\nfrom {module} import {imported}\n\nif __name__ == \"__main__\":\n    sys.exit({object}())\n"
        )
    }
}

/// Parses the console and GUI scripts in an `entry_points.txt`, ordered by name. Other groups are ignored: their syntax
/// is up to the programs that read them.
pub(crate) fn parse(text: &[u8]) -> Result<Vec<EntryPoint>, WheelErrorKind> {
    let text = std::str::from_utf8(text).map_err(|_| WheelErrorKind::NotUtf8)?;
    let mut scripts: BTreeMap<String, EntryPoint> = BTreeMap::new();
    let mut in_scripts = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
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
        let script = parse_script(line).map_err(|reason| WheelErrorKind::EntryPoint { line: number, reason })?;
        if let Some(other) = scripts.insert(script.name.clone(), script.clone())
            && other != script
        {
            let reason = format!("the script `{}` is defined twice", script.name);
            return Err(WheelErrorKind::EntryPoint { line: number, reason });
        }
    }
    Ok(scripts.into_values().collect())
}

/// Parses `name = module:object`.
fn parse_script(line: &str) -> Result<EntryPoint, String> {
    let (name, reference) = line.split_once('=').ok_or_else(|| format!("`{line}` has no `=`"))?;
    let name = name.trim();
    check_script_name(name).map_err(|kind| kind.to_string())?;
    let (module, object) = parse_reference(reference)
        .ok_or_else(|| format!("`{}` is not an object reference such as `module:object`", reference.trim()))?;
    Ok(EntryPoint { name: name.to_owned(), module: module.to_owned(), object: object.to_owned() })
}

/// Parses `module:object [extras]`. Extras are ignored, as the specification recommends.
fn parse_reference(reference: &str) -> Option<(&str, &str)> {
    let reference = match reference.split_once('[') {
        Some((reference, extras)) if extras.trim_end().ends_with(']') => reference,
        Some(_) => return None,
        None => reference,
    };
    let (module, object) = reference.split_once(':')?;
    let (module, object) = (module.trim(), object.trim());
    (is_dotted_name(module) && is_dotted_name(object)).then_some((module, object))
}

fn is_dotted_name(name: &str) -> bool {
    name.split('.').all(|part| {
        !part.is_empty() && part.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-'))
    })
}

/// Checks that a script's file name is a single path component, and not an interpreter's name.
pub(super) fn check_script_name(name: &str) -> Result<(), WheelErrorKind> {
    let is_file_name = !matches!(name, "" | "." | "..")
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
        && name.trim() == name;
    if !is_file_name {
        return Err(WheelErrorKind::ScriptName(name.to_owned()));
    }
    // Some file systems ignore case.
    let lower = name.to_ascii_lowercase();
    let stem = lower.strip_suffix(".exe").unwrap_or(&lower);
    let stem = stem.strip_suffix(".py").unwrap_or(stem);
    if is_interpreter(stem) { Err(WheelErrorKind::ReservedScript(stem.to_owned())) } else { Ok(()) }
}

/// Returns whether a name is an interpreter's: `python`, `python3`, `python3.13`, `python3.13t`, `pypy3` and so on.
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
    fn scripts_are_parsed_and_other_groups_ignored() {
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
    fn invalid_scripts_are_refused() {
        for (line, reason) in [
            ("a", "has no `=`"),
            ("a = pkg", "not an object reference"),
            ("a = pkg:", "not an object reference"),
            ("a = :main", "not an object reference"),
            ("a = pkg..x:main", "not an object reference"),
            ("a = pkg:main [x", "not an object reference"),
            ("a = pkg:main()", "not an object reference"),
            ("a = pkg:main\\nimport os", "not an object reference"),
            ("../a = pkg:main", "not a valid script name"),
            ("= pkg:main", "not a valid script name"),
            ("x/y = pkg:main", "not a valid script name"),
            ("python = pkg:main", "is reserved for a Python interpreter"),
            ("Python3.13t.exe = pkg:main", "is reserved for a Python interpreter"),
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
