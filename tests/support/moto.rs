//! moto as a stand-in for AWS: it issues tokens of ECR and creates repositories.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

/// Returns the path of an executable in the tests' virtual environment.
pub fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/venv/bin").join(name);
    assert!(path.exists(), "{} is missing: run scripts/setup-tests", path.display());
    path
}

/// moto's server, which stops on drop.
pub struct Moto {
    server: Child,
    pub url: String,
}

impl Moto {
    /// Starts the server on a free port.
    pub fn start() -> Self {
        let mut command = Command::new(program("moto_server"));
        command.args(["-H", "127.0.0.1", "-p", "0"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| Some(line.split_once("Running on ")?.1.to_owned()));
        // The server logs every request, and would fail if the pipe were closed.
        thread::spawn(move || lines.for_each(drop));
        Self { server, url: url.expect("moto_server prints its address") }
    }

    /// Returns the names of the repositories that boto3 lists.
    pub fn repositories(&self) -> String {
        let code = "import boto3, sys
ecr = boto3.client('ecr', endpoint_url=sys.argv[1], region_name='eu-west-1')
print(*(f\"{each['registryId']}/{each['repositoryName']}\" for each in ecr.describe_repositories()['repositories']))";
        let mut python = Command::new(program("python3"));
        python.args(["-c", code, &self.url]).env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
        let output = python.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
