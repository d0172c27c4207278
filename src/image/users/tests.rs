use std::collections::BTreeMap;

use super::*;

/// Returns a file system with these files of the user database.
fn files(texts: &[(&str, &str)]) -> FileSystem {
    let shadow_access = FileAccess { mode: 0o640.into(), owner: FileOwner { uid: 0, gid: 42 } };
    let mut account_files: BTreeMap<&str, (FileAccess, &[u8])> = BTreeMap::new();
    for (path, text) in texts {
        let access = if *path == "etc/shadow" { shadow_access } else { FileAccess::FILE };
        account_files.insert(path, (access, text.as_bytes()));
    }
    let text = serde_json::json!({
        "directories": ["home", "etc"],
        "special": { "home": FileAccess::root(0o711.into()) },
        "links": {},
        "executables": [],
        "files": [],
        "account_files": account_files,
    });
    serde_json::from_value(text).unwrap()
}

fn users(texts: &[&str]) -> Vec<NewUser> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Returns the files and directories of a layer with their access and content.
fn shown(tree: &LayerTree) -> Vec<String> {
    let files = tree.files.iter().map(|(path, entry)| {
        let text = String::from_utf8(entry.content.read(1 << 20).unwrap()).unwrap();
        format!("{path} {}: {text}", entry.access)
    });
    let directories = tree.files.directories().map(|(path, access)| format!("{path}/ {access}"));
    files.chain(directories).collect()
}

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin";
const GROUP: &str = "root:x:0:\nwww-data:x:33:\nusers:x:100:\n";

#[test]
fn users_are_parsed() {
    for (text, expected) in
        [("app", "app:1000:1000"), ("app:7", "app:7:7"), ("_a-b0:7:100", "_a-b0:7:100"), ("a:1:0", "a:1:0")]
    {
        assert_eq!(text.parse::<NewUser>().unwrap().to_string(), expected);
    }
    let long = "a".repeat(33);
    for wrong in ["", "App", "1a", "-a", "a b", "a/b", "a:", "a:b", "a:-1", "a:1:", "a:1:b", "a:1:2:3", "root:0", &long]
    {
        assert_eq!(wrong.parse::<NewUser>().unwrap_err().text, wrong);
    }
}

#[test]
fn users_are_added_like_by_useradd() {
    let files = files(&[("etc/passwd", PASSWD), ("etc/group", GROUP), ("etc/shadow", "root:*:::::::\n")]);
    let tree = add(&users(&["app", "job:1001:100"]), &files).unwrap();
    assert_eq!(
        shown(&tree),
        [
            format!("etc/group 0644 0:0: {GROUP}app:x:1000:\n"),
            format!(
                "etc/passwd 0644 0:0: {PASSWD}\napp:x:1000:1000::/home/app:/bin/sh\njob:x:1001:100::/home/job:/bin/sh\n"
            ),
            "etc/shadow 0640 0:42: root:*:::::::\napp:!:::::::\njob:!:::::::\n".to_owned(),
            "home/ 0711 0:0".to_owned(),
            "home/app/ 0755 1000:1000".to_owned(),
            "home/job/ 0755 1001:100".to_owned(),
        ]
    );
}

#[test]
fn an_empty_base_gets_new_account_files() {
    let tree = add(&users(&["app"]), &FileSystem::default()).unwrap();
    assert_eq!(
        shown(&tree),
        [
            "etc/group 0644 0:0: app:x:1000:\n",
            "etc/passwd 0644 0:0: app:x:1000:1000::/home/app:/bin/sh\n",
            "home/app/ 0755 1000:1000",
        ]
    );
}

#[test]
fn existing_users_are_skipped() {
    let files = files(&[("etc/passwd", PASSWD), ("etc/group", GROUP)]);
    let tree = add(&users(&["www-data:33"]), &files).unwrap();
    assert_eq!(shown(&tree), [""; 0]);
    assert!(is_user(&files, "www-data") && !is_user(&files, "app"));
    let twice = add(&users(&["app", "app"]), &files).unwrap();
    assert_eq!(shown(&twice), shown(&add(&users(&["app"]), &files).unwrap()));
}

#[test]
fn a_name_or_an_id_in_use_is_an_error() {
    let files = files(&[("etc/passwd", PASSWD), ("etc/group", GROUP)]);
    for (user, expected) in [
        ("www-data", "cannot add user www-data:1000:1000: the base's /etc/passwd has `www-data:x:33:33:"),
        ("www-data:33:100", "cannot add user www-data:33:100: the base's /etc/passwd has `www-data:x:33:33:"),
        ("app:33", "cannot add user app:33:33: the base's /etc/passwd has `www-data:x:33:33:"),
        ("users", "cannot add user users:1000:1000: the base's /etc/group has `users:x:100:`"),
    ] {
        let error = add(&users(&[user]), &files).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.hints().len(), 1);
    }
}

#[test]
fn a_file_that_is_too_large_to_be_read_is_not_replaced() {
    let mut base = serde_json::to_value(files(&[("etc/passwd", PASSWD), ("etc/group", GROUP)])).unwrap();
    for file in ["etc/passwd", "etc/group", "etc/shadow"] {
        base["large_account_files"] = serde_json::json!([file]);
        let base: FileSystem = serde_json::from_value(base.clone()).unwrap();
        let error = add(&users(&["app"]), &base).unwrap_err();
        let expected = format!("cannot add user app:1000:1000: the base's /{file} is larger than 1 MiB");
        assert_eq!(error.to_string(), expected);
        assert_eq!(is_user(&base, "anyone"), file == "etc/passwd");
    }
}
