//! Functions of Lambda, and what requests do to them.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::bucket::Bucket;
use crate::cloud::{ACCOUNT, REGION};
use crate::layer_versions::{self, Layers};
use crate::wire::Message;

/// How many questions for the state are answered with `InProgress` after an update.
const PROGRESS: u32 = 2;

/// The largest zip in a request, which has it in base64.
pub const INLINE_LIMIT: usize = (50 << 20) * 4 / 3;

pub fn code_sha256(code: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(code))
}

/// An answer: the status, and the document or the code and the message of an error.
pub type Answered = Result<(u16, Value), (u16, &'static str, String)>;

/// The code of a function or of a version of it.
#[derive(Debug, Clone)]
struct Version {
    code_sha256: String,
    revision: String,
    /// What a new version differs by, besides its code.
    configuration: u32,
    /// The ARNs of its layers.
    layers: Vec<String>,
    description: String,
    /// How many questions for the state are still answered with `Pending`.
    pending: u32,
    fails: bool,
}

#[derive(Debug, Clone)]
struct Alias {
    version: String,
    description: String,
    revision: String,
    weights: Value,
}

/// A function, as a test sets it up and finds it.
#[derive(Debug, Clone)]
pub struct Function {
    pub architecture: String,
    pub runtime: String,
    pub package_type: String,
    pub state: String,
    /// What updates fail with.
    pub update_failure: Option<String>,
    /// Whether published versions cannot start.
    pub versions_fail: bool,
    /// Whether the account has no space for more code.
    pub is_storage_full: bool,
    /// Whether the code in `$LATEST` is too large for a layer.
    pub has_large_code: bool,
    latest: Version,
    /// The code and the layers of `$LATEST` after each update.
    moments: Vec<(String, Vec<String>)>,
    versions: BTreeMap<u32, Version>,
    aliases: BTreeMap<String, Alias>,
    in_progress: u32,
    /// The code to return to, while an update is in progress that fails.
    before: Option<String>,
    last_update: &'static str,
}

impl Function {
    /// Creates a function whose alias `live` points to version 1.
    pub fn new([latest, first, live]: [String; 3]) -> Self {
        let version = |revision| Version {
            code_sha256: code_sha256(b"first"),
            revision,
            configuration: 0,
            layers: Vec::new(),
            description: "Sells things".to_owned(),
            pending: 0,
            fails: false,
        };
        let alias = Alias {
            version: "1".to_owned(),
            description: "For customers".to_owned(),
            revision: live,
            weights: json!({}),
        };
        Self {
            architecture: "x86_64".to_owned(),
            runtime: "python3.12".to_owned(),
            package_type: "Zip".to_owned(),
            state: "Active".to_owned(),
            update_failure: None,
            versions_fail: false,
            is_storage_full: false,
            has_large_code: false,
            latest: version(latest),
            moments: Vec::new(),
            versions: BTreeMap::from([(1, version(first))]),
            aliases: BTreeMap::from([("live".to_owned(), alias)]),
            in_progress: 0,
            before: None,
            last_update: "Successful",
        }
    }

    /// Returns the code of `$LATEST`.
    pub fn latest_code(&self) -> &str {
        &self.latest.code_sha256
    }

    /// Returns the version that an alias points to, its code and its description.
    pub fn live(&self, alias: &str) -> (&str, &str, &str) {
        let Alias { version, description, .. } = &self.aliases[alias];
        (version, &self.versions[&version.parse().unwrap()].code_sha256, description)
    }

    /// Returns the layers of the version that an alias points to.
    pub fn live_layers(&self, alias: &str) -> &[String] {
        &self.versions[&self.aliases[alias].version.parse().unwrap()].layers
    }

    /// Returns the code and the layers that `$LATEST` had, one update after the other.
    pub fn moments(&self) -> &[(String, Vec<String>)] {
        &self.moments
    }

    /// Returns the description of the version that an alias points to.
    pub fn live_description(&self, alias: &str) -> &str {
        &self.versions[&self.aliases[alias].version.parse().unwrap()].description
    }

    pub fn latest_layers(&self) -> &[String] {
        &self.latest.layers
    }

    /// Gives the function layers, as somebody else would.
    pub fn set_layers(&mut self, layers: &[String]) {
        self.latest.layers = layers.to_vec();
        self.reconfigure();
    }

    pub fn version_count(&self) -> usize {
        self.versions.len()
    }

    pub fn remove_version(&mut self, number: u32) {
        self.versions.remove(&number);
    }

    pub fn remove_aliases(&mut self) {
        self.aliases.clear();
    }

    /// Splits the requests to the alias among two versions.
    pub fn route(&mut self, version: &str) {
        self.aliases.get_mut("live").unwrap().weights = json!({ version: 0.1 });
    }

    /// Deploys other code, as somebody else would.
    pub fn replace_code(&mut self) {
        self.latest.code_sha256 = code_sha256(b"of somebody else");
        self.latest.revision.push('x');
    }

    /// Changes the memory, for instance.
    pub fn reconfigure(&mut self) {
        self.latest.configuration += 1;
        self.latest.revision.push('x');
    }

    /// Begins an update that does not change the code.
    pub fn begin_update(&mut self) {
        self.in_progress = PROGRESS;
        self.latest.revision.push('x');
    }

    /// Publishes a version and moves the alias to it, as somebody else would.
    pub fn move_alias(&mut self) {
        let number = self.versions.len() as u32 + 1;
        self.versions.insert(number, Version { code_sha256: code_sha256(b"of somebody else"), ..self.latest.clone() });
        let alias = self.aliases.get_mut("live").unwrap();
        alias.version = number.to_string();
        alias.revision.push('x');
    }

    fn keep_moment(&mut self) {
        self.moments.push((self.latest.code_sha256.clone(), self.latest.layers.clone()));
    }

    fn configuration(&self, name: &str, number: &str, version: &Version) -> Value {
        let is_latest = number == "$LATEST";
        let status = if is_latest && self.in_progress > 0 { "InProgress" } else { self.last_update };
        let state = match version {
            Version { pending: 1.., .. } => "Pending",
            Version { fails: true, .. } => "Failed",
            _ => &self.state,
        };
        let qualifier = if is_latest { String::new() } else { format!(":{number}") };
        let mut configuration = json!({
            "FunctionArn": format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}{qualifier}"),
            "FunctionName": name, "Version": number, "Description": version.description, "CodeSha256": version.code_sha256, "RevisionId": version.revision,
            "PackageType": self.package_type, "Architectures": [self.architecture], "Runtime": self.runtime,
            "State": state, "LastUpdateStatus": status, "SomethingNew": {"a": 1},
        });
        if !version.layers.is_empty() {
            let layers = version.layers.iter().map(|arn| json!({ "Arn": arn, "CodeSize": 1 }));
            configuration["Layers"] = layers.collect();
        }
        if status == "Failed" {
            configuration["LastUpdateStatusReasonCode"] = "InvalidZipFileException".into();
            configuration["LastUpdateStatusReason"] = self.update_failure.clone().into();
        }
        if state == "Failed" {
            configuration["StateReasonCode"] = "FunctionError.InitTimedOut".into();
            configuration["StateReason"] = "The snapshot failed".into();
        }
        configuration
    }
}

