//! A process that runs `compile.py`, and the protocol for talking to it.

use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::BytecodeError;
use crate::interpreter::{IDENTITY, PythonInterpreter};

const PROGRAM: &str = include_str!("compile.py");

#[derive(Debug)]
pub(super) struct CompilerProcess {
    child: Child,
    requests: ChildStdin,
    responses: BufReader<ChildStdout>,
    interpreter: PythonInterpreter,
}

impl Drop for CompilerProcess {
    /// Kills the process, which writes no files that could be left incomplete.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl CompilerProcess {
    pub(super) fn start(interpreter: &PythonInterpreter) -> Result<Self, BytecodeError> {
        let spawned = spawn(&interpreter.path);
        let (mut child, requests, responses) =
            spawned.map_err(|error| BytecodeError::Run(interpreter.path.clone(), error))?;
        let mut responses = BufReader::new(responses);
        let identity = receive(&mut responses);
        if identity.as_deref().ok() != Some(interpreter.identity.as_bytes()) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(BytecodeError::Changed(interpreter.path.clone()));
        }
        Ok(Self { child, requests, responses, interpreter: interpreter.clone() })
    }

    /// Compiles a source; returns nothing if it cannot be compiled.
    pub(super) fn compile(&mut self, name: &str, source: &[u8]) -> Result<Vec<u8>, BytecodeError> {
        let sent = send(&mut self.requests, name.as_bytes()).and_then(|()| send(&mut self.requests, source));
        let program = &self.interpreter.path;
        match sent.and_then(|()| receive(&mut self.responses)) {
            Ok(bytecode) => Ok(bytecode),
            Err(_) => match self.child.wait() {
                Ok(status) => Err(BytecodeError::Failed { program: program.clone(), status, file: name.to_owned() }),
                Err(error) => Err(BytecodeError::Run(program.clone(), error)),
            },
        }
    }
}

fn spawn(program: &Path) -> io::Result<(Child, ChildStdin, ChildStdout)> {
    let mut command = Command::new(program);
    // -I: isolated from the user's settings. -S: no site-packages. -B: no bytecode files. -W ignore: no syntax warnings.
    command
        .args(["-I", "-S", "-B", "-W", "ignore", "-c", &format!("{IDENTITY}\n{PROGRAM}")])
        .env_clear()
        .current_dir("/");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(requests), Some(responses)) => Ok((child, requests, responses)),
        _ => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

/// Sends a string after its length.
fn send(output: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    output.write_all(&length.to_le_bytes())?;
    output.write_all(bytes)
}

/// Receives a string that was sent like by [`send`].
fn receive(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u64::from(u32::from_le_bytes(length));
    let mut bytes = Vec::new();
    // Memory is not allocated for the length in advance: it may be garbage if the program is not an interpreter.
    if input.take(length).read_to_end(&mut bytes)? as u64 == length {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
