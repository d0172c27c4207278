//! The base images that scripts/make-bases builds from Debian packages and real interpreters.

use std::path::PathBuf;

use super::command::repository;

/// A base image: an OCI layout whose tag `latest` is an image or an image index.
#[derive(Debug, Clone)]
pub struct Base {
    /// The directory of the layout.
    pub layout: PathBuf,
    /// The version of its Python, for instance `3.12`.
    pub python: String,
}

impl Base {
    /// Returns the value of `--base`.
    pub fn argument(&self) -> String {
        format!("oci:{}", self.layout.display())
    }

    /// Returns the `bin` directory of the interpreter on this machine that the base has a copy of.
    pub fn programs(&self) -> PathBuf {
        let listed = std::fs::read_to_string(repository().join("target/test-tools/interpreters")).unwrap();
        let mut prefixes = listed.lines().filter_map(|line| line.split_once(' '));
        let found = prefixes.find(|(version, _)| *version == self.python);
        let (_, prefix) = found.unwrap_or_else(|| panic!("Python {} is missing: run scripts/setup-tests", self.python));
        PathBuf::from(prefix).join("bin")
    }

    /// Returns the bases of a kind, the oldest Python first.
    fn all(kind: &str) -> Vec<Self> {
        let folder = repository().join("target/test-tools/bases");
        let names = std::fs::read_dir(&folder).into_iter().flatten();
        let names = names.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let mut bases: Vec<_> = names
            .filter_map(|name| {
                let python = name.strip_prefix(kind)?.strip_prefix('-')?.to_owned();
                Some(Self { layout: folder.join(&name), python })
            })
            .collect();
        bases.sort_by_key(|base| base.python.split('.').map(|part| part.parse::<u32>().unwrap()).collect::<Vec<_>>());
        assert!(!bases.is_empty(), "no {kind} base in {}: run scripts/setup-tests", folder.display());
        bases
    }

    /// Returns the base of a kind with the newest Python.
    fn newest(kind: &str) -> Self {
        Self::all(kind).pop().expect("`all` returns at least one")
    }
}

/// Returns the bases like `python:3.X-slim`, the oldest Python first.
pub fn every_slim() -> Vec<Base> {
    Base::all("slim")
}

/// Returns the base like `python:3.X-slim` with the newest Python. It has a shell.
pub fn slim() -> Base {
    Base::newest("slim")
}

/// Returns the base like distroless Python: the operating system's Python in `/usr/bin`, no shell, user 65532.
pub fn distroless() -> Base {
    Base::newest("distroless")
}

/// Returns the base like `public.ecr.aws/lambda/python:3.X`, with AWS's runtime client and emulator.
pub fn lambda() -> Base {
    Base::newest("lambda")
}

/// Returns an index of [`slim`], of an image for the other architecture that cannot run, and of an attestation.
pub fn multi() -> Base {
    Base::newest("multi")
}

/// Returns a base like `python:3.X-alpine`, which scripts/make-musl-bases builds: `older` with musl 1.2.3, or `newer` with musl
/// 1.2.5 and `libz.so.1`.
pub fn musl(name: &str) -> Base {
    let layout = repository().join("target/test-tools/musl").join(name);
    assert!(layout.exists(), "{} is missing: run scripts/setup-tests", layout.display());
    Base { layout, python: "3.11".to_owned() }
}

/// Returns the base of Debian's next release, which scripts/make-newer-pythons makes: 3.14 and 3.15 in `/usr/bin`. One of them is used.
pub fn newer(python: &str) -> Base {
    let layout = repository().join("target/test-tools/newer/layout");
    assert!(layout.exists(), "{} is missing: run scripts/setup-tests", layout.display());
    Base { layout, python: python.to_owned() }
}

/// Returns the platform of the bases: that of this machine.
pub fn platform() -> &'static str {
    if cfg!(target_arch = "aarch64") { "linux/arm64" } else { "linux/amd64" }
}

/// Returns the other platform in [`multi`].
pub fn other_platform() -> &'static str {
    if cfg!(target_arch = "aarch64") { "linux/amd64" } else { "linux/arm64" }
}
