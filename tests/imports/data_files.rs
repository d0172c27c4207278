//! Files that applications name by literal paths: with them the build is silent and the application runs; without them the
//! build fails, and its hint helps.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::applications::distributions;
use super::support::command::{fail, pybundle, succeed};
use super::support::uv::Project;
use super::{interpreter, lambda, unpack};

/// A small application with data files, as people write it.
struct Application {
    files: &'static [(&'static str, &'static str)],
    /// The distributions that it imports, which are not locked here.
    imports: &'static [&'static str],
    /// A pattern that excludes what it needs.
    excluded: &'static str,
    /// The beginning of the error.
    error: &'static str,
    /// The hint.
    hint: &'static str,
    /// The exception of Python; empty if it is not run, because a distribution is not in the lock of the tests.
    raises: &'static str,
}

const CONFIG: &[(&str, &str)] = &[
    (
        "app.py",
        "import json\n\nwith open(\"config.json\") as file:\n    CONFIG = json.load(file)\n\n\ndef handler(event, context):\n    return CONFIG[\"name\"]\n",
    ),
    ("config.json", "{\"name\": \"shop\"}"),
];

const APPLICATIONS: [Application; 12] = [
    Application {
        files: CONFIG,
        imports: &[],
        excluded: "*.json",
        error: "app.py:3 uses `config.json`",
        hint: "--exclude '!/config.json'",
        raises: "FileNotFoundError",
    },
    Application {
        files: &[
            (
                "app.py",
                "from pathlib import Path\n\nMODEL = Path(__file__).resolve().parent / \"models\" / \"model.ubj\"\n\n\ndef load(path):\n    return path.read_bytes()\n\n\nBOOSTER = load(MODEL)\n\n\ndef handler(event, context):\n    return len(BOOSTER)\n",
            ),
            ("models/model.ubj", "{L\u{0}}"),
        ],
        imports: &[],
        excluded: "models/",
        error: "app.py:3 uses `models/model.ubj`",
        hint: "--exclude '!/models/'",
        raises: "FileNotFoundError",
    },
    Application {
        files: &[
            ("shop/__init__.py", ""),
            ("app.py", "from shop.db import SCHEMA\n\n\ndef handler(event, context):\n    return SCHEMA\n"),
            (
                "shop/db.py",
                "from importlib.resources import files\n\nSCHEMA = files(\"shop.sql\").joinpath(\"schema.sql\").read_text()\n",
            ),
            ("shop/sql/schema.sql", "create table item (id integer);\n"),
            ("shop/sql/drop.sql", "drop table item;\n"),
        ],
        imports: &[],
        excluded: "schema.sql",
        error: "shop/db.py:3 uses `shop/sql/schema.sql`",
        hint: "--exclude '!/shop/sql/schema.sql'",
        raises: "FileNotFoundError",
    },
    Application {
        files: &[
            (
                "app.py",
                "import pkgutil\n\nimport shop\n\nSCHEMA = pkgutil.get_data(\"shop\", \"sql/schema.sql\").decode()\n\n\ndef handler(event, context):\n    return SCHEMA\n",
            ),
            ("shop/__init__.py", ""),
            ("shop/sql/schema.sql", "create table item (id integer);\n"),
        ],
        imports: &[],
        excluded: "sql",
        error: "app.py:5 uses `shop/sql/schema.sql`",
        hint: "--exclude '!/shop/sql/'",
        raises: "FileNotFoundError",
    },
    Application {
        files: &[
            (
                "app.py",
                "import gettext\nimport os\n\nLOCALE = os.path.join(os.path.dirname(os.path.abspath(__file__)), \"locale\")\n_ = gettext.translation(\"messages\", localedir=LOCALE, languages=[\"de\"]).gettext\n\n\ndef handler(event, context):\n    return _(\"hello\")\n",
            ),
            ("locale/de/LC_MESSAGES/messages.po", "msgid \"hello\"\nmsgstr \"hallo\"\n"),
            ("locale/de/LC_MESSAGES/messages.mo", "MO"),
        ],
        imports: &[],
        excluded: "*.mo",
        error: "app.py:5 uses `locale/de/LC_MESSAGES/messages.mo`",
        hint: "--exclude '!/locale/de/LC_MESSAGES/messages.mo'",
        raises: "FileNotFoundError",
    },
    Application {
        files: &[
            (
                "app.py",
                "from flask import Flask, render_template\n\napp = Flask(__name__)\n\n\n@app.get(\"/\")\ndef index():\n    return render_template(\"index.html\", name=\"you\")\n\n\ndef handler(event, context):\n    app.testing = True\n    return app.test_client().get(\"/\").text\n",
            ),
            ("templates/base.html", "<p>{% block body %}{% endblock %}</p>"),
            ("templates/index.html", "{% extends \"base.html\" %}{% block body %}hello {{ name }}{% endblock %}"),
        ],
        imports: &["flask"],
        excluded: "templates",
        error: "app.py:3 uses `templates`",
        hint: "--exclude '!/templates/'",
        raises: "TemplateNotFound",
    },
    Application {
        files: &[
            (
                "shop/__init__.py",
                "from flask import Flask\n\n\ndef create_app():\n    app = Flask(__name__)\n    from .views import pages\n\n    app.register_blueprint(pages)\n    return app\n",
            ),
            (
                "app.py",
                "from shop import create_app\n\napp = create_app()\n\n\ndef handler(event, context):\n    app.testing = True\n    return app.test_client().get(\"/\").text\n",
            ),
            (
                "shop/views.py",
                "from flask import Blueprint, render_template\n\npages = Blueprint(\"pages\", __name__)\n\n\n@pages.get(\"/\")\ndef index():\n    return render_template(\"pages/index.html\")\n",
            ),
            ("shop/templates/pages/index.html", "hello"),
            ("shop/templates/pages/other.html", "hello"),
        ],
        imports: &["flask"],
        excluded: "index.html",
        error: "shop/views.py:8 uses `shop/templates/pages/index.html`",
        hint: "--exclude '!/shop/templates/pages/index.html'",
        raises: "TemplateNotFound",
    },
    Application {
        files: &[
            ("app.py", "from report import mail\n\n\ndef handler(event, context):\n    return mail.text(\"you\")\n"),
            (
                "report/mail.py",
                "from pathlib import Path\n\nfrom jinja2 import Environment, FileSystemLoader, StrictUndefined\n\nBASE_DIR = Path(__file__).resolve().parent.parent\nenvironment = Environment(loader=FileSystemLoader(BASE_DIR / \"mails\"), undefined=StrictUndefined)\n\n\ndef text(name):\n    return environment.get_template(\"welcome.txt\").render(name=name)\n",
            ),
            ("mails/welcome.txt", "Welcome, {{ name }}!"),
        ],
        imports: &["jinja2"],
        excluded: "/mails/*",
        error: "report/mail.py:6 uses `mails`",
        hint: "--exclude '!/mails/**'",
        raises: "TemplateNotFound",
    },
    Application {
        files: &[
            (
                "app.py",
                "import os\n\nimport django\n\nos.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"config.settings\")\ndjango.setup()\n\n\ndef handler(event, context):\n    from django.template.loader import render_to_string\n\n    return render_to_string(\"home.html\", {})\n",
            ),
            ("config/__init__.py", ""),
            (
                "config/settings.py",
                "from pathlib import Path\n\nBASE_DIR = Path(__file__).resolve().parent.parent\nSECRET_KEY = \"x\"\nINSTALLED_APPS = []\nTEMPLATES = [\n    {\n        \"BACKEND\": \"django.template.backends.django.DjangoTemplates\",\n        \"DIRS\": [BASE_DIR / \"templates\"],\n        \"APP_DIRS\": True,\n    }\n]\nDATABASES = {\"default\": {\"ENGINE\": \"django.db.backends.sqlite3\", \"NAME\": BASE_DIR / \"db.sqlite3\"}}\nSTATIC_URL = \"static/\"\nSTATIC_ROOT = BASE_DIR / \"staticfiles\"\n",
            ),
            ("templates/home.html", "home"),
            ("staticfiles/x.css", ""),
        ],
        imports: &["django"],
        excluded: "templates/",
        error: "config/settings.py:9 uses `templates`",
        hint: "--exclude '!/templates/'",
        raises: "TemplateDoesNotExist",
    },
    Application {
        files: &[
            (
                "app.py",
                "from fastapi.staticfiles import StaticFiles\nfrom fastapi.templating import Jinja2Templates\nfrom starlette.applications import Starlette\nfrom starlette.routing import Mount\n\ntemplates = Jinja2Templates(directory=\"templates\")\napp = Starlette(routes=[Mount(\"/static\", StaticFiles(directory=\"assets\"))])\n\n\ndef handler(event, context):\n    return templates.get_template(\"page.html\").render()\n",
            ),
            ("templates/page.html", "page"),
            ("assets/x.css", ""),
        ],
        imports: &["fastapi", "starlette"],
        excluded: "assets/",
        error: "app.py:7 uses `assets`",
        hint: "--exclude '!/assets/'",
        raises: "RuntimeError",
    },
    Application {
        files: ALEMBIC,
        imports: &["alembic"],
        excluded: "*.ini",
        error: "app.py:6 uses `alembic.ini`",
        hint: "--exclude '!/alembic.ini'",
        raises: "",
    },
    Application {
        files: ALEMBIC,
        imports: &["alembic"],
        excluded: "migrations/",
        error: "app.py:6 uses `migrations`",
        hint: "--exclude '!/migrations/'",
        raises: "",
    },
];

