//! Requirements files in memory: how they are parsed, and what is selected from them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::entry::VersionOrReference;
use super::reference::DirectReference;
use super::*;
use crate::hints::Hints;
use crate::lock::{AcceptedFiles, DistributionSource, LockError, SelectionRequest};
use crate::name::ExtraName;
use crate::platform::{Architecture, LambdaProfile, TargetPlatform};

const HASH: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OTHER: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// Reads `requirements.txt` of these files, in the project `/project`. The project's name is that of its directory.
pub(crate) fn read(files: &[(&str, &str)]) -> Result<RequirementsTxt, LockError> {
    let files: BTreeMap<PathBuf, &str> = files.iter().map(|(path, text)| (PathBuf::from(path), *text)).collect();
    let environment = RequirementsEnvironment {
        project: Path::new("/project"),
        read: &|path| files.get(path).map(|text| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into()),
        variable: &variable,
        name: &|directory| directory.file_name()?.to_str()?.parse().ok(),
    };
    RequirementsTxt::read(&[Path::new("requirements.txt")], &environment)
}

fn variable(name: &str) -> Option<String> {
    match name {
        "VERSION_1" => Some("1.0".to_owned()),
        "TOKEN" => Some("user:secret".to_owned()),
        _ => None,
    }
}

fn target() -> TargetPlatform {
    LambdaProfile::built_in("python3.12").unwrap().target(Architecture::X86_64)
}

/// Returns each distribution as `name version: dependents`.
fn selected(files: &[(&str, &str)], request: &SelectionRequest) -> Result<Vec<String>, LockError> {
    let mut lines = Vec::new();
    for pinned in read(files)?.select(request, &target())?.distributions {
        let by: Vec<String> = pinned.required_by.iter().map(ToString::to_string).collect();
        lines.push(format!("{pinned}: {}", by.join(", ")));
    }
    Ok(lines)
}

fn error(text: &str) -> LockError {
    selected(&[("requirements.txt", text)], &SelectionRequest::default()).unwrap_err()
}

/// Returns a parsed entry as a string.
fn summary(entry: &RequirementEntry) -> String {
    let extras: Vec<&str> = entry.extras.iter().map(ExtraName::as_str).collect();
    let accepts = match &entry.constraint {
        VersionOrReference::Versions(specifiers) => specifiers.to_string(),
        VersionOrReference::Reference(reference) => match &**reference {
            DirectReference::Wheel(filename, _) => format!(" wheel {filename}"),
            DirectReference::Archive(filename, ..) => format!(" archive {filename}"),
            DirectReference::Directory(directory) => format!(" directory {}", directory.display()),
            DirectReference::Commit(repository) => format!(" commit {}", repository.commit),
            DirectReference::Branch => " branch".to_owned(),
        },
    };
    let marker = entry.marker.as_ref().map(|marker| format!(" ; {marker}")).unwrap_or_default();
    let digests = if entry.digests.is_empty() { String::new() } else { format!(" #{}", entry.digests.len()) };
    format!("{}[{}]{accepts}{marker}{digests}", entry.name, extras.join(",")).replace("[]", "")
}

