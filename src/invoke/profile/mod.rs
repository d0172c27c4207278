//! What the imports of a function cost when it starts, and what would cost less.
//!
//! The function is started several times, in turn with variants of it: with bytecode, and without an import that only its
//! functions need. So their times are compared under the same load. No start gets an event.

mod import_times;
mod lazy_imports;
mod modules;

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

pub(crate) use modules::{ModuleOrigin, ProfiledModule};

use self::import_times::ImportTimes;
use self::lazy_imports::LazyVariant;
use self::modules::FunctionImports;
use super::function::{FunctionProgram, LocalFunction};
use super::process::{FunctionProcess, ProcessEvent};
use super::{FunctionError, InvocationOutcome, InvokeError, LAST_LINES, MEASURED, RunningInvocation, write};
use crate::pipeline::ProjectCache;

/// How often each variant is started, unless that takes long.
const STARTS: usize = 5;

/// How often each variant is started at least.
const FEWEST_STARTS: usize = 3;

/// After how long no variant is started again.
const LONGEST: Duration = Duration::from_secs(10);

/// By which part of the initialization a variant must be faster. Less is within what times vary from one start to the next.
const GAIN: f64 = 0.03;

/// What the imports of a function cost.
#[derive(Debug)]
pub(crate) struct ImportProfile {
    /// How many starts the times are medians of.
    pub(crate) starts: usize,
    /// From the start of the process until it asked for an event; `None` if it never did.
    pub(crate) initialization: Option<Duration>,
    /// The modules that the handler's module imports, and itself, by their own time, the largest first.
    pub(crate) modules: Vec<ProfiledModule>,
    pub(crate) remedies: Vec<StartRemedy>,
    /// Why the function cannot be initialized.
    pub(crate) failure: Option<FunctionError>,
}

/// What makes a function start faster, or smaller.
#[derive(Debug)]
pub(crate) enum StartRemedy {
    /// Bytecode in the artifact, which has none.
    Bytecode {
        /// With it.
        initialization: Duration,
        /// How much larger the unpacked files are, in bytes.
        size: u64,
    },
    /// An import in the functions that use it.
    LazyImport {
        /// The path of the module in the function, and the line.
        path: String,
        line: usize,
        statement: String,
        /// Without it, until one of these functions is called.
        initialization: Duration,
    },
    /// Distributions that the runtime provides.
    ExcludeRuntime {
        /// With their versions.
        distributions: Vec<String>,
        /// The size of their files in bytes.
        size: u64,
    },
}

impl ImportProfile {
    /// Returns the time of all imports.
    pub(crate) fn import_time(&self) -> Duration {
        self.modules.iter().map(|module| module.own).sum()
    }
}

/// A start that was measured.
struct ProfiledStart {
    times: ImportTimes,
    /// How long the initialization took, or why it failed.
    initialization: Result<Duration, FunctionError>,
}

/// Something else than the function as it is.
enum Variant {
    WithBytecode(Box<LocalFunction>),
    LazyImport(LazyVariant),
}

/// Starts a function several times, and measures its imports. What it prints at the first start goes to `log`.
///
/// # Errors
/// It cannot be started, its variants cannot be built or written, or the log cannot be written.
pub(crate) fn profile_imports(
    function: &LocalFunction,
    projects: &ProjectCache,
    log: &mut dyn Write,
) -> Result<ImportProfile, InvokeError> {
    // The first start reads files that later ones find in memory.
    let first = ProfiledStart::new(function, &mut |line| write(log, line))?;
    let imports = FunctionImports::new(function, first.times);
    if let Err(failure) = first.initialization {
        let modules = imports.modules(function, &[]);
        return Ok(ImportProfile {
            starts: 1,
            initialization: None,
            modules,
            remedies: Vec::new(),
            failure: Some(failure),
        });
    }
    let with_bytecode = function.with_bytecode(projects)?.map(|variant| Variant::WithBytecode(Box::new(variant)));
    let lazy = lazy_imports::find(function, &imports).into_iter().map(Variant::LazyImport);
    let mut variants: Vec<(Variant, Vec<Duration>)> =
        with_bytecode.into_iter().chain(lazy).map(|variant| (variant, Vec::new())).collect();
    let (mut starts, mut initializations) = (Vec::new(), Vec::new());
    let started = Instant::now();
    while starts.len() < FEWEST_STARTS || starts.len() < STARTS && started.elapsed() < LONGEST {
        let start = ProfiledStart::new(function, &mut |_| Ok(()))?;
        match start.initialization {
            Ok(initialization) => initializations.push(initialization),
            // It does not always start.
            Err(failure) => {
                let modules = imports.modules(function, &[]);
                let (initialization, remedies) = (None, Vec::new());
                return Ok(ImportProfile { starts: 1, initialization, modules, remedies, failure: Some(failure) });
            }
        }
        starts.push(start.times);
        let mut running = Vec::new();
        for (variant, mut times) in variants {
            // A function that is called at the start may need the import.
            if let Ok(time) = variant.start(function)? {
                times.push(time);
                running.push((variant, times));
            }
        }
        variants = running;
    }
    let count = starts.len();
    let initialization = median(initializations);
    let faster = variants.into_iter().filter_map(|(variant, times)| {
        let with = median(times);
        let gain = initialization.saturating_sub(with).as_secs_f64();
        (gain > GAIN * initialization.as_secs_f64()).then(|| variant.remedy(function, with))
    });
    Ok(ImportProfile {
        starts: count,
        initialization: Some(initialization),
        modules: imports.modules(function, &starts),
        remedies: faster.chain(exclude_runtime(function)).collect(),
        failure: None,
    })
}

