//! Pushes to a registry that is killed and started again meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use pybundle::registry::credentials::Keychain;
use pybundle::registry::{Registry, RegistryOptions};
use pybundle::report::Silent;

use super::pushing::{anonymous, assert_complete, image, layer, message_and_hints, reference};
use super::registries::DockerRegistry;

#[test]
fn sixty_pushes_survive_a_registry_that_is_killed_three_times() {
    let mut server = DockerRegistry::anonymous();
    let host = server.host();
    let images: Vec<_> =
        (0..60).map(|number| image("app", vec![layer(number, 3_000_000), layer(1000 + number, 100_000)])).collect();
    let (next, done, failures) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(Vec::new()));
    let running = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(image) = images.get(number as usize) else { break };
                    running.lock().unwrap().insert(number);
                    // With the pauses that users get: the registry is gone for a while.
                    let registry = Registry::new(RegistryOptions::new(Keychain::fixed([]))).unwrap();
                    let to = reference(&host, &format!("restarts/{number}:1"));
                    if let Err(error) = registry.push(image, std::slice::from_ref(&to), &Silent) {
                        failures.lock().unwrap().push((number, message_and_hints(&error).0));
                    }
                    running.lock().unwrap().remove(&number);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut interrupted = BTreeSet::new();
        for after in [8, 25, 45] {
            // A push that meets the registry's absence again and again gives up, as it should.
            while done.load(Ordering::Relaxed) < after || !interrupted.is_disjoint(&running.lock().unwrap()) {
                thread::sleep(Duration::from_millis(1));
            }
            server.restart(Duration::from_millis(300));
            interrupted.clone_from(&running.lock().unwrap());
        }
    });
    let failures: BTreeMap<u64, String> = failures.into_inner().unwrap().into_iter().collect();
    let registry = anonymous();
    for (number, image) in (0..).zip(&images) {
        let at = reference(&host, &format!("restarts/{number}:1"));
        if let Some(failure) = failures.get(&number) {
            // What the registry was killed over stays damaged, and only then a push may fail.
            let is_damaged = failure.starts_with("cannot push the manifest of ") && failure.contains("returned 500");
            assert!(is_damaged && registry.find(&at).is_err(), "push {number}: {failure}");
            continue;
        }
        assert_eq!(registry.find(&at).unwrap().unwrap().digest, image.manifest.digest);
        assert_complete(&registry, &at, image);
    }
}
