//! Layers of Lambda, and what requests do to them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::bucket::Bucket;
use crate::cloud::{ACCOUNT, REGION};
use crate::lambda::{Answered, INLINE_LIMIT, check_description, code_sha256, invalid, missing};
use crate::wire::Message;

/// A version of a layer.
#[derive(Debug, Clone)]
pub struct LayerVersion {
    pub code_sha256: String,
    pub runtimes: Value,
    pub architectures: Value,
    pub description: Value,
}

/// The versions of each layer, in their order.
pub type Layers = BTreeMap<String, Vec<LayerVersion>>;

pub fn arn(name: &str, number: usize) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{name}:{number}")
}

/// Returns whether a function can have a version: one of somebody else, or one that exists.
pub fn exists(layers: &Layers, version: &str) -> bool {
    let parts: Vec<&str> = version.split(':').collect();
    parts[3] == REGION && parts[4] != ACCOUNT
        || layers.get(parts[6]).is_some_and(|all| parts[7].parse().is_ok_and(|at: usize| (1..=all.len()).contains(&at)))
}

fn described(name: &str, number: usize, version: &LayerVersion) -> Value {
    json!({
        "LayerArn": arn(name, number).rsplit_once(':').unwrap().0, "LayerVersionArn": arn(name, number), "Version": number,
        "CompatibleRuntimes": version.runtimes, "CompatibleArchitectures": version.architectures, "Description": version.description,
        "SomethingNew": {"a": 1},
    })
}

/// Carries out a request about a layer.
pub fn carry_out((layers, bucket): (&mut Layers, &Bucket), action: &str, request: &Message) -> Answered {
    let path: Vec<&str> = request.path().split('/').collect();
    let name = path[3];
    let content = |number: usize, version: &LayerVersion| {
        let mut answer = described(name, number, version);
        answer["Content"] = json!({ "CodeSha256": version.code_sha256, "CodeSize": 1 });
        answer
    };
    match action {
        "ListLayerVersions" => {
            // The latest first, without their content.
            let versions = layers.get(name).map(Vec::as_slice).unwrap_or_default().iter().enumerate().rev();
            let versions: Vec<Value> = versions.map(|(at, version)| described(name, at + 1, version)).collect();
            Ok((200, json!({ "LayerVersions": versions })))
        }
        "GetLayerVersion" => {
            let number: usize = path[5].parse().unwrap();
            let version = layers.get(name).and_then(|versions| versions.get(number - 1));
            version.map(|version| (200, content(number, version))).ok_or_else(|| missing("Layer version"))
        }
        "PublishLayerVersion" => {
            if request.body.len() > INLINE_LIMIT {
                return Err((413, "", String::new()));
            }
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            check_description(&body)?;
            let zip = match body["Content"]["S3Key"].as_str() {
                Some(key) => bucket.version(key, body["Content"]["S3ObjectVersion"].as_str()).map(<[u8]>::to_vec),
                None => BASE64_STANDARD.decode(body["Content"]["ZipFile"].as_str().unwrap_or_default()).ok(),
            };
            let zip = zip.filter(|zip| zip.starts_with(b"PK")).ok_or_else(|| invalid("Could not unzip"))?;
            let (runtimes, architectures) = (&body["CompatibleRuntimes"], &body["CompatibleArchitectures"]);
            let (runtimes, architectures) = (runtimes.clone(), architectures.clone());
            let description = body["Description"].clone();
            let version = LayerVersion { code_sha256: code_sha256(&zip), runtimes, architectures, description };
            let versions = layers.entry(name.to_owned()).or_default();
            versions.push(version.clone());
            Ok((201, content(versions.len(), &version)))
        }
        _ => Err(invalid("Unknown operation")),
    }
}