/// The published test cases of uv's parser, with every kind of line ending.
#[test]
fn files_are_parsed_as_by_uv() {
    let hashed = format!(
        "a==1 ; python_version >= '3.8' --hash={HASH}\nb==2 ; os_name == 'posix' \\\n    --hash {HASH} \\\n  --hash={OTHER}\n"
    );
    let commented = format!(
        "a==1 \\\n    --hash={HASH} \\\n    # comment\n\nb==2 \\\n  --hash={HASH} # comment\n\nc==3 # comment\n\nd==4 \\\n  # comment\n"
    );
    let bare = "./test/black\n./test/black[dev]\nfile:///test/black\n./a b/black\n./black ; python_version >= \"3.9\"\n./black # comment\n";
    let editable = "-e ./black[d,dev]\n-e ./black[d, dev]\n-e ./black[d, dev] ; os_name == \"posix\"\n-e ./black #comment\n-e black\n--editable=./black\n";
    let archives = "a-1-py3-none-any.whl\na-1-py3-none-any.whl ; sys_platform == 'win32'\na-1-py3-none-any.whl[x]\na-1+l-py3-none-any.whl[x] ; os_name == 'nt'\n";
    for (text, expected) in [
        ("a==1.24\npython-Dateutil==2.8", vec!["a==1.24", "python-dateutil==2.8"]),
        ("", vec![]),
        ("\n\n\\\n", vec![]),
        (
            "\n  # #\n #\n ##\n\n   numpy  #  #\n\n\\\n\npandas  [tabulate]  @  git+https://host/pandas.git \\\n # üh\n",
            vec!["numpy", "pandas[tabulate] branch"],
        ),
        ("a==0.5\nb\nc[t]>=1,<2", vec!["a==0.5", "b", "c[t]>=1, <2"]),
        (&hashed, vec!["a==1 ; python_version >= '3.8' #1", "b==2 ; os_name == 'posix' #2"]),
        (&commented, vec!["a==1 #1", "b==2 #1", "c==3", "d==4"]),
        (
            bare,
            vec![
                "black directory /project/test/black",
                "black[dev] directory /project/test/black",
                "black directory /test/black",
                "black directory /project/a b/black",
                "black directory /project/black ; python_version >= '3.9'",
                "black directory /project/black",
            ],
        ),
        (
            editable,
            vec![
                "black[d,dev] directory /project/black",
                "black[d,dev] directory /project/black",
                "black[d,dev] directory /project/black ; os_name == 'posix'",
                "black directory /project/black",
                "black directory /project/black",
                "black directory /project/black",
            ],
        ),
        (
            archives,
            vec![
                "a wheel a-1-py3-none-any.whl",
                "a wheel a-1-py3-none-any.whl ; sys_platform == 'win32'",
                "a[x] wheel a-1-py3-none-any.whl",
                "a[x] wheel a-1+l-py3-none-any.whl ; os_name == 'nt'",
            ],
        ),
    ] {
        for ending in ["\n", "\r\n", "\r"] {
            let text = text.replace('\n', ending);
            let requirements = read(&[("requirements.txt", &text)]).unwrap();
            let entries: Vec<String> = requirements.entries.iter().map(summary).collect();
            assert_eq!(entries, expected.iter().map(|it| it.replace('\'', "\"")).collect::<Vec<_>>(), "{text}");
        }
    }
}

#[test]
fn includes_are_relative_to_the_including_file() {
    let files = [
        ("requirements.txt", "-r reqs/base.txt\n-c reqs/pins.txt\ndjango\n"),
        ("reqs/base.txt", "-c pins.txt\n--requirement=../more/web.txt\nrequests>=2\n"),
        ("more/web.txt", "-r ./../reqs/leaf.txt\nflask[async]"),
        ("reqs/leaf.txt", "idna==3.10"),
        ("reqs/pins.txt", "django==5.0\nrequests==2.32.3\nflask[dotenv]==3.0\nunused==1\n-r nested.txt"),
        ("reqs/nested.txt", "other==1"),
    ];
    let expected = [
        "django 5.0: requirements.txt",
        "flask 3.0: more/web.txt",
        "idna 3.10: reqs/leaf.txt",
        "requests 2.32.3: reqs/base.txt",
    ];
    assert_eq!(selected(&files, &SelectionRequest::default()).unwrap(), expected);
    let extras = read(&files).unwrap().extras(&target());
    assert_eq!(extras[&"flask".parse().unwrap()], ["async".parse().unwrap()].into());
}

