//! The options that may explain why a rebuild differs from an artifact.

use crate::report::{ChangedFileReport, ChangedPropertyReport, ContentsKind, DiffReport, FileChange};

/// Returns the flags that may differ from those that the artifact was built with, in the order of the help; empty if none
/// would explain a difference.
pub(super) fn flags(difference: &DiffReport) -> Vec<&'static str> {
    // The layer of a function was compared with the function: all paths differ, and no other flag explains it.
    if difference.before.kind == ContentsKind::Layer && difference.after.kind == ContentsKind::Function {
        return vec!["--layer"];
    }
    let mut suspects: Vec<&'static str> = Vec::new();
    for distribution in &difference.distributions {
        suspects.extend(match (&distribution.before, &distribution.after) {
            (Some(_), None) => &["--extra", "--group"][..],
            (None, Some(_)) => &["--exclude-runtime", "--no-install-package"],
            _ => &["--lock", "--runtime", "--python"],
        });
    }
    let changed: Vec<&str> = difference.distributions.iter().map(|distribution| distribution.name.as_str()).collect();
    let of_same = difference
        .files
        .iter()
        .filter(|file| !file.distribution.as_ref().is_some_and(|name| changed.contains(&name.as_str())));
    suspects.extend(of_same.filter_map(of_file));
    suspects.extend(difference.properties.iter().filter_map(of_property));
    let reasons = |text: &str| difference.reasons.iter().any(|reason| reason.contains(text));
    suspects.extend(reasons("compression of the layers").then_some("--compression"));
    suspects.extend(reasons("the number of layers").then_some("--max-layers"));
    let mut flags = Vec::new();
    for flag in suspects {
        if !flags.contains(&flag) {
            flags.push(flag);
        }
    }
    flags
}

fn of_file(file: &ChangedFileReport) -> Option<&'static str> {
    let is_compiled = file.path.ends_with(".so") || file.path.contains(".so.");
    match file.change {
        FileChange::Added | FileChange::Removed if file.path.ends_with(".pyc") => Some("--compile-bytecode"),
        FileChange::Content if is_compiled => Some("--strip"),
        FileChange::Added | FileChange::Removed if file.distribution.is_some() => Some("--slim"),
        FileChange::Added => Some("--exclude"),
        FileChange::Removed => Some("--include"),
        _ => None,
    }
}

fn of_property(property: &ChangedPropertyReport) -> Option<&'static str> {
    let name = property.name.split(' ').next().unwrap_or_default();
    Some(match name {
        "env" => "--env",
        "label" => "--label",
        "annotation" => "--annotation",
        "Entrypoint" => "--entrypoint",
        "Cmd" => "--cmd",
        "User" => "--user",
        "WorkingDir" => "--workdir",
        "ExposedPorts" => "--expose",
        "Volumes" => "--volume",
        "Healthcheck" => "--healthcheck",
        "StopSignal" => "--stop-signal",
        "Shell" => "--shell",
        "architecture" | "variant" => "--platform",
        _ => return None,
    })
}
