//! The valid keys of profiles, to suggest the most similar one for an unknown key.

use std::path::Path;

use super::{ProfileError, ProfileKind};
use crate::hints::nearest;

/// The name of a table and its keys.
type TableKeys = (&'static str, &'static [&'static str]);

const SCHEME: &[&str] = &["site-packages", "scripts", "headers", "data"];

/// The keys of a Lambda runtime's profile, by table; `""` is the top level.
const LAMBDA: &[TableKeys] = &[
    (
        "",
        &[
            "kind",
            "name",
            "python",
            "python-full-version",
            "available",
            "service",
            "root",
            "application",
            "required-files",
            "excluded-files",
            "imported-from-zip",
            "interpreter",
            "glibc",
            "architectures",
            "function",
            "layer",
            "limits",
            "runtime",
        ],
    ),
    ("function", SCHEME),
    ("layer", SCHEME),
    ("limits", &["direct-upload", "unzipped", "zip"]),
    ("runtime", &["distributions", "versions", "libraries", "libstdcxx"]),
];

/// The keys of an image's profile, by table. `[env]` accepts any key.
const IMAGE: &[TableKeys] = &[
    (
        "",
        &[
            "kind",
            "name",
            "base",
            "pythons",
            "glibc",
            "architectures",
            "interpreter",
            "venv",
            "application",
            "workdir",
            "user",
            "entrypoint",
            "handler",
            "index",
            "compression",
            "uncompressed-limit",
            "scheme",
            "env",
        ],
    ),
    ("scheme", SCHEME),
];

/// Returns an error for the first key that is not valid for the kind.
pub(super) fn refuse_unknown(file: &toml::Table, kind: ProfileKind, path: &Path) -> Result<(), ProfileError> {
    let tables = match kind {
        ProfileKind::Lambda => LAMBDA,
        ProfileKind::Image => IMAGE,
    };
    for (table, known) in tables {
        let keys = if table.is_empty() { Some(file) } else { file.get(*table).and_then(toml::Value::as_table) };
        if let Some(key) = keys.and_then(|keys| keys.keys().find(|key| !known.contains(&key.as_str()))) {
            return Err(ProfileError::UnknownKey {
                path: path.to_owned(),
                key: dotted(table, key),
                nearest: nearest(key, known.iter().copied()).map(|nearest| dotted(table, nearest)),
            });
        }
    }
    Ok(())
}

fn dotted(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}
