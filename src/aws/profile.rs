//! Where the credentials of a profile come from.
//!
//! A profile with `role_arn` assumes that role with the credentials of its `source_profile`, which may assume a role
//! itself: [assume role](https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html).

use super::config::{Properties, SharedConfig};
use super::sso::SsoProfile;
use super::sts::{AssumedRole, WebIdentityRole};
use super::{AwsCredentials, AwsError};

/// The profile that is used unless `AWS_PROFILE` names another.
pub(super) const DEFAULT: &str = "default";

/// The first source of credentials, and the roles that are assumed with them, in this order.
#[derive(Debug)]
pub(super) struct ProfileChain<'a> {
    pub(super) source: CredentialSource<'a>,
    pub(super) roles: Vec<AssumedRole<'a>>,
}

#[derive(Debug)]
pub(super) enum CredentialSource<'a> {
    AccessKey(AwsCredentials),
    WebIdentity(WebIdentityRole),
    Sso(SsoProfile<'a>),
    Process { profile: &'a str, command: &'a str },
    Environment,
    EcsContainer,
    Ec2InstanceMetadata,
}

/// Follows a profile to its first source, or returns `None` if the profile does not exist or has no credentials.
pub(super) fn resolve<'a>(config: &'a SharedConfig, name: &'a str) -> Result<Option<ProfileChain<'a>>, AwsError> {
    let Some(mut properties) = config.profile(name) else { return Ok(None) };
    let (mut name, mut visited, mut roles) = (name, vec![name], Vec::new());
    loop {
        let is_first = visited.len() == 1;
        // Keys beside `role_arn` are for those who assume this profile's role; a profile itself prefers its role.
        if !is_first && let Some(credentials) = access_key(name, properties)? {
            return Ok(Some(chain(CredentialSource::AccessKey(credentials), roles)));
        }
        let assumed =
            if properties.contains_key("web_identity_token_file") { None } else { properties.get("role_arn") };
        let Some(role_arn) = assumed else {
            let source = source(config, name, properties)?;
            if source.is_none() && !is_first {
                return Err(invalid(name, "has no credentials, and is the source_profile of another".to_owned()));
            }
            return Ok(source.map(|source| chain(source, roles)));
        };
        roles.push(AssumedRole {
            role_arn,
            session_name: properties.get("role_session_name").map(String::as_str),
            external_id: properties.get("external_id").map(String::as_str),
            duration_seconds: properties.get("duration_seconds").map(String::as_str),
        });
        match (properties.get("source_profile"), properties.get("credential_source")) {
            (Some(_), Some(_)) => {
                return Err(invalid(name, "has both source_profile and credential_source, expected one".to_owned()));
            }
            (None, None) => {
                return Err(invalid(name, "has role_arn, but neither source_profile nor credential_source".to_owned()));
            }
            // A profile that is its own source assumes the role with its own keys.
            (Some(next), None) if next != name => {
                if visited.contains(&next.as_str()) {
                    return Err(invalid(name, format!("has the source_profile `{next}`, which leads back to it")));
                }
                properties = config
                    .profile(next)
                    .ok_or_else(|| invalid(name, format!("has the source_profile `{next}`, which does not exist")))?;
                name = next;
                visited.push(name);
            }
            _ => {
                let source = source(config, name, properties)?;
                let source = source.ok_or_else(|| invalid(name, "has role_arn, but no credentials".to_owned()))?;
                return Ok(Some(chain(source, roles)));
            }
        }
    }
}

fn chain<'a>(source: CredentialSource<'a>, mut roles: Vec<AssumedRole<'a>>) -> ProfileChain<'a> {
    roles.reverse();
    ProfileChain { source, roles }
}

/// Returns the source that a profile itself has, in the order of AWS's SDK for Rust.
fn source<'a>(
    config: &'a SharedConfig,
    name: &'a str,
    properties: &'a Properties,
) -> Result<Option<CredentialSource<'a>>, AwsError> {
    if let Some(source) = properties.get("credential_source") {
        return match source.as_str() {
            "Environment" => Ok(Some(CredentialSource::Environment)),
            "EcsContainer" => Ok(Some(CredentialSource::EcsContainer)),
            "Ec2InstanceMetadata" => Ok(Some(CredentialSource::Ec2InstanceMetadata)),
            other => Err(invalid(
                name,
                format!("has `credential_source = {other}`, expected Environment, EcsContainer or Ec2InstanceMetadata"),
            )),
        };
    }
    if let Some(token_file) = properties.get("web_identity_token_file") {
        let role_arn = properties
            .get("role_arn")
            .ok_or_else(|| invalid(name, "has web_identity_token_file, but no role_arn".to_owned()))?;
        return Ok(Some(CredentialSource::WebIdentity(WebIdentityRole {
            role_arn: role_arn.clone(),
            token_file: token_file.clone(),
            session_name: properties.get("role_session_name").cloned(),
        })));
    }
    if let Some(sso) = sso(config, name, properties)? {
        return Ok(Some(CredentialSource::Sso(sso)));
    }
    if properties.contains_key("login_session") {
        let reason = "has login_session, which is not supported; export its credentials with `aws configure export-credentials --format env`";
        return Err(invalid(name, reason.to_owned()));
    }
    if let Some(command) = properties.get("credential_process") {
        return Ok(Some(CredentialSource::Process { profile: name, command }));
    }
    Ok(access_key(name, properties)?.map(CredentialSource::AccessKey))
}

/// Returns the access key of a profile, or `None` if it has no part of one.
fn access_key(name: &str, properties: &Properties) -> Result<Option<AwsCredentials>, AwsError> {
    let keys = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
    let [access_key_id, secret_access_key, session_token] = keys.map(|key| properties.get(key).cloned());
    match (access_key_id, secret_access_key) {
        (Some(access_key_id), Some(secret_access_key)) => Ok(Some(AwsCredentials {
            access_key_id,
            secret_access_key: secret_access_key.into(),
            session_token: session_token.map(Into::into),
        })),
        (None, None) if session_token.is_none() => Ok(None),
        (None, _) => Err(invalid(name, "has no aws_access_key_id".to_owned())),
        (Some(_), None) => Err(invalid(name, "has aws_access_key_id, but no aws_secret_access_key".to_owned())),
    }
}

/// Returns how a profile logs in to IAM Identity Center, with the properties of its `sso_session` if it has one.
fn sso<'a>(
    config: &'a SharedConfig,
    name: &'a str,
    properties: &'a Properties,
) -> Result<Option<SsoProfile<'a>>, AwsError> {
    let session = properties.get("sso_session").map(String::as_str);
    if session.is_none() && !properties.contains_key("sso_start_url") && !properties.contains_key("sso_account_id") {
        return Ok(None);
    }
    let of_session = match session {
        None => properties,
        Some(session) => config
            .sso_session(session)
            .ok_or_else(|| invalid(name, format!("has the sso_session `{session}`, which does not exist")))?,
    };
    Ok(Some(SsoProfile {
        profile: name,
        session,
        region: required(name, of_session, "sso_region")?,
        start_url: required(name, of_session, "sso_start_url")?,
        account_id: required(name, properties, "sso_account_id")?,
        role_name: required(name, properties, "sso_role_name")?,
    }))
}

fn required<'a>(profile: &str, properties: &'a Properties, key: &str) -> Result<&'a str, AwsError> {
    properties.get(key).map(String::as_str).ok_or_else(|| invalid(profile, format!("has no {key}")))
}

fn invalid(profile: &str, reason: String) -> AwsError {
    AwsError::InvalidProfile { profile: profile.to_owned(), reason }
}
