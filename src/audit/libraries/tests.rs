use std::sync::Arc;

use super::*;
use crate::tree::Distribution;

/// A file of the distribution at a position, and what it is linked to.
fn file(owner: usize, at: &str, role: Role, needed: &[&str]) -> Binary {
    let elf = Elf {
        machine: Machine::Known(Architecture::X86_64),
        role,
        soname: None,
        needed: needed.iter().map(|&name| name.to_owned()).collect(),
        rpath: Vec::new(),
        runpath: Vec::new(),
        versions: Versions::default(),
    };
    Binary { path: at.trim_start_matches('/').to_owned(), at: at.to_owned(), elf: Ok(elf), owner }
}

fn with(mut binary: Binary, change: impl FnOnce(&mut Elf)) -> Binary {
    change(binary.elf.as_mut().unwrap());
    binary
}

/// Returns the findings for two distributions, `one` and `two`, of wheels for a platform.
fn findings(binaries: &[Binary], system: &System) -> Vec<(String, bool)> {
    let owner = |name: &str| Owner {
        origin: FileOrigin::Distribution(Arc::new(Distribution {
            name: name.parse().unwrap(),
            version: "1".parse().unwrap(),
        })),
        promise: Promise::Platform,
        requires: BTreeSet::new(),
    };
    let found = audit(binaries, &[owner("one"), owner("two")], system, &BTreeSet::new());
    found.iter().map(|finding| (finding.to_string(), finding.is_error())).collect()
}

fn system() -> System {
    System {
        name: "the target".to_owned(),
        kind: SystemKind::Lambda,
        architecture: Architecture::X86_64,
        glibc: "2.34".parse().unwrap(),
        libstdcxx: None,
        libraries: Some(BTreeSet::from(["libz.so.1".to_owned()])),
        library_path: vec!["/var/task/lib".to_owned(), "/opt/lib".to_owned()],
    }
}

#[test]
fn libraries_of_the_platform_the_system_and_the_search_path_are_found() {
    let module = file(0, "/var/task/m.so", Role::Module, &["libc.so.6", "libz.so.1", "libown.so", "liblayer.so"]);
    let own = file(0, "/var/task/lib/libown.so", Role::Library, &[]);
    let layer = file(1, "/opt/lib/liblayer.so", Role::Library, &[]);
    let all = [module, own, layer];
    assert_eq!(findings(&all, &system()), []);
    assert_eq!(wanted(&all), BTreeSet::from(["libz.so.1"]));
    let unknown = System { libraries: None, library_path: Vec::new(), ..system() };
    let found = findings(&all, &unknown);
    assert_eq!(found.iter().filter(|(_, is_error)| *is_error).count(), 0);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(
        found[0].0,
        "libz.so.1 is not in the artifact, and may not be in the target: var/task/m.so of one 1 needs it"
    );
}

/// DT_RPATH counts for all that a file loads, DT_RUNPATH for the file alone, and the latter outdoes the former.
#[test]
fn search_paths_are_inherited_as_the_linker_does() {
    let paths = |rpath: &[&str], runpath: &[&str]| {
        let own = |folders: &[&str]| folders.iter().map(|&folder| folder.to_owned()).collect::<Vec<_>>();
        let module = file(0, "/a/m.so", Role::Module, &["libfirst.so"]);
        let module = with(module, |elf| (elf.rpath, elf.runpath) = (own(rpath), own(runpath)));
        let first = file(0, "/a/libs/libfirst.so", Role::Library, &["libsecond.so"]);
        let second = file(0, "/a/libs/deep/libsecond.so", Role::Library, &[]);
        findings(&[module, first, second], &system()).len()
    };
    assert_eq!(paths(&["$ORIGIN/libs", "$ORIGIN/libs/deep"], &[]), 0);
    assert_eq!(paths(&[], &["$ORIGIN/libs", "$ORIGIN/libs/deep"]), 1);
    assert_eq!(paths(&["$ORIGIN/libs", "$ORIGIN/libs/deep"], &["$ORIGIN/libs"]), 1);
    assert_eq!(paths(&["$ORIGIN/libs"], &[]), 1);
}

#[test]
fn what_a_loader_has_loaded_before_is_there() {
    let module = file(0, "/a/m.so", Role::Module, &["libc10.so", "libtorch.so"]);
    let module = with(module, |elf| elf.runpath = vec!["$ORIGIN/lib".to_owned(), "/b".to_owned()]);
    let torch = file(0, "/a/lib/libtorch.so", Role::Library, &["libc10.so"]);
    let c10 = file(1, "/b/libc10.so", Role::Library, &[]);
    assert_eq!(findings(&[module, torch, c10], &system()), []);
}

