//! Options that are given to a command that lacks them, but that others have.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::help;

/// How many commands a hint names.
const NAMED: usize = 3;

/// Returns which commands have the option that the command line gives to another one; `None` if that is not the error, or if
/// none has it.
pub(super) fn hint(message: &clap::Error) -> Option<String> {
    if message.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(option)) = message.get(ContextKind::InvalidArg) else { return None };
    let name = option.strip_prefix("--")?;
    let commands = help::command();
    let having = commands.get_subcommands().filter(|command| !command.is_hide_set() && has_option(command, name));
    let having: Vec<String> = having.map(|command| format!("`pybundle {}`", command.get_name())).take(NAMED).collect();
    (!having.is_empty()).then(|| format!("{option} is an option of {}", having.join(", ")))
}

/// Removes the tip to give an option as the value of another one, if other commands have it.
pub(super) fn without_wrong_tip(mut message: clap::Error) -> clap::Error {
    if hint(&message).is_some() {
        message.remove(ContextKind::Suggested);
    }
    message
}

fn has_option(command: &Command, name: &str) -> bool {
    command.get_arguments().any(|argument| argument.get_long() == Some(name))
}
