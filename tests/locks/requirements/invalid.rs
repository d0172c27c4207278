//! Every invalid file of `testdata/invalid/requirements` is refused with an error that states the problem and its location.
//!
//! The first line of each file is `# error: ` and a part of the message. Files that can be parsed fail when distributions are
//! selected for Python 3.12 on x86_64.

use std::path::{Path, PathBuf};

use pybundle::hints::Hints;
use pybundle::lock::SelectionRequest;
use pybundle::lock::requirements::{RequirementsEnvironment, RequirementsTxt};
use pybundle::platform::{Architecture, LambdaProfile, TargetPlatform};

use super::select;

fn target() -> TargetPlatform {
    LambdaProfile::built_in("python3.12").unwrap().target(Architecture::X86_64)
}

#[test]
fn each_invalid_file_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/invalid/requirements");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    assert!(paths.len() >= 80, "{} files", paths.len());
    for path in paths {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let expected = text.lines().next().unwrap().strip_prefix("# error: ").unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let error = select(&path, &target()).err().unwrap_or_else(|| panic!("{name} is accepted"));
        let message = error.to_string();
        assert!(message.contains(expected), "{name}: {message}");
        assert!(message.contains(".txt"), "{name}: {message}");
        let said = format!("{message}{error:?}{}", error.hints().join(""));
        assert!(!said.contains("secret") && !message.contains(char::is_control), "{name}: {said}");
    }
}

/// A requirements file with every kind of syntax.
const TEXT: &str = "\u{feff}# é\r\n-r x.txt --no-index\n-i https://${A}@h/s\n-f 'a b' --only-binary=:all:,b\n--no-binary a\n\
    a[b,c]==1.0 ; os_name == 'posix' and (extra == 'x') \\\n  --hash=sha256:\
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 \\\n    # via\n    #   -r b.in\n    #   c\n\
    -e ./f[g]#egg=h&subdirectory=i ; os_name == 'posix'\nd @ git+ssh://u@h/r@\
    0123456789abcdef0123456789abcdef01234567#subdirectory=s\nfile:../e-1.tar.gz\nf-1-py3-none-any.whl[g]\n-c c.txt\n";

/// Truncating a file anywhere, or changing any single byte, never panics.
#[test]
fn damaged_files_never_panic() {
    let target = target();
    let attempt = |text: &str| {
        let surroundings = RequirementsEnvironment {
            project: Path::new("/project"),
            read: &|path| Ok(if path == Path::new("r.txt") { text.to_owned() } else { "c==1".to_owned() }),
            variable: &|name| (name == "A").then(|| "${A}${".to_owned()),
            name: &|_| "f".parse().ok(),
        };
        let read = RequirementsTxt::read(&[Path::new("r.txt")], &surroundings);
        let _ =
            read.and_then(|requirements| requirements.select(&SelectionRequest::default(), &target)).map_err(|error| {
                let _ = (error.to_string(), error.hints());
            });
    };
    attempt(TEXT);
    for (position, character) in TEXT.char_indices() {
        let (before, after) = TEXT.split_at(position);
        attempt(before);
        for other in ["\"", "'", "\0", "[", "]", "-", "é", "\\\n", "${", "#", ";", "@", "%", ":", ""] {
            attempt(&format!("{before}{other}{}", &after[character.len_utf8()..]));
        }
    }
}

/// The work grows with the files, not with the number of includes.
#[test]
fn files_that_are_included_many_times_are_read_once() {
    let reads = std::cell::Cell::new(0);
    let surroundings = RequirementsEnvironment {
        project: Path::new(""),
        read: &|path| {
            reads.set(reads.get() + 1);
            let level: usize = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            let next = level + 1;
            Ok(if level == 50 { "a==1".to_owned() } else { format!("-r {next}.txt\n-c {next}.txt\n-r {next}.txt\n") })
        },
        variable: &|_| None,
        name: &|_| None,
    };
    let requirements = RequirementsTxt::read(&[Path::new("0.txt")], &surroundings).unwrap();
    let selection = requirements.select(&SelectionRequest::default(), &target()).unwrap();
    assert_eq!((selection.distributions.len(), reads.get()), (1, 101));
}