const ALEMBIC: &[(&str, &str)] = &[
    (
        "app.py",
        "from alembic import command\nfrom alembic.config import Config\n\n\ndef handler(event, context):\n    command.upgrade(Config(\"alembic.ini\"), \"head\")\n",
    ),
    ("alembic.ini", "[alembic]\nscript_location = %(here)s/migrations\n"),
    ("migrations/env.py", "from alembic import context\n"),
    ("migrations/script.py.mako", "${message}\n"),
];

/// The compiled translations of `messages.po` above, as `msgfmt` writes them.
const CATALOG: &[u8] = &[
    0xde, 0x12, 0x04, 0x95, 0, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0, 5, 0, 0, 0, 44,
    0, 0, 0, 5, 0, 0, 0, 50, 0, 0, 0, b'h', b'e', b'l', b'l', b'o', 0, b'h', b'a', b'l', b'l', b'o', 0,
];

pub(super) fn project(files: &[(&str, &str)]) -> Project {
    let project = Project::new(files);
    project.write("requirements.txt", b"");
    if project.path().join("locale").exists() {
        project.write("locale/de/LC_MESSAGES/messages.mo", CATALOG);
    }
    project
}

/// Returns the type of the exception that the handler raises in a directory; empty if it returns.
fn raised(directory: &Path) -> String {
    let script = "import sys\nsys.path[:0] = ['.', sys.argv[1]]\ntry:\n    import app\n    app.handler({}, None)\n\
                  except BaseException as error:\n    print(type(error).__name__)\n";
    let mut python = Command::new(interpreter("3.12"));
    let output = python.args(["-I", "-B", "-c", script]).arg(distributions()).current_dir(directory).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Splits a command line as a shell does, as far as hints need it.
pub(super) fn words(flags: &str) -> Vec<&str> {
    flags.split(' ').map(|word| word.trim_matches('\'')).collect()
}

#[test]
fn applications_have_their_data_files_or_fail_with_a_hint_that_helps() {
    for application in &APPLICATIONS {
        let project = project(application.files);
        let mut common = vec!["--handler", "app.handler"];
        application.imports.iter().for_each(|import| common.extend(["--allow-missing", import]));
        let build = |more: &[&str]| {
            let _ = std::fs::remove_dir_all(project.path().join("dist"));
            lambda(project.path(), "3.12", &[&common[..], more].concat())
        };
        // Everything is bundled.
        let runs = |more: &[&str]| {
            let outputs = tempfile::tempdir().unwrap();
            let zip = outputs.path().join("function.zip");
            let output = build(more).arg("-o").arg(&zip).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success() && said.is_empty(), "{more:?}: {said}");
            unpack(&zip, &outputs.path().join("tree"));
            if application.raises.is_empty() { String::new() } else { raised(&outputs.path().join("tree")) }
        };
        assert_eq!(runs(&[]), "", "{}", application.error);

        let excluded = ["--exclude", application.excluded];
        let said = fail(&mut build(&excluded));
        let error = format!("error: {}, which is in the project, but not in the artifact\n", application.error);
        assert!(said.starts_with(&error), "{said}");
        let hint = said.lines().find_map(|line| line.strip_prefix("hint: include ")).unwrap();
        let (_, hint) = hint.split_once(" with ").unwrap();
        assert_eq!(hint, application.hint);
        assert_eq!(runs(&[&excluded[..], &words(hint)].concat()), "", "{hint}");

        let allowed = said.lines().find_map(|line| line.strip_prefix("hint: if it is provided at run time, pass "));
        for flags in [words(allowed.unwrap()), vec!["--no-audit"]] {
            assert_eq!(runs(&[&excluded[..], &flags].concat()), application.raises, "{}", application.error);
        }
    }
}

