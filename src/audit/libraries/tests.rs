use std::sync::Arc;

use super::*;
use crate::platform::{PythonVendor, PythonVersion};
use crate::tree::Distribution;

/// Returns a file of an owner that is linked to libraries.
fn file(owner: usize, at: &str, role: ElfRole, needed: &[&str]) -> Binary {
    let elf = Elf {
        machine: ElfMachine::Known(Architecture::X86_64),
        role,
        soname: None,
        needed: needed.iter().map(|&name| name.to_owned()).collect(),
        rpath: Vec::new(),
        runpath: Vec::new(),
        versions: SymbolVersions::default(),
        interpreter: None,
        is_packed: false,
        new_functions: Vec::new(),
    };
    Binary { path: at.trim_start_matches('/').to_owned(), runtime_path: at.to_owned(), elf: Ok(elf), owner }
}

fn with(mut binary: Binary, change: impl FnOnce(&mut Elf)) -> Binary {
    change(binary.elf.as_mut().unwrap());
    binary
}

/// Returns the findings for files of two distributions from platform wheels, `one` and `two`.
fn findings(binaries: &[Binary], system: &TargetSystem) -> Vec<(String, bool)> {
    let owners = ["one", "two"].map(|name| BinaryOwner {
        origin: FileOrigin::Distribution(Arc::new(Distribution {
            name: name.parse().unwrap(),
            version: "1".parse().unwrap(),
        })),
        guarantee: LoadGuarantee::Modules,
        requires: BTreeSet::new(),
    });
    let found = audit(binaries, &owners, system, &BTreeSet::new(), &BTreeSet::new());
    found.iter().map(|finding| (finding.to_string(), finding.is_error)).collect()
}

fn system() -> TargetSystem {
    TargetSystem {
        name: "the target".to_owned(),
        kind: SystemKind::Lambda,
        architecture: Architecture::X86_64,
        libc: CLibrary::Glibc("2.34".parse().unwrap()),
        suffixes: ExtensionSuffixes::of_gnu(PythonVersion::new(12)).clone(),
        libstdcxx: None,
        libraries: Some(BTreeSet::from(["libz.so.1".to_owned()])),
        library_path: vec!["/var/task/lib".to_owned(), "/opt/lib".to_owned()],
    }
}

#[test]
fn libraries_of_the_platform_the_target_and_the_search_path_are_found() {
    let module = file(0, "/var/task/m.so", ElfRole::Module, &["libc.so.6", "libz.so.1", "libown.so", "liblayer.so"]);
    let own = file(0, "/var/task/lib/libown.so", ElfRole::Library, &[]);
    let layer = file(1, "/opt/lib/liblayer.so", ElfRole::Library, &[]);
    let all = [module, own, layer];
    assert_eq!(findings(&all, &system()), []);
    assert_eq!(external_libraries(&all, CLibraryKind::Glibc), BTreeSet::from(["libz.so.1"]));
    let unknown = TargetSystem { libraries: None, library_path: Vec::new(), ..system() };
    let found = findings(&all, &unknown);
    assert_eq!(found.iter().filter(|(_, is_error)| *is_error).count(), 0);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(
        found[0].0,
        "var/task/m.so of one 1 needs libz.so.1, which is not in the artifact and may not be in the target"
    );
}

/// DT_RPATH applies to everything that a file loads, DT_RUNPATH to the file alone. DT_RPATH is ignored if both are there.
#[test]
fn only_an_rpath_is_inherited() {
    for (rpath, runpath, missing) in [
        (&["$ORIGIN/libs", "$ORIGIN/libs/deep"][..], &[][..], 0),
        (&[], &["$ORIGIN/libs", "$ORIGIN/libs/deep"], 1),
        (&["$ORIGIN/libs", "$ORIGIN/libs/deep"], &["$ORIGIN/libs"], 1),
        (&["$ORIGIN/libs"], &[], 1),
    ] {
        let module = with(file(0, "/a/m.so", ElfRole::Module, &["libfirst.so"]), |elf| {
            elf.rpath = rpath.iter().copied().map(str::to_owned).collect();
            elf.runpath = runpath.iter().copied().map(str::to_owned).collect();
        });
        let first = file(0, "/a/libs/libfirst.so", ElfRole::Library, &["libsecond.so"]);
        let second = file(0, "/a/libs/deep/libsecond.so", ElfRole::Library, &[]);
        assert_eq!(findings(&[module, first, second], &system()).len(), missing, "{rpath:?} {runpath:?}");
    }
}

