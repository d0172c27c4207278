//! The distributions and Debian packages that provide the shared libraries which are missing most often.

use super::SystemKind;
use crate::tree::FileOrigin;

/// Prefixes of libraries that belong to the host's hardware: drivers, and what is built on them.
///
/// Wheels are linked to them on purpose, because only the host can provide them.
const HOST_LIBRARIES: [&str; 21] = [
    "libOpenCL",
    "libamdhip64",
    "libcublas",
    "libcuda",
    "libcudnn",
    "libcudss",
    "libcufft",
    "libcufile",
    "libcupti",
    "libcurand",
    "libcusolver",
    "libcusparse",
    "libcutensor",
    "libhip",
    "libhsa-runtime64",
    "libnccl",
    "libnpp",
    "libnv",
    "libroc",
    "libvulkan",
    "libze_loader",
];

/// Parts of the paths of modules whose import may fail. numba tries its threading layers (TBB, OpenMP, workqueue) in order.
const OPTIONAL: [&str; 2] = ["numba/np/ufunc/tbbpool.", "numba/np/ufunc/omppool."];

/// What provides the libraries whose names begin with a prefix.
struct LibraryProvider {
    prefix: &'static str,
    /// A change to the lock that makes the library unnecessary or brings it along.
    distribution_hint: Option<DistributionHint>,
    debian_package: &'static str,
}

/// What to do about the distributions that are usually linked to a library.
#[derive(Clone, Copy)]
struct DistributionHint {
    /// How their names begin.
    names: &'static [&'static str],
    hint: &'static str,
}

const fn by_lock(
    prefix: &'static str,
    distribution_hint: DistributionHint,
    debian_package: &'static str,
) -> LibraryProvider {
    LibraryProvider { prefix, distribution_hint: Some(distribution_hint), debian_package }
}

const fn by_package(prefix: &'static str, debian_package: &'static str) -> LibraryProvider {
    LibraryProvider { prefix, distribution_hint: None, debian_package }
}

const HEADLESS: DistributionHint = DistributionHint {
    names: &["opencv-"],
    hint: "replace opencv-python with opencv-python-headless, which has no user interface",
};
const XML: DistributionHint = DistributionHint {
    names: &["lxml", "xmlsec", "python3-saml"],
    hint: "lock a version of lxml or xmlsec that has a wheel for the target: its wheels contain libxml2",
};
const POSTGRES: DistributionHint = DistributionHint {
    names: &["psycopg"],
    hint: "lock psycopg[binary] or psycopg2-binary: their wheels contain libpq",
};
const MYSQL: DistributionHint =
    DistributionHint { names: &["mysqlclient"], hint: "replace mysqlclient with PyMySQL, which needs no library" };