pub fn missing(what: &str) -> (u16, &'static str, String) {
    (404, "ResourceNotFoundException", format!("{what} not found"))
}

pub fn invalid(message: &str) -> (u16, &'static str, String) {
    (400, "InvalidParameterValueException", message.to_owned())
}

fn stale(body: &Value, revision: &str) -> Result<(), (u16, &'static str, String)> {
    let is_stale = body["RevisionId"].as_str().is_some_and(|sent| sent != revision);
    if is_stale {
        Err((412, "PreconditionFailedException", "The RevisionId is not the latest".to_owned()))
    } else {
        Ok(())
    }
}

/// Refuses a description that is too long.
pub fn check_description(body: &Value) -> Result<(), (u16, &'static str, String)> {
    let length = body["Description"].as_str().unwrap_or_default().chars().count();
    if length > 256 { Err((400, "ValidationException", "description is too long".to_owned())) } else { Ok(()) }
}

/// Carries out a request. What changes gets the revision.
pub fn carry_out(
    (functions, layers, bucket): (&mut BTreeMap<String, Function>, &Layers, &Bucket),
    revision: String,
    action: &str,
    request: &Message,
) -> Answered {
    if action == "ListFunctions" {
        let functions: Vec<Value> = functions.keys().map(|name| json!({ "FunctionName": name })).collect();
        return Ok((200, json!({ "Functions": functions, "NextMarker": null })));
    }
    let path = request.path().replace("%3A", ":");
    let parts: Vec<&str> = path.trim_start_matches("/2015-03-31/functions/").split('/').collect();
    let name = parts[0].rsplit(':').next().unwrap().to_owned();
    let function = functions.get_mut(&name).ok_or_else(|| missing("Function"))?;
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let in_progress = (409, "ResourceConflictException", "An update is in progress for resource".to_owned());
    match action {
        "GetFunction" => get_function(function, &name, request.query("Qualifier").as_deref()),
        "UpdateFunctionCode" => {
            if request.body.len() > INLINE_LIMIT {
                return Err((413, "", String::new()));
            }
            if function.in_progress > 0 {
                return Err(in_progress);
            }
            stale(&body, &function.latest.revision)?;
            if let Some(uri) = body["ImageUri"].as_str() {
                if function.package_type != "Image" {
                    return Err(invalid("Please provide ImageUri for a function of package type Image"));
                }
                let (_, digest) = uri.split_once("@sha256:").ok_or_else(|| invalid("Source image is not valid"))?;
                function.latest.code_sha256 = digest.to_owned();
                function.latest.revision = revision;
                function.in_progress = PROGRESS;
                return Ok((200, function.configuration(&name, "$LATEST", &function.latest)));
            }
            let zip = match body["S3Key"].as_str() {
                Some(key) => bucket.version(key, body["S3ObjectVersion"].as_str()).map(<[u8]>::to_vec),
                None => BASE64_STANDARD.decode(body["ZipFile"].as_str().unwrap_or_default()).ok(),
            };
            let zip = zip.filter(|zip| zip.starts_with(b"PK")).ok_or_else(|| invalid("Could not unzip"))?;
            if function.is_storage_full {
                return Err((400, "CodeStorageExceededException", "Code storage limit exceeded.".to_owned()));
            }
            function.has_large_code = false;
            function.architecture = body["Architectures"][0].as_str().unwrap_or("x86_64").to_owned();
            let before = std::mem::replace(&mut function.latest.code_sha256, code_sha256(&zip));
            function.before = function.update_failure.is_some().then_some(before);
            function.latest.revision = revision;
            function.in_progress = PROGRESS;
            function.keep_moment();
            Ok((200, function.configuration(&name, "$LATEST", &function.latest)))
        }
        "UpdateFunctionConfiguration" => {
            if function.in_progress > 0 {
                return Err(in_progress);
            }
            stale(&body, &function.latest.revision)?;
            let versions: Vec<String> = serde_json::from_value(body["Layers"].clone()).unwrap();
            if versions.len() > 5 {
                return Err(invalid("Cannot reference more than 5 layers."));
            }
            if function.has_large_code {
                return Err(invalid("Function code combined with layers exceeds the maximum allowed size"));
            }
            if let Some(unknown) = versions.iter().find(|version| !layer_versions::exists(layers, version)) {
                return Err(invalid(&format!("Layer version {unknown} does not exist.")));
            }
            let layer_of = |version: &String| version.rsplit_once(':').unwrap().0.to_owned();
            if versions.iter().map(layer_of).collect::<BTreeSet<_>>().len() < versions.len() {
                return Err(invalid("Two different versions of the same layer are not allowed to be referenced"));
            }
            function.latest.layers = versions;
            function.keep_moment();
            function.latest.configuration += 1;
            function.latest.revision = revision;
            function.in_progress = PROGRESS;
            Ok((200, function.configuration(&name, "$LATEST", &function.latest)))
        }
        "PublishVersion" => {
            if function.in_progress > 0 {
                return Err(in_progress);
            }
            stale(&body, &function.latest.revision)?;
            if body["CodeSha256"].as_str().is_some_and(|sent| sent != function.latest.code_sha256) {
                return Err(invalid("CodeSHA256 is different from current CodeSHA256 in $LATEST"));
            }
            check_description(&body)?;
            let published = |version: &Version| (version.code_sha256.clone(), version.configuration);
            let last = function.versions.last_key_value();
            let is_new = last.is_none_or(|(_, version)| published(version) != published(&function.latest));
            if is_new {
                let number = last.map_or(1, |(number, _)| number + 1);
                let (pending, fails) = (PROGRESS, function.versions_fail);
                let description = body["Description"].as_str().unwrap_or(&function.latest.description).to_owned();
                let version =
                    Version { pending, fails, revision: revision.clone(), description, ..function.latest.clone() };
                function.versions.insert(number, version);
                function.latest.revision = revision;
            }
            let (number, version) = function.versions.last_key_value().unwrap();
            Ok((201, function.configuration(&name, &number.to_string(), version)))
        }
        "ListAliases" => {
            let aliases: Vec<Value> = function.aliases.iter().map(|(name, alias)| alias_body(name, alias)).collect();
            Ok((200, json!({ "Aliases": aliases })))
        }
        "GetAlias" => {
            let alias = function.aliases.get(parts[2]).ok_or_else(|| missing("Alias"))?;
            Ok((200, alias_body(parts[2], alias)))
        }
        "CreateAlias" | "UpdateAlias" => {
            let version = body["FunctionVersion"].as_str().unwrap_or_default().to_owned();
            if !version.parse().is_ok_and(|number: u32| function.versions.contains_key(&number)) {
                return Err(missing("Version"));
            }
            let description = body["Description"].as_str().unwrap_or_default().to_owned();
            let alias = Alias { version, description, revision, weights: json!({}) };
            let alias_name = if action == "CreateAlias" { body["Name"].as_str().unwrap() } else { parts[2] };
            match (function.aliases.get(alias_name), action) {
                (Some(_), "CreateAlias") => {
                    return Err((409, "ResourceConflictException", "Alias already exists".to_owned()));
                }
                (None, "UpdateAlias") => return Err(missing("Alias")),
                (Some(before), _) => stale(&body, &before.revision)?,
                (None, _) => {}
            }
            let answer = alias_body(alias_name, &alias);
            function.aliases.insert(alias_name.to_owned(), alias);
            Ok((if action == "CreateAlias" { 201 } else { 200 }, answer))
        }
        _ => Err(invalid("Unknown operation")),
    }
}

