//! What provides the shared libraries that are missed most.

use super::SystemKind;
use crate::tree::FileOrigin;

/// Libraries that belong to the host's hardware: drivers, and what needs them.
///
/// Wheels are linked to them on purpose, since nobody but the host can bring them.
const OF_THE_HOST: [&str; 21] = [
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

/// Modules that their distributions try and do without: the paths' parts that tell them.
const OPTIONAL: [&str; 2] = ["numba/np/ufunc/tbbpool.", "numba/np/ufunc/omppool."];

/// A family of libraries: the beginning of their names, what brings it by way of the lock, and Debian's package of it.
struct Provider {
    stem: &'static str,
    instead: Option<&'static str>,
    package: &'static str,
}

const fn by_lock(stem: &'static str, instead: &'static str, package: &'static str) -> Provider {
    Provider { stem, instead: Some(instead), package }
}

const fn by_package(stem: &'static str, package: &'static str) -> Provider {
    Provider { stem, instead: None, package }
}

const HEADLESS: &str = "lock opencv-python-headless in place of opencv-python: it draws no windows";
const XML: &str = "lock a version of lxml or xmlsec that has a wheel for the target: wheels bring their own libxml2";
const POSTGRES: &str = "lock psycopg[binary] or psycopg2-binary: their wheels bring libpq";
const MYSQL: &str = "lock PyMySQL in place of mysqlclient: it needs no library";

/// What is missed most.
const PROVIDERS: [Provider; 40] = [
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
    by_lock("libsndfile.so", "lock soundfile 0.11 or later: its wheels bring libsndfile", "libsndfile1"),
    by_lock("libmagic.so", "lock puremagic in place of python-magic: it needs no library", "libmagic1"),
    by_package("libcairo.so", "libcairo2"),
    by_package("libpango-1.0.so", "libpango-1.0-0"),
    by_package("libpangocairo-1.0.so", "libpangocairo-1.0-0"),
    by_package("libodbc.so", "unixodbc"),
    by_lock("libgdal.so", "lock rasterio, fiona or pyogrio: their wheels bring GDAL", "libgdal-dev"),
    by_lock(
        "libgeos_c.so",
        "lock a version of shapely that has a wheel for the target: it brings GEOS",
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

/// Tells whether a library belongs to the host's hardware.
pub(super) fn is_of_the_host(library: &str) -> bool {
    OF_THE_HOST.iter().any(|stem| library.starts_with(stem))
}

/// Tells whether a distribution does without a file.
pub(super) fn is_optional(path: &str) -> bool {
    OPTIONAL.iter().any(|part| path.contains(part))
}

/// Returns a library's name without its version: `libGL` of `libGL.so.1`.
pub(super) fn stem(library: &str) -> &str {
    library.split_once(".so").map_or(library, |(stem, _)| stem)
}

/// Returns what may be done about a library that is nowhere.
pub(super) fn of_missing(library: &str, kind: SystemKind) -> Vec<String> {
    if library.starts_with("libc.musl-") || library.starts_with("ld-musl-") {
        return vec!["it is compiled for Alpine Linux (musl): lock a wheel whose tag begins with manylinux".to_owned()];
    }
    let provider = PROVIDERS.iter().find(|provider| library.starts_with(provider.stem));
    let instead = provider.and_then(|provider| provider.instead).map(str::to_owned);
    let bring = match (kind, provider) {
        (SystemKind::Lambda, _) if instead.is_some() => None,
        (SystemKind::Lambda, _) => {
            Some(format!("bring it along: `--include {library}:lib/{library}` puts it where Lambda's linker looks"))
        }
        (SystemKind::Image, Some(Provider { package, .. })) => {
            Some(format!("build on a base of your own that has it: `apt-get install {package}` on Debian"))
        }
        (SystemKind::Image, None) => Some("build on a base of your own that has it".to_owned()),
    };
    instead.into_iter().chain(bring).collect()
}

/// Returns what may be done about symbols that are too new.
pub(super) fn of_version(owner: &FileOrigin, kind: SystemKind) -> String {
    let newer = match kind {
        SystemKind::Lambda => "choose a newer runtime with --runtime",
        SystemKind::Image => "choose a newer base with --base",
    };
    match owner {
        FileOrigin::Distribution(distribution) => {
            format!("{newer}, or lock a version of {} whose wheel needs less", distribution.name)
        }
        FileOrigin::Application => format!("{newer}, or compile it on a system as old as the target's"),
    }
}
