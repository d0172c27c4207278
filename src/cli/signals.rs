//! What happens when a user or a supervisor stops pybundle.

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{process, ptr, thread};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::printer::Printer;
use crate::{invoke, temporary};

/// The signals that end a process and that programs handle to remove what they leave.
const SIGNALS: [(i32, &str); 3] = [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP")];

/// Whether a signal is ending the process.
static IS_STOPPING: AtomicBool = AtomicBool::new(false);

/// Whether a signal is how the command is meant to end.
static IS_ENDLESS: AtomicBool = AtomicBool::new(false);

/// From now on, a signal removes temporary files and ends the process with the status that shells give for it: 128 and the
/// signal's number. A signal that is ignored stays so: `nohup` ignores SIGHUP, and shells SIGINT for jobs in the background.
///
/// # Errors
/// The signals cannot be handled.
pub(super) fn handle(command: String, printer: Printer) -> io::Result<()> {
    let handled = SIGNALS.into_iter().filter(|(signal, _)| !is_ignored(*signal));
    let mut signals = Signals::new(handled.map(|(signal, _)| signal))?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            stop(signal, &command, printer);
        }
    });
    Ok(())
}

/// From now on, a signal ends the command without an error message, since nothing else does. The exit status stays that of the
/// signal, as scripts expect of what Ctrl-C stops.
pub(super) fn run_until_a_signal() {
    IS_ENDLESS.store(true, Ordering::SeqCst);
}

/// Waits for the end of the process if a signal is ending it: what the signal stops, such as a container, must not make the command
/// end first with a status of its own.
pub(super) fn leave_the_end_to_a_signal() {
    while IS_STOPPING.load(Ordering::SeqCst) {
        thread::park();
    }
}

#[expect(clippy::exit, reason = "a signal ends the process while other threads are at work")]
fn stop(signal: i32, command: &str, printer: Printer) -> ! {
    IS_STOPPING.store(true, Ordering::SeqCst);
    let name = SIGNALS.iter().find(|(known, _)| *known == signal).map_or("a signal", |(_, name)| name);
    // Before their files are removed.
    invoke::end_all();
    let _held = temporary::remove_all();
    let is_early = !IS_ENDLESS.load(Ordering::SeqCst);
    let message = is_early.then(|| format!("`pybundle {command}` was stopped by {name} before it was done"));
    printer.stopped(message);
    process::exit(128 + signal)
}

/// Returns whether a signal is ignored, which processes inherit.
#[expect(unsafe_code, reason = "there is no safe function that returns the action of a signal")]
fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action, sigaction(2) only writes the present one to `action`, which has the type for it and is
    // read only if that succeeded.
    unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
