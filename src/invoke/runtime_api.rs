//! The runtime API: the server that a runtime client asks for events, and sends answers and errors to.
//!
//! Specification: [AWS, Using the Lambda runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, mpsc};

use super::FunctionError;
use super::process::{Emit, ProcessEvent};

/// The version of the API, with which every path begins.
const VERSION: &str = "/2018-06-01/runtime/";

/// The largest answer of a function, in bytes
/// ([AWS, Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)).
const LARGEST_ANSWER: usize = 6_291_556;

/// The largest head of a request, in bytes: awslambdaric sends the cause of an error in a header of up to 1 MiB.
const LARGEST_HEAD: usize = 2 << 20;

/// A running server, on a port of the loopback interface.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    pub(super) address: SocketAddr,
    invocations: mpsc::UnboundedSender<EventRequest>,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

/// An event that the client has not asked for yet.
#[derive(Debug)]
struct EventRequest {
    id: String,
    event: Bytes,
    timeout: Duration,
}

/// What the connections of a client share.
struct ApiState {
    function_arn: String,
    invocations: Mutex<mpsc::UnboundedReceiver<EventRequest>>,
    emit: Emit,
}

impl RuntimeApi {
    /// Starts a server for one process of a function. What the client sends is emitted.
    ///
    /// # Errors
    /// No thread can be started, or no port is free.
    pub(super) fn start(function_arn: &str, emit: Emit) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let (invocations, receiver) = mpsc::unbounded_channel();
        let state = ApiState { function_arn: function_arn.to_owned(), invocations: Mutex::new(receiver), emit };
        runtime.spawn(serve(listener, Arc::new(state)));
        Ok(Self { address, invocations, runtime: Some(runtime) })
    }

    /// Gives the client an event, when it asks for one.
    pub(super) fn invoke(&self, id: &str, event: &[u8], timeout: Duration) {
        let request = EventRequest { id: id.to_owned(), event: Bytes::copy_from_slice(event), timeout };
        // The receiver lives as long as the server.
        let _ = self.invocations.send(request);
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Returns a random request ID, a version 4 UUID.
pub(super) fn request_id() -> String {
    uuid::Builder::from_random_bytes(random()).into_uuid().to_string()
}

fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    // Without random bytes, the ID is not unique, which matters to nothing here.
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes
}

async fn serve(listener: TcpListener, state: Arc<ApiState>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, Arc::clone(&state)));
    }
}

async fn connection(stream: TcpStream, state: Arc<ApiState>) {
    // Otherwise the head and the body of an answer may be 40 ms apart.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(answer(&state, request).await) }
    });
    // A client that is ended breaks its connection.
    let _ = http1::Builder::new().max_buf_size(LARGEST_HEAD).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(state: &ApiState, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let Some(path) = request.uri().path().strip_prefix(VERSION) else { return status(StatusCode::NOT_FOUND) };
    let parts: Vec<&str> = path.split('/').collect();
    match (request.method(), &parts[..]) {
        (&Method::GET, ["invocation", "next"]) => next(state).await,
        (&Method::POST, ["invocation", _, "response"]) => {
            match Limited::new(request.into_body(), LARGEST_ANSWER).collect().await {
                Ok(body) => state.send(ProcessEvent::Answered(body.to_bytes().to_vec()), StatusCode::ACCEPTED),
                Err(_) => {
                    let message = format!("the answer has more than {LARGEST_ANSWER} bytes");
                    let error = FunctionError::new("Function.ResponseSizeTooLarge", message);
                    state.send(ProcessEvent::Failed(error), StatusCode::PAYLOAD_TOO_LARGE)
                }
            }
        }
        (&Method::POST, ["invocation", _, "error"] | ["init" | "restore", "error"]) => {
            match Limited::new(request.into_body(), LARGEST_ANSWER).collect().await {
                // awslambdaric expects this status exactly.
                Ok(body) => state.send(ProcessEvent::Failed(error(&body.to_bytes())), StatusCode::ACCEPTED),
                Err(_) => status(StatusCode::PAYLOAD_TOO_LARGE),
            }
        }
        // SnapStart's, which restores nothing here.
        (&Method::GET, ["restore", "next"]) => status(StatusCode::OK),
        _ => status(StatusCode::NOT_FOUND),
    }
}

impl ApiState {
    fn send(&self, event: ProcessEvent, code: StatusCode) -> Response<Full<Bytes>> {
        (self.emit)(event);
        status(code)
    }
}

/// Answers with the next event, when there is one.
async fn next(state: &ApiState) -> Response<Full<Bytes>> {
    (state.emit)(ProcessEvent::Ready);
    let Some(request) = state.invocations.lock().await.recv().await else {
        return status(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let trace = format!("Root=1-{:08x}-{};Sampled=0", now.as_secs(), hex::encode(random::<12>()));
    let response = Response::builder()
        // With a charset, awslambdaric does not parse the event.
        .header(CONTENT_TYPE, "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", &request.id)
        .header("Lambda-Runtime-Deadline-Ms", (now + request.timeout).as_millis().to_string())
        .header("Lambda-Runtime-Invoked-Function-Arn", &state.function_arn)
        .header("Lambda-Runtime-Trace-Id", trace);
    response.body(Full::new(request.event)).unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
}

fn status(code: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"{\"status\":\"OK\"}\n")));
    *response.status_mut() = code;
    response
}

/// Reads an error as the client sends it.
fn error(body: &[u8]) -> FunctionError {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    #[derive(Default)]
    struct SentError {
        error_message: Option<String>,
        error_type: Option<String>,
        stack_trace: Option<Vec<String>>,
    }
    let sent: SentError = serde_json::from_slice(body).unwrap_or_default();
    FunctionError {
        kind: sent.error_type.unwrap_or_else(|| "Runtime.Unknown".to_owned()),
        message: sent.error_message.unwrap_or_default(),
        stack_trace: sent.stack_trace.unwrap_or_default(),
    }
}
