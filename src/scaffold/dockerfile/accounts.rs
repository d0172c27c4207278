//! Users and groups that a Dockerfile adds, by the tools of Debian (useradd(8), adduser(8)) and of busybox.

use crate::image::NewUser;

/// Options with a value, of useradd, groupadd, and both kinds of adduser and addgroup.
const VALUED: [&str; 25] = [
    "--base-dir",
    "--comment",
    "--gecos",
    "--gid",
    "--groups",
    "--home",
    "--home-dir",
    "--ingroup",
    "--password",
    "--shell",
    "--skel",
    "--uid",
    "-G",
    "-K",
    "-b",
    "-c",
    "-d",
    "-e",
    "-f",
    "-g",
    "-h",
    "-k",
    "-p",
    "-s",
    "-u",
];

/// The users and groups of a stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Accounts {
    pub(super) users: Vec<NewUser>,
    /// Groups with their IDs, where these are stated.
    groups: Vec<(String, Option<u32>)>,
}

impl Accounts {
    /// Reads a command that adds a user or a group; returns whether it is one, and can be carried over.
    pub(super) fn add(&mut self, words: &[String]) -> bool {
        let Some((program, arguments)) = words.split_first() else { return false };
        let Some(found) = AccountArguments::read(arguments) else { return false };
        match program.rsplit('/').next().unwrap_or_default() {
            "useradd" | "adduser" => self.user(&found),
            "groupadd" | "addgroup" => {
                let id = found.value(&["-g", "--gid"]).map(str::parse);
                let [name] = found.names[..] else { return false };
                if id.as_ref().is_some_and(Result::is_err) {
                    return false;
                }
                self.groups.push((name.to_owned(), id.and_then(Result::ok)));
                true
            }
            _ => false,
        }
    }

    fn user(&mut self, found: &AccountArguments) -> bool {
        let [name] = found.names[..] else { return false };
        let mut text = name.to_owned();
        let uid = found.value(&["-u", "--uid"]);
        text.extend(uid.into_iter().flat_map(|uid| [":", uid]));
        // The group, by its name or its ID; busybox's `-g` is a comment, and its `-G` a group.
        let group = found.value(&["-g", "--gid", "--ingroup", "-G"]);
        let gid = group.and_then(|group| match self.groups.iter().find(|(known, _)| known == group) {
            Some((_, gid)) => *gid,
            None => group.parse().ok(),
        });
        if let (Some(gid), Some(_)) = (gid, uid) {
            text.push_str(&format!(":{gid}"));
        }
        let Ok(user) = text.parse() else { return false };
        self.users.push(user);
        true
    }
}

/// The arguments of a command that adds a user or a group.
struct AccountArguments<'a> {
    options: Vec<(&'a str, &'a str)>,
    names: Vec<&'a str>,
}

impl<'a> AccountArguments<'a> {
    /// Reads the arguments; `None` if a shell decides what they are.
    fn read(arguments: &'a [String]) -> Option<Self> {
        let (mut options, mut names) = (Vec::new(), Vec::new());
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            if argument.contains(['$', '`']) {
                return None;
            }
            match argument.split_once('=') {
                Some((option, value)) if option.starts_with("--") => options.push((option, value)),
                _ if VALUED.contains(&argument) => options.push((argument, arguments.next()?)),
                _ if argument.starts_with('-') => {}
                _ => names.push(argument),
            }
        }
        Some(Self { options, names })
    }

    fn value(&self, names: &[&str]) -> Option<&'a str> {
        self.options.iter().find(|(option, _)| names.contains(option)).map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_added_as_by_the_commands() {
        for (commands, expected) in [
            (&["useradd --create-home app"][..], Some("app:1000:1000")),
            (&["useradd -m -u 10001 -s /bin/bash app"], Some("app:10001:10001")),
            (&["useradd --uid=1234 --no-log-init --shell /usr/sbin/nologin app"], Some("app:1234:1234")),
            (&["adduser --disabled-password --gecos '' app"], Some("app:1000:1000")),
            (&["adduser -D -H -u 2000 app"], Some("app:2000:2000")),
            (&["groupadd -r app", "useradd -r -g app app"], Some("app:1000:1000")),
            (&["groupadd --gid 900 web", "useradd --uid 800 --gid web app"], Some("app:800:900")),
            (
                &["addgroup --system --gid 1001 app", "adduser --system --uid 1001 --ingroup app app"],
                Some("app:1001:1001"),
            ),
            (&["useradd -u $UID app"], None),
            (&["useradd -u 0 app"], None),
            (&["adduser app audio"], None),
            (&["useradd"], None),
            (&["usermod -aG audio app"], None),
        ] {
            let mut accounts = Accounts::default();
            let is_understood = commands.iter().all(|command| accounts.add(&shlex::split(command).unwrap()));
            let users: Vec<String> = accounts.users.iter().map(ToString::to_string).collect();
            assert_eq!(is_understood.then_some(users), expected.map(|user| vec![user.to_owned()]), "{commands:?}");
        }
    }
}