fn get_function(function: &mut Function, name: &str, qualifier: Option<&str>) -> Answered {
    let Some(qualifier) = qualifier else {
        let answer = json!({ "Configuration": function.configuration(name, "$LATEST", &function.latest) });
        if function.in_progress > 0 {
            function.in_progress -= 1;
            if function.in_progress == 0 {
                let failed = function.before.take();
                function.last_update = if failed.is_some() { "Failed" } else { "Successful" };
                function.latest.code_sha256 = failed.unwrap_or(function.latest.code_sha256.clone());
            }
        }
        return Ok((200, answer));
    };
    let alias = function.aliases.get(qualifier).map(|alias| alias.version.clone());
    let number: u32 = alias.as_deref().unwrap_or(qualifier).parse().map_err(|_| missing("Alias"))?;
    let version = function.versions.get(&number).ok_or_else(|| missing("Version"))?;
    let answer = json!({ "Configuration": function.configuration(name, &number.to_string(), version) });
    let version = function.versions.get_mut(&number).unwrap();
    version.pending = version.pending.saturating_sub(1);
    Ok((200, answer))
}

fn alias_body(name: &str, alias: &Alias) -> Value {
    let Alias { version, description, revision, weights } = alias;
    json!({ "Name": name, "FunctionVersion": version, "Description": description, "RevisionId": revision,
        "RoutingConfig": { "AdditionalVersionWeights": weights } })
}
