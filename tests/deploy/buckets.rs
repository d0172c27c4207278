//! Code that goes through S3.

use std::fs;

use crate::cloud::{BUCKET, Cloud, Fault};
use crate::faults::each;
use crate::lambda::code_sha256;
use crate::test_project::TestProject;
use crate::{TARGET, edit, run};

/// Returns the example with a bucket, and with data of this size that does not compress.
pub(crate) fn example(size: usize) -> TestProject {
    let project = TestProject::example(&format!("{TARGET}s3-bucket = \"{BUCKET}\"\n"));
    let mut state: u64 = 88_172_645_463_325_252;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let data: Vec<u8> = std::iter::repeat_with(&mut next).take(size / 8).flatten().collect();
    project.0.write("aaa.bin", &data);
    project
}

fn zip(project: &TestProject) -> Vec<u8> {
    fs::read(project.0.path().join("dist/api.zip")).unwrap()
}

/// Asserts that the bucket has the zip, and that it is live.
fn check(cloud: &Cloud, project: &TestProject) {
    let zip = zip(project);
    assert_eq!(cloud.rejected(), [""; 0]);
    assert_eq!(cloud.function("shop").live("live").1, code_sha256(&zip));
    let stored = cloud.bucket(|bucket| bucket.objects.values().any(|object| object.bytes == zip));
    assert!(stored, "the bucket has other bytes");
}

#[test]
fn a_small_zip_is_put_once() {
    let (cloud, project) = (Cloud::start(), example(0));
    // S3 does not tell who of two will win, and asks to try again.
    cloud.bucket(|bucket| bucket.conflicts = 1);
    let first = run(&project, &cloud, &["deploy"]);
    assert_eq!(first.status, Some(0), "{first:?}");
    check(&cloud, &project);
    assert_eq!(first.target()["uploaded_bytes"], zip(&project).len());
    let received = cloud.bucket(|bucket| bucket.received);
    assert_eq!((received, cloud.bucket(|bucket| bucket.conflicts)), (2 * zip(&project).len(), 0));
    // The same code for another function of that name: the object is there.
    cloud.create("shop");
    let again = run(&project, &cloud, &["deploy"]);
    assert_eq!((again.status, again.target()["uploaded_bytes"].as_u64()), (Some(0), Some(0)), "{again:?}");
    assert_eq!(cloud.bucket(|bucket| bucket.received), received);
}

#[test]
fn after_an_edit_only_the_end_is_sent() {
    let (cloud, project) = (Cloud::start(), example(24 << 20));
    let first = run(&project, &cloud, &["deploy"]);
    assert_eq!(first.status, Some(0), "{first:?}");
    check(&cloud, &project);
    let before = cloud.bucket(|bucket| bucket.received);
    edit(&project, "VERSION = 2");
    let edited = run(&project, &cloud, &["deploy"]);
    assert_eq!(edited.status, Some(0), "{edited:?}");
    check(&cloud, &project);
    let sent = cloud.bucket(|bucket| bucket.received) - before;
    assert_eq!(edited.target()["uploaded_bytes"], sent);
    assert!(sent < 100 << 10, "{sent} bytes were sent");
    assert!(cloud.requests().contains(&"UploadPartCopy".to_owned()));
}

#[test]
fn a_source_that_is_replaced_meanwhile_is_not_copied() {
    let (cloud, project) = (Cloud::start(), example(24 << 20));
    assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
    edit(&project, "VERSION = 2");
    cloud.bucket(|bucket| bucket.replaces_sources = true);
    let edited = run(&project, &cloud, &["deploy"]);
    assert_eq!(edited.status, Some(0), "{edited:?}");
    check(&cloud, &project);
    assert_eq!(cloud.bucket(|bucket| bucket.open_uploads()), 0);
    assert_eq!(edited.target()["uploaded_bytes"], zip(&project).len());
}

#[test]
fn an_object_with_other_bytes_does_not_become_live() {
    let (cloud, project) = (Cloud::start(), example(0));
    assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
    let live = cloud.function("shop").live("live").1.to_owned();
    edit(&project, "VERSION = 2");
    assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
    assert_eq!(run(&project, &cloud, &["deploy", "--rollback"]).status, Some(0));
    // Of the same size, so that it seems to be there.
    cloud.bucket(|bucket| {
        for (key, object) in bucket.objects.clone() {
            let mut bytes = object.bytes.clone();
            *bytes.last_mut().unwrap() ^= 1;
            bucket.replace(&key, &bytes);
        }
    });
    cloud.with("shop", |function| function.replace_code());
    let wrong = run(&project, &cloud, &["deploy"]);
    assert_eq!(wrong.status, Some(1), "{wrong:?}");
    assert!(wrong.err.contains("version 2 stays live"), "{wrong:?}");
    assert_eq!(cloud.function("shop").live("live").1, live);
}

#[test]
fn errors_of_s3_are_repeated_or_explained() {
    let project = example(17 << 20);
    let cloud = Cloud::start();
    assert_eq!(run(&project, &cloud, &["deploy"]).status, Some(0));
    let requests = cloud.requests();
    let (first, last) = (3, requests.iter().rposition(|action| action == "HeadObject").unwrap());
    for fault in [Fault::Lost, Fault::Error] {
        each(first..=last, |position| {
            let cloud = Cloud::start();
            cloud.fault(position, fault);
            let ended = run(&project, &cloud, &["deploy"]);
            assert_eq!(ended.status, Some(0), "{fault:?} at {position} of {requests:?}: {ended:?}");
            check(&cloud, &project);
            // Of an upload whose identifier is lost, nobody knows.
            let open = cloud.bucket(|bucket| bucket.open_uploads());
            assert!(open == 0 || (fault == Fault::Lost && open == 1), "{fault:?} at {position}");
        });
    }
    let cloud = Cloud::start();
    cloud.deny("CreateMultipartUpload");
    let denied = run(&project, &cloud, &["deploy"]);
    assert_eq!(denied.status, Some(1));
    for text in [
        "version 1 stays live",
        "S3 did not carry out PutObject in bucket",
        "hint: grant the identity the permission s3:PutObject for the bucket",
    ] {
        assert!(denied.err.contains(text), "{text}: {denied:?}");
    }
    let elsewhere = run(&project, &cloud, &["deploy", "--s3-bucket=elsewhere"]);
    assert!(
        elsewhere.err.contains("bucket elsewhere is in eu-north-1, but the function is in eu-west-1"),
        "{elsewhere:?}"
    );
    assert!(elsewhere.err.contains("hint: use a bucket in eu-west-1"), "{elsewhere:?}");
}
