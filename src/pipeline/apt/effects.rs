//! Writes into an image what maintainer scripts would do.

use std::collections::{BTreeMap, BTreeSet};

use crate::apt::effects::{Effect, effects_of, registry};
use crate::debian::alternatives::{AlternativeChoice, AlternativeGroup};
use crate::pipeline::apt::SystemLayerError;
use crate::pipeline::apt::layers::FetchedPackage;
use crate::pipeline::apt::packed::{PackedKind, PackedPackage};
use crate::pipeline::apt::system_state::SystemState;
use crate::pipeline::apt::{accounts, capabilities, certificates};
use crate::tree::{FileAccess, FileContent, FileMode};

const ALTERNATIVES: &str = "var/lib/dpkg/alternatives";

/// The effects of each package, or `None` for those that are not configured.
pub(super) type PackageEffects = Vec<Option<Vec<Effect>>>;

/// Returns what the scripts of each package would do.
///
/// # Errors
/// What a script does is not known, and the user has not allowed to leave the package unconfigured.
pub(super) fn of_packages(
    packages: &[FetchedPackage],
    packed: &[PackedPackage],
    allow_unconfigured: &BTreeSet<String>,
) -> Result<PackageEffects, SystemLayerError> {
    let mut unknown: Vec<(String, String)> = Vec::new();
    let mut effects = Vec::with_capacity(packages.len());
    for (package, packed) in packages.iter().zip(packed) {
        let identity = (package.name.as_str(), package.version.as_str(), package.architecture.as_str());
        match effects_of(identity, |name| packed.control_files.get(name), || sysusers(packed)) {
            Ok(found) => effects.push(Some(found)),
            Err(lines) => {
                if !allow_unconfigured.contains(&package.name) {
                    unknown.push((package.name.clone(), lines.into_iter().next().unwrap_or_default()));
                }
                effects.push(None);
            }
        }
    }
    if unknown.is_empty() { Ok(effects) } else { Err(SystemLayerError::Unknown { packages: unknown }) }
}

/// Writes the effects of packages in their order.
///
/// # Errors
/// A file cannot be read, or an owner does not exist.
pub(super) fn apply(state: &mut SystemState, effects: &PackageEffects) -> Result<(), SystemLayerError> {
    let mut groups = BTreeMap::new();
    let (mut has_certificates, mut has_java, mut registries) = (false, false, Vec::new());
    for effect in effects.iter().flatten().flatten() {
        match effect {
            Effect::Alternative(choice) => add_choice(state, choice, &mut groups)?,
            Effect::Capability { path, capabilities } => {
                let value = capabilities::encoded(capabilities);
                let value = value.ok_or_else(|| SystemLayerError::Capability { text: capabilities.clone() })?;
                let path = state.resolve(path);
                state.capabilities.insert(path, value);
            }
            Effect::Append { path, text } => {
                let mut whole = state.text(path)?.unwrap_or_default();
                if !whole.contains(text.as_str()) {
                    whole.push_str(text);
                    let access = state.access(path, FileAccess::FILE);
                    state.write(path, access, whole.into_bytes());
                }
            }
            Effect::Certificates => has_certificates = true,
            Effect::Copy { from, to } => {
                if !state.exists(to)
                    && let Some((access, content)) = state.content(from)
                {
                    make_parent(state, to);
                    state.write_content(to, access, content);
                }
            }
            Effect::Directory { path, mode, owner } => {
                let owner = accounts::owner(state, owner)?;
                state.directory(path, FileAccess { mode: FileMode::from(*mode), owner });
            }
            Effect::Group(name) => {
                accounts::add_group(state, name)?;
            }
            Effect::JavaKeystore => has_java = true,
            Effect::Link { path, target } => {
                if !state.exists(path) {
                    make_parent(state, path);
                    state.link(path, target);
                }
            }
            Effect::Mode { path, mode, owner } => {
                let owner = accounts::owner(state, owner)?;
                state.set_access(path, *mode, owner);
            }
            Effect::Override { path, mode, owner } => {
                add_override(state, path, *mode, owner)?;
                let owner = accounts::owner(state, owner)?;
                state.set_access(path, *mode, owner);
            }
            Effect::Registry { path, name, multiarch } => registries.push((path, name, multiarch)),
            Effect::Sysusers(line) => accounts::add_sysusers(state, line)?,
            Effect::User { name, group, home } => {
                accounts::add_user(state, (name, group, home))?;
            }
            Effect::Write { path, text } => {
                if !state.exists(path) {
                    make_parent(state, path);
                    state.write(path, FileAccess::FILE, text.clone().into_bytes());
                }
            }
        }
    }
    write_groups(state, groups);
    for (path, name, multiarch) in registries {
        if let Some(text) = registry(name, multiarch, |path| state.exists(path)) {
            make_parent(state, path);
            state.write(path, FileAccess::FILE, text.into_bytes());
        }
    }
    if has_certificates {
        certificates::write(state)?;
    }
    if has_java { certificates::write_java_keystore(state) } else { Ok(()) }
}