#[test]
fn what_is_not_included_is_added_by_the_hint() {
    let files =
        [CONFIG, &[("data files/x.json", "{}"), ("other.py", "open('data files/x.json')\nopen('lost.json')\n")]]
            .concat();
    let project = project(&files);
    for (included, hints) in [
        (&["--include", "app.py"][..], &["config.json with --include config.json"][..]),
        (&["--include", "other.py"], &["data files/x.json with --include 'data files/x.json:data files/x.json'"]),
        (
            &["--include", "app.py", "--include", "other.py"],
            &[
                "config.json with --include config.json",
                "data files/x.json with --include 'data files/x.json:data files/x.json'",
            ],
        ),
    ] {
        let said = fail(&mut lambda(project.path(), "3.12", included));
        let printed: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("hint: include ")).collect();
        assert_eq!(printed, hints, "{said}");
        let mut command = lambda(project.path(), "3.12", included);
        printed.iter().for_each(|hint| {
            let (_, path) = hint.split_once(" with --include ").unwrap();
            command.args(["--include", path.trim_matches('\'')]);
        });
        succeed(&mut command);
    }
    // The contents of another directory are in the function's.
    project.write("source/app.py", CONFIG[0].1.as_bytes());
    project.write("source/config.json", CONFIG[1].1.as_bytes());
    std::fs::remove_file(project.path().join("config.json")).unwrap();
    let included = ["--include", "source:.", "--exclude", "config.json"];
    let said = fail(&mut lambda(project.path(), "3.12", &included));
    assert!(said.contains("\nhint: include config.json with --exclude '!/source/config.json'\n"), "{said}");
    succeed(&mut lambda(project.path(), "3.12", &[&included[..], &["--exclude", "!/source/config.json"]].concat()));

    let report =
        succeed(&mut lambda(project.path(), "3.12", &["--include", "other.py", "--include", "data files", "--json"]));
    let report: Value = serde_json::from_str(&report).unwrap();
    let warning = "other.py:2 uses `lost.json`, which is neither in the artifact nor in the project";
    assert_eq!(report["audit"]["warnings"], serde_json::json!([warning]));
}

