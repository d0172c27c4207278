//! Data that a library looks up by name, of which an application needs what its code names: the models of botocore's
//! services, the discovery documents of Google's APIs, and the locales of Babel.

mod bindings;
mod error;
mod reach;
mod source;

pub(crate) use error::DataError;
pub(crate) use reach::{CodeModule, reached};
pub(crate) use source::{DataUse, ModuleFacts};

use super::SlimRule;
pub(crate) use crate::syntax::SourceLine;

/// The version of [`ModuleFacts`], a part of cache keys: raised when they change.
pub(crate) const FORMAT: u32 = 1;

/// A library with data that is looked up by name.
#[derive(Debug)]
pub(crate) struct DataLibrary {
    pub(crate) rule: SlimRule,
    /// What a name stands for, in messages.
    pub(crate) noun: &'static str,
    /// An example of a list, in hints.
    pub(crate) example: &'static str,
    /// The distributions whose code takes names from its callers, so that it names none itself.
    pub(crate) distributions: &'static [&'static str],
    /// A word that a source contains if it uses the library.
    word: &'static str,
    /// The names that the library itself needs.
    pub(crate) needed: &'static [&'static str],
}

/// The libraries, each with a rule of its own.
pub(crate) const LIBRARIES: [DataLibrary; 3] = [
    DataLibrary {
        rule: SlimRule::Services,
        noun: "service",
        example: "s3,sqs",
        distributions: &["boto3", "botocore", "aioboto3", "aiobotocore", "s3transfer"],
        word: "boto",
        // What the providers of credentials and tokens call (botocore 1.44, credentials.py and tokens.py).
        needed: &["signin", "sso", "sso-oidc", "sts"],
    },
    DataLibrary {
        rule: SlimRule::Discovery,
        noun: "API",
        example: "drive.v3,gmail",
        distributions: &["google-api-python-client"],
        word: "googleapiclient",
        needed: &[],
    },
    DataLibrary {
        rule: SlimRule::Locales,
        noun: "locale",
        example: "de,pt_BR",
        distributions: &["babel"],
        word: "babel",
        // What `default_locale` returns for the variables of Lambda, `LANG=en_US.UTF-8`, and of Python's images, `C.UTF-8`.
        needed: &["en"],
    },
];

/// Languages whose locales inherit from those of another one (CLDR's parentLocales in Babel 2.19): `hi_Latn` from `en_IN`,
/// `nb` and `nn` from `no`. Babel resolves `no` to `nb_NO`.
const INHERITED: [(&str, &str); 4] = [("hi", "en"), ("nb", "no"), ("nn", "no"), ("no", "nb")];

impl DataLibrary {
    /// Returns the library of a rule; `None` if the rule is not about one.
    pub(crate) fn of(rule: SlimRule) -> Option<&'static Self> {
        LIBRARIES.iter().find(|library| library.rule == rule)
    }

    /// Returns the name, in the form of [`DataFile::name`], that a name in source code or in a list stands for.
    pub(crate) fn normalized(&self, name: &str) -> String {
        match (self.rule, name) {
            // botocore's SERVICE_NAME_ALIASES.
            (SlimRule::Services, "runtime.sagemaker") => "sagemaker-runtime".to_owned(),
            (SlimRule::Locales, name) => name.split(['_', '-']).next().unwrap_or_default().to_lowercase(),
            (_, name) => name.to_owned(),
        }
    }

    /// Returns the names that have to be kept for one of them to work, and itself.
    pub(crate) fn with_inherited(&self, name: &str) -> Vec<String> {
        let inherited = INHERITED.iter().filter(|(child, _)| self.rule == SlimRule::Locales && *child == name);
        std::iter::once(name).chain(inherited.map(|(_, parent)| *parent)).map(str::to_owned).collect()
    }
}

/// A file with the data of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataFile<'a> {
    pub(crate) rule: SlimRule,
    /// A service, an API with its version (`drive.v3`), or a language.
    pub(crate) name: &'a str,
}

impl<'a> DataFile<'a> {
    /// Returns what a file contains by its path below site-packages; `None` if it is not such a file, or belongs to all names.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let service = || {
            let below = path.strip_prefix("botocore/data/").or_else(|| path.strip_prefix("boto3/data/"))?;
            Some(Self { rule: SlimRule::Services, name: below.split_once('/')?.0 })
        };
        let document = || {
            let below = path.strip_prefix("googleapiclient/discovery_cache/documents/")?;
            let name = below.strip_suffix(".json").filter(|name| *name != "index")?;
            Some(Self { rule: SlimRule::Discovery, name })
        };
        let locale = || {
            let name = path.strip_prefix("babel/locale-data/")?.strip_suffix(".dat").filter(|name| *name != "root")?;
            Some(Self { rule: SlimRule::Locales, name: name.split('_').next()? })
        };
        service().or_else(document).or_else(locale)
    }

    /// Returns whether a [normalized](DataLibrary::normalized) name stands for this data. The name of an API without a version
    /// stands for all of its versions.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        let all_versions = self.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        self.name == name || self.rule == SlimRule::Discovery && all_versions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_recognized_by_its_path() {
        for (path, expected) in [
            ("botocore/data/s3/2006-03-01/service-2.json.gz", Some((SlimRule::Services, "s3"))),
            ("boto3/data/ec2/2016-11-15/resources-1.json", Some((SlimRule::Services, "ec2"))),
            ("botocore/data/endpoints.json", None),
            ("botocore/data.py", None),
            (
                "googleapiclient/discovery_cache/documents/admin.directory_v1.json",
                Some((SlimRule::Discovery, "admin.directory_v1")),
            ),
            ("googleapiclient/discovery_cache/documents/index.json", None),
            ("googleapiclient/discovery_cache/base.py", None),
            ("babel/locale-data/zh_Hant_HK.dat", Some((SlimRule::Locales, "zh"))),
            ("babel/locale-data/root.dat", None),
            ("babel/locale-data/LICENSE.unicode", None),
            ("babel/global.dat", None),
        ] {
            assert_eq!(DataFile::of(path).map(|file| (file.rule, file.name)), expected, "{path}");
        }
    }

    #[test]
    fn names_stand_for_data() {
        let is_named = |path: &str, name: &str| {
            let file = DataFile::of(path).unwrap();
            file.is_named(&DataLibrary::of(file.rule).unwrap().normalized(name))
        };
        let drive = "googleapiclient/discovery_cache/documents/drive.v3.json";
        for (path, name, expected) in [
            (drive, "drive", true),
            (drive, "drive.v3", true),
            (drive, "drive.v2", false),
            (drive, "dri", false),
            ("babel/locale-data/de_AT.dat", "de", true),
            ("babel/locale-data/de.dat", "de-DE", true),
            ("babel/locale-data/zh_Hant.dat", "ZH_tw", true),
            ("babel/locale-data/dsb.dat", "de", false),
            ("botocore/data/sagemaker-runtime/2017-05-13/service-2.json.gz", "runtime.sagemaker", true),
            ("botocore/data/s3control/2018-08-20/service-2.json.gz", "s3", false),
        ] {
            assert_eq!(is_named(path, name), expected, "{path} {name}");
        }
    }
}
