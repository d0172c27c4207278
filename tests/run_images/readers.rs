//! Other tools read every layout and every archive: with and without documents, with any number of tags and platforms.

use std::path::PathBuf;
use std::process::Command;

use crate::podman::Podman;
use crate::support::command::{succeed, tool};
use crate::support::docker::docker;
use crate::support::sample::is_tried;
use crate::workshop::Workshop;

/// What skopeo, podman and buildah say if they are to choose one of several tags.
const SEVERAL_TAGS: &str = "more than one image in oci, choose an image";

/// The names of the layout and the archive. They are relative, as podman 4.3 gives an image the name of its directory, which
/// must be one for images.
const LAYOUT: &str = "layout";
const ARCHIVE: &str = "archive.tar";

/// An image in a layout and in an archive.
struct WrittenImage<'a> {
    directory: PathBuf,
    tags: &'a [&'a str],
    platforms: usize,
    /// What it is, for messages.
    title: String,
}

impl WrittenImage<'_> {
    /// Runs a reader, which must accept the image, or refuse it with this text.
    fn read(&self, command: &mut Command, refusal: Option<&str>) -> String {
        let output =
            command.current_dir(&self.directory).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.success(), refusal.is_none(), "{}: {command:?}: {said}", self.title);
        assert!(refusal.is_none_or(|refusal| said.contains(refusal)), "{}: {command:?}: {said}", self.title);
        said
    }
}

/// The tags of the images, and the names that engines give them.
const TAGS: [(&str, &str); 2] = [("shop:1", "docker.io/library/shop:1"), ("ghcr.io/me/shop:2", "ghcr.io/me/shop:2")];

#[test]
fn every_tool_reads_an_image_for_one_platform() {
    read_all("linux/amd64", 0);
}

#[test]
fn every_tool_reads_an_index_as_far_as_it_can() {
    read_all("linux/amd64,linux/arm64", 1);
}

/// Of every two cases, the one is tried with one platform and the other with two, or each with both.
fn read_all(platforms: &str, series: usize) {
    const DOCUMENTS: &[&str] = &["--sbom=cyclonedx", "--provenance"];
    let workshop = Workshop::new();
    let podman = Podman::new();
    let is_old_docker = succeed(&mut docker().command(&["version", "--format={{.Server.Version}}"])).starts_with("20.");
    let both = ["shop:1", "ghcr.io/me/shop:2"];
    let cases = [(0, DOCUMENTS), (2, DOCUMENTS), (1, DOCUMENTS), (1, &[])];
    for (_, (tags, documents)) in cases.into_iter().enumerate().filter(|(case, _)| is_tried(case + series, 2)) {
        let tags = &both[..tags];
        let title = format!("{platforms} {tags:?} {documents:?}");
        let outputs = [format!("--output=oci:{LAYOUT}"), format!("--output=oci-archive:{ARCHIVE}")];
        let mut build = workshop.command(&[&outputs[0], &outputs[1], "--platform", platforms]);
        succeed(build.args(tags.iter().flat_map(|tag| ["--tag", tag])).args(documents));
        let platforms = platforms.split(',').count();
        let image = WrittenImage { directory: workshop.path(""), tags, platforms, title };
        containers_tools_read(&image, &podman);
        others_read(&image, &workshop);
        // Later versions load an index if they keep images in containerd.
        if image.platforms == 1 || is_old_docker {
            docker_reads(&image);
        }
    }
}

/// skopeo, podman and buildah must be told the tag if there are several.
fn containers_tools_read(image: &WrittenImage, podman: &Podman) {
    let several = (image.tags.len() > 1).then_some(SEVERAL_TAGS);
    for name in [format!("oci:{LAYOUT}"), format!("oci-archive:{ARCHIVE}")] {
        image.read(Command::new("skopeo").args(["inspect", &name]), several);
        image.read(podman.podman(&["pull", "--quiet"]).arg(&name), several);
        image.read(podman.buildah(&["pull", "--quiet"]).arg(&name), several);
        for tag in image.tags.iter().filter_map(|tag| Some(tag.rsplit_once(':')?.1)) {
            let name = format!("{name}:{tag}");
            image.read(Command::new("skopeo").args(["inspect", &name]), None);
            image.read(podman.podman(&["pull", "--quiet"]).arg(&name), None);
        }
    }
    // With several tags, podman reads the part for Docker, which an index of images has not.
    let refusal = several.filter(|_| image.platforms > 1);
    let loaded = image.read(&mut podman.podman(&["load", "--input", ARCHIVE]), refusal);
    for (_, name) in TAGS.iter().filter(|(tag, _)| refusal.is_none() && image.tags.contains(tag)) {
        assert!(loaded.contains(&format!("Loaded image: {name}\n")), "{}: {loaded}", image.title);
    }
    succeed(&mut podman.podman(&["rmi", "--all", "--force"]));
}

/// umoci and syft 1.18 read the image of one platform. umoci takes the tag `latest` by default.
fn others_read(image: &WrittenImage, workshop: &Workshop) {
    let is_index = image.platforms > 1;
    let tag = image.tags.first().and_then(|tag| tag.rsplit_once(':')).map(|(_, tag)| format!(":{tag}"));
    let name = LAYOUT.to_owned() + &tag.unwrap_or_default();
    let bundle = workshop.path("bundle");
    let mut umoci = Command::new("umoci");
    umoci.args(["unpack", "--rootless", "--image", &name]).arg(&bundle);
    image.read(&mut umoci, is_index.then_some("tag is ambiguous"));
    succeed(Command::new("rm").arg("-rf").arg(&bundle));
    for name in [format!("oci-dir:{LAYOUT}"), format!("oci-archive:{ARCHIVE}")] {
        let mut syft = Command::new(tool("syft"));
        syft.args(["scan", "--output=json", &name]).env("SYFT_CHECK_FOR_APP_UPDATE", "false");
        let found = image.read(&mut syft, is_index.then_some("unexpected media type"));
        assert!(is_index || found.contains("\"name\":\"example-banner\""), "{}: {found}", image.title);
    }
}

fn docker_reads(image: &WrittenImage) {
    let refusal = (image.platforms > 1).then_some("no such file or directory");
    let loaded = image.read(&mut docker().command(&["load", "--input", ARCHIVE]), refusal);
    for tag in image.tags.iter().filter(|_| refusal.is_none()) {
        assert!(loaded.contains(&format!("Loaded image: {tag}\n")), "{}: {loaded}", image.title);
        succeed(&mut docker().command(&["rmi", "--force", tag]));
    }
}
