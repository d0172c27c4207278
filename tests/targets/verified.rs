//! `pybundle verify` with a target, and with other options than the artifact was built with.

use crate::test_project::TestProject;
use crate::tiny::Tiny;

/// A target says what an artifact was built with.
#[test]
fn an_artifact_is_verified_against_its_target() {
    let project = TestProject::example(
        "\n[tool.pybundle]\ncompile-bytecode = false\n[tool.pybundle.target.api]\nkind = \"lambda\"\nruntime = \"python3.12\"\n\
         handler = \"app.handler\"\nslim = true\n[tool.pybundle.target.web]\nkind = \"image\"\nbase = \"oci:base\"\n\
         env = { MODE = \"test\" }\n",
    );
    Tiny::python().write(&project.0.path().join("base"));
    project.run(&["build"]);
    for arguments in
        [&["dist/api.zip", "--target", "api"][..], &["dist/api.zip", "api"], &["dist/web.tar", "--target=web"]]
    {
        let page = project.run(&[&["verify"], arguments].concat());
        assert!(page.contains("  OK\n"), "{page}");
    }
    let hint = |arguments: &[&str]| {
        let (_, said) = project.ends(1, &[&["verify"], arguments].concat());
        let (_, flags) = said.split_once("these may differ: ").unwrap_or_else(|| panic!("{said}"));
        assert!(said.contains("hint: pass the options that the artifact was built with, or --target NAME; "), "{said}");
        flags.trim_end().to_owned()
    };
    assert_eq!(hint(&["dist/web.tar", ".", "--base=oci:base", "--env=MODE=other"]), "--env");
    assert_eq!(hint(&["dist/api.zip", "api", "--exclude=/shop/"]), "--include");
    assert_eq!(hint(&["dist/api.zip", "api", "--no-install-package=example-banner", "--no-audit"]), "--extra, --group");
    // A layer is compared with the function unless there is one.
    let layered =
        ["lambda", "--runtime=python3.12", "--handler=app.handler", "-o=dist/f.zip", "--layer=dist/layer.zip"];
    project.run(&layered);
    let verified = ["dist/layer.zip", ".", "--runtime=python3.12", "--handler=app.handler"];
    assert_eq!(hint(&verified), "--layer");
    project.run(&[&["verify"], &verified[..], &["--layer=other.zip"]].concat());
    let (_, said) = project.ends(1, &["verify", "dist/f.zip", "dist/layer.zip"]);
    let command = "pybundle diff dist/f.zip dist/layer.zip";
    assert_eq!(
        said,
        format!("error: dist/layer.zip is another artifact, not a project\nhint: compare the two with `{command}`\n")
    );
    assert!(project.run(&["diff", "dist/f.zip", "dist/layer.zip"]).contains("different"));
    // What an artifact says of itself needs no options.
    let damaged = project.0.path().join("dist/api.zip");
    let mut bytes = std::fs::read(&damaged).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    let (_, said) = project.ends(1, &["verify", "dist/api.zip"]);
    assert!(!said.contains("hint:"), "{said}");
}