/// Returns the lines of a package's files in `/usr/lib/sysusers.d`. One that cannot be read has none: the layer reports it.
fn sysusers(packed: &PackedPackage) -> Vec<String> {
    const DIRECTORY: &str = "usr/lib/sysusers.d/";
    const LARGEST: u64 = 1 << 20;
    let files =
        packed.entries.iter().filter(|entry| entry.path.starts_with(DIRECTORY) && entry.path.ends_with(".conf"));
    let texts = files.filter_map(|entry| {
        let PackedKind::File(file) = &entry.kind else { return None };
        let content = FileContent::Archived { archive: packed.pack.clone(), extent: file.extent.clone() };
        content.read(LARGEST).ok()
    });
    let texts: Vec<String> = texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn make_parent(state: &mut SystemState, path: &str) {
    if let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
        state.directory(parent, FileAccess::DIRECTORY);
    }
}

/// Adds a choice to its group, which the base may have. A choice whose file does not exist is skipped, as
/// update-alternatives fails for it.
fn add_choice(
    state: &SystemState,
    choice: &AlternativeChoice,
    groups: &mut BTreeMap<String, AlternativeGroup>,
) -> Result<(), SystemLayerError> {
    if !state.leads_somewhere(&choice.path) {
        return Ok(());
    }
    if !groups.contains_key(&choice.name) {
        let text = state.text(&format!("{ALTERNATIVES}/{}", choice.name))?;
        let group = text.and_then(|text| AlternativeGroup::parse(&text)).unwrap_or_default();
        groups.insert(choice.name.clone(), group);
    }
    if let Some(group) = groups.get_mut(&choice.name) {
        group.add(choice);
    }
    Ok(())
}

/// Writes dpkg's database of the groups, and the links to the best choices. A link that follows is skipped if its file does
/// not exist, for instance because manuals are omitted.
fn write_groups(state: &mut SystemState, groups: BTreeMap<String, AlternativeGroup>) {
    for (name, group) in groups {
        state.write(&format!("{ALTERNATIVES}/{name}"), FileAccess::FILE, group.text().into_bytes());
        let Some((best, followed)) = group.best().filter(|_| !group.is_manual) else { continue };
        set_alternative(state, &name, &group.link, best);
        for (slave, path) in followed {
            if let Some(link) = group.slaves.get(slave).filter(|_| state.leads_somewhere(path)) {
                set_alternative(state, slave, link, path);
            }
        }
    }
}

fn set_alternative(state: &mut SystemState, name: &str, link: &str, path: &str) {
    let chosen = format!("/etc/alternatives/{name}");
    state.directory("/etc/alternatives", FileAccess::DIRECTORY);
    state.link(&chosen, path);
    make_parent(state, link);
    state.link(link, &chosen);
}

/// Adds a line to dpkg's overrides of permissions.
fn add_override(state: &mut SystemState, path: &str, mode: u32, owner: &str) -> Result<(), SystemLayerError> {
    const OVERRIDES: &str = "var/lib/dpkg/statoverride";
    let mut text = state.text(OVERRIDES)?.unwrap_or_default();
    let (user, group) = owner.split_once(':').unwrap_or((owner, owner));
    if !text.lines().any(|line| line.ends_with(&format!(" {path}"))) {
        text.push_str(&format!("{user} {group} {mode:o} {path}\n"));
        let access = state.access(OVERRIDES, FileAccess::FILE);
        state.write(OVERRIDES, access, text.into_bytes());
    }
    Ok(())
}
