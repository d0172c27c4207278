//! Each rule omits the documented files and no others, on wheels that are full of traps.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use pybundle::tree::FileContent;
use pybundle::trim::{self, SlimRule};
use pybundle::wheel::{WheelReading, read};

use super::support::wheel_with;

/// A forged wheel.
struct Forged {
    file: tempfile::NamedTempFile,
    reading: WheelReading,
}

impl Forged {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&wheel_with(name, "1.0", &files)).unwrap();
        let filename = format!("{name}-1.0-py3-none-any.whl").parse().unwrap();
        let reading = read(file.as_file(), &filename).unwrap();
        Self { file, reading }
    }

    /// Returns the files that rules omit, without those that are needed.
    fn omitted(&self, rules: &[SlimRule]) -> BTreeMap<&str, SlimRule> {
        let rules: BTreeSet<SlimRule> = rules.iter().copied().collect();
        let archive = std::sync::Arc::new(self.file.path().to_owned());
        let WheelReading { inventory, extents } = &self.reading;
        let needed = trim::needed_files(inventory, |position| {
            let content = FileContent::Archived { archive: archive.clone(), extent: extents[position].clone() };
            content.read(u64::MAX).map(|bytes| String::from_utf8(bytes).unwrap())
        });
        let needed = needed.unwrap();
        let omitted = trim::omitted_files(inventory, &rules).into_iter();
        let omitted = omitted.filter(|(position, _)| !needed.contains(position));
        omitted.map(|(position, rule)| (&*inventory.files[position].path, rule)).collect()
    }

    fn paths(&self, rules: &[SlimRule]) -> Vec<&str> {
        self.omitted(rules).into_keys().collect()
    }
}

/// Large enough that no rule matches most of a distribution.
fn ballast() -> String {
    "x = 1\n".repeat(10_000)
}