#[test]
fn a_library_may_have_another_name_than_its_file() {
    let module = file(0, "/a/m.so", Role::Module, &["libx.so.1"]);
    let library = with(file(1, "/b/libx-1.2.so", Role::Library, &[]), |elf| elf.soname = Some("libx.so.1".to_owned()));
    let found = findings(&[module, library], &system());
    let says =
        "a/m.so of one 1 needs libx.so.1, which is b/libx-1.2.so of two 1, where the dynamic linker does not look";
    assert_eq!(found, [(says.to_owned(), false)]);
}

#[test]
fn what_has_to_load_decides_between_errors_and_warnings() {
    let lacking = |at: &str, role| file(0, at, role, &["libabsent.so"]);
    let module =
        |needed: &[&str]| with(file(0, "/a/m.so", Role::Module, needed), |elf| elf.runpath = vec!["/a".to_owned()]);
    let errors = |binaries: &[Binary]| {
        findings(binaries, &system()).into_iter().map(|(_, is_error)| is_error).collect::<Vec<_>>()
    };
    assert_eq!(errors(&[lacking("/a/x.so", Role::Module)]), [true]);
    assert_eq!(errors(&[lacking("/a/libx.so", Role::Library), module(&["libx.so"])]), [true]);
    assert_eq!(errors(&[lacking("/a/libx.so", Role::Library), module(&[])]), [false]);
    assert_eq!(errors(&[lacking("/a/x", Role::Program), module(&[])]), [false]);
    assert_eq!(errors(&[lacking("/a/libx.so", Role::Library)]), [true]);
    assert_eq!(errors(&[lacking("/a/x.o", Role::Object)]), [false; 0]);
    assert_eq!(errors(&[lacking("/a/numba/np/ufunc/tbbpool.so", Role::Module), module(&[])]), [false; 0]);
}

#[test]
fn files_with_the_same_defect_are_one_finding() {
    let lacking = |at: &str| file(0, at, Role::Module, &["libabsent.so", "libother.so"]);
    let plugin = |at: &str| file(1, at, Role::Library, &["libp.so", "libq.so"]);
    let all = [
        lacking("/a.so"),
        lacking("/b.so"),
        plugin("/p.so"),
        plugin("/q.so"),
        plugin("/r.so"),
        file(1, "/s.so", Role::Module, &[]),
    ];
    let found = findings(&all, &system());
    let says = [
        "libabsent.so is neither in the artifact nor in the target: a.so of one 1 needs it (and 1 more file)",
        "libother.so is neither in the artifact nor in the target: a.so of one 1 needs it (and 1 more file)",
        "libp.so, libq.so are neither in the artifact nor in the target: p.so of two 1 needs them (and 2 more files)",
    ];
    assert_eq!(found.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>(), says);
}

#[test]
fn files_for_other_machines_may_lie_beside_those_for_the_target() {
    let other = |at: &str, role| with(file(0, at, role, &[]), |elf| elf.machine = Machine::Known(Architecture::Arm64));
    let module = file(0, "/a/m.so", Role::Module, &[]);
    assert_eq!(findings(&[module.clone(), other("/a/attach_arm64.so", Role::Library)], &system()), []);
    assert_eq!(findings(&[other("/a/attach_arm64.so", Role::Library)], &system()).len(), 1);
    let found = findings(&[module, other("/a/n.so", Role::Module)], &system());
    assert_eq!(found, [("a/n.so of one 1 is for aarch64, the target is x86_64".to_owned(), true)]);
}

#[test]
fn versions_of_the_cxx_library_follow_from_its_file_name() {
    let needs = |glibcxx, cxxabi, gcc| {
        let versions = Versions { glibc: None, glibcxx, cxxabi, gcc };
        let module = with(file(0, "/m.so", Role::Module, &[]), |elf| elf.versions = versions);
        let system = System { libstdcxx: Some("6.0.30".parse().unwrap()), ..system() };
        findings(&[module], &system).into_iter().map(|(text, _)| text).collect::<Vec<_>>().join("")
    };
    assert_eq!(needs(Some(30), Some(13), Some(12)), "");
    assert_eq!(needs(Some(31), None, None), "m.so of one 1 needs GLIBCXX_3.4.31, the target has GLIBCXX_3.4.30");
    assert_eq!(needs(None, Some(14), None), "m.so of one 1 needs CXXABI_1.3.14, the target has CXXABI_1.3.13");
    assert_eq!(needs(None, None, Some(13)), "m.so of one 1 needs GCC_13, the target has GCC_12");
}
