//! Builds that believe a record, and then compare something that it says.

use serde_json::{Value, json};

use crate::changed_records::with_another_file;
use crate::remote_cache::Fleet;

#[test]
fn one_layer_is_made_again_after_the_push_and_compared() {
    let fleet = Fleet::new();
    fleet.require(1);
    fleet.workshop.write("app.py", "import example_greeting\n");
    let (auto, sample) = (["--remote-cache", "auto"], ["--remote-cache", "sample"]);
    let first = fleet.report("warm", "1", &auto);
    let before = fleet.sent();
    let right = fleet.report("cold", "1", &sample);
    let used = &right["remote_cache"];
    assert_eq!((&used["sampled"], &used["fetched"]), (&json!("example-greeting 1.2.0"), &json!(0)), "{used}");
    assert_eq!((&right["digest"], fleet.sent()), (&first["digest"], before + 1));
    // Of what is here, nothing was believed.
    assert_eq!(fleet.report("cold", "1", &sample)["remote_cache"]["sampled"], Value::Null);

    let tag = fleet.replace_record(with_another_file);
    let output = fleet.push("misled", "2", &sample).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let error = format!(
        "error: the record {tag} in {}/team/app is wrong about example-greeting 1.2.0\nhint: delete it, and find out who wrote \
         it: do not trust artifacts that were built from it\n",
        fleet.registry.host()
    );
    assert!(output.status.code() == Some(1) && said.ends_with(&error), "{said}");
    // The image was complete before.
    assert!(fleet.tags("team/app").contains(&"2".to_owned()), "{:?}", fleet.tags("team/app"));
}