#[test]
fn each_rule_omits_the_documented_files_only() {
    // Each file and the rule that omits it.
    let files: [(&str, Option<SlimRule>); 70] = [
        ("demo/__init__.py", None),
        ("demo/_speedups.cpython-312-x86_64-linux-gnu.so", None),
        ("demo/tests/__init__.py", Some(SlimRule::Tests)),
        ("demo/tests/test_a.py", Some(SlimRule::Tests)),
        ("demo/tests/data/a.csv", Some(SlimRule::Tests)),
        ("demo/tests/data/LICENSE.txt", None),
        ("demo/a/_tests/b.py", Some(SlimRule::Tests)),
        ("demo/conftest.py", Some(SlimRule::Tests)),
        ("tests/test_demo.py", Some(SlimRule::Tests)),
        ("demo/test/client.py", None),
        ("demo/testing/__init__.py", None),
        ("demo/_testing.py", None),
        ("demo/_testutils.py", None),
        ("demo/test_utils.py", None),
        ("demo/tests.py", None),
        ("demo/latests/a.py", None),
        ("demo/__init__.pyi", Some(SlimRule::Stubs)),
        ("demo/py.typed", Some(SlimRule::Stubs)),
        ("demo-stubs/a.pyi", Some(SlimRule::Stubs)),
        ("demo/typeshed/stdlib/os.pyi", None),
        ("demo/dist/typeshed-fallback/os.pyi", None),
        ("demo/include/demo.h", Some(SlimRule::Headers)),
        ("demo/include/demo.hpp", Some(SlimRule::Headers)),
        ("demo/_a.pxd", Some(SlimRule::Headers)),
        ("demo/_a.pxd.tp", Some(SlimRule::Headers)),
        ("demo/_a.pxi", Some(SlimRule::Headers)),
        ("demo/lib/libdemo.a", Some(SlimRule::Headers)),
        ("demo/lib/pkgconfig/demo.pc", Some(SlimRule::Headers)),
        ("demo/lib/cmake/DemoConfig.cmake", Some(SlimRule::Headers)),
        ("demo/include/table.txt", None),
        ("demo/include/__init__.py", None),
        ("demo/kernel.cuh", None),
        ("demo-1.0.data/headers/demo.h", Some(SlimRule::Headers)),
        ("demo/_a.pyx", Some(SlimRule::Sources)),
        ("demo/_a.pyx.in", Some(SlimRule::Sources)),
        ("demo/_a.c", Some(SlimRule::Sources)),
        ("demo/_a.cpp", Some(SlimRule::Sources)),
        ("demo/_a.f90", Some(SlimRule::Sources)),
        ("demo/_a.rs", Some(SlimRule::Sources)),
        ("demo/kernel.cu", None),
        ("demo/kernel.cl", None),
        ("demo/style.css", None),
        ("demo/data.json", None),
        ("demo-1.0.data/data/share/man/man1/demo.1", Some(SlimRule::Docs)),
        ("demo-1.0.data/data/share/doc/demo/index.html", Some(SlimRule::Docs)),
        ("demo-1.0.data/data/share/doc/demo/COPYING", None),
        ("demo-1.0.data/data/share/demo/template.rst", None),
        ("demo-1.0.data/data/etc/demo.h.conf", None),
        ("docs/conf.py", Some(SlimRule::Docs)),
        ("examples/first.py", Some(SlimRule::Docs)),
        ("README.md", Some(SlimRule::Docs)),
        ("CHANGELOG.rst", Some(SlimRule::Docs)),
        ("LICENSE.txt", None),
        ("README.py", None),
        ("demo/README.md", None),
        ("demo/docs/__init__.py", None),
        ("demo/examples/words.txt", None),
        ("demo/descr/iris.rst", None),
        ("demo/a.txt", None),
        ("demo/__pycache__/__init__.cpython-312.pyc", Some(SlimRule::Bytecode)),
        ("demo/__init__.pyc", Some(SlimRule::Bytecode)),
        ("__pycache__/README.cpython-312.pyc", Some(SlimRule::Bytecode)),
        ("demo/sourceless.pyc", None),
        ("demo/__pycache__/sourceless.cpython-312.pyc", None),
        ("demo-1.0.dist-info/licenses/tests/LICENSE", None),
        ("demo-1.0.dist-info/py.typed", None),
        ("demo/_vendor/other-2.dist-info/METADATA", None),
        ("demo/_vendor/other-2.dist-info/tests/a.h", None),
        ("demo-1.0.data/scripts/demo.c", None),
        ("demo-1.0.data/scripts/conftest.py", None),
    ];
    let (ballast, text) = (ballast(), "pass\n");
    let content: Vec<(&str, &str)> =
        files.iter().map(|(path, _)| (*path, if *path == "demo/__init__.py" { &*ballast } else { text })).collect();
    let forged = Forged::new("demo", &content);
    let installed = |path: &str| {
        let parts = ["headers/", "data/", "scripts/"].map(|part| format!("demo-1.0.data/{part}"));
        parts.iter().find_map(|part| path.strip_prefix(part.as_str())).unwrap_or(path).to_owned()
    };
    let expected = |rules: &[SlimRule]| -> Vec<(String, SlimRule)> {
        let mut expected: Vec<_> = files
            .iter()
            .filter_map(|(path, rule)| Some((installed(path), rule.filter(|rule| rules.contains(rule))?)))
            .collect();
        expected.sort();
        expected
    };
    for rules in SlimRule::ALL.iter().map(std::slice::from_ref).chain([&SlimRule::ALL[..], &[]]) {
        let found: Vec<(String, SlimRule)> =
            forged.omitted(rules).into_iter().map(|(path, rule)| (path.to_owned(), rule)).collect();
        assert_eq!(found, expected(rules), "{rules:?}");
    }
}

