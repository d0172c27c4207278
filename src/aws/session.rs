//! Signed requests with the same credentials.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::Request;
use tokio::sync::Mutex;
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

/// How long credentials are shared that were loaded once. Sources return temporary ones at least five minutes before they expire.
const SHARED_FOR: Duration = Duration::from_secs(240);

/// The credentials that were loaded in an environment; its clones share them. They are no part of what it is.
#[derive(Clone, Default)]
pub(super) struct LoadedCredentials(Arc<Mutex<Option<TimedCredentials>>>);

/// What the sources of credentials gave at a time.
struct TimedCredentials {
    at: Instant,
    credentials: Option<AwsCredentials>,
}

impl PartialEq for LoadedCredentials {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for LoadedCredentials {}

impl PartialOrd for LoadedCredentials {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LoadedCredentials {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
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

    /// As [`open`](Self::open), but the credentials are loaded once for all clones of the environment: many targets would ask the
    /// same source at the same time, which may limit how often it answers.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) async fn open_shared(environment: &'a AwsEnvironment, region: &str) -> Result<Option<Self>, AwsError> {
        let client = AwsClient::new(environment, region);
        let mut loaded = environment.loaded.0.lock().await;
        let known = loaded.take().filter(|known| known.at.elapsed() < SHARED_FOR);
        let loaded = match known {
            Some(known) => loaded.insert(known),
            None => loaded.insert(TimedCredentials { at: Instant::now(), credentials: client.credentials().await? }),
        };
        Ok(loaded.credentials.clone().map(|credentials| Self { client, credentials }))
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
