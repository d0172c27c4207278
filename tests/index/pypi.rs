//! The real PyPI: what is found there is what uv finds.

use std::collections::{BTreeMap, BTreeSet};

use pybundle::digest::Digest;
use pybundle::index::IndexOptions;
use pybundle::lock::{AcceptedFiles, DistributionSource, FileChooser, FormatControl, SelectedSource, Selection};

use super::support::uv::{Project, targets};
use super::{Place, pinned, query, uv_picks};

const PINS: [(&str, &str); 3] = [("charset-normalizer", "3.4.0"), ("pydantic-core", "2.27.1"), ("six", "1.17.0")];

#[test]
fn the_files_of_pypi_are_chosen_as_uv_chooses_them() {
    let mut place = Place::without_index();
    place.options = IndexOptions::default();
    let requirements = PINS.map(|(name, version)| format!("{name}=={version}"));
    let finder = place.finder();
    for target in targets(&["3.9", "3.13"]) {
        let pins = PINS.map(|(name, version)| pinned(name, &query(version, AcceptedFiles::Any)));
        let mut selection = Selection { distributions: pins.into() };
        finder.complete(&mut selection, &target).unwrap();
        let chosen = FileChooser::new(&target, &FormatControl::default()).choose(selection).unwrap();
        let chosen: BTreeMap<String, (String, String)> = chosen
            .into_iter()
            .map(|chosen| {
                let SelectedSource::Wheel(wheel, _) = chosen.source else { panic!("{chosen:?}") };
                (chosen.name.to_string(), (chosen.version.unwrap().to_string(), wheel.filename.to_string()))
            })
            .collect();
        let picks = uv_picks(&target, &requirements.each_ref().map(String::as_str)).unwrap();
        assert_eq!(chosen, picks, "{target}");
    }
}

#[test]
fn every_digest_that_uv_locks_is_found() {
    let project = Project::new(&[("in.txt", "pydantic-core==2.27.1\n")]);
    let (compiled, _) = project.uv(&["pip", "compile", "--no-config", "--generate-hashes", "--no-deps", "in.txt"]);
    let hashes = compiled.lines().filter_map(|line| line.trim().strip_prefix("--hash="));
    let digests: BTreeSet<Digest> = hashes.map(|hash| hash.trim_end_matches(" \\").parse().unwrap()).collect();
    let mut place = Place::without_index();
    place.options = IndexOptions::default();
    let pin = pinned("pydantic-core", &query("2.27.1", AcceptedFiles::Digests(digests.clone())));
    let mut selection = Selection { distributions: vec![pin] };
    let finder = place.finder();
    finder.complete(&mut selection, &targets(&["3.13"])[0]).unwrap();
    let DistributionSource::Files(files) = &selection.distributions[0].source else { panic!("{selection:?}") };
    let wheels = files.wheels.iter().flat_map(|wheel| wheel.digest());
    let sdist = files.sdist.iter().flat_map(|sdist| sdist.file.digest());
    assert!(digests.len() > 50, "{compiled}");
    assert_eq!(wheels.chain(sdist).cloned().collect::<BTreeSet<_>>(), digests);

    // PyPI serves the metadata beside every wheel; its mirrors need not.
    for metadata in finder.metadata(&files.wheels[..1]).unwrap().into_iter().flatten() {
        assert!(String::from_utf8(metadata).unwrap().contains("\nName: pydantic_core\n"));
    }
    // The kept page has every digest.
    place.fetch.offline = true;
    selection.distributions = vec![pinned("pydantic-core", &query("2.27.1", AcceptedFiles::Digests(digests)))];
    place.finder().complete(&mut selection, &targets(&["3.9"])[0]).unwrap();
}
