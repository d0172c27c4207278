//! Which index counts: the same indexes are given to uv.

use std::fs;

use pybundle::index::{Cutoff, IndexConfig, IndexError, IndexStrategy};
use pybundle::lock::{
    AcceptedFiles, DistributionSet, FileChooser, FormatControl, IndexQuery, QueriedIndexes, SelectedSource, Selection,
};
use serde_json::{Value, json};
use url::Url;

use super::http::Answer;
use super::{Place, find, html_page, json_page, listed, pinned, query, target, told, uv_picks};

/// Three indexes, of which uv is told in this order; the last is the default one.
const INDEXES: [&str; 3] = ["a", "b", "c"];

/// Serves files in an index, as JSON. Their build tags tell uv's choice apart.
fn shelve(place: &Place, index: &str, files: &[(&str, Value)]) {
    let list = |(name, extra): &(&str, Value)| {
        let mut file = listed(name, extra);
        let path = format!("/{index}/files/{name}");
        let version = name.split('-').nth(1).unwrap();
        let metadata = format!("Metadata-Version: 2.1\nName: demo\nVersion: {version}\n");
        place.server.answer(&format!("{path}.metadata"), [Answer::file(metadata.as_bytes())]);
        file["url"] = path.into();
        file["core-metadata"] = true.into();
        file
    };
    let files: Vec<Value> = files.iter().map(list).collect();
    place.server.answer(&format!("/{index}/simple/demo/"), [json_page(&files)]);
}

fn place() -> Place {
    let mut place = Place::without_index();
    let indexes = INDEXES.map(|name| place.index(name, &format!("/{name}/simple")));
    let [a, b, c] = indexes;
    place.options.indexes = vec![IndexConfig { default: true, ..c }, a, b];
    place
}

/// Asserts that uv and the finder choose a file of a version, or that neither finds one.
fn agree(place: &mut Place, strategy: &str, version: &str, expected: Option<&str>) {
    place.options.strategy = strategy.parse().unwrap();
    let query = query(version, AcceptedFiles::Any);
    let mut selection = Selection { distributions: vec![pinned("demo", &query)] };
    let target = target();
    let formats = FormatControl { no_build: DistributionSet::All, ..FormatControl::default() };
    let chosen = place.finder().complete(&mut selection, &target).ok().and_then(|()| {
        let chosen = FileChooser::new(&target, &formats).choose(selection).ok()?.remove(0);
        let SelectedSource::Wheel(wheel, _) = chosen.source else { panic!("{chosen:?}") };
        Some(wheel.filename.to_string())
    });
    assert_eq!(chosen.as_deref(), expected, "the finder, {strategy}");

    let [a, b, c] = INDEXES.map(|index| place.server.url(&format!("/{index}/simple")));
    let mut arguments: Vec<String> =
        ["--index-strategy", strategy, "--index", &a, "--index", &b].map(str::to_owned).into();
    match place.options.no_index {
        true => arguments.push("--no-index".to_owned()),
        false => arguments.extend(["--default-index".to_owned(), c]),
    }
    for links in &place.options.find_links {
        arguments.extend(["--find-links".to_owned(), links.to_string()]);
    }
    if let Some(cutoff) = place.options.exclude_newer {
        arguments.extend(["--exclude-newer".to_owned(), cutoff.to_string()]);
    }
    arguments.push(format!("demo=={version}"));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let picked = uv_picks(&target, &arguments).map(|picks| picks["demo"].1.clone());
    assert_eq!(picked.as_deref(), expected, "uv, {strategy}");
}

const FIRST: &str = "first-index";
const ANY: &str = "unsafe-first-match";
const BEST: &str = "unsafe-best-match";

#[test]
fn the_first_index_that_has_the_name_counts() {
    let mut place = place();
    shelve(&place, "b", &[("demo-1.0-2b-py3-none-any.whl", json!({}))]);
    shelve(&place, "c", &[("demo-1.0-3c-py3-none-any.whl", json!({})), ("demo-2.0-3c-py3-none-any.whl", json!({}))]);
    for strategy in [FIRST, ANY, BEST] {
        agree(&mut place, strategy, "1.0", Some("demo-1.0-2b-py3-none-any.whl"));
    }
    // The first has the name, and not the version.
    agree(&mut place, FIRST, "2.0", None);
    for strategy in [ANY, BEST] {
        agree(&mut place, strategy, "2.0", Some("demo-2.0-3c-py3-none-any.whl"));
    }
    place.options.strategy = IndexStrategy::FirstIndex;
    let before = place.server.requests("/c/simple/demo/").len();
    let error = told(&place.find("2.0", AcceptedFiles::Any).unwrap_err());
    assert!(error.contains("demo 2.0 is not in `b`") && error.contains("has 1.0"), "{error}");
    assert_eq!(place.server.requests("/c/simple/demo/").len(), before, "the index after it is not asked");
}

