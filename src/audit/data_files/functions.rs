//! What functions do with the paths that they are given.

/// What a function does with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathEffect {
    /// It fails if the path does not exist.
    Reads,
    /// It reads or writes, as its mode says: the second argument, or the one named `mode`.
    Opens,
    /// It tells whether the path exists, creates it, or accepts that it does not exist.
    Handles,
}

/// Functions that open a file with a mode.
const OPENS: &[&str] = &[
    "PIL.Image.open",
    "anyio.open_file",
    "aiofiles.open",
    "builtins.open",
    "bz2.open",
    "codecs.open",
    "gzip.open",
    "io.open",
    "lzma.open",
    "open",
    "tarfile.open",
    "wave.open",
    "zipfile.ZipFile",
];

/// Functions whose first argument, or the one with one of the names below, is a file that must exist.
const READS: &[&str] = &[
    "alembic.config.Config",
    "fasttext.load_model",
    "geoip2.database.Reader",
    "joblib.load",
    "keras.models.load_model",
    "lightgbm.Booster",
    "logging.config.fileConfig",
    "maxminddb.open_database",
    "numpy.genfromtxt",
    "numpy.load",
    "numpy.loadtxt",
    "onnxruntime.InferenceSession",
    "os.listdir",
    "os.scandir",
    "pandas.read_csv",
    "pandas.read_excel",
    "pandas.read_feather",
    "pandas.read_json",
    "pandas.read_parquet",
    "pandas.read_pickle",
    "pandas.read_table",
    "pandas.read_xml",
    "polars.read_csv",
    "polars.read_json",
    "polars.read_parquet",
    "polars.scan_csv",
    "polars.scan_parquet",
    "runpy.run_path",
    "tensorflow.keras.models.load_model",
    "tflite_runtime.interpreter.Interpreter",
    "torch.load",
];

/// Methods that read the file that they are given, whatever the object is.
const READING_METHODS: &[&str] = &["load_cert_chain", "load_model", "load_verify_locations"];

/// The names of arguments that are files to read.
pub(super) const FILE_ARGUMENTS: [&str; 7] =
    ["certfile", "file", "file_", "fname", "keyfile", "model_file", "model_path"];

const HANDLES: &[&str] = &[
    "dotenv.dotenv_values",
    "dotenv.find_dotenv",
    "dotenv.load_dotenv",
    "logging.FileHandler",
    "logging.basicConfig",
    "logging.handlers.RotatingFileHandler",
    "logging.handlers.TimedRotatingFileHandler",
    "logging.handlers.WatchedFileHandler",
    "os.access",
    "os.chdir",
    "os.makedirs",
    "os.mkdir",
    "os.path.exists",
    "os.path.getmtime",
    "os.path.getsize",
    "os.path.isdir",
    "os.path.isfile",
    "os.path.islink",
    "os.path.lexists",
    "os.remove",
    "os.rename",
    "os.replace",
    "os.rmdir",
    "os.stat",
    "os.unlink",
    "os.walk",
    "site.addsitedir",
    "sqlite3.connect",
    "sys.path.append",
    "sys.path.extend",
    "sys.path.insert",
];

/// Methods of paths that check, create or remove them, and methods of other objects that accept a missing file, such as
/// `ConfigParser.read`.
const HANDLING_METHODS: &[&str] = &[
    "chmod",
    "exists",
    "hardlink_to",
    "is_dir",
    "is_file",
    "is_symlink",
    "lstat",
    "mkdir",
    "read_env",
    "rename",
    "replace",
    "rmdir",
    "stat",
    "symlink_to",
    "touch",
    "unlink",
    "write_bytes",
    "write_text",
];

/// The beginnings of the names of functions and methods that write.
const WRITING: [&str; 9] = ["copy", "download", "dump", "export", "extract", "move", "save", "to_", "write"];

/// Returns what a function does with its arguments, by its dotted name.
pub(super) fn effect_of_function(function: &str) -> Option<PathEffect> {
    if OPENS.contains(&function) {
        Some(PathEffect::Opens)
    } else if READS.contains(&function) {
        Some(PathEffect::Reads)
    } else if HANDLES.contains(&function) || function.starts_with("shutil.") || function.starts_with("tempfile.") {
        Some(PathEffect::Handles)
    } else {
        None
    }
}

/// Returns what a method of an object that is not known does with its arguments.
pub(super) fn effect_of_method_of_any(name: &str) -> Option<PathEffect> {
    READING_METHODS.contains(&name).then_some(PathEffect::Reads)
}

/// Returns whether a function or method, of any object, writes the files that it is given or accepts that they are missing, by
/// the last component of its name.
pub(super) fn writes(name: &str) -> bool {
    HANDLING_METHODS.contains(&name) || WRITING.iter().any(|beginning| name.starts_with(beginning))
}

/// Returns what a method of a path does with the path.
pub(super) fn effect_of_method(name: &str) -> Option<PathEffect> {
    match name {
        "open" => Some(PathEffect::Opens),
        "read_bytes" | "read_text" | "iterdir" => Some(PathEffect::Reads),
        _ if HANDLING_METHODS.contains(&name) => Some(PathEffect::Handles),
        _ => None,
    }
}

/// Returns whether a mode of `open` requires the file to exist.
pub(super) fn mode_reads(mode: &str) -> bool {
    !mode.contains(['w', 'a', 'x'])
}

/// Returns whether what has a name in settings may be missing: Django's directories for collectstatic, loaddata and
/// uploads, and the files of pydantic-settings and Dynaconf.
pub(super) fn is_optional(name: &str) -> bool {
    const NAMES: [&str; 11] = [
        "FIXTURE_DIRS",
        "MEDIA_ROOT",
        "STATICFILES_DIRS",
        "STATIC_ROOT",
        "dotenv_path",
        "env_file",
        "includes",
        "json_file",
        "settings_files",
        "toml_file",
        "yaml_file",
    ];
    NAMES.contains(&name)
}

/// Returns whether the name of a file or of a directory above it says that it is private, or written by the application
/// itself.
pub(super) fn is_written_at_run_time(components: &[String]) -> bool {
    const DIRECTORIES: [&str; 16] = [
        "__pycache__",
        "build",
        "cache",
        "dist",
        "log",
        "logs",
        "media",
        "out",
        "output",
        "run",
        "staticfiles",
        "temp",
        "tmp",
        "uploads",
        "var",
        "venv",
    ];
    const SUFFIXES: [&str; 8] = [".cache", ".db", ".lock", ".log", ".pid", ".sock", ".sqlite", ".sqlite3"];
    let is_hidden = components.iter().any(|component| component.starts_with('.'));
    let is_output = components.iter().any(|component| DIRECTORIES.contains(&&**component));
    let name = components.last().map(String::as_str).unwrap_or_default();
    is_hidden || is_output || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}
