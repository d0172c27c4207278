//! Refuses uploads that a registry redirects into a private network.
//!
//! The `Location` of an upload session can name any host, such as the storage of the registry. A registry that is not
//! trusted could name a host that only this machine can reach, for instance the metadata service of a cloud, and have a
//! request with chosen content sent there. As in go-containerregistry, private addresses are only allowed if they are those
//! of the registry itself.

use std::net::{IpAddr, ToSocketAddrs};

use url::{Host, Url};

use super::request_error::RequestError;
use crate::http::authority;

/// Checks the URL of the next request of an upload. The registry's own host is always allowed, with any port. Names are
/// resolved; one that cannot be resolved here is left to the proxy, or to the error of the request.
pub(super) async fn check_location(registry: &str, url: &Url) -> Result<(), RequestError> {
    let own = Url::parse(&format!("{}://{registry}", url.scheme())).ok();
    let own = own.as_ref().and_then(Url::host).map(|host| host.to_owned());
    let Some(target) = url.host().map(|host| host.to_owned()).filter(|target| Some(target) != own.as_ref()) else {
        return Ok(());
    };
    let targets = addresses(target).await;
    if targets.iter().all(|address| is_public(*address)) {
        return Ok(());
    }
    let own = match own {
        Some(own) => addresses(own).await,
        None => Vec::new(),
    };
    if targets.iter().all(|target| is_public(*target) || own.iter().any(|own| is_same_host(*own, *target))) {
        return Ok(());
    }
    Err(RequestError::PrivateLocation { host: registry.to_owned(), target: authority(url) })
}

/// Returns the addresses of a host, none for a name that cannot be resolved.
async fn addresses(host: Host<String>) -> Vec<IpAddr> {
    let name = match host {
        Host::Ipv4(address) => return vec![address.into()],
        Host::Ipv6(address) => return vec![IpAddr::V6(address).to_canonical()],
        Host::Domain(name) => name,
    };
    let resolved = tokio::task::spawn_blocking(move || (name, 0).to_socket_addrs());
    let addresses = resolved.await.ok().and_then(Result::ok).into_iter().flatten();
    addresses.map(|address| address.ip().to_canonical()).collect()
}

/// Tells whether two addresses are of one host. All loopback addresses are of this machine.
fn is_same_host(one: IpAddr, other: IpAddr) -> bool {
    one == other || (one.is_loopback() && other.is_loopback())
}

/// Tells whether an address is neither private, loopback nor link-local.
fn is_public(address: IpAddr) -> bool {
    match address {
        // 100.64.0.0/10 is shared between a provider and its customers (RFC 6598), as between the hosts of some clouds.
        IpAddr::V4(address) => {
            let is_shared = matches!(address.octets(), [100, 64..=127, ..]);
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || is_shared)
        }
        IpAddr::V6(address) => {
            !(address.is_unique_local()
                || address.is_loopback()
                || address.is_unicast_link_local()
                || address.is_unspecified())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(registry: &str, location: &str) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check_location(registry, &location.parse().unwrap())).is_ok()
    }

    #[test]
    fn uploads_stay_at_the_registry_or_go_to_the_public() {
        for (registry, location) in [
            ("127.0.0.1:5000", "http://127.0.0.1:6000/v2/"),
            ("127.0.0.1:5000", "http://localhost:5000/v2/"),
            ("localhost:5000", "http://127.0.0.1:5000/v2/"),
            ("10.0.0.1", "https://10.0.0.1:8443/v2/"),
            ("[fd00::1]:5000", "http://[fd00::1]/v2/"),
            ("10.0.0.1", "https://203.0.113.7/v2/"),
            ("203.0.113.7", "https://[2001:db8::7]/v2/"),
            ("host.invalid", "https://storage.invalid/v2/"),
        ] {
            assert!(is_allowed(registry, location), "{registry} {location}");
        }
    }

    #[test]
    fn uploads_do_not_go_into_private_networks() {
        for location in [
            "http://127.0.0.1/",
            "http://localhost:8080/",
            "http://10.0.0.2/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/",
            "http://100.100.100.200/",
            "http://0.0.0.0:80/",
            "http://[::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            // Other spellings of 127.0.0.1, as URLs have them.
            "http://2130706433/",
            "http://0x7f.1/",
        ] {
            for registry in ["203.0.113.7", "10.0.0.1:5000", "registry.invalid"] {
                assert!(!is_allowed(registry, location), "{registry} {location}");
            }
        }
    }
}
