//! The modules that distributions say they provide.
//!
//! Specification: [PEP 794](https://peps.python.org/pep-0794/), metadata 2.5.

use crate::mail_headers;
use crate::name::DistributionName;
use crate::pipeline::install::InstalledDistribution;

/// Returns the installed distribution whose metadata names a module or a package that it belongs to. A namespace, to which
/// several distributions add, counts only if no name does.
pub(super) fn declaring<'d>(distributions: &'d [InstalledDistribution], module: &str) -> Option<&'d DistributionName> {
    ["Import-Name", "Import-Namespace"].iter().find_map(|field| {
        let found = distributions.iter().find(|distribution| {
            let text = distribution.wheel.metadata().unwrap_or_default();
            let Ok((headers, _)) = mailparse::parse_headers(&text) else { return false };
            let names = mail_headers::all_values(&headers, field);
            names.iter().any(|name| covers(name, module))
        });
        found.map(|distribution| &distribution.wheel.inventory.name)
    })
}

/// Returns whether a value of the field, for instance `shop` or `shop._internal; private`, covers a module.
fn covers(value: &str, module: &str) -> bool {
    let name = value.split(';').next().unwrap_or_default().trim();
    let below = module.strip_prefix(name).filter(|_| !name.is_empty());
    below.is_some_and(|below| below.is_empty() || below.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_covers_what_is_below_it() {
        for (value, module, expected) in [
            ("shop", "shop", true),
            ("shop", "shop.web", true),
            ("shop", "shopping", false),
            ("shop.web", "shop", false),
            ("_shop ; private", "_shop", true),
            ("", "shop", false),
        ] {
            assert_eq!(covers(value, module), expected, "{value} {module}");
        }
    }
}