#[test]
fn include_loops_and_unreadable_files_are_refused() {
    for (files, message) in [
        (vec![("requirements.txt", "-r requirements.txt")], "requirements.txt includes itself: requirements.txt:1"),
        (
            vec![
                ("requirements.txt", "\n-r a/b.txt"),
                ("a/b.txt", "-c c.txt"),
                ("a/c.txt", "x\n-r ../requirements.txt"),
            ],
            "requirements.txt includes itself: requirements.txt:2 → a/b.txt:1 → a/c.txt:2",
        ),
        (
            vec![("requirements.txt", "a\n-r ../b.txt")],
            "cannot read ../b.txt (included at requirements.txt:2): entity not found",
        ),
        (
            vec![("requirements.txt", "-r https://user:secret@host/b.txt")],
            "requirements.txt:1: `https://****@host/b.txt`: remote requirements files",
        ),
        (vec![], "cannot read requirements.txt: entity not found"),
    ] {
        let error = read(&files).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    let deep: Vec<(String, String)> = (0..200).map(|at| (format!("{at}.txt"), format!("-r {}.txt", at + 1))).collect();
    let mut files: Vec<(&str, &str)> = deep.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.push(("requirements.txt", "-r 0.txt"));
    assert!(read(&files).unwrap_err().to_string().contains("more than 64 levels deep"));
}

#[test]
fn options_of_every_file_apply() {
    let files = [
        (
            "requirements.txt",
            "-i https://${TOKEN}@host/simple --extra-index-url https://b/simple\n-r sub/more.txt\n--only-binary :all:\n\
             --no-binary lxml,Foo_Bar\n--pre\n--trusted-host host",
        ),
        (
            "sub/more.txt",
            "--find-links wheels\n-f https://links/\n-f file:///abs\n--no-index\n--extra-index-url=https://c/${UNSET}\n--no-binary=x",
        ),
    ];
    let RequirementsTxtOptions { index_url, extra_index_urls, no_index, find_links, formats } =
        read(&files).unwrap().options;
    assert_eq!(index_url.unwrap().as_str(), "https://user:secret@host/simple");
    let extra: Vec<&str> = extra_index_urls.iter().map(Url::as_str).collect();
    assert_eq!(extra, ["https://b/simple", "https://c/$%7BUNSET%7D"]);
    assert!(no_index);
    assert_eq!(
        find_links,
        [
            FindLinks::Directory("sub/wheels".into()),
            FindLinks::Page("https://links/".parse().unwrap()),
            FindLinks::Directory("/abs".into()),
        ]
    );
    for (name, may_build, may_install) in [("lxml", true, false), ("foo-bar", true, false), ("x", false, true)] {
        let name = name.parse().unwrap();
        assert_eq!((formats.may_build(&name), formats.may_install(&name)), (may_build, may_install), "{name}");
    }
    let twice = [("requirements.txt", "-i https://a/\n-r b.txt"), ("b.txt", "-i https://user:secret@b/")];
    let error = read(&twice).unwrap_err().to_string();
    assert_eq!(error, "b.txt:1: --index-url differs from the one at requirements.txt:1");
}

/// pip's rules: `:all:` resets the other option, `:none:` the same one, and a name takes precedence over `:all:`.
#[test]
fn format_options_reset_each_other() {
    for (text, may_build, may_install) in [
        ("--only-binary :all:", false, true),
        ("--only-binary :all:\n--no-binary a", true, false),
        ("--no-binary a\n--only-binary :all:", false, true),
        ("--no-binary :all:\n--only-binary a", false, true),
        ("--only-binary a\n--no-binary a", true, false),
        ("--only-binary a\n--only-binary :none:", true, true),
        ("--no-binary b,:all:,:none:,a", true, false),
        ("--no-binary a,:none:", true, true),
    ] {
        let formats = read(&[("requirements.txt", text)]).unwrap().options.formats;
        let name = "a".parse().unwrap();
        assert_eq!((formats.may_build(&name), formats.may_install(&name)), (may_build, may_install), "{text}");
    }
    assert!(error("--only-binary=-a").to_string().contains("`-a` is not a valid name"));
}

#[test]
fn all_unpinned_requirements_are_reported_at_once() {
    let files = [
        ("requirements.txt", "flask\n-r more.txt\nold ; python_version < '3'\na==1.*\nb ; os_name == 'posix'\n"),
        ("more.txt", "\nflask>=2\nc @ git+https://u:p@host/c@main\nd~=1.0"),
    ];
    let error = selected(&files, &SelectionRequest::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "requirements.txt: 6 requirements are not pinned: `flask` (requirements.txt:1), `flask>=2` (more.txt:2), \
         `c @ git+https://****@host/c@main` (more.txt:3), `d~=1.0` (more.txt:4), `a==1.*` (requirements.txt:4) and \
         `b ; os_name == 'posix'` (requirements.txt:5)"
    );
    let hints = error.hints();
    assert!(hints[0].contains("`uv pip compile requirements.txt --universal --python-version 3.12 --generate-hashes -o requirements.lock.txt`"), "{hints:?}");
    assert!(hints[0].contains("--resolve") && hints[1].contains("full commit hash"), "{hints:?}");
}

#[test]
fn contradicting_lines_are_refused() {
    for (text, message) in [
        ("a==1\na==1.0.0", Ok("a 1: requirements.txt")),
        ("a==1\na>=1,<2", Ok("a 1: requirements.txt")),
        ("a==1+cpu\na==1", Ok("a 1+cpu: requirements.txt")),
        ("a==1 ; os_name == 'nt'\na==2 ; os_name != 'nt'", Ok("a 2: requirements.txt")),
        ("a===1.0", Ok("a 1.0: requirements.txt")),
        ("a==${VERSION_1}", Ok("a 1.0: requirements.txt")),
        ("a @ https://h/a-1-py3-none-any.whl\na>=1", Ok("a 1: requirements.txt")),
        (
            "a==1\na==2",
            Err(
                "requirements.txt: two versions are selected: a 1 (for requirements.txt:1) and a 2 (for requirements.txt:2)",
            ),
        ),
        ("a==1\n\na>2", Err("`a==1` (requirements.txt:1) and `a>2` (requirements.txt:3) contradict each other")),
        ("a @ https://h/a-1-py3-none-any.whl\na>1", Err("contradict each other")),
        (
            "a @ https://h/a-1-py3-none-any.whl\na @ https://i/a-1-py3-none-any.whl",
            Err("requirements.txt: two versions are selected: a @ https://h"),
        ),
        (
            "a @ https://h/b-1-py3-none-any.whl",
            Err("requirements.txt:1: `a @ https://h/b-1-py3-none-any.whl`: the wheel is for `b`"),
        ),
        ("a==1\n-c pins.txt", Err("`a==1` (requirements.txt:1) and `a==2` (pins.txt:1) contradict each other")),
    ] {
        let files = [("requirements.txt", text), ("pins.txt", "a==2")];
        match (selected(&files, &SelectionRequest::default()), message) {
            (Ok(selected), Ok(expected)) => assert_eq!(selected, [expected], "{text}"),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().starts_with(expected) || error.to_string().ends_with(expected), "{error}")
            }
            (result, _) => panic!("{text}: {result:?}"),
        }
    }
}