#[test]
fn the_best_version_of_all_or_of_the_first_that_fits() {
    let mut place = place();
    let (plain, local) = ("demo-1.0-1a-py3-none-any.whl", "demo-1.0+cpu-2b-py3-none-any.whl");
    shelve(&place, "a", &[(plain, json!({}))]);
    shelve(&place, "b", &[(local, json!({}))]);
    agree(&mut place, FIRST, "1.0", Some(plain));
    agree(&mut place, ANY, "1.0", Some(plain));
    agree(&mut place, BEST, "1.0", Some(local));

    let place = &mut super::order::place();
    let mac = "demo-1.0-1a-cp312-cp312-macosx_11_0_arm64.whl";
    shelve(place, "a", &[(mac, json!({}))]);
    shelve(place, "b", &[("demo-1.0-2b-py3-none-any.whl", json!({}))]);
    agree(place, FIRST, "1.0", None);
    agree(place, ANY, "1.0", None);
    agree(place, BEST, "1.0", Some("demo-1.0-2b-py3-none-any.whl"));
    // Another version, though one that the pin means as well.
    shelve(place, "c", &[("demo-1.0+cpu-3c-py3-none-any.whl", json!({}))]);
    agree(place, ANY, "1.0", Some("demo-1.0+cpu-3c-py3-none-any.whl"));
}

#[test]
fn an_index_that_refuses_ends_the_search_unless_every_index_is_asked() {
    for status in [401, 403] {
        let mut place = place();
        place.server.answer("/a/simple/demo/", [Answer::status(status)]);
        let wheel = "demo-1.0-2b-py3-none-any.whl";
        shelve(&place, "b", &[(wheel, json!({}))]);
        agree(&mut place, FIRST, "1.0", None);
        agree(&mut place, ANY, "1.0", Some(wheel));
        place.options.strategy = IndexStrategy::FirstIndex;
        let error = told(&place.find("1.0", AcceptedFiles::Any).unwrap_err());
        for part in ["demo was not found in `a`", &status.to_string(), "UV_INDEX_A_USERNAME"] {
            // The credentials know no name of the index here.
            assert!(error.contains(part) || part.starts_with("UV_") && error.contains("UV_INDEX_<NAME>"), "{error}");
        }
        let ignoring = IndexConfig { ignored_statuses: [status].into(), ..place.index("a", "/a/simple") };
        place.options.indexes[1] = ignoring;
        assert_eq!(place.names("1.0"), [wheel]);
    }
}

#[test]
fn links_come_before_indexes() {
    let mut place = place();
    let folder = place.folder.path().join("wheels");
    fs::create_dir(&folder).unwrap();
    let wheel = super::support::wheel("demo", "1.0");
    fs::write(folder.join("demo-1.0-py3-none-any.whl"), &wheel).unwrap();
    place.options.find_links = vec![Url::from_file_path(&folder).unwrap()];
    shelve(&place, "a", &[("demo-1.0-py3-none-any.whl", json!({})), ("demo-1.1-1a-py3-none-any.whl", json!({}))]);
    agree(&mut place, FIRST, "1.0", Some("demo-1.0-py3-none-any.whl"));
    let found = place.find("1.0", AcceptedFiles::Any).unwrap();
    assert!(matches!(found.files.wheels[0].location, pybundle::lock::FileLocation::Path(_)), "{found:?}");
    agree(&mut place, FIRST, "1.1", Some("demo-1.1-1a-py3-none-any.whl"));
    // Nobody knows when the folder's file was uploaded.
    place.options.exclude_newer = Some(Cutoff::parse("2020-01-01", std::time::SystemTime::now()).unwrap());
    agree(&mut place, FIRST, "1.0", Some("demo-1.0-py3-none-any.whl"));
    agree(&mut place, FIRST, "1.1", None);
    place.options.exclude_newer = None;
    place.options.no_index = true;
    agree(&mut place, FIRST, "1.0", Some("demo-1.0-py3-none-any.whl"));
    agree(&mut place, FIRST, "1.1", None);

    let page = "<a href='../files/demo-1.0-py3-none-any.whl'>x</a><a href='other-1.0-py3-none-any.whl'>y</a>";
    place.server.answer("/links/index.html", [html_page(page)]);
    place.server.answer("/files/demo-1.0-py3-none-any.whl", [Answer::file(&wheel)]);
    place.options.find_links = vec![place.server.url("/links/index.html").parse().unwrap()];
    assert_eq!(place.names("1.0"), ["demo-1.0-py3-none-any.whl"]);
}

