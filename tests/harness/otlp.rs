//! Sends requests of OpenTelemetry as its exporters do: over HTTP in both encodings, packed or not, and over gRPC.

pub(crate) mod json;

use std::fmt;
use std::io::Write as _;
use std::path::Path;

use bytes::Bytes;
use h2::client;
use http::{HeaderMap, Method, Request};
use tokio::net::TcpStream;

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Protobuf over HTTP.
    Protobuf,
    /// JSON over HTTP.
    Json,
    /// Protobuf over HTTP, packed.
    Gzip,
    /// JSON over HTTP, packed.
    JsonGzip,
    /// gRPC.
    Grpc,
}

const WORKSPACE: &str = "opstream-workspace";

impl Way {
    /// Each of them.
    pub(crate) const ALL: [Self; 5] = [Self::Protobuf, Self::Json, Self::Gzip, Self::JsonGzip, Self::Grpc];
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The request of an exporter, kept as it was sent.
pub(crate) fn captured(folder: &Path) -> Vec<u8> {
    let file = folder.join("001_v1_traces.bin");
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Sends spans of a workspace to `address`, which is `IP:PORT`.
///
/// # Errors
/// What is answered unless all of them are taken.
pub(crate) async fn send_spans(address: &str, (way, workspace): (Way, &str), spans: &[u8]) -> Result<(), String> {
    if way == Way::Grpc {
        return export(address, workspace, spans).await;
    }
    let is_json = matches!(way, Way::Json | Way::JsonGzip);
    let body = if is_json { json::of_traces(spans).to_string().into_bytes() } else { spans.to_vec() };
    let (content_type, full_success) =
        if is_json { ("application/json", "{}") } else { ("application/x-protobuf", "") };
    let request = reqwest::Client::new().post(format!("http://{address}/v1/traces"));
    let request = request.header("content-type", content_type).header(WORKSPACE, workspace);
    let request = match way {
        Way::Gzip | Way::JsonGzip => request.header("content-encoding", "gzip").body(packed(&body)),
        _ => request.body(body),
    };
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let (status, text) = (answer.status(), answer.text().await.map_err(|error| error.to_string())?);
    if status == 200 && text == full_success { Ok(()) } else { Err(format!("{way}: {status} {text:?}")) }
}

fn packed(body: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(body).expect("writing into memory does not fail");
    packer.finish().expect("writing into memory does not fail")
}

/// The call of gRPC whose answer is an empty message when all are taken.
async fn export(address: &str, workspace: &str, spans: &[u8]) -> Result<(), String> {
    let broken = |error: h2::Error| error.to_string();
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (client, connection) = client::handshake(stream).await.map_err(broken)?;
    let connection = tokio::task::JoinSet::from_iter([connection]);
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{address}/opentelemetry.proto.collector.trace.v1.TraceService/Export"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header(WORKSPACE, workspace)
        .body(())
        .expect("the address is one of a URI");
    let (answer, mut body) = client.ready().await.map_err(broken)?.send_request(request, false).map_err(broken)?;
    let length = u32::try_from(spans.len()).expect("a request is small").to_be_bytes();
    body.send_data(Bytes::from([&[0], &length[..], spans].concat()), true).map_err(broken)?;
    let answer = answer.await.map_err(broken)?;
    let (status, headers, mut body) = (answer.status(), answer.headers().clone(), answer.into_body());
    let mut received = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(broken)?;
        body.flow_control().release_capacity(piece.len()).map_err(broken)?;
        received.extend_from_slice(&piece);
    }
    let trailers = body.trailers().await.map_err(broken)?.unwrap_or_default();
    drop(connection);
    let said = |headers: &HeaderMap| headers.get("grpc-status").map(|status| status.as_bytes() == b"0");
    if status == 200 && said(&trailers) == Some(true) && received == [0; 5] {
        return Ok(());
    }
    Err(format!("{status}, headers {headers:?}, message {received:?}, trailers {trailers:?}"))
}
