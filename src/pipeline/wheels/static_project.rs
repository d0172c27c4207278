//! Which projects are built out of nothing but the files in their directory.

use std::io;
use std::path::Path;

use toml::Value;

use crate::limited_reader::{self, LARGEST_PROJECT_FILE};

/// The backends that run no code of a project unless it asks for it, with their tables in `[tool]`, and what their
/// distributions are called.
const BACK_ENDS: [(&str, &str, &[&str]); 6] = [
    ("hatchling.build", "hatch", &["hatchling"]),
    ("uv_build", "uv", &["uv-build", "uv_build"]),
    ("flit_core.buildapi", "flit", &["flit-core", "flit_core"]),
    ("poetry.core.masonry.api", "poetry", &["poetry-core"]),
    ("pdm.backend", "pdm", &["pdm-backend"]),
    ("setuptools.build_meta", "setuptools", &["setuptools", "wheel"]),
];

/// Files that make a backend run code of the project, or that declare more than pyproject.toml does.
const SCRIPTS: [&str; 4] = ["setup.py", "setup.cfg", "hatch_build.py", "pdm_build.py"];

/// Keys in a backend's table that make it run code, or compile.
const CODE_KEYS: [&str; 8] =
    ["build", "hooks", "custom-hook", "run-setuptools", "ext-modules", "cmdclass", "version", "dynamic"];

/// Which files that git ignores a backend omits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IgnoredFiles {
    /// None of them.
    Kept,
    /// hatchling: those that match a pattern of the nearest `.gitignore` or `.hgignore` at or above the project.
    Listed,
    /// poetry-core: those that git itself ignores, also because of the user's configuration.
    Untracked,
}

/// What a project declares about its build.
pub(super) struct DeclaredBuild {
    /// Whether the wheel depends on nothing but the files in the directory and on the backend.
    pub(super) is_static: bool,
    /// Whether a file that is named is not below the directory.
    pub(super) leaves_directory: bool,
    /// Which files the backend omits of those that git ignores.
    pub(super) ignored: IgnoredFiles,
    /// Whether the directory `dist` is named, which else contains the outputs of builds.
    pub(super) mentions_dist: bool,
    /// The requirements of the build, as they are written.
    requires: Vec<String>,
}

