//! The application's own files.

use super::case::{HANDLER, PeerCase, modes};
use crate::support::command::{pybundle, succeed};

#[test]
fn everything_beside_the_handler_is_packaged() {
    PeerCase {
        peer: "aws-lambda-builders, python_pip: the source directory is copied, but not what tools keep in it",
        files: &[
            ("main.py", HANDLER),
            ("config/settings.json", "{}"),
            ("queries/select.sql", "SELECT 1"),
            ("requirements.txt", ""),
            (".aws-sam/build/old.py", ""),
            (".chalice/config.json", "{}"),
            (".git/config", ""),
            (".gitignore", ""),
        ],
        contains: &["main.py", "config/settings.json", "queries/select.sql"],
        // It copies requirements.txt, too, which no function reads.
        lacks: &[".aws-sam", ".chalice", ".git", "requirements.txt"],
        ..PeerCase::NEW
    }
    .check();
}

#[test]
fn a_directory_without_dependencies_is_packaged() {
    PeerCase {
        peer: "CDK, aws-lambda-python: lambda-handler-nodeps",
        files: &[("index.py", HANDLER)],
        arguments: &["--handler", "index.handler"],
        contains: &["index.py"],
        ..PeerCase::NEW
    }
    .check();
}

#[test]
fn a_handler_may_be_in_a_subdirectory() {
    PeerCase {
        peer: "CDK, aws-lambda-python: lambda-handler-sub",
        files: &[("inner/custom.py", HANDLER), ("requirements.txt", "six==1.17.0\n")],
        arguments: &["--handler", "inner.custom.handler"],
        contains: &["inner/custom.py", "six.py"],
        ..PeerCase::NEW
    }
    .check();
}

#[test]
fn patterns_omit_files() {
    PeerCase {
        peer: "CDK, aws-lambda-python: assetExcludes",
        files: &[("index.py", HANDLER), ("a.ignoreme", ""), ("inner/b.ignoreme", ""), ("inner/c.txt", "")],
        arguments: &["--exclude", "*.ignoreme"],
        contains: &["index.py", "inner/c.txt"],
        lacks: &["a.ignoreme", "inner/b.ignoreme"],
        ..PeerCase::NEW
    }
    .check();
}

#[test]
fn executable_files_stay_executable() {
    let case = PeerCase {
        peer: "serverless-python-requirements: packages executable files",
        files: &[("handler.py", HANDLER), ("bin/tool*", "#!/bin/sh\n"), ("requirements.txt", "")],
        contains: &["handler.py", "bin/tool"],
        ..PeerCase::NEW
    };
    let fixture = case.fixture();
    succeed(pybundle(&["lambda", "--output", "function.zip"]).current_dir(fixture.path()));
    let modes = modes(&fixture.path().join("function.zip"));
    assert_eq!((modes["bin/tool"] & 0o777, modes["handler.py"] & 0o777), (0o755, 0o644));
}

#[test]
fn functions_are_packaged_individually() {
    let configuration = "
        [project]
        name = 'service'
        version = '1'
        requires-python = '>=3.12'
        [tool.pybundle.target.first]
        kind = 'lambda'
        handler = 'handler1.hello'
        include = ['first:.', 'common']
        [tool.pybundle.target.second]
        kind = 'lambda'
        handler = 'handler2.hello'
        include = ['second:.', 'common']
    ";
    let case = PeerCase {
        peer: "serverless-python-requirements: package individually, with a module for each function",
        files: &[
            ("first/handler1.py", "def hello(event, context): ..."),
            ("first/data.txt", ""),
            ("second/handler2.py", "def hello(event, context): ..."),
            ("common/shared.py", ""),
        ],
        ..PeerCase::NEW
    };
    let fixture = case.fixture();
    std::fs::write(fixture.path().join("pyproject.toml"), configuration).unwrap();
    succeed(pybundle(&["build"]).current_dir(fixture.path()));
    let first = PeerCase {
        contains: &["handler1.py", "data.txt", "common/shared.py"],
        lacks: &["handler2.py", "first", "second"],
        ..case
    };
    first.check_zip(&fixture.path().join("dist/first.zip"));
    let second =
        PeerCase { contains: &["handler2.py", "common/shared.py"], lacks: &["handler1.py", "data.txt"], ..first };
    second.check_zip(&fixture.path().join("dist/second.zip"));
}

#[test]
fn a_project_in_its_requirements_is_installed() {
    PeerCase {
        peer: "Heroku, heroku-buildpack-python: requirements.txt with `.` and a setup.py",
        files: &[
            ("requirements.txt", ".\nsix==1.17.0\n"),
            ("setup.py", "from setuptools import setup\nsetup(name='shop', version='1', packages=['shop'])\n"),
            ("shop/__init__.py", HANDLER),
        ],
        arguments: &["--handler", "shop.handler"],
        contains: &["shop/__init__.py", "shop-1.dist-info/METADATA", "six.py"],
        lacks: &["setup.py"],
        ..PeerCase::NEW
    }
    .check();
}
