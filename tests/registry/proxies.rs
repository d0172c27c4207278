//! Proxies: their errors are named as theirs, and `NO_PROXY` is read as by Docker.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::command::{fail, pybundle};
use crate::support::uv::Project;

/// A proxy that refuses every request with a status.
struct RefusingProxy {
    port: u16,
    /// The first line of each request.
    requests: Arc<Mutex<Vec<String>>>,
}

impl RefusingProxy {
    fn new(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                seen.lock().unwrap().extend(lines.next());
                // To the end of the headers.
                lines.find(String::is_empty);
                let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Self { port, requests }
    }

    /// Returns a command that reads an image of a registry that does not exist, through the proxy unless a list excludes it.
    fn inspect(&self, image: &str, no_proxy: &str) -> Command {
        let mut command = pybundle(&["inspect", image]);
        for name in ["HTTPS_PROXY", "HTTP_PROXY"] {
            command.env(name, format!("http://127.0.0.1:{}", self.port));
        }
        command.env("NO_PROXY", no_proxy).env("DOCKER_CONFIG", "/none");
        command
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

#[test]
fn a_proxy_that_requires_a_login_is_named() {
    let proxy = RefusingProxy::new("407 Proxy Authentication Required");
    let said = fail(&mut proxy.inspect("registry.invalid/app:1", ""));
    assert!(said.contains("the proxy refused to connect to registry.invalid"), "{said}");
    assert!(
        said.contains("hint: set the user name and the password of the proxy in the URL of HTTPS_PROXY and HTTP_PROXY"),
        "{said}"
    );
    // It is not asked again: the answer would be the same.
    assert_eq!(proxy.requests(), ["CONNECT registry.invalid:443 HTTP/1.1"]);
}

#[test]
fn a_proxy_that_cannot_connect_is_named() {
    let proxy = RefusingProxy::new("502 Bad Gateway");
    let said = fail(&mut proxy.inspect("registry.invalid/app:1", ""));
    assert!(said.contains("the proxy refused to connect to registry.invalid"), "{said}");
    assert!(said.contains("or add registry.invalid to NO_PROXY to connect without it"), "{said}");
}

#[test]
fn a_proxy_that_does_not_run_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let proxy = RefusingProxy { port: free, requests: Arc::default() };
    let said = fail(&mut proxy.inspect("registry.invalid/app:1", ""));
    assert!(
        said.contains("because: cannot reach the proxy to connect to registry.invalid\n  because: Connection refused"),
        "{said}"
    );
    assert!(said.contains("hint: check the address of the proxy in HTTPS_PROXY, or add registry.invalid to"), "{said}");
}

/// For plain HTTP, a proxy answers in the place of the server.
#[test]
fn a_proxy_that_answers_in_place_of_a_server_is_named() {
    for status in ["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"] {
        let proxy = RefusingProxy::new(status);
        let said = fail(
            proxy.inspect("registry.invalid:5000/app:1", "").args(["--insecure-registry", "registry.invalid:5000"]),
        );
        assert!(said.contains(&format!("the proxy returned {status} for registry.invalid:5000")), "{said}");
        let hint = "hint: check that the proxy of HTTP_PROXY reaches registry.invalid:5000, or add registry.invalid:5000 to \
                    NO_PROXY to connect without it";
        assert!(said.contains(hint), "{said}");
        // The hint is followed: it is no longer asked.
        let other = RefusingProxy::new(status);
        let mut excluded = other.inspect("registry.invalid:5000/app:1", "registry.invalid:5000");
        let said = fail(excluded.args(["--insecure-registry", "registry.invalid:5000"]));
        assert!(!said.contains("the proxy") && other.requests().is_empty(), "{said}");
    }
    let proxy = RefusingProxy::new("502 Bad Gateway");
    let project = Project::new(&[("requirements.txt", "six==1.17.0\n"), ("app.py", "")]);
    let mut plan = pybundle(&["plan", "--index-url", "http://index.invalid/simple"]);
    plan.env("HTTP_PROXY", format!("http://127.0.0.1:{}", proxy.port)).env("NO_PROXY", "").arg(project.path());
    let said = fail(&mut plan);
    assert!(said.contains("the proxy returned 502 Bad Gateway for index.invalid"), "{said}");
    assert!(said.contains("add index.invalid to NO_PROXY"), "{said}");
}

#[test]
fn excluded_hosts_are_not_asked_through_the_proxy() {
    for (list, is_excluded) in [
        ("registry.invalid:443", true),
        ("*.invalid", true),
        (".registry.invalid", true),
        (".invalid", true),
        ("registry.invalid:5000", false),
        ("*.registry.invalid", false),
    ] {
        let proxy = RefusingProxy::new("407 Proxy Authentication Required");
        let said = fail(&mut proxy.inspect("registry.invalid/app:1", list));
        // What failed, and why: what the HTTP library says in between adds nothing.
        assert_eq!(said.matches("because: ").count(), 2, "{said}");
        assert_eq!(proxy.requests().is_empty(), is_excluded, "{list}: {:?}", proxy.requests());
    }
}
