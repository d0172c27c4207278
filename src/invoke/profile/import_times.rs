//! What `python -X importtime` prints.
//!
//! Specification: [CPython, `-X importtime`](https://docs.python.org/3/using/cmdline.html#cmdoption-X). A line is printed after an
//! import, also after one that failed, so that what a module imports precedes it, indented by two spaces for each level.

use std::time::Duration;

/// How a line begins.
const START: &str = "import time:";

/// An import as a process reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimedImport {
    pub(super) name: String,
    /// Without what the module imports.
    pub(super) own: Duration,
    /// How many imports were under way.
    pub(super) depth: usize,
    /// The position of the module that imports it in the list; `None` for what no import imports, or whose import did not end.
    pub(super) importer: Option<usize>,
}

/// The imports of a process, in the order in which they ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ImportTimes {
    pub(super) imports: Vec<TimedImport>,
    /// The positions of imports whose importer is not known yet.
    open: Vec<usize>,
}

impl ImportTimes {
    /// Notes a line that a process has printed. Returns what of it is not about imports: what was printed before it on the same
    /// line, or all of it.
    pub(super) fn read<'a>(&mut self, line: &'a [u8]) -> &'a [u8] {
        let Some(at) = memchr::memmem::find(line, START.as_bytes()) else { return line };
        let Some((own, depth, name)) = str::from_utf8(&line[at + START.len()..]).ok().and_then(parse) else {
            // The head of the table.
            return if line[at..].starts_with(b"import time: self [us]") { &line[..at] } else { line };
        };
        let position = self.imports.len();
        while let Some(below) = self.open.pop_if(|below| self.imports[*below].depth > depth) {
            self.imports[below].importer = Some(position);
        }
        self.imports.push(TimedImport { name: name.to_owned(), own, depth, importer: None });
        self.open.push(position);
        &line[..at]
    }
}

/// Reads a line after its start: the time in microseconds, that with what is imported, and the name.
fn parse(rest: &str) -> Option<(Duration, usize, &str)> {
    let mut columns = rest.splitn(3, '|');
    let own: u64 = columns.next()?.trim().parse().ok()?;
    columns.next()?.trim().parse::<u64>().ok()?;
    let name = columns.next()?.strip_prefix(' ')?.trim_end();
    let indented = name.len() - name.trim_start().len();
    Some((Duration::from_micros(own), indented / 2, name.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_nested() {
        let printed = [
            "import time: self [us] | cumulative | imported package\n",
            "import time:       347 |        347 |     _json\n",
            "import time:       870 |       1217 |   json.scanner\n",
            "hello import time:       840 |        840 |   json.encoder\n",
            "import time: none of this\n",
            "import time:       440 |       2497 | json\n",
            "import time:         5 |          5 |   orphan\n",
        ];
        let mut times = ImportTimes::default();
        let rest: Vec<&[u8]> = printed.iter().map(|line| times.read(line.as_bytes())).collect();
        assert_eq!(rest, [&b""[..], b"", b"", b"hello ", b"import time: none of this\n", b"", b""]);
        let found: Vec<_> = times.imports.iter().map(|import| (import.name.as_str(), import.importer)).collect();
        let expected = [
            ("_json", Some(1)),
            ("json.scanner", Some(3)),
            ("json.encoder", Some(3)),
            ("json", None),
            ("orphan", None),
        ];
        assert_eq!(found, expected);
        assert_eq!(times.imports[1].own, Duration::from_micros(870));
        assert_eq!(times.imports[4].depth, 1);
    }
}
