//! Several platforms in one command.

use crate::built::Kind;
use crate::support::bases;
use crate::tiny::Tiny;
use crate::workshop::Workshop;

const BOTH: &str = "--platform=linux/amd64,linux/arm64";

#[test]
fn an_index_contains_the_images_that_are_built_one_by_one() {
    let workshop = Workshop::new();
    for compression in ["--compression=gzip", "--compression=zstd"] {
        let (digest, images) = workshop.build_index(&[BOTH, compression]);
        assert_eq!(images.len(), 2);
        for (platform, image) in &images {
            assert_eq!(*image, workshop.build(&["--platform", platform, compression]), "{platform}");
            assert_ne!(image.digest, digest);
            let (os, architecture) = platform.split_once('/').unwrap();
            assert_eq!((&image.config["os"], &image.config["architecture"]), (&os.into(), &architecture.into()));
        }
    }
}

#[test]
fn wheels_and_the_base_are_chosen_for_each_platform() {
    let workshop = Workshop::new();
    let (_, images) = workshop.build_index(&[BOTH]);
    let [(_, amd64), (_, arm64)] = &images[..] else { panic!("{images:?}") };
    for (image, platform, machine) in [(amd64, "amd64", 62), (arm64, "arm64", 183)] {
        let base = &image.layers[0].members[0];
        let Kind::File(content) = &base.kind else { panic!("{base:?}") };
        assert_eq!(String::from_utf8_lossy(content), format!("usr/local/bin/python3.12 for {platform}\n"));
        let tree = image.tree();
        let library = tree.iter().find(|(path, _)| path.ends_with(".so")).unwrap().1;
        let Kind::File(content) = &library.kind else { panic!("{library:?}") };
        // The machine in the header of an ELF file.
        assert_eq!(content[18], machine);
    }
    // What is for both is shared.
    let shared = amd64.digests().into_iter().filter(|digest| arm64.digests().contains(digest)).count();
    assert_eq!(shared, amd64.own().len() - 1);
}

#[test]
fn the_report_has_each_platform() {
    let workshop = Workshop::new();
    let report = workshop.report(&[BOTH, "--output=oci:out"]);
    assert_eq!(report["media_type"], "application/vnd.oci.image.index.v1+json");
    let platforms = report["platforms"].as_array().unwrap();
    for (reported, (platform, image)) in platforms.iter().zip(workshop.build_index(&[BOTH]).1) {
        assert_eq!(reported["platform"], platform.as_str());
        assert_eq!(reported["digest"], image.digest.as_str());
        assert_eq!(reported["base_layers"], 1);
        assert_eq!(reported["interpreter"], "/usr/local/bin/python3.12");
        let tags = reported["distributions"].as_array().unwrap().iter().map(|one| one["tag"].as_str().unwrap());
        let machine = if platform == "linux/arm64" { "aarch64" } else { "x86_64" };
        assert!(tags.clone().any(|tag| tag.ends_with(machine)), "{platform}: {:?}", tags.collect::<Vec<_>>());
    }
}

#[test]
fn a_real_index_gives_the_image_of_each_platform() {
    let workshop = Workshop::new();
    let multi = format!("--base={}", bases::multi().argument());
    let slim = format!("--base={}", bases::slim().argument());
    let image = workshop.run(&mut workshop.without_base(&[&multi, "--platform", bases::platform()]));
    assert_eq!(image, workshop.run(&mut workshop.without_base(&[&slim, "--platform", bases::platform()])));
    let mut other = workshop.without_base(&[&multi, "--platform", bases::other_platform()]);
    assert_eq!(
        format!("linux/{}", workshop.run(&mut other).config["architecture"].as_str().unwrap()),
        bases::other_platform()
    );
}

#[test]
fn a_base_without_the_platform_is_an_error() {
    let workshop = Workshop::new();
    Tiny::python().architectures(&["amd64"]).write(&workshop.path("single"));
    for platform in ["linux/arm64", "linux/amd64,linux/arm64"] {
        let said = workshop.fail(&mut workshop.without_base(&["--base=oci:single", "--platform", platform]));
        assert!(said.contains("the base is for linux/amd64, not for linux/arm64"), "{said}");
        assert!(said.contains("hint: choose a platform that the base supports"), "{said}");
    }
    Tiny::python().architectures(&["amd64", "s390x"]).write(&workshop.path("several"));
    let said = workshop.fail(&mut workshop.without_base(&["--base=oci:several", "--platform=linux/arm64"]));
    assert!(said.contains("the base has no image for linux/arm64; available: linux/amd64, linux/s390x"), "{said}");
}

#[test]
fn a_docker_archive_cannot_contain_two_platforms() {
    let workshop = Workshop::new();
    let said = workshop.fail(&mut workshop.command(&[BOTH, "--output=docker-archive:docker.tar"]));
    assert!(
        said.contains("docker.tar: a Docker archive contains the image for one platform")
            && said.contains("pass a single --platform"),
        "{said}"
    );
    let lambda = ["--profile=lambda-image", "--cmd=app.handler", BOTH];
    let said = workshop.fail(&mut workshop.command(&lambda));
    assert!(said.contains("lambda-image accepts an image for one platform, not an image index"), "{said}");
    assert!(said.contains("hint: build each platform separately"), "{said}");

    for wrong in ["linux/sparc", "windows/amd64", "mips", "linux/amd64/v3", "linux/arm/v7", ""] {
        let run = workshop.command(&["--platform", wrong]).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{wrong}");
    }
}