#[test]
fn a_malformed_file_does_not_change_which_search_paths_are_inherited() {
    let module = file(0, "/a/m.so", ElfRole::Module, &["libfirst.so"]);
    let module = with(module, |elf| elf.rpath = ["$ORIGIN/libs", "$ORIGIN/libs/deep"].map(str::to_owned).to_vec());
    let first = file(0, "/a/libs/libfirst.so", ElfRole::Library, &["libsecond.so"]);
    let second = file(0, "/a/libs/deep/libsecond.so", ElfRole::Library, &[]);
    let malformed = Binary { elf: Err(MalformedElf("truncated".to_owned())), ..file(0, "/a/x", ElfRole::Object, &[]) };
    let found = findings(&[malformed, module, first, second], &system());
    assert_eq!(found, [("a/x of one 1 cannot be loaded: malformed ELF file: truncated".to_owned(), false)]);
}

#[test]
fn a_library_that_the_loader_has_loaded_before_is_found() {
    let module = file(0, "/a/m.so", ElfRole::Module, &["libc10.so", "libtorch.so"]);
    let module = with(module, |elf| elf.runpath = vec!["$ORIGIN/lib".to_owned(), "/b".to_owned()]);
    let torch = file(0, "/a/lib/libtorch.so", ElfRole::Library, &["libc10.so"]);
    let c10 = file(1, "/b/libc10.so", ElfRole::Library, &[]);
    assert_eq!(findings(&[module, torch, c10], &system()), []);
}

#[test]
fn a_library_may_have_another_name_than_its_file() {
    let module = file(0, "/a/m.so", ElfRole::Module, &["libx.so.1"]);
    let library =
        with(file(1, "/b/libx-1.2.so", ElfRole::Library, &[]), |elf| elf.soname = Some("libx.so.1".to_owned()));
    let found = findings(&[module, library], &system());
    let expected =
        "a/m.so of one 1 needs libx.so.1, which is at b/libx-1.2.so (two 1), where the dynamic linker does not look";
    assert_eq!(found, [(expected.to_owned(), false)]);
}

#[test]
fn a_missing_library_is_an_error_only_for_files_that_have_to_load() {
    fn lacking(at: &str, role: ElfRole) -> Binary {
        file(0, at, role, &["libabsent.so"])
    }
    fn module(needed: &[&str]) -> Binary {
        with(file(0, "/a/m.so", ElfRole::Module, needed), |elf| elf.runpath = vec!["/a".to_owned()])
    }
    fn errors(binaries: &[Binary]) -> Vec<bool> {
        findings(binaries, &system()).into_iter().map(|(_, is_error)| is_error).collect()
    }

    assert_eq!(errors(&[lacking("/a/x.so", ElfRole::Module)]), [true]);
    assert_eq!(errors(&[lacking("/a/libx.so", ElfRole::Library), module(&["libx.so"])]), [true]);
    assert_eq!(errors(&[lacking("/a/libx.so", ElfRole::Library), module(&[])]), [false]);
    assert_eq!(errors(&[lacking("/a/x", ElfRole::Program), module(&[])]), [false]);
    assert_eq!(errors(&[lacking("/a/libx.so", ElfRole::Library)]), [true]);
    assert_eq!(errors(&[lacking("/a/x.o", ElfRole::Object)]), [false; 0]);
    assert_eq!(errors(&[lacking("/a/numba/np/ufunc/tbbpool.so", ElfRole::Module), module(&[])]), [false; 0]);
}

