//! Local indexes, and local directories and pages of `--find-links`.

use std::fs;
use std::io;
use std::path::Path;

use url::Url;

use super::IndexError;
use super::page::{IndexFile, IndexPage, html};
use crate::limited_reader::{self, LARGEST_LOCK};

/// Reads the page of a distribution, the `index.html` in the directory of a file URL; `None` if it does not exist.
///
/// # Errors
/// The page exists, but cannot be read.
pub(super) fn simple(url: &Url) -> Result<Option<IndexPage>, IndexError> {
    let path = path(url)?.join("index.html");
    match limited_reader::read_regular_file(&path, LARGEST_LOCK) {
        Ok(bytes) => parse(&bytes, url).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IndexError::Read { path, source }),
    }
}

/// Lists the files in the directory of a file URL, without subdirectories, or the links of an HTML page.
///
/// # Errors
/// It cannot be read.
pub(super) fn links(url: &Url) -> Result<IndexPage, IndexError> {
    let path = path(url)?;
    if path.is_file() {
        return parse(&limited_reader::read_regular_file(&path, LARGEST_LOCK).map_err(IndexError::read(&path))?, url);
    }
    let mut page = IndexPage { files: files(&path).map_err(IndexError::read(&path))?, ..IndexPage::default() };
    page.files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(page)
}

fn files(directory: &Path) -> io::Result<Vec<IndexFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        if let (Some(name), Ok(url), true) = (name, Url::from_file_path(&path), path.is_file()) {
            files.push(IndexFile {
                name,
                url,
                digests: Vec::new(),
                size: None,
                requires_python: None,
                uploaded: None,
                yanked: None,
                metadata: None,
            });
        }
    }
    Ok(files)
}

fn path(url: &Url) -> Result<std::path::PathBuf, IndexError> {
    url.to_file_path().map_err(|()| IndexError::NotLocal(crate::redact::url(url)))
}

fn parse(bytes: &[u8], url: &Url) -> Result<IndexPage, IndexError> {
    html::parse(bytes, url).map_err(|source| IndexError::Page { page: crate::redact::url(url), source })
}
