//! Requirements files, compared with pip's own parser.

use std::process::Command;

use pybundle::lock::SelectionRequest;
use pybundle::lock::requirements::FindLinks;
use pybundle::platform::{Architecture, LambdaProfile};

use super::read;
use crate::support::command::{repository, succeed};
use crate::support::uv::Project;

/// Prints what pip parses: each requirement with its line, and the effective options.
const READER: &str = r#"
import json, sys
from pip._internal.index.collector import LinkCollector
from pip._internal.index.package_finder import PackageFinder
from pip._internal.models.search_scope import SearchScope
from pip._internal.models.selection_prefs import SelectionPreferences
from pip._internal.network.session import PipSession
from pip._internal.req.req_file import parse_requirements

session = PipSession()
scope = SearchScope.create(find_links=[], index_urls=["https://default/"], no_index=False)
collector = LinkCollector(session=session, search_scope=scope)
finder = PackageFinder.create(link_collector=collector, selection_prefs=SelectionPreferences(allow_yanked=False))
lines = []
for requirement in parse_requirements(sys.argv[1], session, finder=finder):
    place = requirement.comes_from.removeprefix("-r ").replace(" (line ", ":").removesuffix(")")
    if not requirement.constraint:
        lines.append([requirement.requirement, place])
formats = finder.format_control
print(json.dumps({
    "requirements": lines,
    "indexes": finder.index_urls,
    "find_links": finder.find_links,
    "no_binary": sorted(formats.no_binary),
    "only_binary": sorted(formats.only_binary),
}))
"#;

/// Returns what pip parses from a file.
fn oracle(project: &Project, file: &str) -> serde_json::Value {
    let python = repository().join("target/test-tools/venv/bin/python");
    assert!(python.exists(), "{} is missing; scripts/setup-tests installs it", python.display());
    let mut command = Command::new(python);
    command.args(["-I", "-c", READER, file]).current_dir(project.path());
    serde_json::from_str(&succeed(&mut command)).unwrap()
}

/// Requirements that are not pinned, in every syntax that both support, with their lines.
#[test]
fn requirements_have_the_same_lines_as_with_pip() {
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let odd = format!(
        "\u{feff}# a comment\r\n\r\nplain\r\n  indented  # comment\r\nover \\\r\n  >= 1 , \\\r\n  < 9\r\n\
         hashed>1 --hash=sha256:{hash} \\\r\n  --hash sha256:{hash}\r\nextras[a,b]\r\nmarker ; os_name == 'posix'\r\n\
         --pre\r\n-r more/inner.txt\r\nurl @ git+https://host/url#egg=url\r\n\\\r\nafter\r\nwi\\\r\nth-backslash\r\n\
         last\\"
    );
    let project = Project::new(&[
        ("odd.txt", &odd),
        ("more/inner.txt", "inner-1 # x \n\n# y \\\ninner-2\n-c c.txt\n-r 'with space.txt'"),
        ("more/c.txt", "constraint"),
        ("more/with space.txt", "spaced"),
    ]);
    let pip = oracle(&project, "odd.txt");
    let relative = |place: String| place.replace(&format!("{}/", project.path().display()), "");
    let requirements = read(&project.path().join("odd.txt"), project.path()).unwrap();
    let target = LambdaProfile::built_in("python3.12").unwrap().target(Architecture::X86_64);
    let error = requirements.select(&SelectionRequest::default(), &target).unwrap_err();
    let ours = relative(error.to_string());
    let expected: Vec<String> = pip["requirements"]
        .as_array()
        .unwrap()
        .iter()
        // Some versions of pip print the absolute path of an included file.
        .map(|pair| relative(format!("`{}` ({})", pair[0].as_str().unwrap(), pair[1].as_str().unwrap())))
        .collect();
    assert_eq!(expected.len(), 13);
    let (first, last) = (expected[..12].join(", "), &expected[12]);
    assert_eq!(ours, format!("odd.txt: 13 requirements are not pinned: {first} and {last}"));
}

#[test]
fn options_have_the_same_effect_as_with_pip() {
    for text in [
        "-i https://a/simple\n--extra-index-url https://b/simple --extra-index-url=https://c/simple",
        "--no-index --find-links wheels",
        "-f https://links/page.html\n-fwheels\n-f 'wheels'",
        "--only-binary :all:\n--no-binary lxml,Foo_Bar",
        "--no-binary lxml\n--only-binary :all:",
        "--no-binary a,b\n--only-binary=b,:none:,c",
        "--only-binary a\n--no-binary :all:,:none:,b\n-r inner.txt",
        "--trusted-host host\n--prefer-binary\n--pre\n--require-hashes",
    ] {
        let project = Project::new(&[("r.txt", text), ("inner.txt", "--only-binary b,d"), ("wheels/x", "")]);
        let pip = oracle(&project, "r.txt");
        let options = read(&project.path().join("r.txt"), project.path()).unwrap().options;
        let default = "https://default/".parse().unwrap();
        let indexes: Vec<String> = if options.no_index {
            Vec::new()
        } else {
            let default = options.index_url.unwrap_or(default);
            [default].iter().chain(&options.extra_index_urls).map(ToString::to_string).collect()
        };
        assert_eq!(pip["indexes"], serde_json::json!(indexes), "{text}");
        let links = |links: &FindLinks| match links {
            FindLinks::Directory(directory) => directory.display().to_string(),
            FindLinks::Page(url) => url.to_string(),
        };
        let found: Vec<String> = options.find_links.iter().map(links).collect();
        assert_eq!(pip["find_links"], serde_json::json!(found), "{text}");
        let words = |key: &str| -> Vec<String> { serde_json::from_value(pip[key].clone()).unwrap() };
        let (no_binary, only_binary) = (words("no_binary"), words("only_binary"));
        // The effect of pip's two sets on one name.
        for name in ["a", "b", "c", "d", "lxml", "foo-bar", "other"] {
            let has = |set: &[String], word: &str| set.iter().any(|item| item == word);
            let (may_build, may_install) = match () {
                () if has(&only_binary, name) => (false, true),
                () if has(&no_binary, name) => (true, false),
                () if has(&only_binary, ":all:") => (false, true),
                () if has(&no_binary, ":all:") => (true, false),
                () => (true, true),
            };
            let parsed = name.parse().unwrap();
            let ours = (options.formats.may_build(&parsed), options.formats.may_install(&parsed));
            assert_eq!(ours, (may_build, may_install), "{name} by {text}");
        }
    }
}