const PROVIDERS: [LibraryProvider; 40] = [
    by_lock("libGL.so", HEADLESS, "libgl1"),
    by_lock("libEGL.so", HEADLESS, "libegl1"),
    by_lock("libglib-2.0.so", HEADLESS, "libglib2.0-0"),
    by_lock("libgthread-2.0.so", HEADLESS, "libglib2.0-0"),
    by_lock("libSM.so", HEADLESS, "libsm6"),
    by_lock("libICE.so", HEADLESS, "libice6"),
    by_lock("libXext.so", HEADLESS, "libxext6"),
    by_lock("libXrender.so", HEADLESS, "libxrender1"),
    by_package("libX11.so", "libx11-6"),
    by_package("libxcb.so", "libxcb1"),
    by_lock("libpq.so", POSTGRES, "libpq5"),
    by_lock("libmysqlclient.so", MYSQL, "default-libmysqlclient-dev"),
    by_lock("libmariadb.so", MYSQL, "libmariadb3"),
    by_lock("libxml2.so", XML, "libxml2"),
    by_lock("libxslt.so", XML, "libxslt1.1"),
    by_lock("libexslt.so", XML, "libxslt1.1"),
    by_lock("libxmlsec1", XML, "libxmlsec1-openssl"),
    by_package("libgomp.so", "libgomp1"),
    by_package("libatomic.so", "libatomic1"),
    by_package("libgfortran.so", "libgfortran5"),
    by_package("libquadmath.so", "libquadmath0"),
    by_package("libexpat.so", "libexpat1"),
    by_package("libz.so", "zlib1g"),
    by_lock(
        "libsndfile.so",
        DistributionHint {
            names: &["soundfile", "pysoundfile"],
            hint: "lock soundfile 0.11 or later: its wheels contain libsndfile",
        },
        "libsndfile1",
    ),
    by_lock(
        "libmagic.so",
        DistributionHint {
            names: &["python-magic"],
            hint: "replace python-magic with puremagic, which needs no library",
        },
        "libmagic1",
    ),
    by_package("libcairo.so", "libcairo2"),
    by_package("libpango-1.0.so", "libpango-1.0-0"),
    by_package("libpangocairo-1.0.so", "libpangocairo-1.0-0"),
    by_package("libodbc.so", "unixodbc"),
    by_lock(
        "libgdal.so",
        DistributionHint {
            names: &["gdal", "rasterio", "fiona", "pyogrio"],
            hint: "lock rasterio, fiona or pyogrio: their wheels contain GDAL",
        },
        "libgdal-dev",
    ),
    by_lock(
        "libgeos_c.so",
        DistributionHint {
            names: &["shapely", "pygeos"],
            hint: "lock a version of shapely that has a wheel for the target: its wheels contain GEOS",
        },
        "libgeos-c1v5",
    ),
    by_package("libproj.so", "libproj25"),
    by_package("libjpeg.so", "libjpeg62-turbo"),
    by_package("libcurl.so", "libcurl4"),
    by_package("libffi.so", "libffi8"),
    by_package("libldap", "libldap-2.5-0"),
    by_package("libcrypt.so", "libcrypt1"),
    by_package("libtk8.6.so", "libtk8.6"),
    by_package("libtcl8.6.so", "libtcl8.6"),
    by_package("libasound.so", "libasound2"),
];

/// Returns whether a library belongs to the host's hardware.
pub(super) fn is_host_library(library: &str) -> bool {
    HOST_LIBRARIES.iter().any(|prefix| library.starts_with(prefix))
}

/// Returns whether the import of a file may fail.
pub(super) fn is_optional(path: &str) -> bool {
    OPTIONAL.iter().any(|part| path.contains(part))
}

/// Returns a library's name without its version: `libGL` of `libGL.so.1`.
pub(super) fn stem(library: &str) -> &str {
    library.split_once(".so").map_or(library, |(stem, _)| stem)
}

/// Returns the package of the base's release of Debian that has a library.
pub(super) fn package(library: &str, kind: SystemKind) -> Option<&'static str> {
    match kind {
        SystemKind::Image(release) => release?.package_of_library(library),
        SystemKind::Lambda | SystemKind::Service | SystemKind::MuslImage => None,
    }
}

/// Returns the hints for a library that a file of `owner` needs, besides its [package](package).
pub(super) fn hints(library: &str, owner: &FileOrigin, kind: SystemKind) -> Vec<String> {
    let provider = PROVIDERS.iter().find(|provider| library.starts_with(provider.prefix));
    let distribution_hint = match owner {
        FileOrigin::Distribution(distribution) => provider
            .and_then(|provider| provider.distribution_hint)
            .filter(|hint| hint.names.iter().any(|name| distribution.name.as_str().starts_with(name)))
            .map(|hint| hint.hint.to_owned()),
        FileOrigin::System(_) | FileOrigin::Application => None,
    };
    let system_hint = match (kind, provider) {
        (SystemKind::Service, _) => None,
        (SystemKind::Lambda, _) if distribution_hint.is_some() => None,
        (SystemKind::Lambda, _) => Some(format!(
            "add the library to the project and pass `--include {library}:lib/{library}`, which Lambda's linker searches"
        )),
        (SystemKind::Image(_), _) if package(library, kind).is_some() => None,
        (SystemKind::Image(_), Some(provider)) => Some(format!(
            "choose a base that has it with --base: `apt-get install {}` on Debian",
            provider.debian_package
        )),
        (SystemKind::Image(_), None) | (SystemKind::MuslImage, _) => {
            Some("choose a base that has it with --base".to_owned())
        }
    };
    distribution_hint.into_iter().chain(system_hint).collect()
}
