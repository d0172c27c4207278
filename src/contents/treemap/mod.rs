//! A treemap of an artifact, as one self-contained HTML page that needs neither the network nor other files.
//!
//! The page's script draws it, so that it fits every window. Everything from the artifact is data for the script: JSON
//! that cannot end its element, and that is only ever shown as text. Equal contents give equal bytes.

use std::collections::BTreeMap;

use serde_json::json;

use super::{ArtifactContents, DetectedKind, EntryOrigin, LayerOrigin};

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");

/// Returns the page. `title` is the name of the artifact.
pub(crate) fn page(contents: &ArtifactContents, title: &str) -> String {
    let mut groups: BTreeMap<(bool, EntryOrigin), Vec<serde_json::Value>> = BTreeMap::new();
    for file in &contents.files {
        let key = if file.is_hidden { (true, EntryOrigin::Base) } else { (false, file.origin) };
        let row = json!([file.path, file.compressed_size, file.size, file.layer]);
        groups.entry(key).or_default().push(row);
    }
    let groups: Vec<_> = groups
        .into_iter()
        .map(|((is_hidden, origin), files)| {
            let (name, note) = called(contents, is_hidden, origin);
            json!([name, note, is_hidden, files])
        })
        .collect();
    let layers: Vec<_> = contents
        .layers
        .iter()
        .map(|layer| {
            let part = if layer.origin == LayerOrigin::Base { "base" } else { "own" };
            json!({ "part": part, "holds": layer.description, "size": layer.size })
        })
        .collect();
    let data = json!({
        "name": title,
        "kind": match contents.kind {
            DetectedKind::Function => "Lambda function",
            DetectedKind::Layer => "Lambda layer",
            DetectedKind::Image => "image",
        },
        "platform": contents.image.as_ref().map(|image| image.platform.as_str()),
        "packed": contents.size,
        "groups": groups,
        "layers": layers,
    });
    fill(&[
        ("title", escaped(title)),
        ("table", table(contents)),
        ("data", in_script(&data.to_string())),
        ("script", SCRIPT.trim_end().to_owned()),
    ])
}

/// Replaces the placeholders of the page. The values are not searched for placeholders.
fn fill(values: &[(&str, String)]) -> String {
    let (mut page, mut rest) = (String::new(), PAGE);
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        page.push_str(before);
        page.extend(values.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.as_str()));
        rest = after;
    }
    page + rest
}

/// Returns the name of an origin and a note that follows it, such as the version.
fn called(contents: &ArtifactContents, is_hidden: bool, origin: EntryOrigin) -> (&str, &str) {
    match origin {
        _ if is_hidden => ("hidden", "by higher layers"),
        EntryOrigin::Distribution(index) => contents
            .distributions
            .get(index)
            .map_or(("", ""), |distribution| (distribution.name.as_str(), distribution.version.as_str())),
        EntryOrigin::Application => ("application", ""),
        EntryOrigin::SystemPackages => ("system", "packages"),
        EntryOrigin::Base => ("base", "image"),
    }
}

/// Returns the totals by origin as a table, for browsers that run no scripts.
fn table(contents: &ArtifactContents) -> String {
    let rows = contents.totals().into_iter().map(|total| {
        let (name, note) = called(contents, total.origin.is_none(), total.origin.unwrap_or(EntryOrigin::Base));
        format!(
            "<tr><td>{} {}<td>{}<td>{}<td>{}",
            escaped(name),
            escaped(note),
            total.files,
            total.size,
            total.compressed_size
        )
    });
    let rows: Vec<String> = rows.collect();
    format!("<table><tr><th>contents<th>files<th>unpacked, bytes<th>packed, bytes\n{}</table>", rows.join("\n"))
}

/// Escapes text for HTML, between tags or in quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Escapes JSON for a script element. Characters that could end the element or begin a comment occur in JSON strings only,
/// where they can be escaped ([HTML, restrictions for contents of script elements](https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements)).
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_end_its_element() {
        let hostile = "</script><script>alert(1)</script><!-- & ' \" {{data}}";
        let data = in_script(&json!([hostile]).to_string());
        assert!(!data.contains(['<', '>', '&']), "{data}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&data).unwrap(), [hostile]);
        assert_eq!(escaped("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
    }

    #[test]
    fn values_are_not_searched_for_placeholders() {
        let page = fill(&[("title", "{{data}}".to_owned()), ("data", "[]".to_owned())]);
        assert!(page.contains("<title>{{data}}</title>") && page.contains("id=\"data\">[]</script>"));
    }
}
