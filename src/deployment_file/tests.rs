use super::*;

fn file(text: &str) -> DeploymentFile {
    DeploymentFile::new(Path::new("k8s.yaml"), text.as_bytes().to_vec()).unwrap()
}

fn images() -> BTreeMap<String, String> {
    let image = |name: &str, digest: char| {
        let digest: String = std::iter::repeat_n(digest, 64).collect();
        (name.to_owned(), format!("registry.example.com:5000/shop/{name}@sha256:{digest}"))
    };
    [image("api", 'a'), image("jobs", 'b')].into()
}

/// Resolves a text, and checks with the parser that nothing but the references differs.
fn resolved(text: &str) -> String {
    let resolved = file(text).resolved(&images());
    let expected: Vec<Event> = events(text).into_iter().map(replaced).collect();
    assert_eq!(events(&resolved), expected, "{resolved}");
    resolved
}

fn events(text: &str) -> Vec<Event<'_>> {
    Parser::new_from_str(text).map(|event| event.unwrap().0).collect()
}

fn replaced(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Scalar(value, style, anchor, tag) if value.starts_with(SCHEME) => {
            let image = images()[value.trim_start_matches(SCHEME)].clone();
            Event::Scalar(image.into(), style, anchor, tag)
        }
        event => event,
    }
}

#[test]
fn only_references_change() {
    let text = "\u{feff}# first\r\napiVersion: apps/v1  # kept\r\nspec:\r\n  containers:\r\n\r\n  - name: 'api'\r\n    image: &image pybundle://api # {\"$imagepolicy\": \"x\"}\r\n  - {image: *image, again: \"pybundle://api\", other: !!str 'pybundle://jobs'}\r\n---\r\n- [pybundle://jobs,pybundle://api]\r\n";
    let images = images();
    let expected = text.replace("pybundle://api", &images["api"]).replace("pybundle://jobs", &images["jobs"]);
    assert_eq!(resolved(text), expected);
    assert_eq!(file(text).targets().into_iter().collect::<Vec<_>>(), ["api", "jobs"]);
    assert_eq!(file(text).position("jobs").unwrap(), "k8s.yaml, line 8");
}

#[test]
fn json_keeps_its_quotes_and_escapes() {
    let text = r#"{"family":"shop","containerDefinitions":[{"image":"pybundle:\/\/api","command":["a\u00e9\n"]}]}"#;
    let expected = text.replace(r"pybundle:\/\/api", &images()["api"]);
    assert_eq!(resolved(text), expected);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&resolved(text)).unwrap()["family"], "shop");
}

#[test]
fn what_is_not_a_value_of_its_own_is_kept_and_named() {
    let text = "args: [--image=pybundle://api]\npybundle://api: x\ntext: |\n  pybundle://api\nquoted: ' pybundle://api'\n? [pybundle://jobs]\n: pybundle://jobs\n";
    let file = file(text);
    assert_eq!(
        file.warnings().collect::<Vec<_>>(),
        [
            "`pybundle://` in k8s.yaml, line 1, is not replaced: it is a part of a longer text",
            "`pybundle://` in k8s.yaml, line 2, is not replaced: it is a key",
            "`pybundle://` in k8s.yaml, line 4, is not replaced: it is a part of a longer text",
            "`pybundle://` in k8s.yaml, line 5, is not replaced: it is a part of a longer text",
        ]
    );
    // What is inside of a key that is a collection is a value of that collection.
    assert_eq!(file.targets().into_iter().collect::<Vec<_>>(), ["jobs"]);
    assert!(file.resolved(&images()).starts_with(&text[..text.find("? [").unwrap()]));
}

#[test]
fn keys_and_values_take_turns_in_nested_collections() {
    let text = "a: {b: [1, {c: pybundle://api}], d: }\ne:\n- - f: pybundle://jobs\n    g:\n    h: *x\n";
    let text = text.replace("b: [1", "b: &x [1");
    assert_eq!(file(&text).targets().len(), 2);
    assert_eq!(file(&text).warnings().count(), 0);
    resolved(&text);
}

#[test]
fn targets_of_members_are_named_with_their_member() {
    assert!(file("image: pybundle://shop/api").targets().contains("shop/api"));
}

#[test]
fn invalid_files_are_errors() {
    let error = |bytes: &[u8]| DeploymentFile::new(Path::new("k8s.yaml"), bytes.to_vec()).unwrap_err();
    assert!(matches!(error(b"a: \xff"), InvalidDeploymentFile::NotUtf8(_)));
    assert_eq!(error(b"a:\n  - pybundle://\n").to_string(), "`pybundle://` in k8s.yaml, line 2, names no target");
    let template = error(b"image: {{ .Values.image }}\nother: pybundle://api\n{{- end }}\n");
    assert!(matches!(template, InvalidDeploymentFile::Parse { is_template: true, .. }), "{template}");
    assert!(template.hints()[0].contains("helm template"));
    assert!(matches!(error(b"a: [1"), InvalidDeploymentFile::Parse { is_template: false, .. }));
    assert!(matches!(error("[".repeat(100_000).as_bytes()), InvalidDeploymentFile::Parse { .. }));
}
