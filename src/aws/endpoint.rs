//! Where AWS's services are.
//!
//! Settings: [service-specific endpoints](https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html) and
//! [dual-stack and FIPS endpoints](https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html).

use url::Url;

use super::config::SharedConfig;
use super::{AwsClient, AwsEnvironment, AwsError};

/// The partitions of AWS: the start of their regions' names, and the ends of their endpoints' names, without and with
/// support for IPv6. The last one has all other regions.
const PARTITIONS: [(&str, &str, &str); 7] = [
    ("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    ("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("", "amazonaws.com", "api.aws"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AwsService {
    Ecr,
    Lambda,
    S3,
    Sts,
    Sso,
    SsoOidc,
}

impl AwsService {
    /// Returns the service's identifier, which `[services]` sections have in lower case and variables in upper case.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Ecr => "ecr",
            Self::Lambda => "lambda",
            Self::S3 => "s3",
            Self::Sts => "sts",
            Self::Sso => "sso",
            Self::SsoOidc => "sso_oidc",
        }
    }

    /// Returns the first part of the names of its endpoints.
    fn prefix(self, is_dual_stack: bool) -> &'static str {
        match self {
            Self::Ecr if is_dual_stack => "ecr",
            Self::Ecr => "api.ecr",
            Self::Lambda => "lambda",
            Self::S3 => "s3",
            Self::Sts => "sts",
            Self::Sso => "portal.sso",
            Self::SsoOidc => "oidc",
        }
    }

    /// Returns the endpoint in a region.
    fn host(self, region: &str, variant: EndpointVariant) -> String {
        let partition = PARTITIONS.iter().find(|(start, ..)| region.starts_with(start));
        let (_, suffix, dual_stack_suffix) = partition.unwrap_or(&PARTITIONS[PARTITIONS.len() - 1]);
        // In GovCloud, the usual endpoints are those for FIPS; only ECR and S3 have others.
        let has_other_fips = matches!(self, Self::Ecr | Self::S3);
        let is_fips_by_default = region.starts_with("us-gov-") && !variant.is_dual_stack && !has_other_fips;
        let fips = if variant.is_fips && !is_fips_by_default { "-fips" } else { "" };
        if self == Self::S3 {
            let dual_stack = if variant.is_dual_stack { ".dualstack" } else { "" };
            return format!("s3{fips}{dual_stack}.{region}.{suffix}");
        }
        let suffix = if variant.is_dual_stack { dual_stack_suffix } else { suffix };
        format!("{}{fips}.{region}.{suffix}", self.prefix(variant.is_dual_stack))
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EndpointVariant {
    pub(crate) is_fips: bool,
    pub(crate) is_dual_stack: bool,
}

impl AwsClient<'_> {
    /// Returns the endpoint of a service: one that the environment or the profile names, or else AWS's own, of the
    /// variant that is wanted here or there.
    pub(crate) async fn endpoint(
        &self,
        service: AwsService,
        region: &str,
        wanted: EndpointVariant,
    ) -> Result<Url, AwsError> {
        // A malformed file matters where credentials come from it, and is reported there.
        let config = SharedConfig::read(self.environment).await.unwrap_or_default();
        let environment = self.environment;
        let url = match custom_endpoint(environment, &config, service) {
            Some(url) => url,
            None => {
                let variant = EndpointVariant {
                    is_fips: wanted.is_fips
                        || config.is_true(environment, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
                    is_dual_stack: wanted.is_dual_stack
                        || config.is_true(environment, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
                };
                format!("https://{}/", service.host(region, variant))
            }
        };
        Url::parse(&url).ok().filter(Url::has_host).ok_or(AwsError::InvalidEndpoint(url))
    }
}

/// Returns the endpoint that is configured: for the service before one for all services, and the environment before the
/// profile.
fn custom_endpoint(environment: &AwsEnvironment, config: &SharedConfig, service: AwsService) -> Option<String> {
    if config.is_true(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls") {
        return None;
    }
    let variable = format!("AWS_ENDPOINT_URL_{}", service.id().to_ascii_uppercase());
    if let Some(url) = environment.variable(&variable).or_else(|| environment.variable("AWS_ENDPOINT_URL")) {
        return Some(url.to_owned());
    }
    let profile = config.profile(environment.profile())?;
    let services = profile.get("services").and_then(|name| config.service(name, service.id()));
    services.and_then(|mut service| service.remove("endpoint_url")).or_else(|| profile.get("endpoint_url").cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected names are those in the endpoint rules of AWS's SDK for Rust, aws-sdk-ecr 1.138.
    #[test]
    fn endpoints_depend_on_partition_and_variant() {
        for (service, region, is_fips, is_dual_stack, expected) in [
            (AwsService::Ecr, "eu-west-1", false, false, "api.ecr.eu-west-1.amazonaws.com"),
            (AwsService::Ecr, "us-east-1", true, false, "api.ecr-fips.us-east-1.amazonaws.com"),
            (AwsService::Ecr, "us-east-1", false, true, "ecr.us-east-1.api.aws"),
            (AwsService::Ecr, "us-east-1", true, true, "ecr-fips.us-east-1.api.aws"),
            (AwsService::Ecr, "us-gov-west-1", true, false, "api.ecr-fips.us-gov-west-1.amazonaws.com"),
            (AwsService::Ecr, "cn-northwest-1", false, false, "api.ecr.cn-northwest-1.amazonaws.com.cn"),
            (AwsService::Ecr, "cn-northwest-1", false, true, "ecr.cn-northwest-1.api.amazonwebservices.com.cn"),
            (AwsService::Ecr, "eusc-de-east-1", false, false, "api.ecr.eusc-de-east-1.amazonaws.eu"),
            (AwsService::Ecr, "us-iso-east-1", false, false, "api.ecr.us-iso-east-1.c2s.ic.gov"),
            (AwsService::Ecr, "us-isob-east-1", false, false, "api.ecr.us-isob-east-1.sc2s.sgov.gov"),
            (AwsService::Ecr, "us-isof-south-1", false, false, "api.ecr.us-isof-south-1.csp.hci.ic.gov"),
            (AwsService::Ecr, "eu-isoe-west-1", false, false, "api.ecr.eu-isoe-west-1.cloud.adc-e.uk"),
            (AwsService::Lambda, "eu-central-1", false, false, "lambda.eu-central-1.amazonaws.com"),
            (AwsService::Lambda, "us-east-2", true, false, "lambda-fips.us-east-2.amazonaws.com"),
            (AwsService::Lambda, "eu-west-1", false, true, "lambda.eu-west-1.api.aws"),
            (AwsService::Lambda, "cn-north-1", false, false, "lambda.cn-north-1.amazonaws.com.cn"),
            (AwsService::S3, "eu-central-1", false, false, "s3.eu-central-1.amazonaws.com"),
            (AwsService::S3, "us-gov-west-1", true, false, "s3-fips.us-gov-west-1.amazonaws.com"),
            (AwsService::S3, "us-east-1", true, true, "s3-fips.dualstack.us-east-1.amazonaws.com"),
            (AwsService::S3, "cn-north-1", false, true, "s3.dualstack.cn-north-1.amazonaws.com.cn"),
            (AwsService::Sts, "eu-central-1", false, false, "sts.eu-central-1.amazonaws.com"),
            (AwsService::Sts, "us-east-2", true, false, "sts-fips.us-east-2.amazonaws.com"),
            (AwsService::Sts, "us-gov-east-1", true, false, "sts.us-gov-east-1.amazonaws.com"),
            (AwsService::Sso, "us-east-1", false, false, "portal.sso.us-east-1.amazonaws.com"),
            (AwsService::SsoOidc, "us-east-1", false, true, "oidc.us-east-1.api.aws"),
        ] {
            assert_eq!(service.host(region, EndpointVariant { is_fips, is_dual_stack }), expected);
        }
    }
}
