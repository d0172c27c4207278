//! The user of a container: whether it exists, and what it may read.

use crate::audit::command::StartProblem;
use crate::image::users;
use crate::pipeline::BuildError;
use crate::pipeline::image::base_files::BaseFiles;
use crate::pipeline::image::container_files::ContainerFiles;
use crate::settings::ContainerSettings;
use crate::tree::FileAccess;

/// The permission to read a file, in the lowest three bits of a mode.
const READ: u32 = 0o4;

/// The permission to execute a file or to enter a directory.
const EXECUTE: u32 = 0o1;

/// The user that a container's processes run as.
#[derive(Debug)]
pub(super) struct ContainerUser {
    /// As it was named.
    pub name: String,
    uid: u32,
    gid: u32,
    /// Whether it may be a member of further groups: container engines look up those of a name.
    has_further_groups: bool,
}

/// The result of looking a user up.
pub(super) enum UserLookup {
    Found(ContainerUser),
    /// The base's users are not known.
    Unknown,
    Missing(StartProblem),
}

impl ContainerUser {
    /// Looks up `USER[:GROUP]`, both names or numbers.
    ///
    /// # Errors
    /// The base cannot be read.
    pub(super) fn find(
        text: &str,
        settings: &ContainerSettings,
        base_files: &BaseFiles,
    ) -> Result<UserLookup, BuildError> {
        let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
        let number = user.parse::<u32>().ok();
        let added = settings.users.iter().find(|added| added.name == user || Some(added.uid) == number);
        let (uid, own_gid) = match (number, added) {
            (_, Some(added)) => (added.uid, added.gid),
            (Some(uid), None) => (uid, 0),
            (None, None) if matches!(user, "" | "root") => (0, 0),
            (None, None) => {
                let Some(files) = base_files.if_available()? else { return Ok(UserLookup::Unknown) };
                match users::ids(files, user) {
                    Some(ids) => ids,
                    None if users::is_user(files, user) => return Ok(UserLookup::Unknown),
                    None => return Ok(UserLookup::Missing(StartProblem::UnknownUser { user: user.to_owned() })),
                }
            }
        };
        let gid = match group.map(|group| group.parse::<u32>().map_err(|_| group)) {
            None => own_gid,
            Some(Ok(gid)) => gid,
            Some(Err("root")) => 0,
            Some(Err(group)) => {
                let Some(files) = base_files.if_available()? else { return Ok(UserLookup::Unknown) };
                let is_added = settings.users.iter().any(|added| added.name == group);
                match users::group_id(files, group) {
                    Some(gid) => gid,
                    None if is_added => own_gid,
                    None => return Ok(UserLookup::Missing(StartProblem::UnknownGroup { group: group.to_owned() })),
                }
            }
        };
        Ok(UserLookup::Found(Self { name: text.to_owned(), uid, gid, has_further_groups: number.is_none() }))
    }

    /// Returns what the user may not do with a file of the image, by its path relative to the root: the file or a directory
    /// above it, and the verb.
    pub(super) fn forbidden(
        &self,
        files: &ContainerFiles,
        path: &str,
        access: FileAccess,
    ) -> Option<(String, &'static str)> {
        let mut above = path.match_indices('/').map(|(end, _)| &path[..end]);
        if let Some(directory) = above.find(|directory| !self.may(files.directory_access(directory), EXECUTE)) {
            return Some((format!("/{directory}"), "enter"));
        }
        (!self.may(access, READ)).then(|| (format!("/{path}"), "read"))
    }

    /// Returns whether the user may execute a file with this access.
    pub(super) fn may_execute(&self, access: FileAccess) -> bool {
        self.may(access, EXECUTE)
    }

    /// Returns whether access grants a permission (path_resolution(7), permissions).
    fn may(&self, access: FileAccess, permission: u32) -> bool {
        let FileAccess { mode, owner } = access;
        let bits = mode.permissions();
        let of_group = (bits >> 3) & permission != 0;
        if self.uid == 0 {
            true
        } else if self.uid == owner.uid {
            (bits >> 6) & permission != 0
        } else if self.gid == owner.gid {
            of_group
        } else {
            bits & permission != 0 || (self.has_further_groups && of_group)
        }
    }
}
