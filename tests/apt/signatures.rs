//! Cleartext signatures, with gpgv as the judge.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::gpg::Gpg;
use crate::system_apt::{KEYRING, SystemApt};
use pybundle::debian::openpgp::{ArchiveKeyring, SignedText};
use pybundle::debian::{Fingerprint, ReleaseFile};

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// Returns the primary keys whose signatures count for gpgv: neither expired nor revoked.
fn judged_by_gpgv(file: &Path, keyring: &Path) -> Vec<String> {
    let mut command = Command::new("/usr/bin/gpgv");
    command.args(["--status-fd", "1", "--keyring"]).arg(keyring).arg(file);
    let output = command.stderr(Stdio::null()).output().unwrap();
    let mut signers: Vec<String> = Vec::new();
    let mut is_good = false;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        match words.first() {
            Some(&"GOODSIG") => is_good = true,
            Some(&"EXPKEYSIG" | &"REVKEYSIG" | &"EXPSIG" | &"BADSIG" | &"ERRSIG") => is_good = false,
            Some(&"VALIDSIG") if is_good => signers.push((*words.last().unwrap()).to_owned()),
            _ => {}
        }
    }
    signers.dedup();
    signers
}

/// Returns the primary keys whose signatures count for pybundle, or the reason why there are none.
fn judged_by_pybundle(file: &Path, keyring: &Path) -> Result<Vec<String>, String> {
    let keyring = ArchiveKeyring::parse(&fs::read(keyring).unwrap()).map_err(|error| error.to_string())?;
    let text = String::from_utf8(fs::read(file).unwrap()).map_err(|error| error.to_string())?;
    let signed = SignedText::parse(&text).map_err(|error| error.to_string())?;
    let (_, signers) = keyring.verify(&signed, now()).map_err(|error| error.to_string())?;
    Ok(signers.iter().map(Fingerprint::to_string).collect())
}

#[test]
fn the_six_releases_of_debian_have_the_signatures_that_gpgv_finds() {
    let mut count = 0;
    for codename in ["bookworm", "trixie"] {
        let lists = SystemApt::of(codename, "amd64").lists();
        for entry in fs::read_dir(lists).unwrap() {
            let path = entry.unwrap().path();
            if !path.to_str().unwrap().ends_with("_InRelease") {
                continue;
            }
            count += 1;
            let expected = judged_by_gpgv(&path, Path::new(KEYRING));
            assert!(expected.len() >= 2, "{}", path.display());
            assert_eq!(judged_by_pybundle(&path, Path::new(KEYRING)), Ok(expected), "{}", path.display());
            let text = fs::read_to_string(&path).unwrap();
            let signed = SignedText::parse(&text).unwrap();
            let keyring = ArchiveKeyring::parse(&fs::read(KEYRING).unwrap()).unwrap();
            let release = ReleaseFile::parse(keyring.verify(&signed, now()).unwrap().0).unwrap();
            assert_eq!(release.codename.as_deref().map(|name| name.starts_with(codename)), Some(true));
            assert!(release.by_hash && !release.separate_all && release.indexes.len() > 100);

            // Each of the keyrings that Debian has for one key.
            for keyring in fs::read_dir("/usr/share/keyrings").unwrap() {
                let keyring = keyring.unwrap().path();
                let name = keyring.file_name().unwrap().to_str().unwrap().to_owned();
                if !name.starts_with("debian-archive-") || !name.ends_with(".gpg") || name.contains("removed") {
                    continue;
                }
                let judged = judged_by_pybundle(&path, &keyring).unwrap_or_default();
                assert_eq!(judged, judged_by_gpgv(&path, &keyring), "{} {name}", path.display());
            }
            // One character of the text, a line more, and one less.
            let directory = tempfile::tempdir().unwrap();
            let changed = directory.path().join("InRelease");
            for (from, to) in
                [("Origin: Debian", "Origin: Debjan"), ("Label", "Evil: yes\nLabel"), ("Acquire-By-Hash: yes\n", "")]
            {
                assert!(text.contains(from));
                fs::write(&changed, text.replacen(from, to, 1)).unwrap();
                assert_eq!(judged_by_gpgv(&changed, Path::new(KEYRING)), Vec::<String>::new());
                let error = judged_by_pybundle(&changed, Path::new(KEYRING)).unwrap_err();
                assert!(error.contains("the signature by ") && error.contains(" is bad"), "{error}");
            }
            // Spaces at the end of a line are not signed.
            fs::write(&changed, text.replacen("Origin: Debian", "Origin: Debian \t", 1)).unwrap();
            let judged = judged_by_gpgv(&changed, Path::new(KEYRING));
            assert!(!judged.is_empty());
            assert_eq!(judged_by_pybundle(&changed, Path::new(KEYRING)), Ok(judged));
        }
    }
    assert_eq!(count, 6);
}

