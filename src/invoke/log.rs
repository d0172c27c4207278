//! What a function prints, as lines for a terminal.

use std::io::{BufRead, BufReader, Read};

/// The start of the client's warning before an error of initialization, which repeats Lambda's documentation.
const WARNING: &str = "LAMBDA_WARNING: Unhandled exception.";

/// How the client begins the error of a function.
const ERROR: &str = "[ERROR]";

/// What follows the message of an error, of which only the message may have several lines.
const TRACE: &str = "\rTraceback (most recent call last):";

/// Reads what a function prints, line by line, until it has ended.
pub(super) fn read(printed: impl Read, mut receive: impl FnMut(Vec<u8>)) {
    let mut printed = BufReader::new(printed);
    let mut line = Vec::new();
    while printed.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        if let Some(line) = shown(std::mem::take(&mut line)) {
            receive(line);
        }
    }
}

/// Returns a line as it is shown: the client joins the lines of an error by carriage returns and indents them by no-break
/// spaces, so that Lambda's log has it as one event.
fn shown(line: Vec<u8>) -> Option<Vec<u8>> {
    let Ok(text) = str::from_utf8(&line) else { return Some(line) };
    if text.contains(WARNING) {
        return None;
    }
    if text.starts_with(ERROR) || text.contains(TRACE) {
        return Some(text.replace('\r', "\n").replace('\u{a0}', " ").into_bytes());
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_client_are_lines() {
        let printed = "50 %\r100 %\nlast\n[ERROR] ValueError: no:\nyes\rTraceback (most recent call last):\r\u{a0}\u{a0}File \"a.py\"\n\
                       [WARNING]\t2026\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause\nend";
        let mut lines = Vec::new();
        read(printed.as_bytes(), |line| lines.push(String::from_utf8(line).unwrap()));
        let error = ["[ERROR] ValueError: no:\n", "yes\nTraceback (most recent call last):\n  File \"a.py\"\n"];
        assert_eq!(lines, ["50 %\r100 %\n", "last\n", error[0], error[1], "end"]);
    }
}
