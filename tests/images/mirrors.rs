//! Bases that are pulled from the mirrors of podman's and Docker's configuration, as by skopeo.

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;

use crate::registries::{DockerRegistry, PASSWORD, USER};
use crate::support::command::{fail, pybundle, succeed};
use crate::workshop::Workshop;

/// A registry that does not exist, so that only a mirror can have its images.
const BASE: &str = "registry.invalid/bases/python:3.12";

/// Copies the workshop's base to a registry with skopeo.
fn upload(workshop: &Workshop, registry: &DockerRegistry, name: &str, flags: &[&str]) {
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false"]);
    skopeo.args(flags).args(["oci:base", &format!("docker://{}/{name}", registry.host())]);
    succeed(skopeo.current_dir(workshop.path("")));
}

/// Lets a command read a registries.conf.
fn with_registries(workshop: &Workshop, text: &str, mut command: Command) -> Command {
    let file = workshop.path("registries.conf");
    fs::write(&file, text).unwrap();
    command.env("CONTAINERS_REGISTRIES_CONF", file);
    command
}

#[test]
fn a_base_is_pulled_from_a_mirror_and_pushed_to_the_name() {
    let (workshop, registry) = (Workshop::new(), DockerRegistry::anonymous());
    upload(&workshop, &registry, "hub/bases/python:3.12", &[]);
    let host = registry.host();
    // The first mirror has nothing.
    let mirrors = format!(
        "[[registry]]\nlocation = \"registry.invalid\"\n\
         [[registry.mirror]]\nlocation = \"{host}/empty\"\ninsecure = true\n\
         [[registry.mirror]]\nlocation = \"{host}/hub\"\ninsecure = true\n"
    );
    let base = format!("--base={BASE}");
    let tag = format!("--tag={host}/team/app:1");
    let pushed = workshop.without_base(&[&base, &tag, "--push"]);
    let printed = succeed(&mut with_registries(&workshop, &mirrors, pushed));
    assert!(printed.contains("/team/app:1: of 6 blobs, 6 uploaded"), "{printed}");
    assert_eq!(registry.tags("hub/bases/python"), ["3.12"]);
    let image = workshop.run(&mut with_registries(&workshop, &mirrors, workshop.without_base(&[&base])));
    assert_eq!(image.manifest["annotations"]["org.opencontainers.image.base.name"], BASE);
    assert_eq!(image.layers, workshop.build(&[]).layers);
    // skopeo reads the same configuration, and finds the same.
    let conf = format!("--registries-conf={}", workshop.path("registries.conf").display());
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", &conf, "inspect", "--raw", &format!("docker://{BASE}")]);
    let index = succeed(&mut skopeo);
    let inspected = succeed(&mut with_registries(&workshop, &mirrors, pybundle(&["inspect", BASE])));
    let digest = inspected.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap();
    assert!(index.contains(digest), "{inspected}\n{index}");
}

#[test]
fn a_name_is_rewritten_blocked_or_pulled_from_its_own_registry() {
    let (workshop, registry) = (Workshop::new(), DockerRegistry::anonymous());
    upload(&workshop, &registry, "copies/python:3.12", &[]);
    let host = registry.host();
    let inspected = |conf: &str, reference: &str| with_registries(&workshop, conf, pybundle(&["inspect", reference]));
    let moved =
        format!("[[registry]]\nprefix = \"registry.invalid/bases\"\nlocation = \"{host}/copies\"\ninsecure = true\n");
    succeed(&mut inspected(&moved, BASE));
    let blocked = format!("[[registry]]\nlocation = \"{host}\"\nblocked = true\n");
    let reference = format!("{host}/copies/python:3.12");
    let said = fail(&mut inspected(&blocked, &reference));
    let file = workshop.path("registries.conf");
    let expected = format!(
        "error: {host}/copies/python is blocked in {0}\nhint: name another registry, or set `blocked = false` in {0}\n",
        file.display()
    );
    assert_eq!(said, expected);
    // The hint.
    succeed(&mut inspected(&blocked.replace("true", "false"), &reference));
    // A mirror that is gone costs one attempt, and is named if the registry cannot be reached either.
    let gone = format!("[[registry]]\nlocation = \"{host}\"\n[[registry.mirror]]\nlocation = \"127.0.0.1:1\"\n");
    succeed(&mut inspected(&gone, &reference));
    let said = fail(&mut inspected(&gone.replace(&host, "registry.invalid"), BASE));
    assert!(said.contains("; before, its mirror could not be used: the connection to 127.0.0.1:1 failed"), "{said}");
    let said = fail(&mut inspected("[[registry]]\nlocation = \"https://a.lan\"\n", &reference));
    let expected = format!(
        "error: cannot read {}: `https://a.lan` has a scheme, expected HOST[:PORT][/NAMESPACE]\n\
         hint: correct the file, which podman or Docker reads, too\n",
        file.display()
    );
    assert_eq!(said, expected);
}

/// `insecure` means to podman and Docker that certificates are not verified, and that plain HTTP will do.
#[test]
fn an_insecure_registry_needs_no_valid_certificate() {
    let (workshop, registry) = (Workshop::new(), DockerRegistry::with_tls());
    let host = registry.host();
    upload(&workshop, &registry, "bases/python:3.12", &[&format!("--dest-creds={USER}:{PASSWORD}")]);
    let reference = format!("{host}/bases/python:3.12");
    let inspect = || {
        let mut command = pybundle(&["inspect", &reference]);
        let variable = format!("PYBUNDLE_REGISTRY_{}", host.replace(['.', ':'], "_"));
        command.env(format!("{variable}_USERNAME"), USER).env(format!("{variable}_PASSWORD"), PASSWORD);
        command.env("XDG_CONFIG_HOME", workshop.path("config"));
        command
    };
    assert!(fail(&mut inspect()).contains("if the registry uses a private certificate"));
    fs::create_dir_all(workshop.path("config/docker")).unwrap();
    let daemon = workshop.path("config/docker/daemon.json");
    fs::write(&daemon, format!("{{\"insecure-registries\": [\"{host}\"]}}")).unwrap();
    succeed(&mut inspect());
    fs::write(&daemon, "{\"insecure-registries\": [\"127.0.0.0/8\"]}").unwrap();
    succeed(&mut inspect());
    fs::remove_file(&daemon).unwrap();
    let conf = format!("[[registry]]\nlocation = \"{host}\"\ninsecure = true\n");
    succeed(&mut with_registries(&workshop, &conf, inspect()));
}

#[test]
fn the_mirrors_of_docker_are_asked_for_docker_hub_also_below_a_path() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let mut stream = listener.incoming().next().unwrap().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let first = lines.next().unwrap();
        lines.find(String::is_empty);
        write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        first
    });
    let workshop = Workshop::empty();
    fs::create_dir_all(workshop.path("config/docker")).unwrap();
    let mirror = format!("http://127.0.0.1:{port}/repository/hub/");
    fs::write(
        workshop.path("config/docker/daemon.json"),
        format!("{{\"registry-mirrors\": [\"{mirror}\"], \"debug\": true}}"),
    )
    .unwrap();
    let mut command = pybundle(&["inspect", "python:3.12-slim", "--network-timeout=2"]);
    command.env("XDG_CONFIG_HOME", workshop.path("config")).env("HTTPS_PROXY", "http://127.0.0.1:1");
    let said = fail(&mut command);
    assert!(said.contains(&format!("its mirror could not be used: 127.0.0.1:{port} returned 404")), "{said}");
    assert_eq!(served.join().unwrap(), "GET /repository/hub/v2/library/python/manifests/3.12-slim HTTP/1.1");
}
