use super::*;

/// Writes a `pyproject.toml` into a directory of a workspace; `body` follows after `[project]`, unless it is virtual.
fn write(root: &Path, directory: &str, name: &str, body: &str) {
    let directory = root.join(directory);
    fs::create_dir_all(&directory).unwrap();
    let project =
        if name.is_empty() { String::new() } else { format!("[project]\nname = \"{name}\"\nversion = \"1\"\n") };
    fs::write(directory.join(FILENAME), format!("{project}{body}")).unwrap();
}

fn paths(workspace: &Workspace) -> Vec<&str> {
    workspace.members.iter().map(|member| member.path.to_str().unwrap()).collect()
}

#[test]
fn a_project_finds_its_workspace_and_itself() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let members = "members = [\"./packages/*\", \"apps/**/service\", \"packages/a\"]";
    let table = &format!("[tool.uv.workspace]\n{members}\nexclude = [\"packages/x*\"]\n");
    write(root, "", "root", table);
    write(root, "packages/a", "a", "");
    write(root, "packages/b", "b", "");
    write(root, "packages/xyz", "broken name", "");
    write(root, "apps/one/service", "one", "");
    write(root, "apps/two/deep/service", "two", "");
    write(root, "apps/.hidden/service", "hidden", "");
    fs::create_dir_all(root.join("packages/.hidden")).unwrap();
    fs::create_dir_all(root.join("packages/c/__pycache__")).unwrap();
    fs::write(root.join("packages/c/__pycache__/c.pyc"), "").unwrap();
    fs::write(root.join("packages/file"), "").unwrap();
    fs::write(root.join(".gitignore"), "__pycache__/\n").unwrap();

    let workspace = Workspace::discover(root, &[]).unwrap();
    let expected =
        ["", "apps/.hidden/service", "apps/one/service", "apps/two/deep/service", "packages/a", "packages/b"];
    assert_eq!(paths(&workspace), expected);
    assert_eq!(workspace.current().pyproject.name.as_ref().unwrap().as_str(), "root");

    fs::create_dir_all(root.join("packages/b/src")).unwrap();
    let workspace = Workspace::discover(&root.join("packages/b/src"), &[]).unwrap();
    assert_eq!(paths(&workspace), expected);
    assert_eq!(workspace.current().path, Path::new("packages/b"));
    assert_eq!(workspace.directory(workspace.current()), fs::canonicalize(root.join("packages/b")).unwrap());
    assert!(workspace.member(&"two".parse().unwrap()).is_some());
    assert!(workspace.member(&"xyz".parse().unwrap()).is_none());
}

#[test]
fn a_root_may_be_no_project() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "", "", "[tool.uv.workspace]\nmembers = [\"a\"]\n");
    write(directory.path(), "a", "a", "");
    let workspace = Workspace::discover(directory.path(), &[]).unwrap();
    assert_eq!(paths(&workspace), ["", "a"]);
    assert_eq!(workspace.current().pyproject.name, None);
}

#[test]
fn a_project_is_alone_where_no_workspace_names_it() {
    for (table, inner) in [
        ("", ""),
        ("[tool.uv.workspace]\nmembers = []\n", ""),
        ("[tool.uv.workspace]\nmembers = [\"inner\"]\nexclude = [\"inner\"]\n", ""),
        ("[tool.uv.workspace]\nmembers = [\"inner/*\"]\n", ""),
        ("[tool.uv.workspace]\nmembers = [\"inner\"]\n", "[tool.uv]\nmanaged = false\n"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "", "outer", table);
        write(directory.path(), "inner", "inner", inner);
        let workspace = Workspace::discover(&directory.path().join("inner"), &[]).unwrap();
        assert_eq!((workspace.members.len(), workspace.current().path.to_str()), (1, Some("")), "{table}{inner}");
        assert_eq!(workspace.root, fs::canonicalize(directory.path().join("inner")).unwrap());
    }
}

#[test]
fn unmanaged_members_do_not_belong() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "", "root", "[tool.uv.workspace]\nmembers = [\"*\"]\n");
    write(directory.path(), "a", "a", "[tool.uv]\nmanaged = false\n");
    write(directory.path(), "b", "b", "");
    assert_eq!(paths(&Workspace::discover(directory.path(), &[]).unwrap()), ["", "b"]);
}

