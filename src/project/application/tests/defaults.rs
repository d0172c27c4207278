//! What is included by default.

use super::*;
use crate::archive::tar::{self, TarFormat, TarMember};
use crate::archive::zip::headers;

#[test]
fn everything_but_what_belongs_to_development_is_included_by_default() {
    let directory = directory(&[
        "lambda_function.py",
        "native.abi3.so",
        "config.json",
        "schema.sql",
        "app/__init__.py",
        "app/data/schema.json",
        "app/build/model.py",
        "app/Makefile",
        "app/requirements.txt",
        "app/README.md",
        "certs/ca.pem",
        "compose/settings.yml",
        "locale/de/LC_MESSAGES/app.mo",
        "models/model.ubj",
        "namespace/inner/deep.py",
        "not-a-package/x.js",
        "scripts/run.js",
        "static/page.html",
        "templates/page.html",
        "template.yaml",
        // Not part of it.
        "setup.py",
        "noxfile.py",
        "conftest.py",
        "test_a.py",
        "app/tests/test_b.py",
        "app/.env",
        "app/__pycache__/x.pyc",
        "README.md",
        "LICENSE-MIT.txt",
        "CHANGELOG.rst",
        "pyproject.toml",
        "uv.lock",
        "apt.lock",
        "requirements-dev.txt",
        "requirements/base.txt",
        "Dockerfile",
        "Dockerfile.dev",
        "docker-compose.override.yml",
        "Makefile",
        "tox.ini",
        "serverless.yml",
        "sam/template.yaml",
        "main.tf",
        "terraform.tfstate",
        "infra/network.tf",
        "infra/prod.auto.tfvars",
        "infra/terraform.tfvars.example",
        "htmlcov/index.html",
        "build.log",
        "app/audit.log",
        "package.json",
        "docs/conf.py",
        "examples/x.py",
        "tests/test_c.py",
        "tests/helper.py",
        "env/pyvenv.cfg",
        "env/lib/x.py",
        ".venv/lib/x.py",
        ".env",
        ".env.production",
        ".env.example",
        ".github/workflows/ci.yml",
        "node_modules/x.py",
        "dist/x.py",
        "build/lib/app/__init__.py",
        "cdk.out/asset.py",
        "app.egg-info/x.py",
        "packages/a/pyproject.toml",
        "packages/a/a.py",
        "generated/x.py",
        "app/secret.pem",
        "analysis.ipynb",
        "production.env",
        ".gitignore",
    ]);
    fs::write(directory.path().join(".gitignore"), "generated/\n*.pem\n!ca.pem\n").unwrap();
    fs::write(directory.path().join("template.yml"), "AWSTemplateFormatVersion: 2010-09-09\n").unwrap();
    let application = collect_in(directory.path(), "", &[], &[]).unwrap();
    assert_eq!(
        paths(&application),
        [
            "app/Makefile",
            "app/README.md",
            "app/__init__.py",
            "app/audit.log",
            "app/build/model.py",
            "app/data/schema.json",
            "app/requirements.txt",
            "certs/ca.pem",
            "compose/settings.yml",
            "config.json",
            "infra/terraform.tfvars.example",
            "lambda_function.py",
            "locale/de/LC_MESSAGES/app.mo",
            "models/model.ubj",
            "namespace/inner/deep.py",
            "native.abi3.so",
            "not-a-package/x.js",
            "sam/template.yaml",
            "schema.sql",
            "scripts/run.js",
            "static/page.html",
            "template.yaml",
            "templates/page.html",
        ]
    );
    assert_eq!(application.taken[..3], ["app/", "certs/", "compose/"]);
    for expected in [
        ("generated/", ExclusionRule::GitIgnored),
        ("app/secret.pem", ExclusionRule::GitIgnored),
        ("app/tests/", ExclusionRule::Test),
        ("test_a.py", ExclusionRule::Test),
        ("env/", ExclusionRule::Environment),
        ("dist/", ExclusionRule::BuildOutput),
        ("cdk.out/", ExclusionRule::BuildOutput),
        ("setup.py", ExclusionRule::Tool),
        ("requirements/", ExclusionRule::Tool),
        ("template.yml", ExclusionRule::Tool),
        ("docs/", ExclusionRule::Documentation),
        ("LICENSE-MIT.txt", ExclusionRule::Documentation),
        ("app/.env", ExclusionRule::Secret),
        (".env.production", ExclusionRule::Secret),
        (".env.example", ExclusionRule::Hidden),
        ("production.env", ExclusionRule::Secret),
        ("terraform.tfstate", ExclusionRule::Secret),
        ("infra/prod.auto.tfvars", ExclusionRule::Secret),
        ("infra/network.tf", ExclusionRule::Tool),
        ("htmlcov/", ExclusionRule::Cache),
        ("build.log", ExclusionRule::BuildOutput),
        ("analysis.ipynb", ExclusionRule::Notebook),
        ("packages/a/", ExclusionRule::Project),
        ("app/__pycache__/", ExclusionRule::Cache),
    ] {
        assert!(left_out(&application).contains(&expected), "{expected:?}: {:?}", application.left_out);
    }

    // A pattern with `!` includes what a rule excludes.
    let patterns = ["!docs/", "!production.env", "!README.md", "!.env.example"];
    let application = collect_in(directory.path(), "", &[], &patterns).unwrap();
    let more = [".env.example", "README.md", "docs/conf.py", "production.env"];
    assert!(more.iter().all(|path| paths(&application).contains(path)), "{:?}", paths(&application));
}

