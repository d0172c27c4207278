use super::*;

fn read(source: &str) -> ModuleSource {
    ModuleSource::read(source.as_bytes(), PythonVersion::new(12)).unwrap()
}

/// Returns the only import of a module named `m`.
fn when(source: &str) -> Option<ImportCondition> {
    let source = read(source);
    let mut found = source.imports.iter().filter(|import| import.module == "m");
    let when = found.next().map(|import| import.when);
    assert_eq!(found.next(), None);
    when
}

#[test]
fn imports_have_a_condition() {
    use ImportCondition::{Always, Conditional, Guarded};
    for (source, expected) in [
        ("import m", Some(Always)),
        ("from m import a", Some(Always)),
        ("class C:\n    import m", Some(Always)),
        ("with a:\n    import m", Some(Always)),
        ("if a:\n    import m", Some(Conditional)),
        ("if a:\n    pass\nelse:\n    import m", Some(Conditional)),
        ("if sys.version_info >= (3, 11):\n    import m", Some(Always)),
        ("if sys.version_info < (3, 11):\n    import m", None),
        ("if sys.version_info >= (3, 11):\n    pass\nelse:\n    import m", None),
        ("if sys.version_info < (3, 11):\n    pass\nelse:\n    import m", Some(Always)),
        ("if a:\n    pass\nelif sys.platform == 'linux':\n    import m", Some(Conditional)),
        ("if TYPE_CHECKING:\n    import m", None),
        ("if __name__ == '__main__':\n    import m", None),
        ("def f():\n    import m", Some(Conditional)),
        ("async def f():\n    import m", Some(Conditional)),
        ("f = lambda: __import__('m')", Some(Conditional)),
        ("try:\n    import m\nexcept ImportError:\n    m = None", Some(Guarded)),
        ("try:\n    import m\nexcept (KeyError, ModuleNotFoundError):\n    pass", Some(Guarded)),
        ("try:\n    import m\nexcept:\n    pass", Some(Guarded)),
        ("try:\n    import m\nexcept builtins.Exception:\n    pass", Some(Guarded)),
        ("try:\n    import m\nexcept KeyError:\n    pass", Some(Always)),
        ("try:\n    import m\nexcept ImportError as e:\n    raise E from e", Some(Always)),
        ("try:\n    import m\nfinally:\n    pass", Some(Always)),
        ("try:\n    def f():\n        import m\nexcept ImportError:\n    pass", Some(Guarded)),
        ("with suppress(ImportError):\n    import m", Some(Guarded)),
        ("with contextlib.suppress(KeyError):\n    import m", Some(Always)),
        ("if importlib.util.find_spec('x'):\n    import m", Some(Guarded)),
        ("importlib.import_module('m')", Some(Always)),
        ("importlib.import_module(m)", None),
        ("importlib.import_module('not a name')", None),
    ] {
        assert_eq!(when(source), expected, "{source}");
    }
}

#[test]
fn an_import_in_an_except_is_a_fallback_for_those_in_the_try() {
    let source = read(
        "import z\ntry:\n    import a, b\nexcept ImportError:\n    try:\n        import c\n    except ImportError:\n        import m\n",
    );
    let fallback = source.imports.iter().find(|import| import.module == "m").unwrap();
    assert_eq!(
        (fallback.line, fallback.when, &fallback.fallback_for[..]),
        (8, ImportCondition::Always, &[1..3, 3..4][..])
    );
}

#[test]
fn relative_imports_have_a_level_and_a_name() {
    let source = read("from . import a, b\nfrom ..x.y import *\nimportlib.import_module('.z', __package__)\n");
    let imports: Vec<_> =
        source.imports.iter().map(|import| (import.level, &*import.module, import.name.as_deref())).collect();
    assert_eq!(imports, [(1, "", Some("a")), (1, "", Some("b")), (2, "x.y", None), (1, "z", None)]);
}

#[test]
fn directories_that_are_added_to_the_search_path_are_collected() {
    for (source, added, elsewhere) in [
        ("import sys\nsys.path.append('lib')", 1, false),
        ("import sys, os\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))", 1, false),
        ("import sys\nsys.path.extend(['a', 'b'])", 2, false),
        ("import sys\nsys.path += ['a', os.environ['LIB']]", 1, true),
        ("import site\ndef f():\n    site.addsitedir('vendor')", 1, false),
        ("from sys import path\npath.append('/mnt/efs')", 0, true),
        ("path = []\npath.append('lib')", 0, false),
    ] {
        let source_of = read(source);
        assert_eq!((source_of.search_directories.len(), source_of.searches_elsewhere), (added, elsewhere), "{source}");
    }
}

#[test]
fn packages_of_computed_imports_are_collected() {
    for source in ["f'plugins.{name}'", "'plugins.' + name", "'plugins.%s' % name", "'plugins.{}'.format(name)"] {
        let source = read(&format!("importlib.import_module({source})"));
        assert_eq!(source.computed_imports.iter().collect::<Vec<_>>(), ["plugins"]);
    }
    for source in ["importlib.import_module(name)", "importlib.import_module(f'{__name__}.{name}')"] {
        assert_eq!(read(source).computed_imports.iter().collect::<Vec<_>>(), [""]);
    }
    assert!(read("importlib.import_module('plugins.first')").computed_imports.is_empty());
}

#[test]
fn strings_that_may_name_modules_are_collected() {
    let source = read("APPS = ['shop', 'shop.apps.Config']\nrun('main:app', \"two words\")\n");
    assert_eq!(source.mentions.iter().collect::<Vec<_>>(), ["main", "shop", "shop.apps.Config"]);
    assert_eq!(source.mentions_in_lists.iter().collect::<Vec<_>>(), ["shop", "shop.apps.Config"]);
}

#[test]
fn a_lazy_import_is_executed_when_its_name_is_used() {
    use ImportCondition::{Always, Conditional, Guarded};
    for (source, expected) in [
        ("lazy import m", Conditional),
        ("lazy import m\ndef f():\n    return m.a", Conditional),
        ("lazy import m\nx = m.a", Always),
        ("lazy import m\n@m.decorated\ndef f(): ...", Always),
        ("lazy import m\nclass C(m.Base): ...", Always),
        ("lazy import m as n\nx = m", Conditional),
        ("lazy import m as n\nx = n", Always),
        ("lazy from m import a\nx = a()", Always),
        ("lazy from m import a as b\nx = a", Conditional),
        // Annotations are not evaluated.
        ("lazy import m\nx: m.A\ndef f(a: m.A) -> m.B: ...", Conditional),
        ("lazy import m\nif a:\n    m.b", Conditional),
        ("__lazy_modules__ = ['m']\nimport m", Conditional),
        ("__lazy_modules__ = ['m']\nimport m\nm.a", Always),
        ("__lazy_modules__ = ['m']\nimport m as n, other", Conditional),
        ("__lazy_modules__ = ['other']\nimport m", Always),
        ("__lazy_modules__ = ['m']\ntry:\n    import m\nexcept ImportError:\n    pass", Guarded),
    ] {
        let read = ModuleSource::read(source.as_bytes(), PythonVersion::new(15)).unwrap();
        let found = read.imports.iter().find(|import| import.module == "m").unwrap();
        assert_eq!(found.when, expected, "{source}");
    }
    assert_eq!(when("__lazy_modules__ = ['m']\nimport m"), Some(Always), "3.12 does not know it");
}