#[test]
fn wrong_workspaces_are_refused() {
    type Make = fn(&Path);
    let cases: [(Make, &str); 8] = [
        (
            |root| fs::create_dir_all(root.join("p/empty/src")).unwrap_or_default(),
            "is no error: the directory has no file",
        ),
        (
            |root| {
                fs::create_dir_all(root.join("p/empty")).unwrap();
                fs::write(root.join("p/empty/a.py"), "").unwrap();
            },
            "p/empty has no pyproject.toml (it matches `p/*`)",
        ),
        (|root| write(root, "p/a", "", "[tool.ruff]\n"), "p/a/pyproject.toml has no `[project]` table"),
        (|root| write(root, "p/a", "Root", ""), "are both named `root`"),
        (|root| write(root, "p/a", "a", "[tool.uv.workspace]\n"), "p/a/pyproject.toml has a `tool.uv.workspace` table"),
        (|root| write(root, "p/a", "a", "broken"), "p/a/pyproject.toml:4:7: "),
        (
            |root| write(root, "", "root", "[tool.uv.workspace]\nmembers = [\"a/../../b\"]\n"),
            "`a/../../b` in `tool.uv.workspace` is invalid: it leads out of the workspace",
        ),
        (
            |root| write(root, "", "root", "[tool.uv.workspace]\nexclude = [\"[\"]\n"),
            "`[` in `tool.uv.workspace` is invalid: ",
        ),
    ];
    for (make, message) in cases {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "", "root", "[tool.uv.workspace]\nmembers = [\"p/*\"]\n");
        make(directory.path());
        match Workspace::discover(directory.path(), &[]) {
            Ok(_) => assert!(message.starts_with("is no error"), "{message}"),
            Err(error) => assert!(error.to_string().contains(message), "{error}"),
        }
    }
    let nowhere = Workspace::discover(Path::new("/nowhere"), &[]);
    assert!(matches!(nowhere, Err(ProjectError::Read { .. })), "{nowhere:?}");
}

#[test]
fn links_that_lead_in_a_circle_end() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "", "root", "[tool.uv.workspace]\nmembers = [\"p/**/leaf\"]\n");
    write(root, "p/a/leaf", "leaf", "");
    std::os::unix::fs::symlink("..", root.join("p/a/up")).unwrap();
    std::os::unix::fs::symlink("itself", root.join("p/itself")).unwrap();
    fs::create_dir(root.join("p/b")).unwrap();
    std::os::unix::fs::symlink("../b", root.join("p/a/sideways")).unwrap();
    std::os::unix::fs::symlink("../a", root.join("p/b/sideways")).unwrap();
    let error = Workspace::discover(root, &[]).unwrap_err();
    assert!(matches!(error, ProjectError::SameName { .. }), "the member is found by two paths: {error}");

    fs::remove_file(root.join("p/b/sideways")).unwrap();
    write(root, "p/b/leaf", "other", "[tool.uv]\nmanaged = false\n");
    assert_eq!(paths(&Workspace::discover(root, &[]).unwrap()), ["", "p/a/leaf"]);
}

#[test]
fn the_nearest_python_version_decides() {
    let directory = tempfile::tempdir().unwrap();
    let (root, member) = (directory.path().join("root"), directory.path().join("root/a/b"));
    fs::create_dir_all(&member).unwrap();
    fs::write(directory.path().join(".python-version"), "3.9").unwrap();
    assert_eq!(python_version_file(&member, &root).unwrap(), None, "a file above the workspace does not count");
    fs::write(root.join(".python-versions"), "3.10\n3.11\n").unwrap();
    let found = python_version_file(&member, &root).unwrap();
    assert_eq!(found, Some((root.join(".python-versions"), "3.10".to_owned())));
    fs::write(root.join(".python-version"), "# pinned\n\n  3.12.1 \r\n3.13").unwrap();
    let found = python_version_file(&member, &root).unwrap();
    assert_eq!(found, Some((root.join(".python-version"), "3.12.1".to_owned())));
    fs::write(root.join("a/.python-version"), "# nothing\n").unwrap();
    assert_eq!(python_version_file(&member, &root).unwrap(), None);
    fs::write(root.join("a/.python-version"), b"\xff").unwrap();
    assert!(matches!(python_version_file(&member, &root), Err(ProjectError::Read { .. })));
}