#[test]
fn secrets_are_told_by_their_contents() {
    let client = r#"{"installed": {"client_id": "1", "client_secret": "GOCSPX-abcdefghijklmnop", "token_uri": "x"}}"#;
    let account = r#"{"type": "service_account", "private_key_id": "1", "private_key": "-----BEGIN"}"#;
    for (name, text, rule) in [
        ("client_secret_1.apps.googleusercontent.com.json", client, Some(ExclusionRule::Secret)),
        ("app/google.json", client, Some(ExclusionRule::Secret)),
        ("app/account.json", account, Some(ExclusionRule::Secret)),
        ("client_secret.example.json", client, None),
        ("app/schema.json", r#"{"client_secret": {"type": "string"}}"#, None),
        ("app/clients.py", client, None),
        ("env.prod", "# Production\nexport TOKEN=1\nHOST=example.org\n", Some(ExclusionRule::Secret)),
        ("deploy/env.staging", "TOKEN=1\n", Some(ExclusionRule::Secret)),
        ("env.sh", "export TOKEN=1\n", None),
        ("env.example", "TOKEN=\n", None),
        ("env.ini", "[app]\nTOKEN=1\n", None),
        (".envrc", "export TOKEN=1\n", Some(ExclusionRule::Secret)),
    ] {
        let directory = directory(&["main.py", name]);
        fs::write(directory.path().join(name), text).unwrap();
        let application = collect_in(directory.path(), "", &[], &[]).unwrap();
        let found = left_out(&application).into_iter().find(|(path, _)| *path == name).map(|(_, rule)| rule);
        assert_eq!((found, paths(&application).contains(&name)), (rule, rule.is_none()), "{name}");
    }
}

#[test]
fn events_of_sam_are_for_tools() {
    let directory = directory(&["app.py", "events/event.json", "events/.keep"]);
    let application = collect_in(directory.path(), "", &[], &[]).unwrap();
    assert!(paths(&application).contains(&"events/event.json"), "an application's own");
    fs::write(directory.path().join("samconfig.toml"), "").unwrap();
    let application = collect_in(directory.path(), "", &[], &[]).unwrap();
    assert!(left_out(&application).contains(&("events/", ExclusionRule::Tool)), "{:?}", application.left_out);
    fs::remove_file(directory.path().join("samconfig.toml")).unwrap();
    fs::write(directory.path().join("template.yaml"), "Resources: {F: {Type: AWS::Serverless::Function}}").unwrap();
    assert_eq!(paths(&collect_in(directory.path(), "", &[], &[]).unwrap()), ["app.py"]);
    fs::write(directory.path().join("events/handlers.py"), "").unwrap();
    let application = collect_in(directory.path(), "", &[], &[]).unwrap();
    assert!(paths(&application).contains(&"events/handlers.py"), "a package of the application");
}

#[test]
fn what_is_named_like_a_test_but_imported_is_part_of_the_application() {
    let directory = directory(&[
        "app/__init__.py",
        "app/main.py",
        "app/tests/__init__.py",
        "app/tests/factories.py",
        "app/tests/test_factories.py",
        "test/__init__.py",
        "test/flags.py",
        "tests/base.py",
        "test_mode.py",
        "src_test.py",
    ]);
    for file in ["__init__", "main", "tests/__init__", "tests/factories", "tests/test_factories"] {
        fs::write(directory.path().join(format!("app/{file}.py")), "").unwrap();
    }
    for file in ["test/__init__", "test/flags", "tests/base", "test_mode", "src_test"] {
        fs::write(directory.path().join(format!("{file}.py")), "").unwrap();
    }
    let main = directory.path().join("app/main.py");
    let own = ["app/__init__.py", "app/main.py"];
    for (text, more) in [
        ("", &[][..]),
        ("import test.flags", &["test/__init__.py", "test/flags.py"]),
        ("from test import flags", &["test/__init__.py", "test/flags.py"]),
        ("def f():\n    import tests.base as base", &["tests/base.py"]),
        ("import test_mode, src_test", &["src_test.py", "test_mode.py"]),
        ("from .tests import factories", &["app/tests/__init__.py", "app/tests/factories.py"]),
        ("from app.tests.factories import x", &["app/tests/__init__.py", "app/tests/factories.py"]),
        ("from . import tests", &["app/tests/__init__.py", "app/tests/factories.py"]),
        ("import testing, contest", &[]),
        ("'import test'", &[]),
    ] {
        fs::write(&main, text).unwrap();
        let mut expected = [&own[..], more].concat();
        expected.sort_unstable();
        assert_eq!(paths(&collect_in(directory.path(), "", &[], &[]).unwrap()), expected, "{text}");
    }
    // What an imported test imports is part of it, too; included directories have the same rules.
    fs::write(&main, "import tests.base").unwrap();
    fs::write(directory.path().join("tests/base.py"), "import test.flags").unwrap();
    let expected = ["app/__init__.py", "app/main.py", "test/__init__.py", "test/flags.py", "tests/base.py"];
    assert_eq!(paths(&collect_in(directory.path(), "", &[], &[]).unwrap()), expected);
    fs::write(&main, "from .tests import factories").unwrap();
    let expected = ["app/__init__.py", "app/main.py", "app/tests/__init__.py", "app/tests/factories.py"];
    assert_eq!(paths(&collect_in(directory.path(), "", &["app"], &[]).unwrap()), expected);
    // So does what is started.
    fs::write(&main, "").unwrap();
    let excludes = Excludes::new(directory.path(), &[]).unwrap();
    for started in ["test.flags.handler", "test/flags.py", "test.flags:app"] {
        let started = [started.to_owned()];
        let source = source_of(directory.path(), directory.path(), &[], &excludes);
        let application = ApplicationSource { started: &started, ..source }.collect().unwrap();
        assert!(paths(&application).contains(&"test/flags.py"), "{started:?}");
    }
}

#[test]
fn named_locks_profiles_and_manifests_are_no_part_of_the_application() {
    let directory = directory(&["app.py", "prod.txt", "locks/base.txt", "profile.toml", "kinds.yaml", "schema.json"]);
    for (name, text) in [
        ("k8s.yaml", "# Comment\n---\napiVersion: apps/v1\nkind: Deployment\n"),
        ("resolved.json", "{\"family\": \"web\", \"containerDefinitions\": []}"),
        ("list.json", "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"List\"\n}"),
        ("kinds.yaml", "kind: of settings\n"),
    ] {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let locks = ["prod.txt", "locks/base.txt"].map(|lock| directory.path().join(lock));
    let excludes = Excludes::new(directory.path(), &[]).unwrap();
    let source = source_of(directory.path(), directory.path(), &[], &excludes);
    let profile = directory.path().join("profile.toml");
    let application = ApplicationSource { locks: &locks, profile: Some(&profile), ..source }.collect().unwrap();
    assert_eq!(paths(&application), ["app.py", "kinds.yaml", "schema.json"]);
    assert!(left_out(&application).contains(&("locks/base.txt", ExclusionRule::Tool)), "{application:?}");
}

#[test]
fn what_an_earlier_build_wrote_is_no_input() {
    let directory =
        directory(&["app.py", "data.zip", "image/oci-layout", "image/blobs/x", "fn.zip.cdx.json", "a.cdx.json"]);
    fs::write(directory.path().join("fn.zip"), headers::archive_of_an_empty_file("app.py")).unwrap();
    for (name, first) in [("image.tar", "oci-layout"), ("data.tar", "data/x")] {
        let mut blocks = Vec::new();
        let member = TarMember::File { access: FileAccess::FILE, size: 0 };
        tar::append_header(TarFormat::ImageArchive, first, member, &mut blocks);
        if name == "data.tar" {
            blocks[136..147].copy_from_slice(b"14752635203");
        }
        fs::write(directory.path().join(name), blocks).unwrap();
    }
    for includes in [&[][..], &["."]] {
        let application = collect_in(directory.path(), "", includes, &[]).unwrap();
        assert_eq!(paths(&application), ["a.cdx.json", "app.py", "data.tar", "data.zip"], "{includes:?}");
    }
}

#[test]
fn what_is_in_src_lands_at_the_root() {
    let directory = directory(&[
        "src/app/main.py",
        "src/handler.py",
        "src/app/data.json",
        "src/test_x.py",
        "main.py",
        "handler.py",
        "config.json",
        "tests/x.py",
    ]);
    let application = collect_in(directory.path(), "", &[], &[]).unwrap();
    assert_eq!(paths(&application), ["app/data.json", "app/main.py", "config.json", "handler.py", "main.py"]);
    assert_eq!(application.taken, ["src/", "config.json", "main.py"]);
    assert!(left_out(&application).contains(&("handler.py", ExclusionRule::BesideSource)));

    fs::write(directory.path().join("src/__init__.py"), "").unwrap();
    let application = collect_in(directory.path(), "", &[], &[]).unwrap();
    assert!(paths(&application).contains(&"src/handler.py"), "src is a package itself");
}

#[test]
fn src_is_kept_as_the_package_that_it_is_used_as() {
    let directory = directory(&["main.py", "src/handler.py", "src/core/db.py"]);
    let (main, handler) = (directory.path().join("main.py"), directory.path().join("src/handler.py"));
    for (text, is_package) in [
        ("from src.core import db", true),
        ("from src.core.db import x", true),
        ("    import src.handler as handler", true),
        ("from src import core", true),
        ("import src", true),
        ("uvicorn.run('src.handler:app')", true),
        ("include = [\"src.core\"]", true),
        ("from src.missing import x", false),
        ("from srcs.core import x", false),
        ("import srcs", false),
        ("x = 'src.missing'", false),
        ("# see src.core", false),
    ] {
        for module in [&main, &handler] {
            fs::write(module, text).unwrap();
            let application = collect_in(directory.path(), "", &[], &[]).unwrap();
            let is_kept = paths(&application).contains(&"src/core/db.py");
            assert_eq!(is_kept, is_package, "{text} in {}", module.display());
            fs::write(module, "").unwrap();
        }
    }
    let excludes = Excludes::new(directory.path(), &[]).unwrap();
    for (started, is_package) in
        [("src.handler.handler", true), ("src/handler.py", true), ("src", true), ("handler.handler", false)]
    {
        let started = [started.to_owned()];
        let source = source_of(directory.path(), directory.path(), &[], &excludes);
        let application = ApplicationSource { started: &started, ..source }.collect().unwrap();
        assert_eq!(paths(&application).contains(&"src/core/db.py"), is_package, "{started:?}");
    }
}