/// A package whose wheel omits its data, with a build back end that has no dependencies.
fn package() -> Project {
    let pyproject = "[project]\nname = \"shop\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n[project.scripts]\nshop = \"shop.main:main\"\n\
                     [build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n[tool.uv]\nno-index = true\n";
    let backend = r#"
import zipfile


def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "shop-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        wheel.write("src/shop/__init__.py", "shop/__init__.py")
        wheel.write("src/shop/main.py", "shop/main.py")
        info = "shop-1.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: shop\nVersion: 1\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\nshop = shop.main:main\n")
        paths = ["shop/__init__.py", "shop/main.py", *(f"{info}/{name}" for name in ("METADATA", "WHEEL", "entry_points.txt", "RECORD"))]
        wheel.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in paths))
    return name
"#;
    let main = "from importlib.resources import files\n\n\ndef main():\n    return (files(\"shop\") / \"sql\" / \"schema.sql\").read_text()\n";
    let project = Project::new(&[
        ("pyproject.toml", pyproject),
        ("backend.py", backend),
        ("src/shop/__init__.py", ""),
        ("src/shop/main.py", main),
        ("src/shop/sql/schema.sql", ""),
    ]);
    project.uv(&["lock", "--quiet"]);
    project
}

/// Returns the command that builds an image without a base.
fn image(project: &Project, more: &[&str]) -> Command {
    let mut image = pybundle(&["image", "--no-progress", "--python=3.12", "--platform=linux/amd64", "--base=scratch"]);
    image.arg("--no-compile-bytecode").arg("-o").arg(format!("oci:{}", project.path().join("dist/image").display()));
    image.arg(project.path()).args(more);
    image
}

