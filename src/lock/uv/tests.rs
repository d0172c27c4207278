use std::fmt::Write as _;

use super::*;
use crate::lock::Lock;
use crate::lock::linear_time::assert_linear_time;

const HEAD: &str = "version = 1\nrevision = 3\nrequires-python = \">=3.12\"\n";

fn assert_linear(lock: fn(usize) -> String) {
    assert_linear_time(lock, |text| Lock::parse_uv(text, Path::new("uv.lock")).unwrap());
}

fn chain(length: usize) -> String {
    let mut text = format!("{HEAD}\n[[package]]\nname = \"p0\"\nsource = {{ virtual = \".\" }}\n");
    for number in 1..length {
        let header = format!("[[package]]\nname = \"p{number}\"\nversion = \"1\"\n");
        write!(
            text,
            "dependencies = [{{ name = \"p{number}\" }}]\n\n{header}source = {{ git = \"https://a/b#{number:040}\" }}\n"
        )
        .unwrap();
    }
    text
}

/// A distribution that requires another under many conditions.
fn conditions(count: usize) -> String {
    let mut text = format!("{HEAD}\n[[package]]\nname = \"app\"\nsource = {{ virtual = \".\" }}\ndependencies = [\n");
    for number in 0..count {
        writeln!(text, "    {{ name = \"p\", marker = \"python_full_version < '3.{number}'\" }},").unwrap();
    }
    let source = format!("source = {{ git = \"https://a/b#{:040}\" }}", 0);
    write!(text, "]\n\n[[package]]\nname = \"p\"\nversion = \"1\"\n{source}\n").unwrap();
    text
}

/// A distribution that requires every version of another, each under a condition that does not hold.
fn versions(count: usize) -> String {
    let mut text = format!("{HEAD}\n[[package]]\nname = \"app\"\nsource = {{ virtual = \".\" }}\ndependencies = [\n");
    for number in 0..count {
        writeln!(text, "    {{ name = \"p\", version = \"{number}\", marker = \"os_name == 'nt'\" }},").unwrap();
    }
    text.push_str("]\n\n");
    for number in 0..count {
        let source = format!("source = {{ git = \"https://a/b#{number:040}\" }}");
        write!(text, "[[package]]\nname = \"p\"\nversion = \"{number}\"\n{source}\n\n").unwrap();
    }
    text
}

fn workspace(members: usize) -> String {
    let names: Vec<String> = (0..members).map(|number| format!("\"p{number}\"")).collect();
    let mut text = format!("{HEAD}\n[manifest]\nmembers = [{}]\n\n", names.join(", "));
    for number in 0..members {
        write!(text, "[[package]]\nname = \"p{number}\"\nsource = {{ virtual = \"p{number}\" }}\n\n").unwrap();
    }
    text
}

#[test]
fn chains_are_read_in_linear_time() {
    assert_linear(chain);
}

#[test]
fn many_conditions_of_one_dependency_are_read_in_linear_time() {
    assert_linear(conditions);
}

#[test]
fn many_versions_of_one_distribution_are_read_in_linear_time() {
    assert_linear(versions);
}

#[test]
fn many_members_are_read_in_linear_time() {
    assert_linear(workspace);
}

#[test]
fn a_lock_is_parsed_in_parts_as_it_is_as_a_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for project in ["example", "imports", "projects/journal", "projects/catalogue"] {
        let text = std::fs::read_to_string(root.join("testdata").join(project).join("uv.lock")).unwrap();
        let parts = UvDocument::parse_in_parts(&text).expect(project);
        assert!(parts.packages.len() > 1, "{project}");
        let whole: UvDocument = toml::from_str(&text).unwrap();
        assert_eq!(format!("{parts:?}"), format!("{whole:?}"), "{project}");
    }
}

#[test]
fn a_lock_that_parts_would_misread_is_parsed_as_a_whole() {
    let package = "[[package]]\nname = \"app\"\nsource = { virtual = \".\" }\n";
    for text in [
        format!("{HEAD}note = '''\n{package}'''\n"),
        format!("{HEAD}\n{package}note = '''\n{package}'''\n"),
        format!("{HEAD}\n[[package]] # first\nname = \"first\"\nsource = {{ virtual = \".\" }}\n{package}"),
    ] {
        assert!(UvDocument::parse_in_parts(&text).is_none(), "{text}");
        assert!(toml::from_str::<UvDocument>(&text).is_ok(), "{text}");
    }
}
