//! A real browser, without a window.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The names that a browser of the Chromium family has.
const NAMES: [&str; 4] = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

/// What is done before a page's own script runs: errors are kept.
const BEFORE: &str =
    "<script>window.errors = []; addEventListener('error', (event) => errors.push(String(event.message)));
addEventListener('securitypolicyviolation', (event) => errors.push('blocked: ' + event.violatedDirective));</script>";

/// Opens a page in a window of some size, runs a script in it, and returns what that returns. Nothing may go wrong in
/// the page.
pub fn run(page: &Path, (width, height): (u32, u32), is_dark: bool, script: &str) -> Value {
    let text = fs::read_to_string(page).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("page.html");
    let after = format!(
        "<script>const ran = async () => {{ {script} }};
        addEventListener('load', () => setTimeout(async () => {{
            let result;
            try {{ result = {{ value: await ran(), errors }}; }} catch (error) {{ result = {{ errors: [String(error.stack)] }}; }}
            document.documentElement.textContent = 'RESULT' + btoa(unescape(encodeURIComponent(JSON.stringify(result)))) + 'END';
        }}, 50));</script></body>"
    );
    assert_eq!(text.matches("</body>").count(), 1, "something closes the body early");
    fs::write(&copy, text.replacen("<head>", &format!("<head>{BEFORE}"), 1).replacen("</body>", &after, 1)).unwrap();
    let name = NAMES.iter().find(|name| Command::new(name).arg("--version").output().is_ok());
    let name = name.unwrap_or_else(|| panic!("there is none of {}: run scripts/setup-tests", NAMES.join(", ")));
    let mut command = Command::new(name);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom"]);
    command.args(["--enable-logging=stderr", "--virtual-time-budget=10000"]);
    command
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--user-data-dir={}", directory.path().display()));
    command.arg(format!("--blink-settings=preferredColorScheme={}", if is_dark { 0 } else { 1 }));
    let output = command.arg(format!("file://{}", copy.display())).output().unwrap();
    let dom = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let console: Vec<&str> = said.lines().filter(|line| line.contains(":CONSOLE")).collect();
    assert!(console.is_empty(), "{console:#?}");
    let encoded = dom.split_once("RESULT").and_then(|(_, rest)| rest.split_once("END"));
    let (encoded, _) = encoded.unwrap_or_else(|| panic!("the script never ended: {said}\n{dom:.400}"));
    use base64::Engine as _;
    let result = base64::prelude::BASE64_STANDARD.decode(encoded).unwrap();
    let mut result: Value = serde_json::from_slice(&result).unwrap();
    assert_eq!(result["errors"], serde_json::json!([]));
    result["value"].take()
}