#[test]
fn a_directory_without_pyproject_is_a_project_by_its_lock_or_its_setup() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "", "root", "");
    for (name, mark) in [("locked", "requirements.txt"), ("old", "setup.py"), ("older", "setup.cfg")] {
        let inner = root.join(name).join("inner");
        fs::create_dir_all(&inner).unwrap();
        fs::write(root.join(name).join(mark), "").unwrap();
        let workspace = Workspace::discover(&inner, &["requirements.txt"]).unwrap();
        assert_eq!(workspace.root, root.canonicalize().unwrap().join(name));
        assert_eq!(workspace.current().pyproject.name, None);
    }
    let plain = root.join("plain");
    fs::create_dir(&plain).unwrap();
    let workspace = Workspace::discover(&plain, &["requirements.txt"]).unwrap();
    assert_eq!(workspace.current().pyproject.name.as_ref().unwrap().as_str(), "root");
    let bare = tempfile::tempdir().unwrap();
    assert_eq!(Workspace::discover(bare.path(), &[]).unwrap().root, bare.path().canonicalize().unwrap());
}

#[test]
fn a_workspace_is_the_same_from_each_member() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "", "", "[tool.uv.workspace]\nmembers = [\"p/*\", \"q/deep/c\"]\n");
    for (path, name) in [("p/a", "a"), ("p/b", "b"), ("q/deep/c", "c"), ("q/deep", "between"), ("other", "other")] {
        write(root, path, name, "");
    }
    fs::create_dir(root.join("p/a/src")).unwrap();
    let workspace = Workspace::discover(&root.join("p/b"), &[]).unwrap();
    for path in ["", "p/a", "p/b"] {
        let seen = workspace.seen_from(&root.join(path)).unwrap();
        let found = Workspace::discover(&root.join(path), &[]).unwrap();
        assert_eq!((&seen.current().path, paths(&seen)), (&found.current().path, paths(&found)), "{path}");
    }
    // Another project would be found from there.
    for path in ["q/deep/c", "q/deep", "other", "p/a/src", "nowhere"] {
        assert!(workspace.seen_from(&root.join(path)).is_none(), "{path}");
    }
}

#[test]
fn patterns_with_many_wildcards_are_matched_in_linear_time() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let deep = "a/".repeat(40);
    write(root, &deep, "deep", "");
    // Choosing a number of directories for each `**` would be 10^15 choices.
    let pattern = MemberPattern::new(&format!("{}b", "**/a/".repeat(20))).unwrap();
    assert_eq!(pattern.expand(root).unwrap(), Vec::<PathBuf>::new());
    assert!(!pattern.matches(Path::new(&deep)));
    let pattern = MemberPattern::new(&format!("{}a", "**/a/".repeat(39))).unwrap();
    assert_eq!(pattern.expand(root).unwrap(), [Path::new(deep.trim_end_matches('/'))]);
    assert!(pattern.matches(Path::new(&deep)));
    assert!(!pattern.matches(Path::new(&deep[2..])));
    assert!(MemberPattern::new(&"a/".repeat(100_000)).unwrap().expand(root).unwrap().is_empty());
}

#[test]
fn links_between_directories_do_not_lead_on_forever() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for name in ["a", "b", "c"] {
        fs::create_dir(root.join(name)).unwrap();
        for other in ["a", "b", "c"].into_iter().filter(|other| *other != name) {
            std::os::unix::fs::symlink(root.join(other), root.join(name).join(other)).unwrap();
        }
    }
    let pattern = MemberPattern::new("**").unwrap();
    let mut search = MemberSearch { pattern: &pattern, root, found: Vec::new(), left: 15 };
    let error = search.visit(Path::new(""), &pattern.initial_positions()).unwrap_err();
    assert!(
        error.to_string().contains("`**` in `tool.uv.workspace` is invalid: it leads through more than"),
        "{error}"
    );
}
