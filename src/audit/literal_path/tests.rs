use super::*;
use crate::audit::literal_path::evaluate::LiteralValue;
use crate::platform::PythonVersion;
use crate::syntax;

/// Returns the path that the last statement, an expression, is in `app/web/views.py`, which runs in `srv`.
fn path(source: &str) -> Option<String> {
    let constants = Constants::from([(
        "app.settings.BASE".to_owned(),
        LiteralValue::Path(LiteralPath::new(PathStart::Module(1)).parent().parent()),
    )]);
    let read = |_: &str, body: &[ruff_python_ast::Stmt]| {
        let evaluator = PathEvaluator::of_module(0, "app.web", body, &constants);
        let statement = body.last().unwrap().as_expr_stmt().unwrap();
        evaluator.path(&statement.value)
    };
    let path = syntax::parse(source.as_bytes(), PythonVersion::new(12), read).unwrap().unwrap()?;
    path.in_tree(match &path.start {
        PathStart::Module(0) => "app/web/views.py",
        PathStart::Module(_) => "app/settings.py",
        PathStart::Package(name) => name,
        PathStart::WorkingDirectory => "srv",
        PathStart::TaskRoot => "task",
    })
}

#[test]
fn literal_paths_are_evaluated() {
    for (source, expected) in [
        ("'x.json'", "srv/x.json"),
        ("'./data/../x.json'", "srv/x.json"),
        ("__file__", "app/web/views.py"),
        ("from pathlib import Path\nPath(__file__).parent / 'x'", "app/web/x"),
        ("import pathlib as p\np.Path(__file__).resolve().parents[1] / 'a' / 'b'", "app/a/b"),
        (
            "from pathlib import Path\nHERE = Path(__file__).absolute().parent\nHERE.joinpath('a', 'b.txt')",
            "app/web/a/b.txt",
        ),
        ("from pathlib import Path\nPath(__file__).with_name('x.json')", "app/web/x.json"),
        ("from pathlib import Path\nPath(__file__).with_name('x.json').with_suffix('.sql')", "app/web/x.sql"),
        ("from pathlib import Path\nstr(Path(__file__).parent / Path('a/b'))", "app/web/a/b"),
        ("from pathlib import Path\nPath('data', 'x.json')", "srv/data/x.json"),
        ("from pathlib import Path\nPath.cwd() / 'x'", "srv/x"),
        ("import os\nos.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'x')", "app/x"),
        ("from os.path import dirname, join\njoin(dirname(dirname(__file__)), 'x')", "app/x"),
        ("import os\nos.path.dirname(__file__) + '/x.json'", "app/web/x.json"),
        ("import os\nHERE = os.path.dirname(__file__)\nf'{HERE}/x.json'", "app/web/x.json"),
        ("import os\nos.path.join(os.environ['LAMBDA_TASK_ROOT'], 'x')", "task/x"),
        ("import os\nos.path.join(os.environ.get('LAMBDA_TASK_ROOT', '.'), 'x')", "task/x"),
        ("from importlib.resources import files\nfiles('pkg') / 'x.sql'", "pkg/x.sql"),
        ("from importlib import resources\nresources.files(__package__).joinpath('x.sql')", "app/web/x.sql"),
        ("from importlib import resources\nfrom . import data\nresources.files(data) / 'x'", "app.web.data/x"),
        ("from ..settings import BASE\nBASE / 'x'", "x"),
        ("from app import settings\nsettings.BASE / 'x'", "x"),
        ("NAME = 'x.json'\nfrom pathlib import Path\nPath(__file__).parent / NAME", "app/web/x.json"),
        (
            "try:\n    from importlib.resources import files\nexcept ImportError:\n    from importlib_resources import files\nfiles('pkg') / 'x'",
            "pkg/x",
        ),
    ] {
        assert_eq!(path(source).as_deref(), Some(expected), "{source}");
    }
}

#[test]
fn other_paths_are_unknown() {
    for source in [
        "'/etc/hosts'",
        "'~/x'",
        "'https://example.org/x'",
        "'{name}.json'",
        "'*.json'",
        "''",
        "unknown",
        "from pathlib import Path\nPath(__file__).parent / name",
        "from pathlib import Path\nPath('/tmp') / 'x'",
        "from pathlib import Path\nHERE = Path(__file__).parent\nHERE = Path('/srv')\nHERE / 'x'",
        "from pathlib import Path\nPath(__file__).parents[5] / 'x'",
        "def join(a, b): ...\njoin(__file__, 'x')",
        "import os\nos.path.join(os.environ['HOME'], 'x')",
        "f'{name}.json'",
    ] {
        assert_eq!(path(source), None, "{source}");
    }
}
