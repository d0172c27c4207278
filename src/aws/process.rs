//! `credential_process`: a command that prints credentials.
//!
//! Format: [process credential provider](https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html).

use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;

use super::{AwsCredentials, AwsError};
use crate::redact::one_line;

/// What the command prints, as JSON.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessOutput {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// Runs the command of a profile. It is killed if nobody waits for it any more. Its standard output may have secrets, so
/// no message contains it.
pub(super) async fn run(profile: &str, command: &str) -> Result<AwsCredentials, AwsError> {
    // By the shell, as in AWS's SDK for Rust: commands have quotes.
    let child = Command::new("sh").args(["-c", command]).stdin(Stdio::inherit()).kill_on_drop(true).output();
    let output = child.await.map_err(|source| AwsError::RunProcess { profile: profile.to_owned(), source })?;
    if !output.status.success() {
        return Err(AwsError::ProcessFailed {
            profile: profile.to_owned(),
            status: output.status,
            message: one_line(&String::from_utf8_lossy(&output.stderr)),
        });
    }
    match serde_json::from_slice(&output.stdout) {
        Ok(ProcessOutput { version: 1, access_key_id, secret_access_key, session_token }) => Ok(AwsCredentials {
            access_key_id,
            secret_access_key: secret_access_key.into(),
            session_token: session_token.map(Into::into),
        }),
        _ => Err(AwsError::InvalidProfile {
            profile: profile.to_owned(),
            reason: "has a credential_process that does not print credentials of version 1 as JSON".to_owned(),
        }),
    }
}