#[test]
fn data_that_a_package_omits_is_added_by_the_hint() {
    let project = package();
    let site_packages = ".venv/lib/python3.12/site-packages";
    for (mut command, include) in [
        (lambda(project.path(), "3.12", &[]), "src/shop/sql/schema.sql:shop/sql/schema.sql".to_owned()),
        (image(&project, &[]), format!("src/shop/sql/schema.sql:{site_packages}/shop/sql/schema.sql")),
    ] {
        let said = fail(&mut command);
        assert!(said.contains("shop/main.py:5 uses `shop/sql/schema.sql`, which is in the project"), "{said}");
        let hint = format!(
            "\nhint: add shop/sql/schema.sql to the files of the package shop, or include it with --include {include}\n"
        );
        assert!(said.contains(&hint), "{said}");
        succeed(command.args(["--include", &include]));
    }
    succeed(lambda(project.path(), "3.12", &[]).args(["--allow-missing", "shop/sql"]));
    succeed(image(&project, &[]).args(["--allow-missing", "shop/sql/schema.sql"]));
}

#[test]
fn an_image_runs_a_script_in_its_working_directory() {
    let app = "def main():\n    return open(\"config.json\").read()\n\n\nif __name__ == \"__main__\":\n    main()\n";
    let project = project(&[("app.py", app), ("config.json", "{}")]);
    let excluded = ["--exclude=config.json"];
    for (command, fails) in [
        (&["--cmd=python app.py"][..], true),
        (&["--cmd=python -m app"], true),
        (&["--cmd=python /app/app.py"], true),
        // A server imports the module, and another directory may have the file.
        (&["--cmd=gunicorn app:main"], false),
        (&["--cmd=python /app/app.py", "--workdir=/srv"], false),
    ] {
        succeed(&mut image(&project, command));
        let mut image = image(&project, &[command, &excluded].concat());
        if fails {
            let said = fail(&mut image);
            assert!(said.contains("error: app/app.py:2 uses `config.json`, which is in the project"), "{said}");
            assert!(said.contains("\nhint: include config.json with --exclude '!/config.json'\n"), "{said}");
        } else {
            succeed(&mut image);
        }
    }
}

#[test]
fn a_module_that_is_not_reached_has_no_data_files() {
    let project = project(
        &[CONFIG, &[("scripts/load.py", "open('lost.json')\nopen('event.json')\n"), ("event.json", "")]].concat(),
    );
    let flags = ["--handler", "app.handler", "--include", ".", "--exclude", "event.json"];
    let output = lambda(project.path(), "3.12", &flags).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
