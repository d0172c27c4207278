//! The targets of each kind of project.

use serde_json::json;

use crate::project::{Project, names, pyproject};
use crate::support::command::{pybundle, succeed};

const WSGI: &str = "import os\n\nfrom django.core.wsgi import get_wsgi_application\n\n\
                    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings.dev')\napplication = get_wsgi_application()\n";
const ASGI: &str = "from django.core.asgi import get_asgi_application\n\napplication = get_asgi_application()\n";
const MANAGE: &str =
    "import os\n\ndef main():\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings.dev')\n";

fn strings(table: &toml::Table, key: &str) -> Vec<String> {
    table[key].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[test]
fn django_is_served_with_its_production_settings() {
    let project = Project::new(&[
        ("requirements/production.txt", "-r base.txt\ngunicorn==1.0\n"),
        ("requirements/base.txt", "django==1.0\n"),
        ("requirements/dev.txt", "-r base.txt\npytest\n"),
        ("backend/manage.py", MANAGE),
        ("backend/shop/__init__.py", ""),
        ("backend/shop/wsgi.py", WSGI),
        ("backend/shop/asgi.py", ASGI),
        ("backend/shop/settings/__init__.py", ""),
        ("backend/shop/settings/dev.py", ""),
        ("backend/shop/settings/production.py", ""),
        ("backend/templates/index.html", ""),
        (".python-version", "3.12\n"),
    ]);
    for name in ["django", "gunicorn"] {
        project.0.write(&format!("index/{name}-1.0-py3-none-any.whl"), &crate::support::wheel(name, "1.0"));
    }
    let report = project.init(&[]);
    assert_eq!(names(&report["projects"][0]["found"]), ["shop.asgi:application", "shop.wsgi:application"]);
    let web = project.target("web");
    assert_eq!(strings(&web, "cmd"), ["gunicorn", "--bind", "0.0.0.0:8000", "shop.wsgi:application"]);
    assert_eq!(web["lock"].as_str(), Some("requirements/production.txt"));
    assert_eq!(web["env"]["DJANGO_SETTINGS_MODULE"].as_str(), Some("shop.settings.production"));
    // The modules import each other from the directory of manage.py.
    assert_eq!(strings(&web, "include"), ["backend:."]);
    // .python-version sets it.
    assert!(!web.contains_key("python"));
    assert_eq!(project.planned(&["--no-index", "--find-links=index"]), ["web"]);
}

#[test]
fn flask_is_served_with_its_templates() {
    let project = Project::locked(
        &["flask", "gunicorn"],
        &[],
        "",
        &[
            ("shop/__init__.py", "from .factory import create_app\n"),
            (
                "shop/factory.py",
                "import flask\n\ndef create_app(config=None):\n    app = flask.Flask('shop')\n    return app\n",
            ),
            ("templates/index.html", ""),
            ("wsgi.py", "from shop import create_app\n\napplication = create_app()\n"),
        ],
    );
    project.init(&[]);
    let web = project.target("web");
    assert_eq!(strings(&web, "cmd"), ["gunicorn", "--bind", "0.0.0.0:8000", "wsgi:application"]);
    // The default includes the templates.
    assert!(!web.contains_key("include"));
    assert_eq!(project.planned(&[]), ["web"]);

    // Without the object, the server calls the function.
    let project = Project::new(&[
        ("requirements.txt", "flask\nwaitress\n"),
        ("app.py", "from flask import Flask\n\ndef create_app():\n    return Flask('app')\n"),
    ]);
    project.init(&["--name=api"]);
    let api = project.target("api");
    assert_eq!(strings(&api, "cmd"), ["waitress-serve", "--listen", "0.0.0.0:8000", "--call", "app:create_app"]);
    // The requirements file does not pin versions.
    assert_eq!(api["resolve"].as_bool(), Some(true));
}

#[test]
fn a_server_is_recommended_if_none_is_locked() {
    let project = Project::new(&[
        ("pyproject.toml", &pyproject("shop", &["starlette"], "")),
        ("main.py", "from starlette.applications import Starlette\n\napp: Starlette = Starlette()\n"),
        ("tests/test_main.py", ""),
    ]);
    let report = project.init(&[]);
    assert!(project.0.read("pyproject.toml").contains("\n# `uv add uvicorn`, and lock again.\ncmd = [\"uvicorn\", "));
    assert_eq!(report["next"], json!(["uv lock", "pybundle build --dry-run", "pybundle build"]));
    assert!(report["projects"][0]["notes"][0].as_str().unwrap().contains("no group contains pytest"));
}

#[test]
fn a_package_is_started_by_its_console_script() {
    let scripts = "[project.scripts]\nadmin = \"shop:admin\"\nshop = \"shop:main\"\n\n\
                   [build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n\n\
                   [project.optional-dependencies]\ntest = [\"pytest\"]\n\n";
    let files = [("src/shop/__init__.py", "def main(): pass\ndef admin(): pass\n"), ("tests/unit/test_shop.py", "")];
    let project = Project::locked(&[], &["pytest"], scripts, &files);
    project.init(&[]);
    assert_eq!(strings(&project.target("app"), "cmd"), ["shop"]);
    assert_eq!(strings(&project.target("test"), "extra"), ["test"]);
    assert!(project.0.read("pyproject.toml").contains("# Other commands: admin.\n"));
    assert_eq!(project.planned(&[]), ["app", "test"]);
}

#[test]
fn a_library_gets_targets_only_on_request() {
    let library = "[build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n\n";
    let files = [("src/shop/__init__.py", "def price(event): pass\n"), ("README.md", "app = FastAPI()")];
    let project = Project::locked(&[], &[], library, &files);
    let said = project.refused(&[]);
    assert!(
        said.contains("found nothing to deploy in ")
            && said.contains(": it looks like a library")
            && said.contains("hint: "),
        "{said}"
    );
    project.init(&["--handler=shop.price"]);
    assert_eq!(project.target("function")["handler"].as_str(), Some("shop.price"));
    assert_eq!(project.planned(&[]), ["function"]);
}

#[test]
fn a_poetry_project_gets_a_function_for_its_adapter() {
    let lock = "[[package]]\nname = \"mangum\"\nversion = \"1.0\"\noptional = false\npython-versions = \"*\"\n\
                groups = [\"main\"]\nfiles = []\n\n[metadata]\nlock-version = \"2.1\"\n\
                python-versions = \"^3.11\"\ncontent-hash = \"0\"\n";
    let project = Project::new(&[
        (
            "pyproject.toml",
            "[tool.poetry]\nname = \"shop\"\nversion = \"1\"\npackage-mode = false\n\n[tool.poetry.dependencies]\n\
             python = \"^3.11\"\nmangum = \"*\"\n\n[tool.poetry.group.dev.dependencies]\npytest = \"*\"\n",
        ),
        ("poetry.lock", lock),
        (
            "api.py",
            "from fastapi import FastAPI\nfrom mangum import Mangum\n\napp = FastAPI()\nhandler = Mangum(app)\n",
        ),
        ("jobs.py", "def nightly(event, context):\n    pass\n"),
        ("tests/test_api.py", ""),
    ]);
    project.init(&["--dry-run"]);
    project.init(&[]);
    assert_eq!(project.target("function")["handler"].as_str(), Some("api.handler"));
    let text = project.0.read("pyproject.toml");
    assert!(text.contains("# api.py:5: created by Mangum. "), "{text}");
    assert!(text.contains("# Other handlers that the same zip contains: jobs.nightly.\n"), "{text}");

    // --kind adds an image.
    let other = Project::new(&[]);
    for name in ["pyproject.toml", "poetry.lock", "api.py", "tests/test_api.py"] {
        let text = project.0.read(name);
        other.0.write(name, text.split("\n# Targets of `pybundle build`").next().unwrap().as_bytes());
    }
    let report = other.init(&["--kind=both", "--name=shop"]);
    assert_eq!(names(&report["projects"][0]["targets"]), ["shop-lambda", "shop", "test"]);
    assert_eq!(strings(&other.target("test"), "group"), ["dev"]);
    assert!(other.0.read("pyproject.toml").contains("\n# `poetry add uvicorn`, and lock again.\n"));
}

#[test]
fn every_deployable_member_of_a_workspace_is_configured() {
    let library = "[build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n\n";
    let member = |name: &str, rest: &str| {
        let text = pyproject(name, &[], rest);
        text.split("[[tool.uv.index]]").next().unwrap().to_owned()
    };
    let root = "[tool.uv.workspace]\nmembers = [\"packages/*\"]\n";
    let project = Project::new(&[
        ("pyproject.toml", root),
        (".git/HEAD", "ref: refs/heads/main\n"),
        ("packages/api/pyproject.toml", &member("api", "")),
        ("packages/api/fn.py", "def lambda_handler(event, context): pass\n"),
        ("packages/core/pyproject.toml", &member("core", library)),
        ("packages/core/src/core/__init__.py", ""),
        ("packages/job/pyproject.toml", &member("job", "")),
        ("packages/job/main.py", "if __name__ == '__main__':\n    print('done')\n"),
    ]);
    project.0.uv(&["lock", "--offline"]);
    let report = project.init(&[]);
    assert_eq!(names(&report["projects"]), ["api", "job"]);
    assert_eq!(project.0.read("pyproject.toml"), root);
    assert!(
        project
            .0
            .read(".github/workflows/pybundle.yml")
            .ends_with("pybundle@v0\n        with:\n          workspace: true\n")
    );
    assert_eq!(report["next"], json!(["pybundle build --workspace --dry-run", "pybundle build --workspace"]));
    let list = pybundle(&["build", "--workspace", "--list", "--json"]).current_dir(project.0.path()).output().unwrap();
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(names(&list["targets"]), ["api/function", "job/app"]);

    // For a single member, the workflow is written to the root of the repository.
    let alone = Project::new(&[(".git/HEAD", "")]);
    for (path, bytes) in project.files() {
        let name = path.strip_prefix(project.0.path()).unwrap().to_str().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let text = text.split("\n# Targets of `pybundle build`").next().unwrap();
        if !name.starts_with(".g") {
            alone.0.write(name, text.as_bytes());
        }
    }
    let said = succeed(&mut alone.command(&["packages/job"]));
    assert!(said.ends_with("next:\n    cd packages/job\n    pybundle build --dry-run\n    pybundle build\n"), "{said}");
    assert!(alone.0.read(".github/workflows/pybundle.yml").ends_with("with:\n          project: packages/job\n"));
    assert!(!alone.0.read("packages/api/pyproject.toml").contains("pybundle"));
}
