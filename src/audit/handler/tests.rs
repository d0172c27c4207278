use super::*;
use crate::tree::TreeEntry;
use crate::tree::{FileAccess, FileContent, TreePath};

const PYTHON: PythonVersion = PythonVersion::new(12);

fn tree(files: &[(&str, &str)]) -> FileTree {
    let mut tree = FileTree::new();
    for (path, text) in files {
        let content = FileContent::Bytes(text.as_bytes().into());
        let entry = TreeEntry { access: FileAccess::FILE, content, origin: FileOrigin::Application };
        tree.insert(TreePath::new(path).unwrap(), entry).unwrap();
    }
    tree
}

fn root<'a>(tree: &'a FileTree, site_packages: &'a str) -> ImportRoot<'a> {
    ImportRoot { tree, site_packages, suffixes: ExtensionSuffixes::of_gnu(PYTHON) }
}

fn check_in(files: &[(&str, &str)], handler: &str) -> Result<LocatedHandler, HandlerError> {
    let tree = tree(files);
    check(&handler.parse().unwrap(), &[root(&tree, "")], PYTHON, |_| true)
}

#[test]
fn hints_about_handlers_are_about_the_application() {
    let files = [
        ("app.py", "from lib import Adapter, Other\nhandler = Adapter()\n"),
        ("other.py", "from lib import Adapter\n"),
        ("lib.py", "class Adapter:\n    pass\nclass Other:\n    pass\n"),
        ("late.py", "return 1\n"),
        ("web/__init__.py", ""),
        (
            "web/main.py",
            "from fastapi import FastAPI\nfrom mangum import Mangum\napp = FastAPI()\nhandler = Mangum(app)\n",
        ),
        ("site.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ("new.py", "match x:\n    case 1:\n        pass\ntype X = int\n"),
    ];
    for (handler, expected) in [
        ("app.Adapter", "did you mean `app.handler`?"),
        ("other.Adapter", "name a function of the application with --handler"),
        ("late.handler", "fix late.py"),
        ("web.main", "did you mean `web.main.handler`?"),
        ("web.main.app", "did you mean `web.main.handler`?"),
        (
            "site.app",
            "wrap it in site.py: `from apig_wsgi import make_lambda_handler` and `handler = make_lambda_handler(app)`, with \
             apig-wsgi as a dependency",
        ),
    ] {
        assert_eq!(check_in(&files, handler).unwrap_err().hints(), [expected], "{handler}");
    }
    // The module's name begins with the directory that the application's files were taken from.
    let error = check_in(&files, "src.web.main.handler").unwrap_err();
    let HandlerError::NoModule { handler, similar, .. } = error else { panic!("{error}") };
    let error =
        HandlerError::NoModule { handler, similar, omitted: Some("src".to_owned()), is_file: false, excluded_by: None };
    assert_eq!(
        error.hints(),
        [
            "did you mean `web.main.handler`?",
            "include it with --include src: it is in the project, but not in the artifact"
        ]
    );
    let tree = tree(&files);
    let roots = [root(&tree, "")];
    let python = PythonVersion::new(11);
    let error = check(&"new.handler".parse().unwrap(), &roots, python, |_| true).unwrap_err();
    assert_eq!(error.hints(), ["fix the module, or choose another version with --runtime"]);
}

#[test]
fn modules_of_handlers_are_dotted_names_or_paths() {
    for (text, module, function) in [
        ("app.handler", "app", "handler"),
        ("pkg.mod.func", "pkg.mod", "func"),
        ("pkg/mod.func", "pkg.mod", "func"),
        ("my-app.h", "my-app", "h"),
        ("a.b/c._é1", "a.b.c", "_é1"),
    ] {
        let handler: Handler = text.parse().unwrap();
        assert_eq!((handler.module().as_str(), handler.function()), (module, function));
        assert_eq!(handler.to_string(), text);
    }
    for text in [
        "",
        ".",
        "app",
        "app.",
        ".handler",
        "app..handler",
        "/app.handler",
        "app.1h",
        "app.py/handler",
        "app.h h",
        "a b.h",
        "app.h()",
        "a\\b.h",
        "app:handler",
        "time.sleep",
        "sys/a.h",
    ] {
        assert_eq!(text.parse::<Handler>().unwrap_err().text, text);
    }
}

#[test]
fn modules_are_found_in_the_order_of_the_path_based_finder() {
    let function = "def h(event, context): ...";
    for (files, handler, path) in [
        (&[("app.py", function)][..], "app.h", "app.py"),
        (&[("a/b.py", function)], "a.b.h", "a/b.py"),
        (&[("a/b.py", function)], "a/b.h", "a/b.py"),
        (&[("a/__init__.py", function)], "a.h", "a/__init__.py"),
        (&[("a/__init__.py", function), ("a.py", "")], "a.h", "a/__init__.py"),
        (&[("a.py", function), ("a/data.json", "")], "a.h", "a.py"),
    ] {
        let found = check_in(files, handler).unwrap();
        assert_eq!(found, LocatedHandler { path: path.to_owned(), uncertainty: None });
    }
    for (files, uncertainty) in [
        (&[("a.cpython-312-x86_64-linux-gnu.so", "")][..], HandlerUncertainty::Compiled),
        (&[("a.abi3.so", ""), ("a.py", "")], HandlerUncertainty::Compiled),
        (&[("a/__init__.so", "")], HandlerUncertainty::Compiled),
        (&[("a.pyc", "")], HandlerUncertainty::Compiled),
        (&[("a.py", "from .b import *")], HandlerUncertainty::StarImport(".b".to_owned())),
        (&[("a.py", "def __getattr__(name): ...")], HandlerUncertainty::Dynamic),
    ] {
        assert_eq!(check_in(files, "a.h").unwrap().uncertainty, Some(uncertainty));
    }
}

#[test]
fn handlers_are_followed_to_where_they_are_defined() {
    const OWN: [(&str, &str); 7] = [
        ("api.py", "from app.wrong import *\ndef handler(event, context): ...\nasync def late(event, context): ...\n"),
        (
            "good.py",
            "def main(event, context): ...\ndef one(event): ...\nclass C: ...\nclass D(C): ...\nNONE = None\nname = main\n",
        ),
        ("pkg/__init__.py", "from .inner import main\nfrom . import inner, other\n"),
        ("pkg/inner.py", "def main(event, context): ...\n"),
        ("pkg/other.py", ""),
        ("native.abi3.so", ""),
        ("vendored/__init__.py", "def handler(event, context): ..."),
    ];
    for (source, expected) in [
        ("from good import main as h", Ok(None)),
        ("from good import name as h", Ok(None)),
        ("from pkg import main as h", Ok(None)),
        ("from api import handler as h", Ok(None)),
        ("from json import dumps as h", Ok(None)),
        ("from absent import h", Ok(None)),
        ("import good\nh = good.main", Ok(None)),
        ("import good as g\nh = g.main", Ok(None)),
        ("import pkg.inner\nh = pkg.inner.main", Ok(None)),
        ("import pkg\nh = pkg.inner.main", Ok(None)),
        ("from pkg import inner\nh = inner.main", Ok(None)),
        ("def f(event, context): ...\ng = f\nh = g", Ok(None)),
        ("h = print", Ok(None)),
        ("app = make()\nh = app.handler", Ok(None)),
        ("h = h", Ok(None)),
        ("h = g\ng = h", Ok(None)),
        ("if a:\n    from good import main as h\nelse:\n    from good import NONE as h", Ok(None)),
        ("from native import h", Ok(Some(HandlerUncertainty::Compiled))),
        ("import native\nh = native.h", Ok(Some(HandlerUncertainty::Compiled))),
        ("from api import other as h", Ok(Some(HandlerUncertainty::StarImport("app.wrong".to_owned())))),
        ("h = None\nglobals()['h'] = print", Ok(Some(HandlerUncertainty::Dynamic))),
        ("h = 3", Err("it is a number in app.py, not a function")),
        ("h = None", Err("it is `None` in app.py, not a function")),
        ("x = None\nh = x", Err("it is `None` in app.py, not a function")),
        ("h = lambda event: 1", Err("and app.py defines it with other parameters")),
        ("from good import NONE as h", Err("it is `None` in good.py, not a function")),
        ("from good import C as h", Err("it is a class in good.py, not a function")),
        ("class B: ...\nclass h(B): ...", Err("it is a class in app.py, not a function")),
        (
            "from abc import ABC\nfrom good import C\nclass h(C, ABC): ...",
            Err("it is a class in app.py, not a function"),
        ),
        ("import good\nclass h(good.C): ...", Err("it is a class in app.py, not a function")),
        ("from good import D as h", Err("it is a class in good.py, not a function")),
        ("from fastapi import FastAPI\nh = FastAPI(title='x')", Err("it is an application of FastAPI in app.py")),
        ("import flask as f\nh = f.Flask(__name__)", Err("it is an application of Flask in app.py")),
        ("from flask import Flask as F\napp: F = F(__name__)\nh = app", Err("it is an application of Flask in app.py")),
        (
            "import django.core.wsgi\nh = django.core.wsgi.get_wsgi_application()",
            Err("it is an application of Django in app.py"),
        ),
        ("from fastapi import FastAPI\nh = FastAPI()\nh = Mangum(h)", Ok(None)),
        ("from fastapi import FastAPI\nif x:\n    h = FastAPI()\nelse:\n    h = main", Ok(None)),
        ("from .fastapi import FastAPI\nh = FastAPI()", Ok(None)),
        ("class h(dict): ...", Ok(None)),
        ("from absent import B\nclass h(B): ...", Ok(None)),
        ("class h(h): ...", Ok(None)),
        ("from good import one as h", Err("and good.py defines it with other parameters")),
        ("from api import late as h", Err("it is an `async def` in api.py")),
        ("from good import missing as h", Err("app.py gets it from good.py, which does not define `missing`")),
        ("import good\nh = good.missing", Err("app.py gets it from good.py, which does not define `missing`")),
        ("import good\nh = good", Err("it is a module in app.py, not a function")),
        ("from pkg import other as h", Err("it is a module in pkg/__init__.py, not a function")),
    ] {
        let found = check_in(&[&OWN[..], &[("app.py", source)]].concat(), "app.h");
        match expected {
            Ok(uncertainty) => assert_eq!(found.unwrap().uncertainty, uncertainty, "{source}"),
            Err(message) => assert!(found.as_ref().unwrap_err().to_string().contains(message), "{source}: {found:?}"),
        }
    }
    // Of a package, the name is an attribute before it is a module.
    for (files, is_found) in [
        (&[("a/__init__.py", "from .h import h"), ("a/h.py", "def h(event, context): ...")][..], true),
        (&[("a/__init__.py", "from . import h"), ("a/h.py", "def h(event, context): ...")], false),
    ] {
        assert_eq!(check_in(files, "a.h").is_ok(), is_found, "{files:?}");
    }
    // What distributions define is not certain.
    let own = tree(&[("app.py", "from vendored import missing as h")]);
    let site = tree(&OWN);
    let roots = [root(&own, ""), root(&site, "")];
    let found = check(&"app.h".parse().unwrap(), &roots, PYTHON, |_| false).unwrap();
    assert_eq!(
        found,
        LocatedHandler { path: "vendored/__init__.py".into(), uncertainty: Some(HandlerUncertainty::Dynamic) }
    );
}

#[test]
fn a_function_takes_precedence_over_its_layer() {
    let (site_packages, function) = ("python/lib/python3.12/site-packages", "def h(event, context): ...");
    let own = tree(&[("ns/own.py", function), ("both.py", function)]);
    // A namespace package may be in both.
    let other = format!("{site_packages}/ns/other.py");
    let layer = tree(&[
        (&other, function),
        (&format!("{site_packages}/both.py"), ""),
        (&format!("{site_packages}/own/x.py"), function),
    ]);
    let roots = [root(&own, ""), root(&layer, site_packages)];
    for (handler, path) in [
        ("ns.own.h", Some("ns/own.py")),
        ("ns.other.h", Some(&*other)),
        ("both.h", Some("both.py")),
        ("python.lib.h", None),
    ] {
        let found = check(&handler.parse().unwrap(), &roots, PYTHON, |_| true).ok();
        assert_eq!(found.map(|found| found.path).as_deref(), path, "{handler}");
    }
}

#[test]
fn errors_suggest_similar_handlers() {
    let files = [
        ("app/__init__.py", ""),
        ("app/main.py", "from json import dumps\ndef lambda_handler(event, context): ...\ndef other(): ..."),
        ("app/jobs.py", "async def handler(event, context): ...\nhandle = 1"),
        ("lambda_function.py", "def lambda_handler(event, context): ..."),
        ("broken.py", "def h(:\n"),
        ("data/x.json", ""),
        ("kinds.py", "import mangum\nfrom mangum import Mangum\ndef one(event): ...\nclass Service: ..."),
    ];
    for (handler, message, hint) in [
        ("app.main.handler", "app/main.py does not define `handler`", "`app.main.lambda_handler`"),
        ("app.mian.lambda_handler", "no module `app.mian`", "`app.main.lambda_handler`"),
        ("main.lambda_handler", "no module `main`", "`app.main.lambda_handler`"),
        ("app.main.lamda_handler", "does not define `lamda_handler`", "`app.main.lambda_handler`"),
        ("app.jobs.handler", "it is an `async def` in app/jobs.py", "asyncio.run(handler(event, context))"),
        ("app.lambda_handler", "app/__init__.py does not define `lambda_handler`", "`app.main.lambda_handler`"),
        ("lambda_function.x.handler", "no module `lambda_function.x`", "`lambda_function.lambda_handler`"),
        ("data.handler", "`data` is a directory without `__init__.py`", "handler`?"),
        ("broken.h", "broken.py:1:7: ", "fix broken.py"),
        ("zzz.qqq", "no module `zzz`", "from the artifact's root"),
        ("kinds.one", "with two arguments, the event and the context, and kinds.py", "`def one(event, context)`"),
        ("kinds.Service", "it is a class in kinds.py, not a function", "`def Service(event, context)` in kinds.py"),
        ("kinds.mangum", "it is a module in kinds.py, not a function", "name a function with --handler"),
        ("kinds.Mangun", "kinds.py does not define `Mangun`", "define `def Mangun(event, context)` in kinds.py"),
    ] {
        let error = check_in(&files, handler).unwrap_err();
        let (text, hints) = (error.to_string(), error.hints().join("\n"));
        assert!(text.contains(message), "{handler}: {text}");
        assert!(hints.contains(hint), "{handler}: {hints}");
        assert!(error.hints().len() <= SUGGESTIONS);
    }
    let foreign = tree(&files);
    let handler = "zzz.lambda_handler".parse().unwrap();
    let error = check(&handler, &[root(&foreign, "")], PYTHON, |_| false).unwrap_err();
    assert!(
        matches!(error, HandlerError::NoModule { similar, .. } if similar.is_empty()),
        "only the application's modules are suggested"
    );
}
