use super::*;
use crate::platform::{Architecture, LambdaProfile, MarkerEnvironment};

fn environment() -> MarkerEnvironment {
    let profile = LambdaProfile::built_in("python3.12").unwrap();
    profile.target(Architecture::Arm64).marker_environment()
}

fn active(extras: &[&str], groups: &[&str]) -> ActiveExtras {
    let [extras, groups] = [extras, groups].map(|names| names.iter().copied().map(str::to_owned).collect());
    ActiveExtras { extras, groups }
}

fn holds(marker: &str, active: &ActiveExtras) -> bool {
    marker.parse::<Marker>().unwrap_or_else(|error| panic!("{error}")).evaluate(&environment(), active)
}

#[test]
fn each_variable_has_the_targets_value() {
    for marker in [
        "implementation_name == 'cpython'",
        "implementation_version == '3.12.0'",
        "os_name == 'posix'",
        "platform_machine == 'aarch64'",
        "platform_python_implementation == 'CPython'",
        "platform_release == ''",
        "platform_system == 'Linux'",
        "platform_version == ''",
        "python_full_version == '3.12.0'",
        "python_version == '3.12'",
        "sys_platform == 'linux'",
    ] {
        assert!(holds(marker, &ActiveExtras::default()), "{marker}");
    }
}

#[test]
fn versions_are_compared_as_versions_and_the_rest_as_text() {
    for (marker, expected) in [
        ("python_version > '3.9'", true),
        ("'3.9' < python_version", true),
        ("python_version ~= '3.9'", true),
        ("python_version == '3.*'", true),
        ("python_version != '3.12.*'", false),
        ("python_full_version === '3.12.0'", true),
        ("python_full_version === '3.12'", false),
        ("python_version in '3.11, 3.12'", true),
        ("python_version not in '3.11 3.12'", false),
        ("'3.1' in python_version", true),
        // Not a version on the right: text, of which nothing is less or greater.
        ("python_version > 'three'", false),
        ("sys_platform >= 'linux'", true),
        ("sys_platform > 'a'", false),
        ("sys_platform ~= 'linux'", false),
        ("sys_platform === 'linux'", false),
        // An unknown release satisfies no comparison of versions, not even `!=`.
        ("platform_release >= '5.4'", false),
        ("platform_release != '5.4'", false),
        ("'linux' == 'linux'", true),
        ("os_name == sys_platform", false),
    ] {
        assert_eq!(holds(marker, &ActiveExtras::default()), expected, "{marker}");
    }
}

#[test]
fn and_binds_tighter_than_or() {
    let (yes, no) = ("os_name == 'posix'", "os_name == 'nt'");
    for (marker, expected) in [
        (format!("{yes} or {yes} and {no}"), true),
        (format!("({yes} or {yes}) and {no}"), false),
        (format!("{no} and {no} or {yes}"), true),
        (format!("{no} and ({no} or {yes})"), false),
        (format!("\t( {yes} )and( {yes} )  "), true),
    ] {
        assert_eq!(holds(&marker, &ActiveExtras::default()), expected, "{marker}");
        let displayed = marker.parse::<Marker>().unwrap();
        assert_eq!(displayed.to_string().parse::<Marker>().unwrap(), displayed);
    }
}

#[test]
fn extras_are_compared_by_normalized_name() {
    let none = ActiveExtras::default();
    let some = active(&["foo-bar", "extra-3-app-cpu"], &["dev"]);
    for (marker, without, with) in [
        ("extra == 'Foo_Bar'", false, true),
        ("'foo.bar' == extra", false, true),
        ("extra != 'foo-bar'", true, false),
        ("extra == 'baz'", false, false),
        ("extra != 'baz'", true, true),
        ("extra == 'extra-3-app-cpu'", false, true),
        ("extra in 'foo-bar baz'", true, true),
        ("'oo-b' in extra", false, true),
        ("extra not in 'baz'", false, true),
        ("'Foo_Bar' in extras", false, true),
        ("'foo' in extras", false, false),
        ("'foo' not in extras", true, true),
        ("'Dev' in dependency_groups", false, true),
        ("'dev' not in dependency_groups", true, false),
        ("'foo-bar' in dependency_groups", false, false),
    ] {
        assert_eq!(holds(marker, &none), without, "{marker} without extras");
        assert_eq!(holds(marker, &some), with, "{marker} with extras");
    }
}

