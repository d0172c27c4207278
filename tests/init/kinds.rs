//! The targets of each kind of project.

use serde_json::json;

use crate::project::{Project, names, pyproject};
use crate::support::command::{fail, pybundle, succeed};

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

/// `uv init` makes a package since uv 0.13, and its guides put `main.py` beside it.
#[test]
fn modules_beside_a_package_are_included() {
    let build_system = "[project.scripts]\nshop = \"shop:main\"\n[build-system]\nrequires = [\"uv_build\"]\n\
                        build-backend = \"uv_build\"\n\n";
    let project = Project::locked(
        &["fastapi", "uvicorn"],
        &[],
        build_system,
        &[
            ("src/shop/__init__.py", "def main() -> None:\n    print('Hello from shop!')\n"),
            ("main.py", "from fastapi import FastAPI\n\napp = FastAPI()\n\n\ndef handler(event, context): ...\n"),
        ],
    );
    project.init(&[]);
    for target in ["function", "web"] {
        assert_eq!(strings(&project.target(target), "include"), ["main.py"], "{target}");
    }
    assert_eq!(project.planned(&[]), ["function", "web"]);
    // By hand, the error says what is missing.
    let said = fail(pybundle(&["lambda", "--handler=main.handler", "--no-audit"]).current_dir(project.path("")));
    let hint = "hint: include it with --include main.py: it is in the project, but not in the artifact\n";
    assert!(said.contains("the artifact has no module `main`\n") && said.contains(hint), "{said}");
    succeed(
        pybundle(&["lambda", "--handler=main.handler", "--no-audit", "--include=main.py"])
            .current_dir(project.path("")),
    );
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

    // Without the flag, the root has no targets.
    let said = fail(pybundle(&["build"]).current_dir(project.0.path()));
    assert!(said.ends_with("hint: pass --workspace to build the targets of the workspace's members\n"), "{said}");
    for name in ["app", "job/app"] {
        let said = fail(pybundle(&["build", name]).current_dir(project.0.path()));
        let expected = format!(
            "error: pyproject.toml has no target `{name}`\nhint: pass --workspace: a member of the workspace has this target\n"
        );
        assert!(said.ends_with(&expected), "{said}");
    }
    // The workflow builds every member: there is nothing to add for one.
    let workflow = project.0.read(".github/workflows/pybundle.yml");
    let said = fail(&mut project.command(&["packages/job"]));
    assert!(said.contains("already"), "{said}");
    assert_eq!(project.0.read(".github/workflows/pybundle.yml"), workflow);

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

/// A script that declares dependencies is bundled as one: they would be missing with the directory's files.
#[test]
fn a_script_is_bundled_with_its_dependencies() {
    let metadata = "# /// script\n# requires-python = \">=3.12,<3.14\"\n# dependencies = [\"alpha\"]\n#\n\
                    # [[tool.uv.index]]\n# url = \"index\"\n# format = \"flat\"\n# default = true\n# ///\n";
    let handler = format!("{metadata}import alpha\nimport helpers\n\ndef handler(event, context): ...\n");
    let project = Project::new(&[("nightly.py", handler.as_str()), ("helpers.py", ""), ("plain.py", "print('x')\n")]);
    project.0.write("index/alpha-1.0-py3-none-any.whl", &crate::support::wheel("alpha", "1.0"));
    let image = project.init(&["--kind=image", "--dry-run"]);
    assert_eq!(image["projects"][0]["targets"][0]["what"], "python nightly.py");
    let report = project.init(&["--no-workflow"]);
    assert_eq!(report["projects"][0]["name"], "nightly");
    assert_eq!(report["next"], json!(["uv lock --script nightly.py", "pybundle build --dry-run", "pybundle build"]));
    let function = project.target("function");
    assert_eq!(function["script"].as_str(), Some("nightly.py"));
    assert_eq!(function["handler"].as_str(), Some("nightly.handler"));
    assert_eq!(function["runtime"].as_str(), Some("python3.13"));
    project.0.uv(&["lock", "--offline", "--script", "nightly.py"]);
    assert_eq!(project.planned(&[]), ["function"]);

    // A command of a container, with what the directory's pyproject.toml sets for all targets.
    let project = Project::new(&[
        ("run.py", format!("{metadata}import alpha\n\nprint(alpha)\n").as_str()),
        ("pyproject.toml", "[tool.pybundle]\nslim = true\n"),
    ]);
    project.0.write("index/alpha-1.0-py3-none-any.whl", &crate::support::wheel("alpha", "1.0"));
    project.0.uv(&["lock", "--offline", "--script", "run.py"]);
    assert_eq!(project.init(&["--no-workflow"])["next"], json!(["pybundle build --dry-run", "pybundle build"]));
    let image = project.target("app");
    assert_eq!(
        (image["script"].as_str(), strings(&image, "cmd").join(" ")),
        (Some("run.py"), "python -m run".to_owned())
    );

    // Not where the project has the dependencies, or the handler is another file's.
    let dependent = pyproject("shop", &["alpha"], "");
    let project = Project::new(&[("nightly.py", handler.as_str()), ("pyproject.toml", &dependent), ("helpers.py", "")]);
    assert!(!project.init(&["--dry-run"])["files"][0]["text"].as_str().unwrap().contains("script ="));
    let project = Project::new(&[("nightly.py", handler.as_str()), ("plain.py", "def f(event, context): ...\n")]);
    let report = project.init(&["--dry-run", "--handler=plain.f"]);
    assert!(!report["files"][0]["text"].as_str().unwrap().contains("script ="), "{report}");
}

#[test]
fn a_handler_that_does_not_exist_is_noted() {
    let project = Project::new(&[("app.py", "def handler(event, context): ...\n")]);
    for (handler, notes) in [
        ("app.handler", json!([])),
        (
            "nosuch.fn",
            json!([
                "the project has no module `nosuch`: builds with the handler `nosuch.fn` fail unless a dependency has it"
            ]),
        ),
        (
            "api.handler",
            json!([
                "the project has no module `api`: builds with the handler `api.handler` fail unless a dependency has it; did you mean `app.handler`?"
            ]),
        ),
        ("app.fn", json!(["cannot run the handler `app.fn`: app.py does not define `fn` at its top level"])),
    ] {
        let report = project.init(&["--dry-run", "--handler", handler]);
        assert_eq!(report["projects"][0]["notes"], notes, "{handler}");
    }
}

/// What is started without a web server of its own.
#[test]
fn pages_functions_and_scripts_are_recognized() {
    for (distribution, files, command, port) in [
        (
            "streamlit",
            &[("app.py", "import streamlit as st\n\nst.title('Shop')\n")][..],
            "streamlit run app.py --server.address 0.0.0.0 --server.port 8501 --server.headless true",
            Some(8501),
        ),
        (
            "gradio",
            &[(
                "app.py",
                "import gradio as gr\n\nwith gr.Blocks() as demo:\n    gr.Markdown('Shop')\n\nif __name__ == '__main__':\n    demo.launch()\n",
            )],
            "python -m app",
            Some(7860),
        ),
        (
            "functions-framework",
            &[(
                "main.py",
                "import functions_framework\n\n@functions_framework.http\ndef hello(request):\n    return 'Hello'\n",
            )],
            "functions-framework --source main.py --target hello --port 8080",
            Some(8080),
        ),
        (
            "celery",
            &[("shop/__init__.py", ""), ("shop/tasks.py", "from celery import Celery\n\napp = Celery('shop')\n")],
            "celery --app shop.tasks:app worker --loglevel INFO",
            None,
        ),
        (
            "requests",
            &[("import_prices.py", "import json\n\nprint(json.dumps({}))\n")],
            "python -m import_prices",
            None,
        ),
    ] {
        let name = distribution.replace('-', "_");
        let project = Project::new(files);
        project.0.write(&format!("index/{name}-1.0-py3-none-any.whl"), &crate::support::wheel(&name, "1.0"));
        project.0.write("pyproject.toml", pyproject("shop", &[distribution], "").as_bytes());
        project.0.uv(&["lock", "--offline"]);
        project.init(&[]);
        let target = project.target("app");
        assert_eq!(strings(&target, "cmd").join(" "), command);
        let ports = target.get("expose").map(|ports| ports[0].as_integer().unwrap());
        assert_eq!(ports, port, "{distribution}");
        assert_eq!(target.contains_key("env"), distribution == "gradio");
        assert_eq!(project.planned(&[]), ["app"], "{distribution}");
    }
}

/// A worker runs the code of the server, so it has the same layers.
#[test]
fn a_worker_beside_a_server_is_a_target_of_its_own() {
    let project = Project::locked(
        &["flask", "gunicorn", "celery"],
        &[],
        "",
        &[
            ("shop/__init__.py", ""),
            ("shop/web.py", "import flask\n\napp = flask.Flask('shop')\n"),
            ("shop/tasks.py", "import celery\n\nqueue = celery.Celery('shop')\n"),
        ],
    );
    project.init(&[]);
    assert_eq!(strings(&project.target("web"), "cmd")[0], "gunicorn");
    let worker = project.target("worker");
    assert_eq!(worker["extends"].as_str(), Some("web"));
    assert_eq!(strings(&worker, "cmd").join(" "), "celery --app shop.tasks:queue worker --loglevel INFO");
    assert_eq!(project.planned(&[]), ["web", "worker"]);
}

/// What a team has decided in its Dockerfile is carried over, and what cannot be is said.
#[test]
fn a_dockerfile_is_read() {
    let dockerfile = "FROM python:3.12-slim\n\
                      ENV PYTHONDONTWRITEBYTECODE=1 LOG_LEVEL=info\n\
                      RUN apt-get update && apt-get install -y libpq5 gcc libmagic1 && rm -rf /var/lib/apt/lists/*\n\
                      COPY . .\n\
                      RUN uv sync --frozen\n\
                      RUN python manage.py collectstatic --noinput\n\
                      EXPOSE 9000\n\
                      USER 1000\n\
                      HEALTHCHECK --interval=30s --retries=2 CMD curl -f http://localhost:9000/ || exit 1\n\
                      STOPSIGNAL SIGINT\n\
                      VOLUME /data\n\
                      RUN uv run manage.py compress\n\
                      RUN groupadd --system app && useradd --system --uid 1000 --gid app app\n\
                      CMD [\"uv\", \"run\", \"gunicorn\", \"--bind\", \"0.0.0.0:9000\", \"shop.wsgi\"]\n";
    let project = Project::locked(
        &["django", "gunicorn"],
        &[],
        "",
        &[
            ("Dockerfile", dockerfile),
            ("manage.py", MANAGE),
            ("shop/__init__.py", ""),
            ("shop/wsgi.py", WSGI),
            ("shop/settings/__init__.py", ""),
            ("shop/settings/dev.py", ""),
        ],
    );
    let report = project.init(&[]);
    let web = project.target("web");
    assert_eq!(web["base"].as_str(), Some("python:3.12-slim"));
    assert_eq!(strings(&web, "cmd"), ["gunicorn", "--bind", "0.0.0.0:9000", "shop.wsgi"]);
    assert_eq!((web["user"].as_str(), &web["expose"][0]), (Some("1000"), &toml::Value::Integer(9000)));
    assert_eq!(strings(&web, "add-user"), ["app:1000:1000"]);
    assert_eq!(strings(&web, "apt"), ["libpq5", "libmagic1"]);
    assert!(report["next"].as_array().unwrap().iter().any(|command| command == "pybundle apt lock"), "{report}");
    assert_eq!(web["healthcheck"].as_str(), Some("curl -f http://localhost:9000/ || exit 1"));
    assert_eq!((web["healthcheck-interval"].as_str(), web["healthcheck-retries"].as_integer()), (Some("30s"), Some(2)));
    assert_eq!((web["stop-signal"].as_str(), strings(&web, "volume")), (Some("SIGINT"), vec!["/data".to_owned()]));
    assert_eq!(web["env"]["LOG_LEVEL"].as_str(), Some("info"));
    assert_eq!(web["env"]["DJANGO_SETTINGS_MODULE"].as_str(), Some("shop.settings.dev"));
    assert_eq!(web["env"].as_table().unwrap().len(), 2);
    // The base decides.
    assert!(!web.contains_key("python"));
    let notes = report["projects"][0]["notes"].to_string();
    for note in [
        "Dockerfile installs gcc, which is not carried over: what is missing at run time, a build tells",
        "Dockerfile:6 is not carried over: RUN python manage.py collectstatic --noinput",
        "Dockerfile:12 is not carried over: RUN uv run manage.py compress",
    ] {
        assert!(notes.contains(note), "{notes}");
    }
    assert!(!notes.contains("uv sync") && !notes.contains("COPY"), "{notes}");
    assert!(
        project.0.read("pyproject.toml").contains("# prepare = [[\"uv\", \"run\", \"manage.py\", \"collectstatic\"")
    );
}
