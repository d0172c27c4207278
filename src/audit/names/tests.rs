use super::*;

fn read(source: &str) -> Result<ModuleNames, PythonSyntaxError> {
    ModuleNames::read(source.as_bytes(), PythonVersion::new(12))
}

#[test]
fn every_statement_that_binds_a_name_defines_it() {
    for source in [
        "def h(event, context): pass",
        "class h: pass",
        "h = Mangum(app)",
        "g, (f, *h) = make()",
        "h: Handler = make()",
        "if (h := make()): pass",
        "print(h := 1)",
        "import h",
        "import h.inner",
        "import a.b as h",
        "from a import h",
        "from a import b as h",
        "if a:\n    pass\nelif b:\n    pass\nelse:\n    def h(): pass",
        "try:\n    from a import h\nexcept ImportError as error:\n    pass",
        "try:\n    pass\nexcept ImportError:\n    h = 1\n",
        "try:\n    pass\nexcept* ValueError:\n    pass\nelse:\n    pass\nfinally:\n    h = 1",
        "with a as h: pass",
        "with a as (b, h): pass",
        "for h in a: pass",
        "for a in b:\n    pass\nelse:\n    h = 1",
        "while a:\n    h = 1",
        "match a:\n    case [1, {'b': h}]: pass",
        "match a:\n    case {**h}: pass",
        "type h = int",
        "h = lambda event, context: None",
        "def make():\n    def inner():\n        global h\n        h = 1\nmake()",
        "a = [h := b for b in c]",
        "del h\nh = 1",
        "if TYPE_CHECKING:\n    pass\nelse:\n    h = 1",
        "@decorated\nasync def h(): pass",
        "\u{feff}h = 1",
        "# -*- coding: utf-8 -*-\nh = 1",
    ] {
        let names = read(source).unwrap_or_else(|error| panic!("{source}: {error:?}"));
        assert!(names.get("h").is_some(), "{source}");
    }
}

fn imported(level: u32, module: &str, name: &str) -> Binding {
    Binding::Imported(ImportedName { level, module: module.to_owned(), name: name.to_owned() })
}

#[test]
fn bindings_tell_what_cannot_be_a_handler() {
    for (source, expected) in [
        ("def h(event, context): ...", Binding::Object),
        ("def h(event, context=None, *, x=1): ...", Binding::Object),
        ("def h(*args): ...", Binding::Object),
        ("def h(event, /, *rest): ...", Binding::Object),
        ("@decorated\ndef h(event): ...", Binding::Object),
        ("def h(event): ...", Binding::OtherParameters),
        ("def h(): ...", Binding::OtherParameters),
        ("def h(event, context, more): ...", Binding::OtherParameters),
        ("def h(event, context, *, more): ...", Binding::OtherParameters),
        ("def h(event, **rest): ...", Binding::OtherParameters),
        ("async def h(event, context): ...", Binding::Coroutine),
        ("class h: ...", Binding::Class { bases: Vec::new() }),
        (
            "class h(Base[int], other.Base): ...",
            Binding::Class { bases: vec![vec!["Base".to_owned()], vec!["other".to_owned(), "Base".to_owned()]] },
        ),
        ("class h(metaclass=M): ...", Binding::Object),
        ("class h(make()): ...", Binding::Object),
        ("@wraps\nclass h: ...", Binding::Object),
        ("class h:\n    def __new__(cls, event, context): ...", Binding::Object),
        ("import h", Binding::Module("h".to_owned())),
        ("import h.b", Binding::Module("h".to_owned())),
        ("import a.b as h", Binding::Module("a.b".to_owned())),
        ("from ..a import b as h", imported(2, "a", "b")),
        ("from . import h", imported(1, "", "h")),
        ("class h: ...\nh = h()", Binding::Call(vec!["h".to_owned()])),
        ("h = a", Binding::Alias(vec!["a".to_owned()])),
        ("h: object = a.b", Binding::Alias(vec!["a".to_owned(), "b".to_owned()])),
        ("h = a().b", Binding::Object),
        ("h = 3", Binding::Literal("a number")),
        ("h = None", Binding::Literal("`None`")),
        ("g = h = {}", Binding::Literal("a dictionary")),
        ("h = f'{a}'", Binding::Literal("a string")),
        ("h = [a for a in b]", Binding::Literal("a list")),
        ("h = a or b", Binding::Object),
        ("h = lambda event, context: 1", Binding::Object),
        ("h = lambda event: 1", Binding::OtherParameters),
        ("h = lambda: 1", Binding::OtherParameters),
        // What is bound depends on what is executed.
        ("h = None\nif a:\n    h = b()", Binding::Object),
        ("try:\n    h = b()\nexcept E:\n    h = None", Binding::Object),
        ("try:\n    from a import h\nexcept ImportError:\n    from b import h", Binding::Object),
        ("h = None\nfor h in a: pass", Binding::Object),
        ("h = None\ndef f():\n    global h\n    h = 1\nf()", Binding::Object),
        ("def f():\n    global h\n    h = 1\nh = None\nf()", Binding::Object),
        ("if a:\n    h = 1\nelse:\n    h = 2", Binding::Literal("a number")),
        ("if a:\n    h = 1\nh = None", Binding::Literal("`None`")),
    ] {
        assert_eq!(read(source).unwrap().get("h"), Some(&expected), "{source}");
    }
}

