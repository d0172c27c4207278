//! Pages in HTML.
//!
//! Specification: [PyPA, base HTML API](https://packaging.python.org/en/latest/specifications/simple-repository-api/#base-html-api)
//! (PEP 503, with the versions of PEP 629 and the metadata of PEP 658).

use html5gum::{StartTag, Token, Tokenizer};
use percent_encoding::percent_decode_str;
use url::Url;

use super::{IndexFile, IndexPage, IndexPageError, ProjectStatus, check_version, digest};
use crate::digest::Digest;
use crate::index::cutoff;

/// Parses a page: every anchor with an `href` is a file. URLs are relative to the page's `<base>`, or else to `base`. The
/// pages of `--find-links` have the same format.
///
/// # Errors
/// The version of the API is above 1. Any other input is valid HTML.
pub fn parse(bytes: &[u8], base: &Url) -> Result<IndexPage, IndexPageError> {
    let mut page = IndexPage::default();
    let mut base = base.clone();
    let mut may_change_base = true;
    let (mut status, mut reason) = (None, None);
    for token in Tokenizer::new(bytes) {
        let Ok(Token::StartTag(tag)) = token else { continue };
        match &tag.name[..] {
            b"base" if may_change_base => {
                if let Some(changed) = attribute(&tag, "href").and_then(|href| base.join(&href).ok()) {
                    base = changed;
                    may_change_base = false;
                }
            }
            b"meta" if attribute(&tag, "name").as_deref() == Some("pypi:repository-version") => {
                check_version(&attribute(&tag, "content").unwrap_or_default())?;
            }
            b"meta" => match attribute(&tag, "name").as_deref() {
                Some("pypi:project-status") => status = attribute(&tag, "content"),
                Some("pypi:project-status-reason") => reason = attribute(&tag, "content"),
                _ => {}
            },
            b"a" => {
                may_change_base = false;
                if let Some(href) = attribute(&tag, "href").filter(|href| !href.is_empty()) {
                    let name = file_name(&href);
                    page.add(&base, &href, |url| file(&tag, &href, &name, url), &name);
                }
            }
            _ => {}
        }
    }
    page.status = ProjectStatus::of(status, reason);
    Ok(page)
}

fn file(tag: &StartTag<()>, href: &str, name: &str, url: Url) -> Result<IndexFile, String> {
    let fragment = href.split_once('#').map(|(_, fragment)| percent_decode_str(fragment).decode_utf8_lossy());
    let metadata = attribute(tag, "data-core-metadata").or_else(|| attribute(tag, "data-dist-info-metadata"));
    Ok(IndexFile {
        name: name.to_owned(),
        url,
        digests: fragment.map_or(Ok(Vec::new()), |fragment| digests(&fragment))?,
        // No specification has the size and the time; some indexes state them nevertheless.
        size: attribute(tag, "data-size").and_then(|size| size.parse().ok()),
        requires_python: attribute(tag, "data-requires-python"),
        uploaded: attribute(tag, "data-upload-time").and_then(|time| cutoff::upload_time(&time)),
        yanked: attribute(tag, "data-yanked"),
        metadata: match metadata.as_deref() {
            None | Some("false") => None,
            Some(stated) => Some(digests(stated)?),
        },
    })
}

/// Returns the value of an attribute, whose entities are decoded already.
fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned())
}

/// Reads `sha256=…`. Other texts, `egg=…` for instance, state no digest.
fn digests(text: &str) -> Result<Vec<Digest>, String> {
    // Several may be given, as in a query.
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(algorithm, value)| digest(algorithm, value).transpose()).collect()
}

/// Returns the name of the file that a link leads to: the last part of its path.
fn file_name(href: &str) -> String {
    let path = href.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    percent_decode_str(last).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        "https://host/simple/demo/".parse().unwrap()
    }

    fn names(page: &IndexPage) -> Vec<&str> {
        page.files.iter().map(|file| file.name.as_str()).collect()
    }

    #[test]
    fn everything_that_a_page_says_is_read() {
        let text = format!(
            "<!DOCTYPE html><html><head><meta name=\"pypi:repository-version\" content=\"1.3\"></head><body>
             <A HREF=\"../../files/demo-1.0%2Bcpu-py3-none-any.whl?a=1&amp;b=2#sha256={0}\"
                data-requires-python=\"&gt;=3.9,&lt;4\" data-yanked=\"a &quot;bad&quot; one\"
                data-dist-info-metadata='sha256={0}' data-size=12 data-upload-time=2026-01-31T12:00:00Z>anything</A>
             <a href=demo-1.0.tar.gz#egg=demo-1.0 data-yanked data-core-metadata=true>demo-1.0.tar.gz</a>
             <a>no link</a><a href=''>none</a><!-- <a href='x.whl'> -->",
            "ab".repeat(32)
        );
        let page = parse(text.as_bytes(), &base()).unwrap();
        assert_eq!(page.skipped, []);
        let [wheel, sdist] = &page.files[..] else { panic!("{page:?}") };
        assert_eq!(wheel.name, "demo-1.0+cpu-py3-none-any.whl");
        assert_eq!(wheel.url.as_str(), "https://host/files/demo-1.0%2Bcpu-py3-none-any.whl?a=1&b=2");
        assert_eq!(wheel.digests, wheel.metadata.clone().unwrap());
        assert_eq!(wheel.digests.len(), 1);
        assert_eq!(wheel.requires_python.as_deref(), Some(">=3.9,<4"));
        assert_eq!(wheel.yanked.as_deref(), Some("a \"bad\" one"));
        assert_eq!((wheel.size, wheel.uploaded), (Some(12), Some(1_769_860_800_000)));
        assert_eq!(sdist.url.as_str(), "https://host/simple/demo/demo-1.0.tar.gz");
        assert_eq!((sdist.yanked.as_deref(), sdist.metadata.as_deref()), (Some(""), Some(&[][..])));
        assert_eq!(sdist.digests, []);
    }

    #[test]
    fn a_base_counts_before_the_first_link() {
        for (text, url) in [
            ("<base href='https://other/x/'><a href='a.whl'>", "https://other/x/a.whl"),
            ("<base href='/x/'><base href='/y/'><a href='a.whl'>", "https://host/x/a.whl"),
            ("<base target='_top'><a href='a.whl'><base href='/x/'>", "https://host/simple/demo/a.whl"),
        ] {
            assert_eq!(parse(text.as_bytes(), &base()).unwrap().files[0].url.as_str(), url);
        }
    }

    #[test]
    fn nothing_is_no_html_but_another_version() {
        for text in ["", "<", "<a href", "<a href='a.whl", "\u{0}", "{\"files\": []}", "</a></a>", "&#x;&bogus;"] {
            assert_eq!(parse(text.as_bytes(), &base()).unwrap(), IndexPage::default(), "{text}");
        }
        assert_eq!(parse(b"\xff\xfe<a href=\xff.whl>", &base()).unwrap().files.len(), 1);
        let next = b"<meta name='pypi:repository-version' content='2.0'>";
        assert!(matches!(parse(next, &base()), Err(IndexPageError::Version(_))));
    }

    #[test]
    fn wrong_links_are_passed_over() {
        let text = "<a href='a%2Fb.whl'></a><a href='javascript:x'></a><a href='c.whl#sha256=zz'></a><a href='../'></a>
            <a href='file:///etc/passwd'></a><a href='d.whl'></a>";
        let page = parse(text.as_bytes(), &base()).unwrap();
        assert_eq!(names(&page), ["d.whl"]);
        assert_eq!(page.skipped.len(), 5, "{:?}", page.skipped);
    }
}