#[test]
fn one_hash_makes_hashes_required() {
    let hashed = format!("a==1 --hash={HASH} --hash={OTHER}\n");
    let common = format!("{hashed}a==1 --hash={OTHER}");
    let selection =
        read(&[("requirements.txt", &common)]).unwrap().select(&SelectionRequest::default(), &target()).unwrap();
    match &selection.distributions[0].source {
        DistributionSource::Index(query) => {
            assert_eq!(query.accepted, AcceptedFiles::Digests([OTHER.parse().unwrap()].into()))
        }
        source => panic!("{source:?}"),
    }
    let message = error(&format!("{hashed}b==1\nc @ https://h/c-1.zip\n-e ./d")).to_string();
    let expected = "requirements.txt: 2 requirements have no secure hash: `b==1` (requirements.txt:2) \
                    and `c @ https://h/c-1.zip` (requirements.txt:3)";
    assert_eq!(message, expected);
    assert!(error("--require-hashes\n-e ./d").to_string().contains("`./d` (requirements.txt:2)"));
    assert!(error("--require-hashes\na==1 --hash=md5:d41d8cd98f00b204e9800998ecf8427e").to_string().contains("`a==1`"));
    let forced = read(&[("requirements.txt", "a==1")]).unwrap().require_hashes(true);
    assert!(forced.select(&SelectionRequest::default(), &target()).is_err());
    assert!(error(&format!("a==1 --hash={HASH}\na==1 --hash={OTHER}")).to_string().contains("no hash in common"));
    let url = format!("a @ https://h/a-1.zip#{} --hash={OTHER}", HASH.replace(':', "="));
    assert!(error(&url).to_string().contains("differs from the hash in its URL"));
}

