//! Registries that programs generate when packages are configured, as they generate them for the versions in Debian 12 and
//! 13.
//!
//! `{multiarch}` is the directory of an architecture's libraries. A paragraph whose first line names a path is written only if
//! the path exists.

/// The registries by their names.
const REGISTRIES: [(&str, &str); 3] = [
    ("gdk-pixbuf-2.42.10", include_str!("registries/gdk-pixbuf-2.42.10.txt")),
    ("gdk-pixbuf-2.42.12", include_str!("registries/gdk-pixbuf-2.42.12.txt")),
    ("graphviz-2.42", include_str!("registries/graphviz-2.42.txt")),
];

/// Returns a registry, without the paragraphs of what does not exist; `None` if no registry has the name.
pub fn registry(name: &str, multiarch: &str, exists: impl Fn(&str) -> bool) -> Option<String> {
    let (_, text) = REGISTRIES.iter().find(|(known, _)| *known == name)?;
    let text = text.replace("{multiarch}", multiarch);
    let paragraphs = text.split_inclusive("\n\n").filter(|paragraph| {
        let path = paragraph.strip_prefix("\"/").and_then(|rest| rest.split('"').next());
        path.is_none_or(|path| exists(&format!("/{path}")))
    });
    Some(paragraphs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_of_what_does_not_exist_are_omitted() {
        let whole = registry("gdk-pixbuf-2.42.10", "aarch64-linux-gnu", |_| true).unwrap();
        let without = registry("gdk-pixbuf-2.42.10", "aarch64-linux-gnu", |path| !path.ends_with("-svg.so")).unwrap();
        let svg = "\"/usr/lib/aarch64-linux-gnu/gdk-pixbuf-2.0/2.10.0/loaders/libpixbufloader-svg.so\"\n";
        assert!(whole.contains(svg) && !without.contains("svg") && without.contains("libpixbufloader-xpm.so"));
        assert!(registry("graphviz-2.42", "x", |_| false).unwrap().contains("libgvplugin_core.so.6 core {"));
        assert_eq!(registry("other", "x", |_| true), None);
    }
}
