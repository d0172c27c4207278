//! Pins base images: writes the digest to where the base is configured.

use std::io;
use std::path::Path;

use toml_edit::DocumentMut;

use crate::pipeline::image::base::Bases;
use crate::pipeline::image::chosen::profile;
use crate::pipeline::session::{Session, registry};
use crate::pipeline::{BuildError, plan};
use crate::platform::PYTHON_PLACEHOLDER;
use crate::report::{FORMAT_VERSION, PinReport, Reporter};
use crate::settings::{BaseChoice, ConfiguredAt, ImageSettings, ProfileChoice};
use crate::temporary::TemporaryFile;

/// Looks up the base and writes it with its digest into pyproject.toml or into the profile's file, wherever it is
/// configured. An existing digest is updated by the tag beside it.
///
/// # Errors
/// The base is configured in neither file, is not a reference, or cannot be found; or the file cannot be written.
pub(crate) fn pin(
    settings: &ImageSettings,
    configured: Option<&ConfiguredAt>,
    reporter: &dyn Reporter,
) -> Result<PinReport, BuildError> {
    let common = &settings.common;
    let (configured, name) = match (configured, &common.profile) {
        (Some(at), _) => (at.clone(), value(at)?.ok_or(BuildError::NothingToPin)?),
        (None, ProfileChoice::File(file)) => {
            let at = ConfiguredAt { file: file.clone(), keys: vec!["base".to_owned()] };
            let base = profile(common)?.base().map(str::to_owned);
            (at, base.ok_or_else(|| BuildError::CannotPin(file.display().to_string()))?)
        }
        (None, ProfileChoice::Default | ProfileChoice::BuiltIn(_)) => return Err(BuildError::NothingToPin),
    };
    // A digest belongs to one version of Python.
    if name.contains(PYTHON_PLACEHOLDER) {
        return Err(BuildError::CannotPin(name));
    }
    let tagged = tagged(&name)?;
    let session = Session::open(&common.cache)?;
    let registry = registry(&settings.registry, &common.environment.registry_credentials, reporter)?;
    let bases = Bases { registry: &registry, offline: common.fetch.offline, cache: &session.cache, reporter };
    let found = bases.find(&BaseChoice::Registry(tagged.parse()?))?;
    let digest = found.digest.ok_or_else(|| BuildError::CannotPin(name.clone()))?;
    let pinned = format!("{tagged}@{}", digest);
    write(&configured, &pinned)?;
    Ok(PinReport { format: FORMAT_VERSION, name, pinned, file: configured.file })
}

fn value(at: &ConfiguredAt) -> Result<Option<String>, BuildError> {
    let document = document(&at.file)?;
    let item = at.keys.iter().try_fold(document.as_item(), |item, key| item.get(key));
    Ok(item.and_then(toml_edit::Item::as_str).map(str::to_owned))
}

fn document(path: &Path) -> Result<DocumentMut, BuildError> {
    plan::read(path)?.parse().map_err(|error: toml_edit::TomlError| BuildError::reading(path)(io::Error::other(error)))
}

/// Returns a base with its tag and without a digest. A missing tag becomes `latest`: with a digest alone, the base
/// could never be updated.
///
/// # Errors
/// The base is not a reference, or has a digest and no tag.
fn tagged(name: &str) -> Result<String, BuildError> {
    let BaseChoice::Registry(reference) = name.parse()? else { return Err(BuildError::CannotPin(name.to_owned())) };
    let tag = reference.tag().ok_or_else(|| BuildError::CannotPin(name.to_owned()))?;
    let tag = format!(":{tag}");
    let written = name.split('@').next().unwrap_or(name);
    Ok(if written.ends_with(&tag) { written.to_owned() } else { format!("{written}{tag}") })
}

/// Replaces one value of a TOML file and keeps everything else, including comments.
fn write(at: &ConfiguredAt, value: &str) -> Result<(), BuildError> {
    let path = &at.file;
    let failed = BuildError::writing(path);
    let mut document = document(path)?;
    let mut item = document.as_item_mut();
    for key in &at.keys {
        item = &mut item[key];
    }
    let decor = item.as_value().map(|value| value.decor().clone());
    let mut new = toml_edit::Value::from(value);
    if let Some(decor) = decor {
        *new.decor_mut() = decor;
    }
    *item = toml_edit::Item::Value(new);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut temporary = TemporaryFile::new_in(directory).map_err(&failed)?;
    let permissions = std::fs::metadata(path).map_err(&failed)?.permissions();
    io::Write::write_all(&mut temporary, document.to_string().as_bytes()).map_err(&failed)?;
    temporary.as_file().set_permissions(permissions).map_err(&failed)?;
    temporary.persist(path).map_err(failed)?;
    Ok(())
}
