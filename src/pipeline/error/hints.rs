//! What the user can do about a failed build.

use super::BuildError;
use crate::hints::Hints;
use crate::tree::InsertError;

impl Hints for BuildError {
    fn hints(&self) -> Vec<String> {
        let hint = |text: &str| vec![text.to_owned()];
        match self {
            Self::Project(error) => error.hints(),
            Self::Changes(error) => error.hints(),
            Self::Lock(error) => error.hints(),
            Self::Profile(error) => error.hints(),
            Self::Runtime(error) => error.hints(),
            Self::Cache(error) => error.hints(),
            Self::Unpack { .. } => Vec::new(),
            Self::Repository(error) => error.hints(),
            Self::IncompatibleWheel(error) => error.hints(),
            Self::Index(error) => error.hints(),
            Self::IndexLocation(_) | Self::IndexStrategy(_) | Self::Cutoff(_) => Vec::new(),
            Self::Fetch(error) => error.hints(),
            Self::Wheel(error) => error.hints(),
            Self::Builder(error) => error.hints(),
            Self::Bytecode { source, .. } => source.hints(),
            Self::Source { .. } => hint("run pybundle again when nothing writes to the project or the cache"),
            Self::NoInterpreter(version) => {
                vec![format!("`uv python install {version}` gets one; pybundle downloads none by itself")]
            }
            Self::Application(error) => error.hints(),
            Self::Handler(error) => error.hints(),
            Self::Audit(error) => error.hints(),
            Self::Oversize(error) => error.hints(),
            Self::Archive(error) => error.hints(),
            Self::Base(error) => error.hints(),
            Self::User(error) => error.hints(),
            Self::LargeBase(_) => {
                hint("choose a smaller base, or leave out --add-user and includes with an absolute place")
            }
            Self::FolderThere { .. } => hint("end the place with a slash to put the file into the folder"),
            Self::Python(error) => error.hints(),
            Self::Image(error) => error.hints(),
            Self::Environment(error) => error.hints(),
            Self::File(error) => error.hints(),
            Self::Registry(error) => error.hints(),
            Self::BaseChoice(_) | Self::Reference(_) | Self::InvalidHandler(_) => Vec::new(),
            Self::Contents(error) => error.hints(),
            Self::NoArtifact(_) => hint("a name of an image has a tag, a digest or a registry: HOST/REPOSITORY:TAG"),
            Self::NoImage(_) | Self::NoPlatforms(_) => Vec::new(),
            Self::Blob(_) => hint("run pybundle again when nothing writes to the project"),
            Self::NoBase(_) => hint("name another base with --base, or another version with --python"),
            Self::OfflineBase(_) => hint("run once without --offline, or name a base on this machine: --base oci:DIR"),
            Self::NoHandler(_) => hint("name the handler with --cmd MODULE.FUNCTION"),
            Self::OnePlatform(_) => hint("build each platform by itself, under a tag of its own"),
            Self::Compression { .. } => hint("leave --compression out: gzip is read everywhere"),
            Self::DockerArchive(_) => {
                hint("name one --platform, or write an OCI archive with --output oci-archive:FILE")
            }
            Self::ImageTooLarge { .. } => hint("--allow-oversize builds it all the same"),
            Self::NothingToPin => hint("name it in pyproject.toml, under [tool.pybundle]: base = \"python:3.13-slim\""),
            Self::CannotPin(_) => hint("name one image by its tag, for instance python:3.13-slim"),
            Self::Write { .. } => Vec::new(),
            Self::Temporary(_) => hint("make room, or name another folder with TMPDIR"),
            Self::Tree(InsertError::Content(_) | InsertError::Kind(_)) => {
                hint("leave one of the two out with --no-install-package, or lock versions that agree")
            }
            Self::Tree(InsertError::Access(_)) => hint("name the file once with --include, or give it another place"),
            Self::Tree(InsertError::Read(..)) | Self::Read { .. } => Vec::new(),
            Self::WheelName { .. } | Self::Exclude(_) | Self::Path(_) => Vec::new(),
            Self::Incomplete { lock, .. } => {
                let pin = match lock {
                    Some(lock) => format!(
                        "pin everything with `uv pip compile --universal --generate-hashes {} -o FILE` and name FILE \
                         with --lock, or have uv pin it for this target with --resolve",
                        lock.display()
                    ),
                    None => "lock what the project requires, for instance with `uv lock`".to_owned(),
                };
                vec![pin, "--no-deps takes the requirements as they are".to_owned()]
            }
            Self::NothingToResolve | Self::RunUv(_) | Self::Unresolvable { .. } => Vec::new(),
            Self::NoUv => hint("install uv: https://docs.astral.sh/uv/getting-started/installation/"),
            Self::Nameless(_) => {
                hint("declare it: `name` under [project] in pyproject.toml, or under [metadata] in setup.cfg")
            }
            Self::NoLock(_) => hint(
                "`uv lock` makes one; --lock names another, also a pylock.toml, a poetry.lock or a requirements.txt",
            ),
            Self::LockOutdated(_) => hint("run `uv lock`, or take the lock as it is with --frozen"),
            Self::UnknownLock(_) => {
                hint("name a uv.lock, a pylock.toml, a poetry.lock or a requirements file, which ends in .txt")
            }
            Self::NoArchitecture { .. } => hint("`pybundle profile list` shows what there is"),
            Self::BuiltAnother { .. } => hint("lock again: the source changed after it was locked"),
            Self::SameOutput(_) => hint("give each output a name of its own"),
            Self::Empty => hint("name the application's files with --include, or a group with --group"),
        }
    }
}
