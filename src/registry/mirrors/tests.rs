use super::*;

fn rules(registries: &str, daemon: &str) -> PullRules {
    let directory = tempfile::tempdir().unwrap();
    let (conf, json) = (directory.path().join("registries.conf"), directory.path().join("daemon.json"));
    std::fs::write(&conf, registries).unwrap();
    std::fs::write(&json, daemon).unwrap();
    PullRules::read(&RegistryFiles { registries: Some(conf), drop_ins: Vec::new(), daemon: vec![json] }).unwrap()
}

fn sources(rules: &PullRules, reference: &str) -> Vec<String> {
    let PullSources { mirrors, origin } = rules.sources(&reference.parse().unwrap(), false).unwrap();
    mirrors.iter().chain([&origin]).map(|source| format!("{}{}", source.api, source.reference)).collect()
}

const REGISTRIES: &str = r#"
unqualified-search-registries = ["quay.io"]
[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "mirror.lan:5000/hub"
insecure = true
[[registry]]
prefix = "docker.io/library/redis"
location = "cache.lan/redis"
[[registry]]
location = "gcr.io"
mirror-by-digest-only = true
[[registry.mirror]]
location = "gcr.lan"
[[registry]]
prefix = "*.example.com/team"
[[registry.mirror]]
location = "tags.lan"
pull-from-mirror = "tag-only"
[[registry]]
location = "quay.io/bad"
blocked = true
"#;

#[test]
fn names_are_rewritten_by_their_longest_prefix() {
    let rules = rules(REGISTRIES, "");
    let digest = format!("sha256:{}", "0".repeat(64));
    for (reference, expected) in [
        ("python:3.13", &["mirror.lan:5000/hub/library/python:3.13", "python:3.13"][..]),
        ("me/app", &["mirror.lan:5000/hub/me/app:latest", "me/app:latest"]),
        ("redis:7", &["cache.lan/redis:7"]),
        ("redis-stack/server:7", &["mirror.lan:5000/hub/redis-stack/server:7", "redis-stack/server:7"]),
        ("gcr.io/app:1", &["gcr.io/app:1"]),
        (&format!("gcr.io/app@{digest}"), &[&format!("gcr.lan/app@{digest}"), &format!("gcr.io/app@{digest}")]),
        ("gcr.io.lan/app:1", &["gcr.io.lan/app:1"]),
        ("eu.example.com/team/app:1", &["tags.lan/app:1", "eu.example.com/team/app:1"]),
        ("eu.example.com/other/app:1", &["eu.example.com/other/app:1"]),
        ("quay.io/good/app:1", &["quay.io/good/app:1"]),
    ] {
        assert_eq!(sources(&rules, reference), expected, "{reference}");
    }
    let error = rules.sources(&"quay.io/bad/app:1".parse().unwrap(), true).unwrap_err();
    assert!(error.to_string().starts_with("quay.io/bad/app is blocked in "), "{error}");
    assert!(rules.is_insecure("mirror.lan:5000") && !rules.is_insecure("cache.lan") && rules.has_insecure());
}

#[test]
fn the_mirrors_of_docker_are_those_of_docker_hub() {
    let daemon = r#"{"registry-mirrors": ["https://mirror.lan/", "http://nexus.lan/repository/hub/"],
                     "insecure-registries": ["reg.lan:5000", "10.1.0.0/16"]}"#;
    let rules = rules("", daemon);
    assert_eq!(
        sources(&rules, "python:3.13"),
        ["mirror.lan/library/python:3.13", "/repository/hubnexus.lan/library/python:3.13", "python:3.13"]
    );
    assert_eq!(sources(&rules, "ghcr.io/me/app:1"), ["ghcr.io/me/app:1"]);
    for (registry, expected) in
        [("reg.lan:5000", true), ("reg.lan", false), ("10.1.2.3:5000", true), ("10.2.0.1", false), ("nexus.lan", true)]
    {
        assert_eq!(rules.is_insecure(registry), expected, "{registry}");
    }
}

#[test]
fn malformed_files_are_refused_with_their_line() {
    for (registries, daemon, reason) in [
        (
            "[[registry]]\nblocked = true\n",
            "",
            "a [[registry]] has no `location`, which only a `prefix` like *.example.com may omit",
        ),
        ("[[registry]]\nlocation = 1\n", "", "line 2: invalid type: integer `1`, expected a string"),
        (
            "[[registry]]\nlocation = \"https://a.lan\"\n",
            "",
            "`https://a.lan` has a scheme, expected HOST[:PORT][/NAMESPACE]",
        ),
        ("", "{\"registry-mirrors\": [\"mirror.lan\"]}", "the mirror `mirror.lan` is not a URL of http or https"),
        ("", "{\"registry-mirrors\": 1}", "invalid type: integer `1`, expected a sequence at line 1 column 22"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (conf, json) = (directory.path().join("registries.conf"), directory.path().join("daemon.json"));
        std::fs::write(&conf, registries).unwrap();
        std::fs::write(&json, daemon).unwrap();
        let files = RegistryFiles { registries: Some(conf), drop_ins: Vec::new(), daemon: vec![json] };
        let error = PullRules::read(&files).unwrap_err().to_string();
        assert!(error.ends_with(reason), "{error}");
    }
}
