//! Compiles small extension modules and libraries, and puts them into wheels.

use std::fs;
use std::process::Command;

use crate::support::command::succeed;
use crate::support::lambda::architecture;

/// An extension module that does not need the headers of Python: the structure `PyModuleDef` has been the same since Python
/// 3.5 (PEP 3121).
const MODULE: &str = "\
#include <stddef.h>
struct definition { long count; void *type, *init; long index; void *copy; const char *name, *doc; long size; void *rest[5]; };
static struct definition definition = { 1, 0, 0, 0, 0, \"demo\", 0, -1, { 0 } };
extern void *PyModule_Create2(void *, int);
#ifdef HELPED
extern int help(void);
int demo(void) { return help(); }
#endif
void *PyInit_demo(void) { return PyModule_Create2(&definition, 1013); }
";

/// The suffix of extension modules of the stable ABI.
pub const MODULE_FILE: &str = "demo.abi3.so";

/// A C compiler that works in a temporary directory.
pub struct Compiler {
    folder: tempfile::TempDir,
}

impl Compiler {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Compiles a shared library.
    fn library(&self, name: &str, source: &str, arguments: &[&str]) -> Vec<u8> {
        let path = self.folder.path().join(name);
        fs::write(path.with_extension("c"), source).unwrap();
        let mut command = Command::new("cc");
        command.current_dir(self.folder.path()).args(["-shared", "-fPIC", "-Wl,--disable-new-dtags", "-o", name]);
        succeed(command.arg(path.with_extension("c")).args(arguments));
        fs::read(path).unwrap()
    }

    /// Compiles a module that is linked only to the C library.
    pub fn module(&self) -> Vec<u8> {
        self.library(MODULE_FILE, MODULE, &[])
    }

    /// Compiles the library `libhelp.so`.
    pub fn help(&self) -> Vec<u8> {
        self.library("libhelp.so", "int help(void) { return 1; }", &["-Wl,-soname,libhelp.so"])
    }

    /// Compiles a module that is linked to [`libhelp.so`](Self::help), with a search path.
    pub fn helped(&self, option: &str, folder: &str) -> Vec<u8> {
        self.help();
        let path = format!("{option},-rpath,{folder}");
        self.library(MODULE_FILE, MODULE, &["-DHELPED", "-L.", "-Wl,--no-as-needed", "-lhelp", &path])
    }

    /// Compiles a module that uses a versioned symbol of a library of the platform, which a stub of the library defines.
    pub fn versioned(&self, library: &str, version: &str) -> Vec<u8> {
        let stub = format!("stub-{}", library.replace("++", "xx"));
        fs::write(self.folder.path().join("versions"), format!("{version} {{ global: help; local: *; }};\n")).unwrap();
        let soname = format!("-Wl,-soname,{library}");
        self.library(&stub, "int help(void) { return 1; }", &["-nostdlib", &soname, "-Wl,--version-script=versions"]);
        self.library(MODULE_FILE, MODULE, &["-DHELPED", &format!("./{stub}")])
    }

    /// Changes a file with patchelf.
    pub fn patched(&self, file: &[u8], arguments: &[&str]) -> Vec<u8> {
        let path = self.folder.path().join("patched.so");
        fs::write(&path, file).unwrap();
        succeed(Command::new("patchelf").args(arguments).arg(&path));
        fs::read(path).unwrap()
    }

    /// Returns a module that is linked to a missing library.
    pub fn lacking(&self, library: &str) -> Vec<u8> {
        self.patched(&self.module(), &["--add-needed", library])
    }
}

/// Returns a file with another machine number in its ELF header.
pub fn for_machine(file: &[u8], number: u16) -> Vec<u8> {
    let mut file = file.to_vec();
    file[18..20].copy_from_slice(&number.to_le_bytes());
    file
}

/// Returns the smallest 32-bit ELF file: only a header.
pub fn of_32_bits() -> Vec<u8> {
    let mut header = vec![0; 52];
    header[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
    // e_type ET_DYN, e_machine EM_386, e_version 1 and e_ehsize 52.
    header[16] = 3;
    header[18] = 3;
    header[20] = 1;
    header[40] = 52;
    header
}

/// Returns the number and the name of the machine that this one is not.
pub fn other_machine() -> (u16, &'static str) {
    if architecture() == "arm64" { (62, "x86_64") } else { (183, "aarch64") }
}

/// Returns the file name of a wheel for this machine.
pub fn platform_wheel(name: &str) -> String {
    let machine = if architecture() == "arm64" { "aarch64" } else { "x86_64" };
    format!("{name}-1.0-cp39-abi3-manylinux_2_17_{machine}.whl")
}

pub fn wheel(name: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    crate::support::wheel_with(name, "1.0", files)
}
