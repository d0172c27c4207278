//! Signed requests with the same credentials.

use jiff::Timestamp;
use reqwest::Request;
use url::Url;

use super::config::SharedConfig;
use super::{
    AwsClient, AwsCredentials, AwsEnvironment, AwsError, AwsResponse, AwsService, EndpointVariant, ResponseLimit, sign,
};

/// Returns the region of the environment, or else that of the profile.
///
/// # Errors
/// A configuration file cannot be read.
pub(crate) async fn configured_region(environment: &AwsEnvironment) -> Result<Option<String>, AwsError> {
    if let Some(region) = environment.variable("AWS_REGION").or_else(|| environment.variable("AWS_DEFAULT_REGION")) {
        return Ok(Some(region.to_owned()));
    }
    let config = SharedConfig::read(environment).await?;
    Ok(config.profile(environment.profile()).and_then(|profile| profile.get("region").cloned()))
}

/// Credentials that were loaded, to sign requests in one region.
#[derive(Clone)]
pub(crate) struct AwsSession<'a> {
    client: AwsClient<'a>,
    credentials: AwsCredentials,
}

impl<'a> AwsSession<'a> {
    /// Loads credentials, or returns `None` if no source of them is configured.
    ///
    /// # Errors
    /// As [`AwsClient::credentials`].
    pub(crate) async fn open(environment: &'a AwsEnvironment, region: &str) -> Result<Option<Self>, AwsError> {
        let client = AwsClient::new(environment, region);
        let credentials = client.credentials().await?;
        Ok(credentials.map(|credentials| Self { client, credentials }))
    }

    pub(crate) fn region(&self) -> &str {
        &self.client.region
    }

    /// Returns a session with the same credentials in another region.
    pub(crate) fn in_region(&self, region: &str) -> Self {
        let client = AwsClient { region: region.to_owned(), ..self.client.clone() };
        Self { client, credentials: self.credentials.clone() }
    }

    /// Returns the endpoint of a service in the region.
    ///
    /// # Errors
    /// The endpoint that is configured is not a URL.
    pub(crate) async fn endpoint(&self, service: AwsService) -> Result<Url, AwsError> {
        self.client.endpoint(service, &self.client.region, EndpointVariant::default()).await
    }

    /// Signs a request, and sends it once.
    ///
    /// # Errors
    /// There is no response within the limit.
    pub(crate) async fn send_signed(
        &self,
        (service, name): (AwsService, &'static str),
        mut request: Request,
        limit: ResponseLimit,
    ) -> Result<AwsResponse, AwsError> {
        sign(&mut request, service.id(), &self.client.region, &self.credentials, Timestamp::now());
        self.client.send_once(name, request, limit).await
    }
}
