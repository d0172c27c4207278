use std::fs;

use super::*;

fn parse(text: &str) -> Result<PyprojectToml, ProjectError> {
    PyprojectToml::parse(text, PathBuf::from("/project/pyproject.toml"))
}

#[test]
fn a_project_is_a_package_by_its_build_system_or_by_uvs_word() {
    let project = "[project]\nname = \"a\"\nversion = \"1\"\n";
    let build = "[build-system]\nrequires = []\n";
    for (rest, is_package) in [
        (String::new(), false),
        (build.to_owned(), true),
        ("[tool.uv]\npackage = true".to_owned(), true),
        (format!("{build}[tool.uv]\npackage = false"), false),
    ] {
        assert_eq!(parse(&format!("{project}{rest}")).unwrap().is_package(), is_package, "{rest}");
    }
    assert!(!parse(build).unwrap().is_package(), "nothing that has no name can be installed");
    let poetry = "[tool.poetry]\nname = \"A.b\"\nversion = \"1\"\n";
    assert!(parse(&format!("{poetry}package-mode = true")).unwrap().is_package());
    assert!(parse(&format!("{poetry}packages = [{{ include = 'x' }}]")).unwrap().is_package());
    assert!(!parse(&format!("{poetry}package-mode = false")).unwrap().is_package());
    assert!(!parse(&format!("{project}{build}[tool.poetry]\npackage-mode = false")).unwrap().is_package());
}

#[test]
fn a_poetry_project_is_a_package_if_it_has_one() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(FILENAME), "[tool.poetry]\nname = \"A.b\"\nversion = \"1\"\n").unwrap();
    let is_package = || PyprojectToml::read(directory.path()).unwrap().is_package();
    assert!(!is_package());
    for path in ["a_b/__init__.py", "src/a_b/__init__.py", "a_b.py"] {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        assert!(is_package(), "{}", path.display());
        fs::remove_file(&path).unwrap();
        if path.parent() != Some(directory.path()) {
            fs::remove_dir(path.parent().unwrap()).unwrap();
        }
    }
}

#[test]
fn poetry_speaks_where_the_standard_is_silent() {
    let text = "
        [tool.poetry]
        name = \"Shop\"
        version = \"1.2\"
        [tool.poetry.dependencies]
        python = \"^3.9\"
        flask = { version = \"3\" }
        [tool.poetry.scripts]
        run = \"shop:main\"
        [[tool.poetry.source]]
        name = \"private\"
        url = \"https://host/simple/\"
    ";
    let pyproject = parse(text).unwrap();
    assert_eq!(pyproject.name.as_ref().unwrap().as_str(), "shop");
    assert_eq!(pyproject.version.as_ref().unwrap().to_string(), "1.2");
    assert_eq!(pyproject.requires_python.as_ref().unwrap().to_string(), ">=3.9, <4");
    assert_eq!(pyproject.scripts["run"], "shop:main");
    assert_eq!(pyproject.indexes()[0].name.as_deref(), Some("private"));
    let project = "[project]\nname = \"a\"\nversion = \"2\"\nrequires-python = \">=3.10\"\n";
    let both = parse(&format!("{project}{text}")).unwrap();
    assert_eq!((both.name.unwrap().as_str(), both.version.unwrap().to_string().as_str()), ("a", "2"));
    assert_eq!(both.requires_python.unwrap().to_string(), ">=3.9, >=3.10, <4");
}

#[test]
fn indexes_are_urls_or_directories() {
    let text = "
        [[tool.uv.index]]
        name = \"private\"
        url = \"https://user:secret@host/simple\"
        explicit = true
        [[tool.uv.index]]
        url = \"../wheels\"
        default = true
        format = \"flat\"
    ";
    let [private, wheels] = &parse(text).unwrap().indexes()[..] else { panic!("there are two indexes") };
    assert_eq!(private.name.as_deref(), Some("private"));
    assert_eq!(private.url.password(), Some("secret"));
    assert!(private.explicit && !private.default && wheels.default);
    assert_eq!(wheels.url.as_str(), "file:///wheels/");
}

#[test]
fn errors_say_where_and_keep_secrets() {
    let error = parse("[project]\nname = \"a\"\n\n  version = [\"https://u:secret@h\"]\n").unwrap_err().to_string();
    assert!(error.starts_with("/project/pyproject.toml:4:13: "), "{error}");
    let error = parse("[tool.uv]\nindex = \"https://u:secret@h\"\n").unwrap_err().to_string();
    assert!(error.starts_with("/project/pyproject.toml:2:9: ") && !error.contains("secret"), "{error}");
}
