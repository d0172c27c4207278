//! An interpreter at work, and what is said between it and us.

use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{BytecodeError, BytecodeInterpreter};

/// What the interpreter runs.
const PROGRAM: &str = include_str!("compile.py");

/// An interpreter that runs `compile.py`.
#[derive(Debug)]
pub(super) struct CompilerProcess {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    interpreter: BytecodeInterpreter,
}

impl Drop for CompilerProcess {
    /// It has nothing to lose.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl CompilerProcess {
    /// Starts an interpreter.
    pub(super) fn start(interpreter: &BytecodeInterpreter) -> Result<Self, BytecodeError> {
        let failed = |error| BytecodeError::Run(interpreter.path.clone(), error);
        let (mut child, questions, answers) = spawn(&interpreter.path).map_err(failed)?;
        let mut answers = BufReader::new(answers);
        let identity = receive(&mut answers);
        if identity.as_deref().ok() != Some(interpreter.identity.as_bytes()) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(BytecodeError::Changed(interpreter.path.clone()));
        }
        Ok(Self { child, questions, answers, interpreter: interpreter.clone() })
    }

    /// Has a source compiled; the answer is empty if it cannot be.
    pub(super) fn compile(&mut self, name: &str, source: &[u8]) -> Result<Vec<u8>, BytecodeError> {
        let asked = send(&mut self.questions, name.as_bytes()).and_then(|()| send(&mut self.questions, source));
        let program = &self.interpreter.path;
        match asked.and_then(|()| receive(&mut self.answers)) {
            Ok(answer) => Ok(answer),
            Err(_) => match self.child.wait() {
                Ok(status) => Err(BytecodeError::Ended { program: program.clone(), status, file: name.to_owned() }),
                Err(error) => Err(BytecodeError::Run(program.clone(), error)),
            },
        }
    }
}

/// Asks a program what interpreter it is.
pub(super) fn identity(program: &Path) -> io::Result<String> {
    let (mut child, questions, mut answers) = spawn(program)?;
    let identity = receive(&mut answers);
    drop(questions);
    let _ = child.kill();
    child.wait()?;
    String::from_utf8(identity?).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn spawn(program: &Path) -> io::Result<(Child, ChildStdin, ChildStdout)> {
    let mut command = Command::new(program);
    // Isolated, without site-packages, without writing bytecode, without warnings of what is compiled.
    command.args(["-I", "-S", "-B", "-W", "ignore", "-c", PROGRAM]).env_clear().current_dir("/");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(questions), Some(answers)) => Ok((child, questions, answers)),
        _ => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

/// Sends a text or a file after its length.
fn send(output: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    output.write_all(&length.to_le_bytes())?;
    output.write_all(bytes)
}

/// Receives what [`send`] sends.
fn receive(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u64::from(u32::from_le_bytes(length));
    let mut bytes = Vec::new();
    // The length is not trusted with memory before the bytes are there.
    match input.take(length).read_to_end(&mut bytes)? as u64 == length {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
