//! Projects whose distributions are wheels of a directory, made here and locked by uv.

use std::process::Command;

use crate::support::command::succeed;
use crate::support::wheel_with;
use crate::workshop::Workshop;

/// A distribution: its name, its version, and the size of its one module, which nothing compresses.
pub type Distribution<'a> = (&'a str, &'a str, usize);

/// Returns bytes that look random, the same each time (xorshift).
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(length).collect()
}

/// Writes a project that depends on distributions, with a module `app`, and locks it.
pub fn write(workshop: &Workshop, distributions: &[Distribution]) {
    for (name, version, size) in distributions {
        let content = noise(size.wrapping_mul(31) as u64 + version.len() as u64, *size);
        let wheel = wheel_with(name, version, &[(&format!("{name}/data.bin"), &content)]);
        workshop.write(&format!("index/{name}-{version}-py3-none-any.whl"), wheel);
    }
    let dependencies: Vec<_> =
        distributions.iter().map(|(name, version, _)| format!("\"{name}=={version}\"")).collect();
    workshop.write("app.py", "print('hello')\n");
    workshop.write(
        "pyproject.toml",
        format!(
            "[project]\nname = \"demo\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\ndependencies = [{}]\n\
             [[tool.uv.index]]\nname = \"local\"\nurl = \"./index\"\nformat = \"flat\"\ndefault = true\n",
            dependencies.join(", ")
        ),
    );
    lock(workshop);
}

/// Locks the project with uv.
pub fn lock(workshop: &Workshop) {
    let mut uv = Command::new("uv");
    uv.args(["lock", "--quiet"]).current_dir(workshop.path("project"));
    succeed(uv.env_remove("VIRTUAL_ENV").env("UV_PYTHON_DOWNLOADS", "never"));
}

/// Writes a project that is a package, with these console scripts, and locks it.
pub fn write_package(workshop: &Workshop, scripts: &[&str]) {
    let scripts: String = scripts.iter().map(|script| format!("{script} = \"demo:main\"\n")).collect();
    workshop.write(
        "pyproject.toml",
        format!(
            "[project]\nname = \"demo\"\nversion = \"1.2.3\"\nrequires-python = \">=3.9\"\n\
             [project.scripts]\n{scripts}[build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n"
        ),
    );
    workshop.write("src/demo/__init__.py", "def main():\n    print('demo')\n");
    lock(workshop);
}

/// Runs git in the project, as somebody.
pub fn git(workshop: &Workshop, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"];
    succeed(Command::new("git").args(identity).args(arguments).current_dir(workshop.path("project"))).trim().to_owned()
}
