//! Errors at every request: the earlier version stays live or the new one is, and the message says which.

use std::thread;

use crate::cloud::{Cloud, Fault};
use crate::support::sample::is_tried;
use crate::test_project::TestProject;
use crate::{Ended, TARGET, example, run};

/// What is live after a deployment.
fn is_new_live(cloud: &Cloud, has_alias: bool) -> bool {
    let function = cloud.function("shop");
    let first = crate::lambda::code_sha256(b"first");
    if has_alias { function.live("live").1 != first } else { function.latest_code() != first }
}

/// Asserts that the exit status and the message say what is live.
fn check(ended: &Ended, cloud: &Cloud, has_alias: bool, about: &str) {
    assert_eq!(cloud.rejected(), [""; 0], "{about}");
    let is_new = is_new_live(cloud, has_alias);
    match ended.status {
        Some(0) => assert!(is_new, "{about}: success, but the earlier code is live: {ended:?}"),
        Some(1) => {
            let says_old = ["version 1 stays live", "the earlier code stays live", "nothing was changed"];
            let says_old = says_old.iter().any(|text| ended.err.contains(text));
            let says_unknown = ended.err.contains("cannot tell whether the new code is live");
            assert!(says_old != says_unknown, "{about}: {ended:?}");
            assert!(says_unknown || !is_new, "{about}: the new code is live: {ended:?}");
            assert!(!says_unknown || ended.err.contains("hint: run the same command again: it continues"), "{about}");
        }
        _ => panic!("{about}: {ended:?}"),
    }
}

/// Returns the project with its target built, and the number of requests of a deployment.
fn project(has_alias: bool) -> (TestProject, usize) {
    let project = if has_alias { example() } else { TestProject::example(&TARGET.replace("alias = \"live\"\n", "")) };
    let cloud = Cloud::start();
    assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
    let requests = cloud.requests().len();
    (project, requests)
}

/// Returns the requests of a deployment that fail.
pub(crate) fn positions(requests: usize, series: usize) -> impl Iterator<Item = usize> {
    (0..requests).filter(move |position| is_tried(position + series, 4))
}

/// Runs something for each number, several at a time: they wait for pauses between attempts.
pub(crate) fn each(numbers: impl IntoIterator<Item = usize>, act: impl Fn(usize) + Sync) {
    let numbers: Vec<usize> = numbers.into_iter().collect();
    for numbers in numbers.chunks(8) {
        thread::scope(|scope| numbers.iter().for_each(|number| drop(scope.spawn(|| act(*number)))));
    }
}

#[test]
fn one_error_at_any_request_does_not_stop_a_deployment() {
    for has_alias in [true, false] {
        let (project, requests) = project(has_alias);
        for (series, fault) in Fault::ALL.into_iter().enumerate() {
            each(positions(requests, series), |position| {
                let cloud = Cloud::start();
                cloud.fault(position, fault);
                let ended = run(&project, &cloud, &["deploy"]);
                let about = format!("{fault:?} at {position} of {requests}");
                assert_eq!(ended.status, Some(0), "{about}: {ended:?}");
                check(&ended, &cloud, has_alias, &about);
                assert!(cloud.function("shop").version_count() <= 2, "{about}");
            });
        }
    }
}

#[test]
fn after_errors_without_end_the_message_says_what_is_live() {
    for has_alias in [true, false] {
        let (project, requests) = project(has_alias);
        for (series, fault) in [Fault::Cut, Fault::Lost].into_iter().enumerate() {
            each(positions(requests, series), |position| {
                let cloud = Cloud::start();
                cloud.fault_from(position, fault);
                let ended = run(&project, &cloud, &["deploy"]);
                check(&ended, &cloud, has_alias, &format!("{fault:?} from {position} of {requests}"));
                // As the hint says.
                cloud.fault_from(usize::MAX, fault);
                assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
                assert!(is_new_live(&cloud, has_alias));
            });
        }
    }
}

#[test]
fn one_error_at_any_request_does_not_stop_a_rollback() {
    let project = example();
    let rolled_back = |fault: Option<(usize, Fault)>| {
        let cloud = Cloud::start();
        assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
        let before = cloud.requests().len();
        fault.inspect(|(position, fault)| cloud.fault(before + position, *fault));
        let ended = run(&project, &cloud, &["deploy", "--rollback"]);
        assert_eq!(ended.status, Some(0), "{fault:?}: {ended:?}");
        assert_eq!(cloud.function("shop").live("live").0, "1", "{fault:?}");
        cloud.requests().len() - before
    };
    let requests = rolled_back(None);
    for (series, fault) in [Fault::Cut, Fault::Lost, Fault::LostInError].into_iter().enumerate() {
        each(positions(requests, series), |position| assert!(rolled_back(Some((position, fault))) >= requests));
    }
}