#[test]
fn invalid_markers_are_refused() {
    for (marker, reason, position) in [
        ("", "expected a variable or a string in quotes, found the end", 0),
        ("python_version", "expected an operator", 14),
        ("python_version >= 3.8", "`3.8` is not a marker variable", 18),
        ("python_version => '3.8'", "expected an operator", 15),
        ("os_name == 'posix", "unclosed string", 11),
        ("os_name == 'a\\'b'", "a string must not contain a backslash", 13),
        ("(os_name == 'nt'", "unclosed parenthesis", 0),
        ("os_name == 'nt')", "expected `and`, `or` or the end, found `)`", 15),
        ("(os_name == 'nt' x)", "expected `and`, `or` or `)`, found `x`", 17),
        ("os_name == 'nt' and", "found the end", 19),
        ("os_name == 'nt' andos_name == 'nt'", "found `a`", 16),
        ("os_name not 'nt'", "expected `in` after `not`", 12),
        ("os_name == 'ö' ö", "found `ö`", 15),
        ("os_name == 'nt'\n", "found `\\n`", 15),
        ("extras == 'foo'", "can only be used with `in`", 0),
        ("os_name in extras", "can only be used with `in`", 0),
        ("'foo' == dependency_groups", "can only be used with `in`", 0),
        ("extra in extras", "can only be used with `in`", 0),
    ] {
        let error = marker.parse::<Marker>().expect_err(marker);
        assert!(error.reason.contains(reason), "{marker}: {error}");
        assert_eq!(error.position, position, "{error}");
    }
}

#[test]
fn a_similar_variable_is_suggested_for_a_misspelled_one() {
    let error = "pyton_version >= '3.8'".parse::<Marker>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`pyton_version >= '3.8'` is not a valid marker: `pyton_version` is not a marker variable, at character 0"
    );
    assert_eq!(error.hints(), ["did you mean `python_version`?"]);
    assert!("x == ''".parse::<Marker>().unwrap_err().hints().is_empty());
}

#[test]
fn no_depth_or_length_exhausts_the_stack() {
    fn nested(depth: usize) -> String {
        format!("{}os_name == 'posix'{}", "(".repeat(depth), ")".repeat(depth))
    }

    assert!(holds(&nested(64), &ActiveExtras::default()));
    let error = nested(1_000_000).parse::<Marker>().unwrap_err();
    assert!(error.reason.contains("nested more than 64 levels"), "{}", error.reason);
    let long = vec!["os_name == 'posix'"; 100_000].join(" and ");
    assert!(holds(&long, &ActiveExtras::default()));
}

#[test]
fn requirements_are_parsed() {
    for (text, displayed) in [
        ("Foo", "foo"),
        (" foo [ Bar , baz_Qux ] >= 1.0 , < 2 ", "foo[bar,baz-qux]>=1.0, <2"),
        ("foo[]", "foo"),
        ("foo()", "foo"),
        ("foo (==1.0)", "foo==1.0"),
        ("foo>=1,", "foo>=1"),
        ("foo;python_version<'3'", "foo; python_version < \"3\""),
        ("foo>=1; os_name=='nt' or os_name=='x'", "foo>=1; os_name == \"nt\" or os_name == \"x\""),
        ("foo @ https://h/a;b.whl ; os_name=='nt'", "foo @ https://h/a;b.whl ; os_name == \"nt\""),
        ("foo[bar]@file:///x", "foo[bar] @ file:///x"),
    ] {
        let requirement: Requirement = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(requirement.to_string(), displayed);
        assert_eq!(displayed.parse(), Ok(requirement));
    }
    let requirement: Requirement = "foo~=1.4".parse().unwrap();
    assert_eq!(requirement.constraint, VersionOrUrl::Specifiers("~=1.4".parse().unwrap()));
    assert_eq!("foo".parse::<Requirement>().unwrap().constraint, VersionOrUrl::Any);
}

#[test]
fn invalid_requirements_are_refused() {
    for (requirement, reason, position) in [
        ("", "expected a distribution name, found the end", 0),
        ("-foo", "`-foo` is not a valid distribution name", 0),
        ("foo bar", "`bar` is not a valid version specifier", 4),
        ("foo 1.0", "`1.0` is not a valid version specifier", 4),
        ("foo>=1.*", "`>=1.*` is not a valid version specifier", 3),
        ("foo>=1\n", "expected a version, `;` or the end, found `\\n`", 6),
        ("foo>=1,<x", "`<x` is not a valid version specifier", 7),
        ("foo[bar", "expected `,` or `]`, found the end", 7),
        ("foo[bar baz]", "expected `,` or `]`, found `b`", 8),
        ("foo[,]", "expected an extra name, found `,`", 4),
        ("foo (>=1", "unclosed parenthesis", 4),
        ("foo (>=1;", "expected `)`, found `;`", 8),
        ("foo)", "expected a version, `;` or the end, found `)`", 3),
        ("foo @ ", "expected a URL, found the end", 6),
        ("foo @ https://h/a.whl os_name", "`;` or the end, found `o`", 22),
        ("foo; x == ''", "`x` is not a marker variable", 5),
    ] {
        let error = requirement.parse::<Requirement>().expect_err(requirement);
        assert!(error.reason.contains(reason), "{requirement}: {error}");
        assert_eq!(error.position, position, "{error}");
    }
    assert_eq!("foo 1.0".parse::<Requirement>().unwrap_err().hints(), ["did you mean `==1.0`?"]);
}

#[test]
fn an_error_does_not_repeat_credentials() {
    let error = "foo @ https://user:secret@host/foo.whl x".parse::<Requirement>().unwrap_err().to_string();
    assert!(error.starts_with("`foo @ https://****@host/foo.whl x` is not a valid requirement"), "{error}");
}
