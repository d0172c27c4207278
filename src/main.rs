//! The `pybundle` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    pybundle::cli::main()
}
