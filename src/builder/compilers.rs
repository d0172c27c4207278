//! Compilers that do not record where a build ran.
//!
//! Debug sections and `__FILE__` contain the directory of the sources, that of the compiler and those of headers, of which
//! the build's environment has a random name. `-ffile-prefix-map` replaces them
//! ([gcc](https://gcc.gnu.org/onlinedocs/gcc/Overall-Options.html)). It is added by scripts before the compilers on `PATH`,
//! as ccache does it: in `CFLAGS` it would replace the flags that autoconf and CMake choose by default, `-O2` among them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::interpreter;

/// The names of compilers of C and C++; the interpreters of Debian call theirs by the machine's triplet.
const NAMES: [&str; 10] = [
    "cc",
    "gcc",
    "c++",
    "g++",
    "clang",
    "clang++",
    "x86_64-linux-gnu-gcc",
    "x86_64-linux-gnu-g++",
    "aarch64-linux-gnu-gcc",
    "aarch64-linux-gnu-g++",
];

/// The options that map paths, the best first: GCC 8 and Clang 10 introduced the first.
const OPTIONS: [&str; 2] = ["-ffile-prefix-map", "-fdebug-prefix-map"];

/// Writes scripts for the compilers on a search path into a new directory, and returns a search path with that directory
/// first; `None` if there is no compiler.
///
/// # Errors
/// A script cannot be written.
pub(super) fn mapped(
    search_path: Option<&OsStr>,
    project: &Path,
    scratch: &Path,
    directory: &Path,
) -> io::Result<Option<OsString>> {
    let mut options: BTreeMap<PathBuf, Option<&str>> = BTreeMap::new();
    let mut written = false;
    for name in NAMES {
        let Some(compiler) = interpreter::on_path(search_path, name).into_iter().next() else { continue };
        let resolved = compiler.canonicalize()?;
        let Some(option) = *options.entry(resolved).or_insert_with(|| option_of(&compiler)) else { continue };
        if !written {
            fs::create_dir(directory)?;
            written = true;
        }
        let script = directory.join(name);
        fs::write(&script, text(&compiler, option, project, scratch))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    }
    let paths = std::env::split_paths(search_path.unwrap_or_default());
    let paths = written.then(|| std::env::join_paths(std::iter::once(directory.to_owned()).chain(paths)));
    paths.transpose().map_err(io::Error::other)
}

/// Returns the script of a compiler. Of several mappings that match, the last one counts. It maps only what is compiled on
/// its own: what is compiled and linked in one step is a test of the build system.
fn text(compiler: &Path, option: &str, project: &Path, scratch: &Path) -> String {
    let [compiler, project, scratch] = [compiler, project, scratch].map(|path| quoted(&path.to_string_lossy()));
    format!(
        "#!/bin/sh\nfor argument in \"$@\"; do\n    case $argument in -c | -S)\n        \
         exec {compiler} \"$@\" {option}={scratch}=/build {option}=\"${{VIRTUAL_ENV:-/build}}\"=/environment \
         {option}={project}=/source {option}=\"$(pwd -P)\"=.\n    esac\ndone\nexec {compiler} \"$@\"\n"
    )
}

/// Returns an option of a compiler that maps paths, if it has one.
fn option_of(compiler: &Path) -> Option<&'static str> {
    OPTIONS.into_iter().find(|option| {
        let mut command = Command::new(compiler);
        command.arg(format!("{option}=a=b")).args(["-E", "-x", "c", "/dev/null"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

/// Quotes a word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
