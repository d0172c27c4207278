//! System users and groups of packages, as adduser adds them.
//!
//! Specification: [adduser(8)](https://manpages.debian.org/adduser.8), [adduser.conf(5)](https://manpages.debian.org/adduser.conf.5).

use crate::pipeline::apt::SystemLayerError;
use crate::pipeline::apt::system_state::SystemState;
use crate::tree::{FileAccess, FileMode, FileOwner};

/// The ids of system users and groups (`FIRST_SYSTEM_UID` and `LAST_SYSTEM_UID`).
const SYSTEM_IDS: std::ops::RangeInclusive<u32> = 100..=999;

/// The group that may read passwords (base-passwd).
const SHADOW: u32 = 42;

/// Adds a group unless it exists.
///
/// # Errors
/// The file of groups cannot be read, or no id is free.
pub(super) fn add_group(state: &mut SystemState, name: &str) -> Result<u32, SystemLayerError> {
    if let Some(id) = id(state, "etc/group", name)? {
        return Ok(id);
    }
    let id = free(state, "etc/group", name)?;
    append(state, "etc/group", &format!("{name}:x:{id}:"), FileAccess::FILE)?;
    append(state, "etc/gshadow", &format!("{name}:!::"), secret())?;
    Ok(id)
}

/// Adds a user without a shell unless it exists.
///
/// # Errors
/// The user database cannot be read, or no id is free.
pub(super) fn add_user(
    state: &mut SystemState,
    (name, group, home): (&str, &str, &str),
) -> Result<(), SystemLayerError> {
    if id(state, "etc/passwd", name)?.is_some() {
        return Ok(());
    }
    let uid = free(state, "etc/passwd", name)?;
    let gid = add_group(state, group)?;
    append(state, "etc/passwd", &format!("{name}:x:{uid}:{gid}::{home}:/usr/sbin/nologin"), FileAccess::FILE)?;
    // `!` matches no password. The day of the last change is empty: it would differ from day to day.
    append(state, "etc/shadow", &format!("{name}:!:::::::"), secret())
}

/// Adds the users and groups of a line of sysusers.d(5), as systemd-sysusers does: with the highest free id that is neither a
/// user's nor a group's. Lines of other types have no effect.
///
/// # Errors
/// The user database cannot be read, or no id is free.
pub(super) fn add_sysusers(state: &mut SystemState, line: &str) -> Result<(), SystemLayerError> {
    let fields = shlex::split(line).unwrap_or_default();
    let field = |at: usize| fields.get(at).map(String::as_str).filter(|field| *field != "-");
    let (Some(kind), Some(name)) = (field(0), field(1)) else { return Ok(()) };
    let (uid, gid) = field(2).map_or((None, None), |ids| match ids.split_once(':') {
        Some((uid, gid)) => (uid.parse().ok(), Some(gid)),
        None => (ids.parse().ok(), None),
    });
    match kind.trim_end_matches('!') {
        "g" if id(state, "etc/group", name)?.is_none() => {
            let gid = free_to_both(state, name, uid)?;
            append(state, "etc/group", &format!("{name}:x:{gid}:"), FileAccess::FILE)?;
            append(state, "etc/gshadow", &format!("{name}:!*::"), secret())
        }
        "u" if id(state, "etc/passwd", name)?.is_none() => {
            let uid = match id(state, "etc/group", name)? {
                Some(id) if uid.is_none() && gid.is_none() => id,
                _ => free_to_both(state, name, uid)?,
            };
            let gid = match gid {
                Some(group) => group.parse().ok().or(id(state, "etc/group", group)?).unwrap_or(uid),
                None => match id(state, "etc/group", name)? {
                    Some(id) => id,
                    None => {
                        append(state, "etc/group", &format!("{name}:x:{uid}:"), FileAccess::FILE)?;
                        append(state, "etc/gshadow", &format!("{name}:!*::"), secret())?;
                        uid
                    }
                },
            };
            let [comment, home, shell] =
                [field(3).unwrap_or_default(), field(4).unwrap_or("/"), field(5).unwrap_or("/usr/sbin/nologin")];
            append(state, "etc/passwd", &format!("{name}:x:{uid}:{gid}:{comment}:{home}:{shell}"), FileAccess::FILE)?;
            // An exclamation mark expires the account: it is for services alone.
            let expires = if kind.ends_with('!') { "1" } else { "" };
            append(state, "etc/shadow", &[name, "!*", "", "", "", "", "", expires, ""].join(":"), secret())
        }
        _ => Ok(()),
    }
}

/// Returns the id that a line gives, or the highest that is free among users and groups.
fn free_to_both(state: &SystemState, name: &str, given: Option<u32>) -> Result<u32, SystemLayerError> {
    if let Some(id) = given {
        return Ok(id);
    }
    let texts = [state.text("etc/passwd")?.unwrap_or_default(), state.text("etc/group")?.unwrap_or_default()];
    let taken = texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.split(':').nth(2)?.parse().ok());
    let taken: Vec<u32> = taken.collect();
    let free = SYSTEM_IDS.rev().find(|id| !taken.contains(id));
    free.ok_or_else(|| SystemLayerError::NoFreeId { name: name.to_owned() })
}

/// Returns the owner that `USER:GROUP` names.
///
/// # Errors
/// The user or the group does not exist.
pub(super) fn owner(state: &SystemState, text: &str) -> Result<FileOwner, SystemLayerError> {
    let (user, group) = text.split_once(':').unwrap_or((text, text));
    let missing = || SystemLayerError::Owner { owner: text.to_owned() };
    let uid = if user == "root" { 0 } else { id(state, "etc/passwd", user)?.ok_or_else(missing)? };
    let gid = if group == "root" { 0 } else { id(state, "etc/group", group)?.ok_or_else(missing)? };
    Ok(FileOwner { uid, gid })
}

fn secret() -> FileAccess {
    FileAccess { mode: FileMode::from(0o640), owner: FileOwner { uid: 0, gid: SHADOW } }
}

/// Returns the id of a line.
fn id(state: &SystemState, file: &str, name: &str) -> Result<Option<u32>, SystemLayerError> {
    let text = state.text(file)?.unwrap_or_default();
    let mut lines = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let line = lines.find(|fields| fields.first() == Some(&name));
    Ok(line.and_then(|fields| fields.get(2)?.parse().ok()))
}

/// Returns the first free id.
fn free(state: &SystemState, file: &str, name: &str) -> Result<u32, SystemLayerError> {
    let text = state.text(file)?.unwrap_or_default();
    let taken: Vec<u32> = text.lines().filter_map(|line| line.split(':').nth(2)?.parse().ok()).collect();
    let mut ids = SYSTEM_IDS;
    ids.find(|id| !taken.contains(id)).ok_or_else(|| SystemLayerError::NoFreeId { name: name.to_owned() })
}

fn append(state: &mut SystemState, file: &str, line: &str, default: FileAccess) -> Result<(), SystemLayerError> {
    let mut text = state.text(file)?.unwrap_or_default();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
    let access = state.access(file, default);
    state.write(file, access, text.into_bytes());
    Ok(())
}