const TEXT: &str = "Origin: Test\nSuite: test\n\n- dashed\n  spaces at the end  \nlast line\n";

#[test]
fn keys_of_all_kinds_are_judged_as_by_gpgv() {
    let gpg = Gpg::new();
    for (user, algorithm, usage) in [
        ("rsa2048", "rsa2048", "sign"),
        ("rsa4096", "rsa4096", "cert,sign"),
        ("ed25519", "ed25519", "sign"),
        ("certifies", "ed25519", "cert"),
        ("other", "ed25519", "sign"),
    ] {
        gpg.key(user, algorithm, usage, "never");
    }
    // Only the subkeys sign, as with Debian's own keys.
    gpg.run(&["--quick-add-key", &gpg.fingerprint("certifies"), "rsa2048", "sign", "never"]);
    gpg.run(&["--quick-add-key", &gpg.fingerprint("certifies"), "ed25519", "sign", "never"]);

    let all = gpg.keyring("all.gpg", &["rsa2048", "rsa4096", "ed25519", "certifies"]);
    let armored = gpg.keyring("all.asc", &["rsa2048", "rsa4096", "ed25519", "certifies"]);
    let other = gpg.keyring("other.gpg", &["other"]);
    for user in ["rsa2048", "rsa4096", "ed25519", "certifies"] {
        for digest in ["SHA256", "SHA384", "SHA512"] {
            let signed = gpg.sign("signed", TEXT, &["--digest-algo", digest], &[user]);
            let judged = judged_by_gpgv(&signed, &all);
            assert_eq!(judged, [gpg.fingerprint(user)], "{user} {digest}");
            assert_eq!(judged_by_pybundle(&signed, &all), Ok(judged.clone()), "{user} {digest}");
            assert_eq!(judged_by_pybundle(&signed, &armored), Ok(judged), "{user} {digest}");
            assert_eq!(judged_by_gpgv(&signed, &other), Vec::<String>::new());
            let error = judged_by_pybundle(&signed, &other).unwrap_err();
            assert!(error.starts_with("the key ") && error.ends_with(" is not trusted"), "{error}");
            let text = fs::read_to_string(&signed).unwrap();
            fs::write(&signed, text.replace("last line", "last lime")).unwrap();
            assert_eq!(judged_by_gpgv(&signed, &all), Vec::<String>::new());
            assert_eq!(
                judged_by_pybundle(&signed, &all),
                Err(format!("the signature by {} is bad", gpg.fingerprint(user)))
            );
        }
    }
    // SHA-1, for which collisions are known.
    let weak = gpg.sign("weak", TEXT, &["--digest-algo", "SHA1", "--weak-digest", "MD5"], &["rsa2048"]);
    assert!(judged_by_pybundle(&weak, &all).unwrap_err().ends_with("is bad"));
    // Several signatures, of which the first is by an unknown key; gpgv's exit status is 2.
    let several = gpg.sign("several", TEXT, &[], &["other", "ed25519", "rsa2048"]);
    let mut judged = judged_by_gpgv(&several, &all);
    judged.sort();
    assert_eq!(judged.len(), 2);
    let mut found = judged_by_pybundle(&several, &all).unwrap();
    found.sort();
    assert_eq!(found, judged);
    // A detached part of the text before the signed one is refused, although gpgv ignores it.
    let text = fs::read_to_string(&several).unwrap();
    for (changed, expected) in [
        (format!("Origin: Evil\n\n{text}"), "it is not signed: it does not begin with"),
        (format!("{text}Origin: Evil\n"), "something follows its signature"),
        (TEXT.to_owned(), "it is not signed: it does not begin with"),
        (String::new(), "it is not signed: it does not begin with"),
    ] {
        fs::write(&several, changed).unwrap();
        let error = judged_by_pybundle(&several, &all).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn expired_and_revoked_keys_do_not_count() {
    let gpg = Gpg::new();
    // As if a key of ten days had been made long ago.
    let long_ago = "20200101T000000";
    gpg.run(&["--faked-system-time", long_ago, "--quick-generate-key", "expired", "ed25519", "sign", "10d"]);
    gpg.key("valid", "ed25519", "sign", "1y");
    gpg.key("revoked", "ed25519", "sign", "never");
    gpg.key("subkey", "ed25519", "cert", "never");
    gpg.run(&["--faked-system-time", long_ago, "--quick-generate-key", "old", "ed25519", "cert", "never"]);
    gpg.run(&["--faked-system-time", long_ago, "--quick-add-key", &gpg.fingerprint("old"), "ed25519", "sign", "10d"]);
    gpg.run(&["--quick-add-key", &gpg.fingerprint("subkey"), "ed25519", "sign", "1y"]);

    let signed: Vec<(&str, PathBuf, &str)> = vec![
        (
            "expired",
            gpg.sign("expired", TEXT, &["--faked-system-time", "20200105T000000"], &["expired"]),
            "has expired",
        ),
        ("old", gpg.sign("old", TEXT, &["--faked-system-time", "20200105T000000"], &["old"]), "has expired"),
        ("revoked", gpg.sign("revoked", TEXT, &[], &["revoked"]), "was revoked"),
        (
            "future",
            gpg.sign(
                "future",
                TEXT,
                &["--faked-system-time", "20991231T000000", "--ignore-time-conflict"],
                &["revoked"],
            ),
            "",
        ),
        (
            "short",
            gpg.sign(
                "short",
                TEXT,
                &["--faked-system-time", "20200105T000000", "--ignore-time-conflict", "--default-sig-expire", "1d"],
                &["revoked"],
            ),
            "",
        ),
        ("valid", gpg.sign("valid", TEXT, &[], &["valid"]), ""),
        ("subkey", gpg.sign("subkey", TEXT, &[], &["subkey"]), ""),
    ];
    let both = gpg.sign("both", TEXT, &[], &["revoked", "valid"]);
    let certificate = gpg.home.path().join("openpgp-revocs.d").join(format!("{}.rev", gpg.fingerprint("revoked")));
    let certificate = fs::read_to_string(certificate).unwrap().replace(":-----BEGIN", "-----BEGIN");
    fs::write(gpg.home.path().join("revocation"), certificate).unwrap();
    gpg.run(&["--import", gpg.home.path().join("revocation").to_str().unwrap()]);

    let all = gpg.keyring("all.gpg", &["expired", "valid", "revoked", "subkey", "old"]);
    for (name, file, expected) in &signed {
        let judged = judged_by_gpgv(file, &all);
        let found = judged_by_pybundle(file, &all);
        assert_eq!(found.clone().unwrap_or_default(), judged, "{name}");
        assert_eq!(matches!(*name, "valid" | "subkey"), found.is_ok(), "{name} {found:?}");
        if let Err(error) = found {
            assert!(error.contains(expected), "{name}: {error}");
        }
    }
    assert_eq!(judged_by_gpgv(&both, &all), [gpg.fingerprint("valid")]);
    assert_eq!(judged_by_pybundle(&both, &all), Ok(vec![gpg.fingerprint("valid")]));
}

#[test]
fn damaged_keyrings_are_errors() {
    let bytes = fs::read(KEYRING).unwrap();
    for (damaged, expected) in [
        (Vec::new(), "the armored keyring is damaged"),
        (b"text".to_vec(), "the armored keyring is damaged"),
        (bytes[..bytes.len() - 9].to_vec(), "the OpenPGP data is damaged: it ends too early"),
        (vec![0xcd, 1, b'x'], "it contains no OpenPGP key"),
    ] {
        assert_eq!(ArchiveKeyring::parse(&damaged).unwrap_err().to_string(), expected);
    }
}
