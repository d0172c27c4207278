//! The locks of scripts (PEP 723), compared with uv.

use std::path::{Path, PathBuf};

use pybundle::hints::Hints;
use pybundle::lock::{Freshness, LocalProject, Lock, LockError, SelectionRequest};
use pybundle::project::workspace::Workspace;

use crate::support::case::wheels;
use crate::support::uv::{Project, targets};

const SCRIPT: &str = r#"#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "requests[socks]>=2.30,<3",
#   "colorama; sys_platform == 'win32'",
#   "uvloop; platform_machine == 'x86_64'",
#   "typing-extensions; python_version < '3.12'",
#   "idna",
# ]
#
# [tool.uv]
# constraint-dependencies = ["urllib3<3"]
#
# [tool.uv.sources]
# idna = { url = "https://files.pythonhosted.org/packages/76/c6/c88e154df9c4e1a2a66ccf0005a88dfb2650c1dffb6f5ce603dfbd452ce3/idna-3.10-py3-none-any.whl" }
# ///
import requests
"#;

/// A locked script.
struct Script(Project);

impl Script {
    fn locked(text: &str) -> Self {
        let script = Self(Project::new(&[("job.py", text)]));
        script.0.uv(&["lock", "--script", "job.py"]);
        script
    }

    fn lock(&self) -> Lock {
        Lock::parse_uv(&self.0.read("job.py.lock"), &self.0.path().join("job.py.lock")).unwrap()
    }

    fn check_locked(&self) -> Result<Freshness, LockError> {
        let workspace = Workspace::discover(&self.0.path().join("job.py"), &[]).unwrap();
        let table = workspace.current().pyproject.table().clone();
        self.lock().check_locked(&[LocalProject { path: PathBuf::new(), script: true, table, is_package: false }])
    }
}

#[test]
fn the_selection_is_that_of_uv() {
    // uv does not say which wheel a URL is.
    let script = Script::locked(&SCRIPT.replace("[tool.uv.sources]", "[tool.other]"));
    let (exported, _) = script.0.uv(&["export", "--script", "job.py", "--frozen", "--no-hashes", "--quiet"]);
    let lock = script.lock();
    for target in targets(&["3.11", "3.13"]) {
        let selection = lock.select(&SelectionRequest::default(), Path::new(""), &target).unwrap();
        let selected = wheels(&selection, &target);
        assert!(selected.contains_key("pysocks") && !selected.contains_key("colorama"), "{selected:?}");
        assert_eq!(selected, script.0.installed(&target, &exported), "{} {:?}", target.name, target.architecture);
    }
}

#[test]
fn a_lock_is_out_of_date_if_uv_says_so() {
    let script = Script::locked(SCRIPT);
    let replaced = |old: &str, new: &str| {
        assert!(SCRIPT.contains(old), "{old}");
        SCRIPT.replace(old, new)
    };
    for (edited, difference) in [
        (replaced("import requests", "import requests, sys"), None),
        (replaced("requests[socks]", "Requests[socks]"), None),
        (replaced("'win32'", "'win32' "), None),
        (replaced(">=2.30,<3", ">=2.31,<3"), Some("`requests[socks]<3,>=2.30` changed to `requests[socks]<3,>=2.31`")),
        (replaced("#   \"uvloop; platform_machine == 'x86_64'\",\n", ""), Some("`uvloop` was removed")),
        (replaced("'3.12'\"", "'3.13'\""), Some("the marker of `typing-extensions` changed")),
        (replaced(">=3.11", ">=3.12"), Some("requires-python changed from `>=3.11` to `>=3.12`")),
        (replaced("urllib3<3", "urllib3<2"), Some("the constraint `urllib3<3` changed to `urllib3<2`")),
        (replaced("# [tool.uv.sources]\n# idna", "# [tool.other]\n# idna"), Some("`idna")),
    ] {
        script.0.write("job.py", edited.as_bytes());
        let is_current = script.0.try_uv(&["lock", "--check", "--offline", "--script", "job.py"]).status.success();
        assert_eq!(is_current, difference.is_none(), "uv says otherwise of {edited}");
        match (script.check_locked(), difference) {
            (Ok(freshness), None) => assert_eq!(freshness, Freshness::Current, "{edited}"),
            (Err(error), Some(difference)) => {
                let said = error.to_string();
                assert!(said.contains("the lock does not match the script: ") && said.contains(difference), "{said}");
                let path = script.0.path().join("job.py");
                assert!(error.hints()[0].contains(&format!("`uv lock --script {}`", path.display())), "{error:?}");
            }
            (checked, _) => panic!("{checked:?} for {edited}"),
        }
    }
}
