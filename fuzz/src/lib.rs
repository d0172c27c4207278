//! What the targets have in common.

use std::path::Path;

use pybundle::lock::{Chooser, FormatControl, Lock, Request};
use pybundle::target::{Architecture, LambdaProfile};

/// Selects everything from a lock for two targets, and chooses files.
pub fn select(lock: &Lock) {
    for (runtime, architecture) in [("python3.9", Architecture::Arm64), ("python3.13", Architecture::X86_64)] {
        let target = LambdaProfile::built_in(runtime).expect("it is built in").target(architecture);
        for all_extras in [false, true] {
            let request = Request { all_extras, ..Request::default() };
            match lock.select(&request, Path::new(""), &target) {
                Ok(selection) => {
                    let _ = Chooser::new(&target, &FormatControl::default()).choose(selection);
                }
                Err(error) => drop((error.to_string(), error.hints())),
            }
        }
    }
}