/// Reads what the project in a directory declares; `None` if a file cannot be read.
pub(super) fn declared(directory: &Path) -> Option<DeclaredBuild> {
    let mut texts = Vec::new();
    for name in ["pyproject.toml", "setup.cfg", "setup.py", "MANIFEST.in"] {
        match limited_reader::read_regular_text(&directory.join(name), LARGEST_PROJECT_FILE) {
            Ok(text) => texts.push((name, text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    let document =
        texts.iter().find(|(name, _)| *name == "pyproject.toml").map(|(_, text)| toml::from_str::<Value>(text));
    let document = document.transpose().ok()?.unwrap_or_else(|| Value::Table(toml::Table::new()));
    let mut named = Vec::new();
    for key in ["build-system", "project"] {
        strings(document.get(key), &mut named);
    }
    for (tool, table) in document.get("tool").and_then(Value::as_table).into_iter().flatten() {
        for (_, value) in table.as_table().into_iter().flatten().filter(|(key, _)| is_of_build(tool, key)) {
            strings(Some(value), &mut named);
        }
    }
    let others = texts.iter().filter(|(name, _)| *name != "pyproject.toml").map(|(_, text)| text.as_str());
    let named: Vec<&str> = named.into_iter().chain(others).collect();
    let requires = document.get("build-system").and_then(|table| table.get("requires")).and_then(Value::as_array);
    let requires: Vec<String> =
        requires.into_iter().flatten().filter_map(|value| Some(value.as_str()?.to_owned())).collect();
    let has_script = SCRIPTS.iter().any(|name| directory.join(name).exists());
    Some(DeclaredBuild {
        is_static: !has_script && is_static(&document, &requires) && !named.iter().any(|text| leaves_directory(text)),
        leaves_directory: named.iter().any(|text| leaves_directory(text)),
        ignored: ignored(&document),
        mentions_dist: named.iter().any(|text| mentions_dist(text)),
        requires,
    })
}

impl DeclaredBuild {
    /// Tells whether the backend or a requirement of it is a project on this machine, whose files would count as well.
    pub(super) fn has_local_requirements(&self, directory: &Path) -> bool {
        self.requires.iter().any(|requirement| requirement.contains('@')) || {
            let names: Vec<String> = self.requires.iter().map(|requirement| name(requirement)).collect();
            directory.ancestors().any(|above| sources(above).iter().any(|source| names.contains(source)))
        }
    }
}

/// Returns the normalized names in the `[tool.uv.sources]` of a directory.
fn sources(directory: &Path) -> Vec<String> {
    let text = limited_reader::read_regular_text(&directory.join("pyproject.toml"), LARGEST_PROJECT_FILE);
    let document = text.ok().and_then(|text| toml::from_str::<Value>(&text).ok());
    let sources = document.as_ref().and_then(|document| document.get("tool")?.get("uv")?.get("sources")?.as_table());
    sources.into_iter().flat_map(toml::Table::keys).map(|key| name(key)).collect()
}

/// Returns the normalized name at the beginning of a requirement.
fn name(requirement: &str) -> String {
    let end = requirement.find(|character: char| !(character.is_ascii_alphanumeric() || "-_.".contains(character)));
    requirement[..end.unwrap_or(requirement.len())].to_ascii_lowercase().replace(['_', '.'], "-")
}

/// Tells whether a key of a tool's table is about the build. Linters name files elsewhere, and so do the path dependencies
/// of uv and Poetry.
fn is_of_build(tool: &str, key: &str) -> bool {
    match tool {
        "uv" => key == "build-backend",
        "poetry" => !["dependencies", "dev-dependencies", "group", "source"].contains(&key),
        "pybundle" | "pytest" | "ruff" | "mypy" | "pyright" | "coverage" | "black" | "isort" | "tox" | "pylint" => {
            false
        }
        _ => true,
    }
}

fn ignored(document: &Value) -> IgnoredFiles {
    match document.get("build-system").and_then(|table| table.get("build-backend")).and_then(Value::as_str) {
        Some("hatchling.build") => IgnoredFiles::Listed,
        Some("poetry.core.masonry.api") => IgnoredFiles::Untracked,
        _ => IgnoredFiles::Kept,
    }
}

fn is_static(document: &Value, requires: &[String]) -> bool {
    let Some(build_system) = document.get("build-system") else { return false };
    let back_end = build_system.get("build-backend").and_then(Value::as_str);
    let Some((_, tool, distributions)) = BACK_ENDS.iter().find(|(name, ..)| Some(*name) == back_end) else {
        return false;
    };
    let table = document.get("tool").and_then(|tools| tools.get(tool));
    let project = document.get("project");
    let is_dynamic = project.and_then(|project| project.get("dynamic")).and_then(Value::as_array);
    let is_dynamic = is_dynamic.is_some_and(|fields| fields.iter().any(|field| field.as_str() == Some("version")));
    let version = project.or(table).and_then(|table| table.get("version"));
    build_system.get("backend-path").is_none()
        && requires.iter().all(|requirement| distributions.contains(&&*name(requirement)))
        && version.is_some_and(Value::is_str)
        && !is_dynamic
        && !runs_code(tool, table)
}

/// Tells whether a backend's table makes it run code of the project or of a plugin.
fn runs_code(tool: &str, table: Option<&Value>) -> bool {
    let Some(table) = table.and_then(Value::as_table) else { return false };
    table.iter().any(|(key, value)| match (tool, key.as_str()) {
        // Only Poetry's `build` is a script, and its `version` is text.
        ("uv", _) | ("poetry", "version") => false,
        ("hatch" | "pdm", "build") => runs_code(tool, Some(value)),
        _ => CODE_KEYS.contains(&key.as_str()) || runs_code(tool, Some(value)),
    })
}

/// Collects the strings of a value, keys included.
fn strings<'a>(value: Option<&'a Value>, found: &mut Vec<&'a str>) {
    match value {
        Some(Value::String(text)) => found.push(text),
        Some(Value::Array(values)) => values.iter().for_each(|value| strings(Some(value), found)),
        Some(Value::Table(table)) => {
            for (key, value) in table {
                found.push(key);
                strings(Some(value), found);
            }
        }
        _ => {}
    }
}

/// Tells whether a text names a path above a directory, or an absolute one.
fn leaves_directory(text: &str) -> bool {
    let mentions_parent = ["../", "/..", "\"..\"", "'..'", ".parent.parent", "parents["];
    text == ".." || text.starts_with('/') || mentions_parent.iter().any(|mention| text.contains(mention))
}

fn mentions_dist(text: &str) -> bool {
    text == "dist" || ["dist/", "\"dist\"", "'dist'", "graft dist"].iter().any(|mention| text.contains(mention))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Returns whether a project is static and whether it names files elsewhere.
    fn build_of(pyproject: &str, script: Option<&str>) -> (bool, bool) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("pyproject.toml"), pyproject).unwrap();
        if let Some(name) = script {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let declared = declared(directory.path()).unwrap();
        (declared.is_static, declared.leaves_directory)
    }

    fn back_end(requires: &str, name: &str) -> String {
        format!("[build-system]\nrequires = [{requires}]\nbuild-backend = \"{name}\"\n")
    }

    #[test]
    fn projects_without_code_and_with_a_version_are_static() {
        let project = "[project]\nname = \"demo\"\nversion = \"1.0\"\n";
        for (requires, name) in [
            ("\"hatchling>=1.20\"", "hatchling.build"),
            ("\"uv_build>=0.9,<0.10\"", "uv_build"),
            ("\"flit_core>=3.2,<4\"", "flit_core.buildapi"),
            ("\"poetry-core\"", "poetry.core.masonry.api"),
            ("\"pdm-backend\"", "pdm.backend"),
            ("\"setuptools>=61\", \"wheel\"", "setuptools.build_meta"),
        ] {
            let text = format!("{project}{}", back_end(requires, name));
            assert_eq!(build_of(&text, None), (true, false), "{name}");
            assert_eq!(build_of(&text, Some("setup.py")), (false, false), "{name}");
            let dynamic = text.replace("version = \"1.0\"", "dynamic = [\"version\"]");
            assert_eq!(build_of(&dynamic, None), (false, false), "{name}");
            assert_eq!(build_of(&format!("{text}backend-path = [\".\"]\n"), None), (false, false), "{name}");
        }
        let poetry =
            "[tool.poetry]\nname = \"demo\"\nversion = \"1.0\"\n[tool.poetry.dependencies]\nx = { path = \"../x\" }\n";
        let poetry = format!("{poetry}{}", back_end("\"poetry-core\"", "poetry.core.masonry.api"));
        assert_eq!(build_of(&poetry, None), (true, false));
    }

    #[test]
    fn what_runs_code_or_reads_elsewhere_is_not_static() {
        let hatch = back_end("\"hatchling\"", "hatchling.build");
        let setuptools = back_end("\"setuptools\"", "setuptools.build_meta");
        let poetry = back_end("\"poetry-core\"", "poetry.core.masonry.api");
        for (build_system, rest, expected) in [
            (&hatch, "", (true, false)),
            (&hatch, "[tool.hatch.build.targets.wheel]\npackages = [\"src/demo\"]\n", (true, false)),
            (&hatch, "[tool.hatch.build.hooks.custom]\n", (false, false)),
            (&hatch, "[tool.hatch.build.targets.wheel.hooks.vcs]\nversion-file = \"v.py\"\n", (false, false)),
            (&hatch, "[tool.hatch.build.targets.wheel.force-include]\n\"../shared\" = \"shared\"\n", (false, true)),
            (&setuptools, "[tool.setuptools]\next-modules = [{ name = \"a\", sources = [\"a.c\"] }]\n", (false, false)),
            (&setuptools, "[tool.setuptools.packages.find]\nwhere = [\"src\"]\n", (true, false)),
            (&setuptools, "[tool.ruff]\nextend = \"../ruff.toml\"\n", (true, false)),
            (&setuptools, "[tool.uv.sources]\nother = { path = \"../other\" }\n", (true, false)),
            (&poetry, "[tool.poetry.build]\nscript = \"build.py\"\n", (false, false)),
            (&poetry, "[tool.poetry]\npackages = [{ include = \"demo\", from = \"../src\" }]\n", (false, true)),
            (&back_end("\"setuptools\", \"setuptools-scm\"", "setuptools.build_meta"), "", (false, false)),
            (&back_end("", "backend"), "", (false, false)),
        ] {
            let text = format!("[project]\nname = \"demo\"\nversion = \"1.0\"\n{build_system}{rest}");
            assert_eq!(build_of(&text, None), expected, "{text}");
        }
    }

    #[test]
    fn requirements_on_this_machine_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let member = directory.path().join("member");
        fs::create_dir(&member).unwrap();
        let root = "[tool.uv.sources]\nMy_Backend = { path = \"backend\" }\n";
        fs::write(directory.path().join("pyproject.toml"), root).unwrap();
        for (requires, expected) in
            [("\"my-backend>=1\"", true), ("\"other @ file:///tmp/other\"", true), ("\"other\"", false)]
        {
            fs::write(member.join("pyproject.toml"), back_end(requires, "backend")).unwrap();
            assert_eq!(declared(&member).unwrap().has_local_requirements(&member), expected, "{requires}");
        }
    }
}
