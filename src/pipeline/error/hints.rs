//! Hints about failed builds.

use super::BuildError;
use crate::builder;
use crate::hints::{self, Hints};
use crate::lock::LockFormat;
use crate::project::script;
use crate::temporary::MORE_SPACE_HINT;
use crate::tree::{Collision, FileOrigin, InsertError};

impl Hints for BuildError {
    fn hints(&self) -> Vec<String> {
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
            Self::IncompatiblePython(error) => error.hints(),
            Self::Index(error) => error.hints(),
            Self::IndexLocation(_) | Self::IndexStrategy(_) | Self::KeyringProvider(_) | Self::Cutoff(_) => Vec::new(),
            Self::Fetch(error) => error.hints(),
            Self::Wheel(error) => error.hints(),
            Self::Builder(error) => error.hints(),
            Self::Bytecode { source, .. } => source.hints(),
            Self::Source { .. } => hint("run pybundle again while nothing else writes to the project or the cache"),
            Self::NoInterpreter(version) => {
                vec![format!(
                    "install it, for example with `uv python install {version}`; pybundle does not download interpreters"
                )]
            }
            Self::Application(error) => error.hints(),
            Self::ChooseMember { members, .. } => {
                let flags: Vec<String> = members.iter().map(|member| format!("--package {member}")).collect();
                vec![format!("choose a member: {}", flags.join(", "))]
            }
            Self::Handler(error) => error.hints(),
            Self::Audit(error) => error.hints(),
            Self::Data(error) => error.hints(),
            Self::OverBudget(error) => error.hints(),
            Self::PrepareNotAllowed => {
                hint("omit --no-build, or remove `prepare` from pyproject.toml and run its commands first")
            }
            Self::StartPrepare { .. } => {
                hint("install the command, or name it by its path from the project's directory")
            }
            Self::Prepare { .. } => hint("run the command in the project's directory to see everything that it prints"),
            Self::Oversize(error) => error.hints(),
            Self::Layer(error) => error.hints(),
            Self::Service(error) => error.hints(),
            Self::Archive(error) => error.hints(),
            Self::SystemLayer(error) => error.hints(),
            Self::AptLock(error) => error.hints(),
            Self::SystemPackages(error) => error.hints(),
            Self::DebianArchitecture(_) => Vec::new(),
            Self::Base(error) => error.hints(),
            Self::User(error) => error.hints(),
            Self::MisstatingRecord { .. } => {
                hint("delete it, and find out who wrote it: do not trust artifacts that were built from it")
            }
            Self::LargeBase(_) => {
                hint("choose a smaller base image, or omit --add-user and includes with an absolute destination")
            }
            Self::UnknownMusl(_) => hint("choose another base with --base"),
            Self::ReplacedDirectory { .. } => {
                hint("end the destination with a slash to put the file into the directory")
            }
            Self::Python(error) => error.hints(),
            Self::Image(error) => error.hints(),
            Self::Environment(error) => error.hints(),
            Self::EnvReference(error) => error.hints(),
            Self::File(error) => error.hints(),
            Self::Registry(error) => error.hints(),
            Self::Engine(error) => error.hints(),
            Self::LoadZstd(_) => hint("omit --compression: Docker before version 23 does not decompress zstd"),
            Self::BaseChoice(error) => error.hints(),
            Self::Reference(error) => error.hints(),
            Self::InvalidHandler(_) => Vec::new(),
            Self::UnknownHandler(error) => error.hints(),
            Self::Contents(error) => error.hints(),
            Self::NoArtifact(_) => hint("to name an image, give its tag, digest or registry: HOST/REPOSITORY:TAG"),
            Self::NoImage(_) | Self::NoPlatforms(_) => Vec::new(),
            Self::Blob(_) => hint("run pybundle again while nothing else writes to the project"),
            Self::NoBase(_) => hint("choose another base image with --base, or another version with --python"),
            Self::OfflineBase(_) => hint("run once without --offline, or use a local base image: --base oci:DIR"),
            Self::NoHandler(_) => hint("pass the handler as --cmd MODULE.FUNCTION"),
            Self::OnePlatform(_) => hint("build each platform separately, with its own --tag"),
            Self::Compression { .. } => hint("omit --compression: every target supports gzip"),
            Self::DockerArchive(_) => hint(
                "pass a single --platform without --compression, or write an OCI archive with --output oci-archive:FILE",
            ),
            Self::ImageTooLarge { .. } => hint("pass --allow-oversize to build it anyway"),
            Self::NothingToPin => hint("set it in pyproject.toml, under [tool.pybundle]: base = \"python:3.13-slim\""),
            Self::CannotPin(_) => hint("name the image by its tag, for example python:3.13-slim"),
            Self::Write { .. } | Self::Packages(_) => Vec::new(),
            Self::Temporary(_) | Self::TemporaryFile { .. } | Self::TemporaryCopy(_) => hint(MORE_SPACE_HINT),
            Self::Tree(InsertError::Content(collision)) => shared_path(collision, true),
            Self::Tree(InsertError::Kind(collision)) => shared_path(collision, false),
            Self::Tree(InsertError::Access(_)) => hint("include the file once, or give it another destination"),
            Self::Tree(InsertError::Read(..) | InsertError::Obtain(_)) | Self::Read { .. } => Vec::new(),
            Self::WheelName { .. } | Self::Exclude(_) | Self::Path(_) => Vec::new(),
            Self::Incomplete { lock, command, .. } => {
                let pin = match lock {
                    Some(lock) if LockFormat::of(lock) == Some(LockFormat::Pipfile) => {
                        "run `pipenv requirements --hash > requirements.txt`, and pass --lock requirements.txt --resolve: \
                         pipenv locks only what its own platform needs"
                            .to_owned()
                    }
                    Some(lock) => format!(
                        "pin everything with `uv pip compile --universal --generate-hashes {} -o FILE` and pass FILE \
                         with --lock, or let uv resolve it for this target with --resolve",
                        lock.display()
                    ),
                    None => format!(
                        "lock the project's requirements with `{}`, or let uv resolve them for this target with --resolve",
                        command.as_deref().unwrap_or("uv lock")
                    ),
                };
                vec![pin, "pass --no-deps to install the requirements as they are".to_owned()]
            }
            Self::Unresolvable { path, .. } if path.parent().is_some_and(builder::has_only_setup_cfg) => {
                vec![builder::add_setup_py()]
            }
            Self::NothingToResolve { script: Some(script) } => {
                vec![format!("pass {} as the project", hints::quoted_path(script))]
            }
            Self::NothingToResolve { script: None } | Self::RunUv(_) | Self::Unresolvable { .. } => Vec::new(),
            Self::NoUv => hint("install uv: https://docs.astral.sh/uv/getting-started/installation/"),
            Self::Nameless(_) => {
                hint("declare it: `name` under [project] in pyproject.toml, or under [metadata] in setup.cfg")
            }
            Self::NoLock { command: Some(command), .. } => vec![format!(
                "create one with `{command}`, or pass another with --lock: a uv.lock, pylock.toml, poetry.lock, pdm.lock, Pipfile.lock or requirements.txt"
            )],
            Self::NoLock { command: None, .. } => hint(
                "omit --lock (or its key in [tool.pybundle]) to use the project's own, or pass the path of a uv.lock, pylock.toml, poetry.lock, pdm.lock, Pipfile.lock or requirements.txt",
            ),
            Self::NoLockOfConda { source_file, command, .. } => vec![format!(
                "list the distributions from PyPI that {source_file} names in requirements.in, and lock them with `{command}`: \
                 conda packages cannot be bundled"
            )],
            Self::LockOutdated { script, .. } => {
                let command = script.as_deref().map_or_else(|| "uv lock".to_owned(), script::lock_command);
                vec![format!("run `{command}`, or pass --frozen to use the lock file without checking it")]
            }
            Self::UnknownLock(_) => hint(
                "pass a uv.lock, pylock.toml, poetry.lock, pdm.lock, Pipfile.lock or requirements file whose name ends with .txt",
            ),
            Self::NoArchitecture { .. } => hint("run `pybundle profile list` to see the available profiles"),
            Self::BuiltAnother { .. } => hint("lock again: the source has changed since it was locked"),
            Self::SameOutput { .. } => hint("give each output its own path"),
            Self::NestedOutput { outer, .. } => hint(&format!("choose a path outside of {}", outer.display())),
            Self::EmptyLayer { .. } => hint("omit --layer, and remove the layer from the function's configuration"),
            Self::OutputIsInput { .. } | Self::OutputName(_) => hint("choose another path for it"),
            Self::DocumentsBeside(_) => hint("write to a file, or omit --sbom and --provenance"),
            Self::Empty => hint("include the application's files with --include, or select a group with --group"),
        }
    }
}

/// Returns what to do about two origins with one path, where two distributions have it and where the application does.
fn shared_path(collision: &Collision, may_prefer: bool) -> Vec<String> {
    match (&collision.first, &collision.second) {
        (FileOrigin::Distribution(first), FileOrigin::Distribution(second)) => {
            let prefer = may_prefer
                .then(|| format!("use the files of one with `--prefer {}` or `--prefer {}`", first.name, second.name));
            let omit = format!(
                "omit one with `--no-install-package {}` or `--no-install-package {}`, if nothing needs it",
                first.name, second.name
            );
            prefer.into_iter().chain([omit]).collect()
        }
        (FileOrigin::Distribution(distribution), _) | (_, FileOrigin::Distribution(distribution)) => {
            vec![format!(
                "rename the file of the application, exclude it with `--exclude /{}`, or omit the distribution with \
                 `--no-install-package {}`",
                collision.path, distribution.name
            )]
        }
        _ => hint("include the file once, or give it another destination"),
    }
}

fn hint(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}
