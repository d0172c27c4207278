//! Writing the digest of a base to where the base is configured.

use std::path::{Path, PathBuf};

use toml_edit::DocumentMut;

use super::BuildError;
use super::base::Bases;
use super::image::{configured_base, profile};
use super::plan::{self, LockedProject};
use super::workplace::{Workplace, registry};
use crate::report::{FORMAT_VERSION, PinReport, Reporter};
use crate::settings::{BaseChoice, ImageSettings, ProfileChoice};
use crate::target::PYTHON_PLACEHOLDER;

/// Looks the base up, and writes it with its digest to `[tool.pybundle]` in pyproject.toml, or to the profile's file if
/// that is where it is named. A digest that is there already is brought up to date by the tag beside it.
///
/// # Errors
/// The base is named in neither file, is no reference, or cannot be found; or the file cannot be written.
pub fn pin(settings: &ImageSettings, reporter: &dyn Reporter) -> Result<PinReport, BuildError> {
    let common = &settings.common;
    let project = LockedProject::open(common, reporter)?;
    let member = project.member(common);
    let (file, keys, name): (PathBuf, &[&str], String) = match (configured_base(member), &common.profile) {
        (Some(base), _) => {
            (project.workspace.folder(member).join("pyproject.toml"), &["tool", "pybundle", "base"], base.to_owned())
        }
        (None, ProfileChoice::File(file)) => (file.clone(), &["base"], profile(common)?.base().to_owned()),
        (None, ProfileChoice::Default | ProfileChoice::BuiltIn(_)) => return Err(BuildError::NothingToPin),
    };
    // A digest is one version's.
    if name.contains(PYTHON_PLACEHOLDER) {
        return Err(BuildError::CannotPin(name));
    }
    let tagged = tagged(&name)?;
    let workplace = Workplace::open(&common.cache)?;
    let registry = registry(&settings.registry, &common.environment)?;
    let bases = Bases { registry: &registry, offline: common.fetch.offline, cache: &workplace.cache, reporter };
    let found = bases.find(&BaseChoice::Registry(tagged.parse()?))?;
    let digest = found.digest.ok_or_else(|| BuildError::CannotPin(name.clone()))?;
    let pinned = format!("{tagged}@{}", digest);
    write(&file, keys, &pinned)?;
    Ok(PinReport { format: FORMAT_VERSION, name, pinned, file })
}

/// Returns a base as it is named, with its tag and without a digest. The tag is written out where none is given: a digest
/// alone names one image for ever, and there is nothing that it could be brought up to date by.
///
/// # Errors
/// The name is no reference, or has a digest and no tag.
fn tagged(name: &str) -> Result<String, BuildError> {
    let cannot = || BuildError::CannotPin(name.to_owned());
    let BaseChoice::Registry(reference) = name.parse()? else { return Err(cannot()) };
    let tag = format!(":{}", reference.tag().ok_or_else(cannot)?);
    let written = name.split('@').next().unwrap_or(name);
    Ok(if written.ends_with(&tag) { written.to_owned() } else { format!("{written}{tag}") })
}

/// Replaces one value of a TOML file, and leaves everything else as it is, comments too.
fn write(path: &Path, keys: &[&str], value: &str) -> Result<(), BuildError> {
    let failed = |source| BuildError::Write { path: path.to_owned(), source };
    let parsed = plan::read(path)?.parse();
    let mut document: DocumentMut = parsed.map_err(|error| failed(std::io::Error::other(error)))?;
    let mut item = document.as_item_mut();
    for key in keys {
        item = &mut item[key];
    }
    let decor = item.as_value().map(|value| value.decor().clone());
    let mut new = toml_edit::Value::from(value);
    if let Some(decor) = decor {
        *new.decor_mut() = decor;
    }
    *item = toml_edit::Item::Value(new);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let permissions = std::fs::metadata(path).map_err(failed)?.permissions();
    std::io::Write::write_all(&mut temporary, document.to_string().as_bytes()).map_err(failed)?;
    temporary.as_file().set_permissions(permissions).map_err(failed)?;
    temporary.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
