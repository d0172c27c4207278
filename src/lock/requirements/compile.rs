//! The command that pins the requirements of a file.

use std::ffi::OsString;
use std::path::Path;

use super::lines::lines;
use super::statement::{FileOption, RequirementsTxtStatement};
use crate::platform::{CLibrary, Glibc, TargetPlatform};

/// The minor versions of glibc 2 for which uv has a `--python-platform`. uv rejects others.
const KNOWN_GLIBC: [u16; 12] = [17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40];

/// Returns the arguments with which uv pins the requirements of some files for a target, and writes them with hashes to its standard
/// output, as a requirements file. uv respects the index options of the file, but does not write them. It must run in the
/// project's directory, to which the file's paths are relative.
pub fn compile_arguments(paths: &[impl AsRef<Path>], target: &TargetPlatform) -> Vec<OsString> {
    let version = target.python_full_version.to_string();
    let mut arguments: Vec<OsString> = ["pip", "compile", "--quiet", "--no-progress"].map(OsString::from).into();
    arguments.extend(["--generate-hashes", "--no-header", "--no-strip-extras"].map(OsString::from));
    arguments.extend(["--python-version", &version, "--python-platform", &platform(target)].map(OsString::from));
    arguments.extend(paths.iter().map(|path| path.as_ref().into()));
    arguments
}

/// Returns the text of a requirements file without `-e` before repositories, which pip accepts and uv 0.13.8 does not; `None`
/// if it has none. What it includes is named by absolute paths, so that uv can read the text from its standard input.
pub(crate) fn without_editable_repositories(path: &Path, text: &str) -> Option<String> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut has_repository = false;
    let mut written = String::new();
    for line in lines(text) {
        match RequirementsTxtStatement::parse(&line.text) {
            Ok(RequirementsTxtStatement::Requirement { text, is_editable: true, hashes }) if text.contains("git+") => {
                has_repository = true;
                written.push_str(&text);
                hashes.iter().for_each(|hash| written.push_str(&format!(" --hash={hash}")));
            }
            Ok(RequirementsTxtStatement::Options(options)) => {
                let options = options.iter().map(|option| option.text(directory));
                written.push_str(&options.collect::<Vec<_>>().join("\n"));
            }
            // uv says what is wrong with an invalid line.
            Ok(RequirementsTxtStatement::Requirement { .. }) | Err(_) => written.push_str(&line.text),
        }
        written.push('\n');
    }
    has_repository.then_some(written)
}

impl FileOption {
    /// Returns the option as a line, in which paths are relative to no directory.
    fn text(&self, directory: &Path) -> String {
        let absolute = |path: &str| {
            let is_url = path.contains("://") || path.starts_with("file:");
            if is_url { path.to_owned() } else { directory.join(path).to_string_lossy().into_owned() }
        };
        match self {
            Self::Requirements(path) => format!("--requirement {}", absolute(path)),
            Self::Constraints(path) => format!("--constraint {}", absolute(path)),
            Self::FindLinks(links) => format!("--find-links {}", absolute(links)),
            Self::IndexUrl(url) => format!("--index-url {url}"),
            Self::ExtraIndexUrl(url) => format!("--extra-index-url {url}"),
            Self::OnlyBinary(names) => format!("--only-binary {names}"),
            Self::NoBinary(names) => format!("--no-binary {names}"),
            Self::NoIndex => "--no-index".to_owned(),
            Self::RequireHashes => "--require-hashes".to_owned(),
            Self::Ignored => String::new(),
        }
    }
}

/// Returns uv's name of the platform: the one with the highest glibc that the target has.
fn platform(target: &TargetPlatform) -> String {
    let architecture = target.architecture.wheel_name();
    let Glibc { major, minor } = match target.libc {
        CLibrary::Glibc(glibc) => glibc,
        // uv assumes musl 1.2.
        CLibrary::Musl(_) => return format!("{architecture}-unknown-linux-musl"),
    };
    let known = KNOWN_GLIBC.into_iter().rfind(|known| major > 2 || *known <= minor);
    format!("{architecture}-manylinux_2_{}", known.unwrap_or(KNOWN_GLIBC[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_not_editable_for_uv() {
        let text = "# x\n-r base.txt -c ../c.txt\n--pre\n-e ./local\n-e git+https://host/a@v1#egg=a  # y\n\
                    --editable \"git+ssh://git@host/b\"\nsix==1 \\\n --hash=z\n-f wheels\n-i https://host/simple\n";
        let expected = "--requirement /p/r/base.txt\n--constraint /p/r/../c.txt\n\n-e ./local\n\
                        git+https://host/a@v1#egg=a\ngit+ssh://git@host/b\nsix==1  --hash=z\n\
                        --find-links /p/r/wheels\n--index-url https://host/simple\n";
        assert_eq!(without_editable_repositories(Path::new("/p/r/all.txt"), text).as_deref(), Some(expected));
        assert_eq!(without_editable_repositories(Path::new("/p/r/all.txt"), "-e .\na @ git+https://host/a\n"), None);
    }
}