impl ProfiledStart {
    /// Starts a function, and ends it when it asks for an event. What it prints goes to `log`.
    fn new(
        function: &LocalFunction,
        log: &mut dyn FnMut(&[u8]) -> Result<(), InvokeError>,
    ) -> Result<Self, InvokeError> {
        let (sender, events) = mpsc::channel();
        // Nobody listens any more when the start is measured.
        let emit = Arc::new(move |event| drop(sender.send(event)));
        let process = FunctionProcess::start(function, FunctionProgram::Profile, emit)?;
        let mut invocation = RunningInvocation::new(function.limits(), b"");
        let mut times = ImportTimes::default();
        let mut read = |line: &[u8]| match times.read(line) {
            [] => Ok(()),
            rest => log(rest),
        };
        let initialization = loop {
            let outcome = match events.recv_timeout(MEASURED) {
                Ok(ProcessEvent::Ready) => break Ok(invocation.started.elapsed()),
                Ok(ProcessEvent::Log(line)) => {
                    read(&line)?;
                    None
                }
                Ok(event) => invocation.handle(event, &process.api),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Err(InvokeError::Disconnected),
            };
            if let Some(InvocationOutcome::Failed(error)) =
                outcome.or_else(|| invocation.check_limits(Some(process.id())))
            {
                break Err(error);
            }
        };
        process.end();
        while let Ok(event) = events.recv_timeout(LAST_LINES) {
            if let ProcessEvent::Log(line) = event {
                read(&line)?;
            }
        }
        Ok(Self { times, initialization })
    }
}

impl Variant {
    /// Starts the variant of a function. Returns how long the initialization took, or why it failed.
    fn start(&self, function: &LocalFunction) -> Result<Result<Duration, FunctionError>, InvokeError> {
        let start = match self {
            Self::WithBytecode(function) => ProfiledStart::new(function, &mut |_| Ok(()))?,
            Self::LazyImport(variant) => variant.during(|| ProfiledStart::new(function, &mut |_| Ok(())))?,
        };
        Ok(start.initialization)
    }

    /// Returns what makes this variant of a function.
    fn remedy(self, function: &LocalFunction, initialization: Duration) -> StartRemedy {
        match self {
            Self::WithBytecode(with) => {
                let size = with.unpacked.size().saturating_sub(function.unpacked.size());
                StartRemedy::Bytecode { initialization, size }
            }
            Self::LazyImport(LazyVariant { path, line, statement, .. }) => {
                StartRemedy::LazyImport { path: path.to_string(), line, statement, initialization }
            }
        }
    }
}

/// Returns that the distributions of the runtime may be excluded, if the function has some.
fn exclude_runtime(function: &LocalFunction) -> Option<StartRemedy> {
    let provided = &function.unpacked.profile.runtime_distributions;
    let mut distributions = Vec::new();
    let mut size = 0;
    for (distribution, bytes) in function.unpacked.distributions() {
        if provided.contains(&distribution.name) {
            distributions.push(distribution.to_string());
            size += bytes;
        }
    }
    (!distributions.is_empty() && !function.excludes_runtime())
        .then_some(StartRemedy::ExcludeRuntime { distributions, size })
}

/// Returns the median of times.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let middle = times.len() / 2;
    match times.len() {
        0 => Duration::ZERO,
        length if length % 2 == 1 => times[middle],
        _ => (times[middle - 1] + times[middle]) / 2,
    }
}
