//! Which rooms a text of Rust refers to.

/// Returns the rooms that code refers to by `crate::`, also in `use crate::{a, b::c}`.
pub fn imports(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(group) => rooms.extend(members(group).iter().map(|path| room(path))),
            None => rooms.push(room(rest)),
        }
    }
    rooms.sort();
    rooms.dedup();
    rooms
}

/// Returns the members of a group, given the text after its opening brace.
pub fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut members) = (0, 0, Vec::new());
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                members.push(group[start..at].trim());
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    members.retain(|member| !member.is_empty());
    members
}

/// Returns the room that a path, relative to the crate, begins with.
pub fn room(path: &str) -> String {
    let part = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let first = part(path);
    match path[first.len()..].strip_prefix("::") {
        Some(rest) if first == "wheel" && part(rest) == "filename" => "wheel::filename".to_owned(),
        _ => first,
    }
}

#[test]
fn imports_are_recognized() {
    let text = "use crate::{digest::Digest, lock::{Lock, Selection}, wheel::filename::WheelFilename};\nfn f(_: crate::tree::Entry) {}";
    assert_eq!(imports(text), ["digest", "lock", "tree", "wheel::filename"]);
    assert_eq!(imports("use crate::wheel::{self, Wheel};"), ["wheel"]);
}