/// As with PyTorch's index before PyPI: pip reads `--index-url` and `--extra-index-url` as one, and uv the extra one first.
#[test]
fn indexes_that_were_not_searched_are_named() {
    let mut place = place();
    shelve(&place, "a", &[("demo-1.0-py3-none-any.whl", json!({}))]);
    shelve(&place, "c", &[("demo-1.0+cpu-py3-none-any.whl", json!({}))]);
    let error = told(&place.find("1.0+cpu", AcceptedFiles::Any).unwrap_err());
    let urls = ["b", "c"].map(|index| place.server.url(&format!("/{index}/simple")));
    assert!(error.contains("which has 1.0\n"), "{error}");
    let expected = format!(
        "{} and {} were not searched, because an earlier index has other versions: if you trust all of them, pass \
         --index-strategy unsafe-best-match",
        urls[0], urls[1]
    );
    assert!(error.replace("`b` (", "").replace("`c` (", "").replace(')', "").contains(&expected), "{error}");
    place.options.strategy = IndexStrategy::UnsafeBestMatch;
    assert_eq!(place.names("1.0+cpu"), ["demo-1.0+cpu-py3-none-any.whl"]);
    // All of them were searched.
    let error = told(&place.find("2.0", AcceptedFiles::Any).unwrap_err());
    assert!(error.contains("add an index that has the version with --index-url or --extra-index-url"), "{error}");
}

#[test]
fn indexes_may_be_folders() {
    let mut place = place();
    let root = place.folder.path().join("index");
    fs::create_dir_all(root.join("simple/demo")).unwrap();
    let page = "<a href='../../files/demo-1.0-7f-py3-none-any.whl' data-core-metadata=true>x</a>";
    fs::write(root.join("simple/demo/index.html"), page).unwrap();
    place.options.indexes[1].url = Url::from_file_path(root.join("simple")).unwrap();
    assert_eq!(place.names("1.0"), ["demo-1.0-7f-py3-none-any.whl"]);
    assert!(matches!(place.find("2.0", AcceptedFiles::Any), Err(IndexError::NoVersion { .. })));
    fs::remove_file(root.join("simple/demo/index.html")).unwrap();
    assert!(matches!(place.find("1.0", AcceptedFiles::Any), Err(IndexError::NotFound { .. })));
}

#[test]
fn explicit_indexes_are_asked_by_those_who_name_them() {
    let mut place = place();
    shelve(&place, "a", &[("demo-1.0-1a-py3-none-any.whl", json!({}))]);
    shelve(&place, "c", &[("demo-1.0-3c-py3-none-any.whl", json!({}))]);
    place.options.indexes[1].explicit = true;
    assert_eq!(place.names("1.0"), ["demo-1.0-3c-py3-none-any.whl"]);
    let by_name = IndexQuery {
        indexes: QueriedIndexes::Only(place.server.url("/a/simple/").parse().unwrap()),
        ..query("1.0", AcceptedFiles::Any)
    };
    assert_eq!(find(&place.finder(), &by_name).unwrap().names(), ["demo-1.0-1a-py3-none-any.whl"]);
    place.options.no_index = true;
    let error = told(&find(&place.finder(), &by_name).unwrap_err());
    assert!(error.contains("--no-index"), "{error}");
    let error = told(&place.find("1.0", AcceptedFiles::Any).unwrap_err());
    assert!(error.contains("demo was not found: no index is enabled"), "{error}");
}
