//! The hosts that no proxy is used for: `NO_PROXY`, as Go reads it, and with it Docker and podman.
//!
//! reqwest 0.13 reads neither ports nor `*.domain`. The rules are those of
//! [httpproxy](https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config), but for one: `.example.org` includes
//! `example.org`, as for uv and curl. Nobody who writes it means to ask that host through the proxy.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

/// A list of hosts, which commas separate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NoProxy(Vec<HostRule>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostRule {
    /// `*`.
    Every,
    /// `10.0.0.0/8`.
    Network(IpNet),
    /// `10.0.0.1` or `10.0.0.1:5000`.
    Address(IpAddr, Option<u16>),
    /// `example.org` or `.example.org` with its subdomains; `*.example.org` is the subdomains alone.
    Domain { suffix: String, includes_itself: bool, port: Option<u16> },
}

impl NoProxy {
    /// Parses a list. What is no host is skipped, as by Go.
    pub(crate) fn parse(list: &str) -> Self {
        Self(list.split(',').filter_map(|text| HostRule::parse(text.trim())).collect())
    }

    /// Tells whether a URL is excluded from the use of a proxy.
    pub(crate) fn excludes(&self, url: &Url) -> bool {
        self.0.iter().any(|rule| rule.matches(url))
    }
}

impl HostRule {
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if text == "*" {
            return Some(Self::Every);
        }
        if let Ok(network) = text.parse() {
            return Some(Self::Network(network));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (text.as_str(), None),
        };
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
            return Some(Self::Address(address, port));
        }
        let below = host.strip_prefix("*.");
        let name = below.or_else(|| host.strip_prefix('.')).unwrap_or(host);
        (!name.is_empty()).then(|| Self::Domain { suffix: name.to_owned(), includes_itself: below.is_none(), port })
    }

    fn matches(&self, url: &Url) -> bool {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        let is_port = |port: Option<u16>| port.is_none_or(|port| url.port_or_known_default() == Some(port));
        match self {
            Self::Every => true,
            Self::Network(network) => address.is_some_and(|address| network.contains(&address)),
            Self::Address(excluded, port) => address == Some(*excluded) && is_port(*port),
            Self::Domain { suffix, includes_itself, port } => {
                let host = url.host_str().unwrap_or_default();
                let is_below = host.strip_suffix(suffix.as_str()).is_some_and(|above| above.ends_with('.'));
                address.is_none() && is_port(*port) && (is_below || (*includes_itself && host == suffix))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expectations are those of `Config.ProxyFunc` in Go, and for a leading dot those of curl 7.88 and uv 0.13.
    #[test]
    fn hosts_are_excluded_as_by_go() {
        for (list, url, expected) in [
            ("", "https://example.org/", false),
            ("*", "https://example.org/", true),
            ("example.org", "https://example.org/", true),
            ("example.org", "https://a.b.example.org/", true),
            ("example.org", "https://notexample.org/", false),
            (".example.org", "https://a.example.org/", true),
            (".example.org", "https://example.org/", true),
            (".example.org", "https://notexample.org/", false),
            (".example.org:5000", "http://example.org:5000/", true),
            ("*.example.org", "https://a.example.org/", true),
            ("*.example.org", "https://example.org/", false),
            ("Example.ORG", "https://example.org/", true),
            ("other.org, example.org:5000", "http://example.org:5000/", true),
            ("example.org:5000", "http://example.org:5001/", false),
            ("example.org:443", "https://example.org/", true),
            ("*.example.org:5000", "http://a.example.org:5000/", true),
            ("10.0.0.1", "http://10.0.0.1:5000/", true),
            ("10.0.0.1:80", "http://10.0.0.1:5000/", false),
            ("10.0.0.0/8", "http://10.9.8.7:5000/", true),
            ("10.0.0.0/8", "http://11.9.8.7/", false),
            ("10.0.0.0/8", "http://ten.example.org/", false),
            ("2001:db8::/32", "http://[2001:db8::1]:5000/", true),
            ("[2001:db8::1]:5000", "http://[2001:db8::1]:5000/", true),
            ("0.0.1", "http://10.0.0.1/", false),
            ("example.org:port", "http://example.org/", false),
        ] {
            assert_eq!(NoProxy::parse(list).excludes(&Url::parse(url).unwrap()), expected, "{list} {url}");
        }
    }
}