#[test]
fn the_project_itself_is_the_root() {
    for line in ["-e .", ".", "-e /project/", ".[extra]", "project @ file:///project", "-e ${PROJECT_ROOT}", "./a/.."] {
        let files = [("requirements.txt", line)];
        assert_eq!(selected(&files, &SelectionRequest::default()).unwrap(), ["project: the request"], "{line}");
        let without = SelectionRequest { no_install_project: true, ..SelectionRequest::default() };
        assert!(selected(&files, &without).unwrap().is_empty(), "{line}");
    }
    assert_eq!(
        selected(&[("requirements.txt", "-e libs/foo")], &SelectionRequest::default()).unwrap(),
        ["foo: requirements.txt"]
    );
}

/// As Windows PowerShell 5 redirects the output of `pip freeze`.
#[test]
fn a_file_in_utf_16_is_refused_with_a_remedy() {
    let environment = RequirementsEnvironment {
        project: Path::new("/project"),
        read: &|_| Err(io::ErrorKind::InvalidData.into()),
        variable: &variable,
        name: &|_| None,
    };
    let error = RequirementsTxt::read(&[Path::new("requirements.txt")], &environment).unwrap_err();
    assert_eq!(error.to_string(), "cannot read requirements.txt: it is not valid UTF-8");
    assert_eq!(error.hints(), ["save it as UTF-8, in PowerShell with `pip freeze | Out-File -Encoding utf8 FILE`"]);
}

#[test]
fn groups_extras_and_members_are_refused() {
    let files = [("requirements.txt", "a==1\nb==2")];
    let group = SelectionRequest { groups: ["dev".parse().unwrap()].into(), ..SelectionRequest::default() };
    let error = selected(&files, &group).unwrap_err();
    assert_eq!(error.to_string(), "requirements.txt: a requirements file has no dependency group `dev`");
    assert!(error.hints()[0].contains("requirements-dev.txt or requirements/dev.txt"));
    let extra = SelectionRequest { extras: ["x".parse().unwrap()].into(), ..SelectionRequest::default() };
    let error = selected(&files, &extra).unwrap_err();
    assert_eq!(error.to_string(), "requirements.txt: a requirements file has no extra `x`");
    let member = SelectionRequest { package: Some("x".parse().unwrap()), ..SelectionRequest::default() };
    let error = selected(&files, &member).unwrap_err();
    assert_eq!(error.to_string(), "requirements.txt: the workspace has no member `x`");
    let without_a =
        SelectionRequest { no_install_packages: ["a".parse().unwrap()].into(), ..SelectionRequest::default() };
    assert_eq!(selected(&files, &without_a).unwrap(), ["b 2: requirements.txt"]);
}

#[test]
fn messages_do_not_contain_secrets() {
    for text in [
        "a @ https://${TOKEN}@h/a.whl",
        "a @ https://user:secret@h/a.whl",
        "https://${TOKEN}@h/x.html",
        "-i ftp://${TOKEN}@h",
        "-i https://${TOKEN}@[h",
        "-c http://${TOKEN}@h/c.txt",
        "git+https://${TOKEN}@h/x@main",
        "a @ git+https://user:secret@h/x@main",
        "a==${TOKEN}",
    ] {
        let error = error(text);
        let said = format!("{error} {error:?} {:?}", error.hints());
        assert!(!said.contains("secret"), "{said}");
    }
}