#[test]
fn files_of_an_owner_with_the_same_problem_are_one_finding() {
    let mut all = Vec::new();
    all.extend(["/a.so", "/b.so"].map(|at| file(0, at, ElfRole::Module, &["libabsent.so", "libother.so"])));
    all.extend(["/p.so", "/q.so", "/r.so"].map(|at| file(1, at, ElfRole::Library, &["libp.so", "libq.so"])));
    all.push(file(1, "/s.so", ElfRole::Module, &[]));
    let found = findings(&all, &system());
    let expected = [
        "a.so of one 1 (and 1 more file) needs libabsent.so, which is neither in the artifact nor in the target",
        "a.so of one 1 (and 1 more file) needs libother.so, which is neither in the artifact nor in the target",
        "p.so of two 1 (and 2 more files) needs libp.so, libq.so, which are neither in the artifact nor in the target",
    ];
    assert_eq!(found.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>(), expected);
}

#[test]
fn files_for_other_machines_are_allowed_next_to_files_for_the_target() {
    fn other(at: &str, role: ElfRole) -> Binary {
        with(file(0, at, role, &[]), |elf| elf.machine = ElfMachine::Known(Architecture::Arm64))
    }

    let module = file(0, "/a/m.so", ElfRole::Module, &[]);
    assert_eq!(findings(&[module.clone(), other("/a/attach_arm64.so", ElfRole::Library)], &system()), []);
    assert_eq!(findings(&[other("/a/attach_arm64.so", ElfRole::Library)], &system()).len(), 1);
    let found = findings(&[module, other("/a/n.so", ElfRole::Module)], &system());
    assert_eq!(found, [("a/n.so of one 1 is for aarch64, but the target is x86_64".to_owned(), true)]);
}

#[test]
fn symbols_of_the_cxx_library_are_compared_with_its_version() {
    for (glibcxx, cxxabi, gcc, expected) in [
        (Some(30), Some(13), Some(12), None),
        (Some(31), None, None, Some("m.so of one 1 needs GLIBCXX_3.4.31, but the target has GLIBCXX_3.4.30")),
        (None, Some(14), None, Some("m.so of one 1 needs CXXABI_1.3.14, but the target has CXXABI_1.3.13")),
        (None, None, Some(13), Some("m.so of one 1 needs GCC_13, but the target has GCC_12")),
    ] {
        let versions = SymbolVersions { glibc: None, glibcxx, cxxabi, gcc };
        let module = with(file(0, "/m.so", ElfRole::Module, &[]), |elf| elf.versions = versions);
        let system = TargetSystem { libstdcxx: Some("6.0.30".parse().unwrap()), ..system() };
        let found = findings(&[module], &system);
        assert!(found.iter().map(|(text, _)| text.as_str()).eq(expected), "{found:?}");
    }
}

/// What brings a library along for one distribution does nothing for another that is linked to it.
#[test]
fn a_hint_about_a_distribution_is_for_that_distribution() {
    let of = |name: &str| {
        let origin = FileOrigin::Distribution(Arc::new(Distribution {
            name: name.parse().unwrap(),
            version: "1".parse().unwrap(),
        }));
        providers::hints("libXext.so.6", &origin, SystemKind::Lambda)
    };
    let headless = "replace opencv-python with opencv-python-headless, which has no user interface";
    assert_eq!(of("opencv-python"), [headless]);
    let include = "add the library to the project and pass `--include libXext.so.6:lib/libXext.so.6`, which Lambda's linker searches";
    assert_eq!(of("rdkit"), [include]);
}

fn on_musl(version: &str) -> TargetSystem {
    let libc = CLibrary::Musl(version.parse().unwrap());
    let suffixes = ExtensionSuffixes::new(PythonVersion::new(12), libc, Architecture::X86_64, PythonVendor::Upstream);
    TargetSystem { libc, suffixes, kind: SystemKind::MuslImage, ..system() }
}

#[test]
fn names_of_the_c_library_are_musl_itself() {
    let own = ["libc.musl-x86_64.so.1", "libc.so", "libpthread.so.0", "libz.so.1"];
    assert_eq!(findings(&[file(0, "/m.so", ElfRole::Module, &own)], &on_musl("1.2.5")), []);
    let found = findings(&[file(0, "/m.so", ElfRole::Module, &["libc.so", "libstdc++.so.6"])], &on_musl("1.2.5"));
    let expected = "m.so of one 1 needs libstdc++.so.6, which is neither in the artifact nor in the target";
    assert_eq!(found, [(expected.to_owned(), true)]);
}