#[test]
fn names_that_are_local_or_deleted_are_not_defined() {
    for source in [
        "",
        "h",
        "h: int",
        "def f(h):\n    h = 1",
        "class C:\n    h = 1\n    def h(self): pass",
        "a = lambda h: h",
        "a = [h for h in b]",
        "a.h = 1",
        "a['h'] = 1",
        "try:\n    pass\nexcept E as h:\n    pass",
        "h = 1\ndel h",
        "import a.h",
        "from h import a",
        "if __name__ == '__main__':\n    h = 1",
        "if typing.TYPE_CHECKING:\n    from a import h",
        "f(h=1)",
    ] {
        assert_eq!(read(source).unwrap().get("h"), None, "{source}");
    }
}

#[test]
fn names_are_incomplete_after_star_imports_and_dynamic_code() {
    for (source, incomplete) in [
        ("from a.b import *", Some(IncompleteNames::StarImport("a.b".to_owned()))),
        ("from . import *", Some(IncompleteNames::StarImport(".".to_owned()))),
        ("def __getattr__(name): pass", Some(IncompleteNames::GetAttr)),
        ("globals()['h'] = 1", Some(IncompleteNames::Dynamic)),
        ("def f():\n    exec('')", None),
        ("h = 1", None),
    ] {
        assert_eq!(read(source).unwrap().incomplete, incomplete, "{source}");
    }
    assert_eq!(read("async def h(): pass").unwrap().get("h"), Some(&Binding::Coroutine));
}

#[test]
fn syntax_errors_have_a_line_and_a_column() {
    let error = read("def a():\n    pass\n\n  x = (1,\n").unwrap_err();
    assert_eq!(error.line, 4, "{error:?}");
    let error = read("s = 'é' $\n").unwrap_err();
    assert_eq!((error.line, error.column), (1, 9), "{error:?}");
    let error = ModuleNames::read(b"a = 1\nb = '\xff'\n", PythonVersion::new(12)).unwrap_err();
    assert_eq!((error.line, error.column), (2, 6));
    let latin = b"# coding: latin-1\nh = '\xe9'\n";
    assert!(ModuleNames::read(latin, PythonVersion::new(12)).unwrap().get("h").is_some());
}

#[test]
fn syntax_newer_than_the_target_is_an_error() {
    for (source, minor) in [
        ("match a:\n    case 1: pass", 10),
        ("try:\n    pass\nexcept* E:\n    pass", 11),
        ("type h = int", 12),
        ("def f[T](a: T): pass", 12),
        ("h = t'{a}'", 14),
    ] {
        let python = PythonVersion::new(minor);
        assert!(ModuleNames::read(source.as_bytes(), python).is_ok(), "{source}");
        let older = PythonVersion::new(minor - 1);
        let error = ModuleNames::read(source.as_bytes(), older).unwrap_err();
        assert!(error.reason.contains(&older.to_string()), "{source}: {error:?}");
    }
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let depth = 50_000;
    for source in [
        format!("h = {}1", "-".repeat(depth)),
        format!("h = {}", "1 + ".repeat(depth) + "1"),
        format!("h = a{}", ".b".repeat(depth)),
        format!("def f(): return {}1", "not ".repeat(depth)),
    ] {
        assert_eq!(read(&source).unwrap().incomplete, Some(IncompleteNames::TooDeep));
    }
    assert!(read(&format!("h = {}", "[".repeat(depth))).is_err());
    assert!(read(&format!("h = {}1{}", "(".repeat(depth), ")".repeat(depth))).is_err());
    assert_eq!(read(&format!("h = {}", "1 + ".repeat(300) + "1")).unwrap().incomplete, None);
}