#[test]
fn imported_modules_are_kept() {
    let ballast = ballast();
    let forged = Forged::new(
        "demo",
        &[
            ("demo/__init__.py", &ballast),
            ("demo/testing.py", "from demo.core.tests._natype import pd_NA\n"),
            ("demo/core/tests/__init__.py", ""),
            ("demo/core/tests/_natype.py", "from . import (\n    _more,  # why\n)\n"),
            ("demo/core/tests/_more.py", ""),
            ("demo/core/tests/test_core.py", "from ._natype import pd_NA"),
            ("demo/lazy.py", "def run():\n    from .tests import support\n"),
            ("demo/tests/support.py", "import json"),
            ("demo/tests/test_lazy.py", "import demo.other.tests.fixtures"),
            ("demo/other/tests/fixtures.py", ""),
            ("demo/words.py", "\"\"\"Says tests.\"\"\"\nname = 'tests'"),
            ("demo/conftest.py", ""),
            ("demo/plugin.py", "import demo.conftest"),
            ("examples/shared.py", ""),
            ("demo/uses.py", "import examples.shared"),
            ("demo-1.0.dist-info/entry_points.txt", "[console_scripts]\ndemo = demo.cli.tests.run:main\n"),
            ("demo/cli/tests/run.py", "from .tool import main"),
            ("demo/cli/tests/tool.py", ""),
            ("demo/cli/tests/test_run.py", ""),
        ],
    );
    let left_out = forged.paths(&SlimRule::ALL);
    assert_eq!(
        left_out,
        [
            "demo/cli/tests/test_run.py",
            "demo/core/tests/test_core.py",
            "demo/other/tests/fixtures.py",
            "demo/tests/test_lazy.py",
        ]
    );
}

#[test]
fn stubs_that_are_read_at_run_time_are_kept() {
    let ballast = ballast();
    let forged = Forged::new(
        "demo",
        &[
            ("demo/__init__.py", "import lazy_loader\na, b, c = lazy_loader.attach_stub(__name__, __file__)\n"),
            ("demo/__init__.pyi", "from . import io\n"),
            ("demo/io.py", &ballast),
            ("demo/io.pyi", ""),
        ],
    );
    assert_eq!(forged.paths(&SlimRule::ALL), ["demo/io.pyi"]);
}

#[test]
fn a_distribution_of_stubs_alone_is_omitted() {
    let stubs = [("requests-stubs/__init__.pyi", "x: int\n"), ("requests-stubs/METADATA.toml", "version = \"2\"\n")];
    let forged = Forged::new("types_requests", &stubs);
    assert_eq!(forged.paths(&[SlimRule::Stubs]), ["requests-stubs/METADATA.toml", "requests-stubs/__init__.pyi"]);
    assert!(forged.paths(&[SlimRule::Tests]).is_empty());
    // With a module, it has another purpose.
    let with_module = [stubs[0], ("requests-stubs/plugin.py", "x = 1\n")];
    assert!(Forged::new("types_requests", &with_module).paths(&[SlimRule::Stubs]).len() < 2);
}

#[test]
fn a_distribution_keeps_its_purpose() {
    let large = ballast();
    let module = ("demo/__init__.py", "x = 1");
    let extension = ("demo/_a.so", "");
    for (name, files) in [
        // Only headers and tests.
        ("pybind11_like", vec![module, extension, ("demo/include/a.h", &large)]),
        ("suite", vec![("demo/tests/test_a.py", &large)]),
        ("global_headers", vec![("global_headers-1.0.data/headers/a.h", &large)]),
        // Nothing is compiled, so sources and headers have another purpose.
        ("pure", vec![("demo/__init__.py", &large), ("demo/a.c", ""), ("demo/a.h", "")]),
        // Distributions that compile at run time.
        ("numba", vec![("demo/__init__.py", &large), extension, ("demo/a.c", ""), ("demo/a.h", "")]),
        ("triton", vec![("demo/__init__.py", &large), extension, ("demo/include/cuda.h", "")]),
        ("nvidia_cuda_runtime_cu12", vec![("demo/__init__.py", &large), extension, ("demo/include/cuda.h", "")]),
        ("torch", vec![("demo/__init__.py", &large), extension, ("demo/include/ATen.h", "")]),
    ] {
        assert_eq!(Forged::new(name, &files).paths(&SlimRule::ALL), Vec::<&str>::new(), "{name}");
    }
}