/// Unlike with glibc, DT_RUNPATH applies to everything that a file loads.
#[test]
fn musl_inherits_either_search_path() {
    let module = with(file(0, "/a/m.so", ElfRole::Module, &["libfirst.so"]), |elf| {
        elf.runpath = ["$ORIGIN/libs", "$ORIGIN/libs/deep"].map(str::to_owned).to_vec();
    });
    let first = file(0, "/a/libs/libfirst.so", ElfRole::Library, &["libsecond.so"]);
    let second = file(0, "/a/libs/deep/libsecond.so", ElfRole::Library, &[]);
    let all = [module, first, second];
    assert_eq!((findings(&all, &system()).len(), findings(&all, &on_musl("1.2.3")).len()), (1, 0));
}

#[test]
fn the_version_of_musl_decides_what_loads() {
    let packed = with(file(0, "/m.so", ElfRole::Module, &[]), |elf| elf.is_packed = true);
    let calling = with(file(0, "/m.so", ElfRole::Module, &[]), |elf| elf.new_functions = vec!["statx".to_owned()]);
    for (file, musl, needed) in [
        (&packed, "1.2.3", Some("needs musl 1.2.4 for packed relocations (DT_RELR), but the target has musl 1.2.3")),
        (&packed, "1.2.4", None),
        (&calling, "1.2.4", Some("needs musl 1.2.5 for the function statx, but the target has musl 1.2.4")),
        (&calling, "1.2.5", None),
    ] {
        let found = findings(std::slice::from_ref(file), &on_musl(musl));
        let expected: Vec<_> = needed.iter().map(|needed| (format!("m.so of one 1 {needed}"), true)).collect();
        assert_eq!(found, expected);
    }
    assert_eq!(findings(&[packed, calling], &system()), []);
}

#[test]
fn a_file_for_the_other_c_library_is_an_error() {
    let glibc = file(0, "/m.abi3.so", ElfRole::Module, &["libc.so.6"]);
    let musl = file(0, "/m.abi3.so", ElfRole::Module, &["libc.so"]);
    let named = file(0, "/m.cpython-312-x86_64-linux-gnu.so", ElfRole::Module, &[]);
    for (file, system, expected) in [
        (&glibc, on_musl("1.2.5"), "m.abi3.so of one 1 is compiled for glibc, but the target has musl 1.2.5"),
        (&musl, system(), "m.abi3.so of one 1 is compiled for musl, but the target has glibc 2.34"),
        (
            &named,
            on_musl("1.2.5"),
            "m.cpython-312-x86_64-linux-gnu.so of one 1 is compiled for glibc, but the target has musl 1.2.5",
        ),
    ] {
        assert_eq!(findings(std::slice::from_ref(file), &system), [(expected.to_owned(), true)]);
    }
    // Modules of other versions, but for those beside one of this version.
    let other = file(0, "/m.cpython-311-x86_64-linux-gnu.so", ElfRole::Module, &[]);
    let expected = "m.cpython-311-x86_64-linux-gnu.so of one 1 is not a module of the target, where extension modules end in \
                    `.cpython-312-x86_64-linux-gnu.so`";
    assert_eq!(findings(std::slice::from_ref(&other), &system()), [(expected.to_owned(), true)]);
    assert_eq!(findings(&[other, named.clone()], &system()), []);
    // The libgcc_s of aarch64 defines such a version with musl, too.
    let versions = SymbolVersions { glibc: Some("2.0".parse().unwrap()), ..SymbolVersions::default() };
    let versioned = with(musl.clone(), |elf| elf.versions = versions);
    assert_eq!(findings(&[versioned], &on_musl("1.2.5")), []);
    // A library for the other one next to one for the target is not opened.
    let library = file(0, "/libwrapper-glibc.so", ElfRole::Library, &["libc.so.6"]);
    assert_eq!(findings(&[musl, library], &on_musl("1.2.5")), []);
    assert_eq!(findings(&[named, glibc], &system()), []);
}
