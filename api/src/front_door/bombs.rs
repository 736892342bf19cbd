//! Bodies of ten megabytes that stand for ten gigabytes, at every way in: each is refused before much of it was read.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::http::Request;
use flate2::write::GzEncoder;
use flate2::{Compression, FlushCompress};
use serde_json::json;

use crate::fixture::{Answer, Fixture, gzip};

/// What the bombs become: 320 times what a body may have.
const UNPACKED: usize = 10 << 30;
/// Zeros of one stretch of a bomb.
const STRETCH: usize = 10 << 20;

/// A packed body whose stretches are repeated until it stands for [`UNPACKED`] bytes.
struct Bomb {
    encoding: &'static str,
    head: Vec<u8>,
    stretch: Bytes,
    /// Packed bytes that were asked for.
    read: Arc<AtomicUsize>,
}

impl Bomb {
    /// One member of gzip, or a thousand of them; a thousand frames of zstd.
    fn all() -> [Self; 3] {
        let zeros = vec![0; STRETCH];
        let member = gzip(&zeros);
        let head = GzEncoder::new(Vec::new(), Compression::fast()).finish().unwrap()[..10].to_vec();
        let frame = zstd::encode_all(zeros.as_slice(), 1).unwrap();
        [
            Self::new("gzip", head, deflated(&zeros)),
            Self::new("gzip", Vec::new(), member),
            Self::new("zstd", Vec::new(), frame),
        ]
    }

    fn new(encoding: &'static str, head: Vec<u8>, stretch: Vec<u8>) -> Self {
        Self { encoding, head, stretch: stretch.into(), read: Arc::default() }
    }

    fn body(&self) -> Body {
        let read = self.read.clone();
        let stretches = std::iter::repeat_n(self.stretch.clone(), UNPACKED / STRETCH);
        let pieces = std::iter::once(self.head.clone().into()).chain(stretches).map(move |piece: Bytes| {
            read.fetch_add(piece.len(), Ordering::Relaxed);
            Ok::<_, std::io::Error>(piece)
        });
        Body::from_stream(futures_util::stream::iter(pieces))
    }

    fn packed_bytes(&self) -> usize {
        self.head.len() + self.stretch.len() * (UNPACKED / STRETCH)
    }

    async fn post(&self, api: &Fixture, path: &str, content_type: &str) -> Answer {
        self.read.store(0, Ordering::Relaxed);
        let request =
            Request::post(path).header("content-type", content_type).header("content-encoding", self.encoding);
        api.send(request.body(self.body()).unwrap()).await
    }
}

/// A stretch within a member: complete blocks that end at a byte, so that any number of them may follow each other.
fn deflated(zeros: &[u8]) -> Vec<u8> {
    let mut packer = flate2::Compress::new(Compression::best(), false);
    let mut stretch = Vec::with_capacity(1 << 20);
    packer.compress_vec(zeros, &mut stretch, FlushCompress::Full).unwrap();
    assert_eq!(usize::try_from(packer.total_in()).unwrap(), zeros.len());
    stretch
}

#[tokio::test]
async fn a_bomb_is_refused_at_every_door_before_much_of_it_was_read() {
    let api = Fixture::new().await;
    for bomb in Bomb::all() {
        assert!(bomb.packed_bytes() < 12 << 20, "{} bytes", bomb.packed_bytes());
        for (path, content_type) in [
            ("/v1/operations", "application/json"),
            ("/v1/operations", "application/x-ndjson"),
            ("/v1/traces", "application/x-protobuf"),
            ("/v1/traces", "application/json"),
            ("/v1/metrics", "application/x-protobuf"),
        ] {
            let answer = bomb.post(&api, path, content_type).await;
            assert_eq!(answer.status, 413, "{path} {content_type} {}: {answer:?}", bomb.encoding);
            let read = bomb.read.load(Ordering::Relaxed);
            assert!(read <= bomb.packed_bytes() / 100, "{path} {content_type}: {read} of {}", bomb.packed_bytes());
        }
    }
    assert!(api.recorded().is_empty());
}

#[tokio::test]
async fn a_bomb_over_grpc_has_the_status_of_too_much() {
    let api = Fixture::new().await;
    let [_, members, _] = Bomb::all();
    let message = members.stretch.repeat(UNPACKED / STRETCH);
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let frame = [&[1], &length[..], &message].concat();
    let call = Request::post("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        .header("content-type", "application/grpc")
        .header("grpc-encoding", "gzip");
    let answer = api.send(call.body(frame.into()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.headers["grpc-status"].to_str().unwrap()), (200, "8"), "{answer:?}");
    assert!(api.recorded().is_empty());
}

#[tokio::test]
async fn bytes_that_become_nothing_are_limited_as_they_come() {
    let limits = crate::RequestLimits { body_bytes: 1 << 20, ..crate::RequestLimits::default() };
    let api = Fixture::with(crate::fixture::Setup { limits, ..Default::default() }).await;
    // A skippable frame of zstd, which says its own length and holds nothing.
    let mut frame = 0x184d_2a50_u32.to_le_bytes().to_vec();
    frame.extend_from_slice(&(64_u32 << 10).to_le_bytes());
    frame.resize(8 + (64 << 10), 0);
    let bomb = Bomb::new("zstd", Vec::new(), frame);
    let answer = bomb.post(&api, "/v1/operations", "application/x-ndjson").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (413, &json!("too_large")));
    assert!(bomb.read.load(Ordering::Relaxed) <= 2 << 20);
}

#[tokio::test]
async fn a_window_beyond_that_of_http_is_refused_at_every_door() {
    let api = Fixture::new().await;
    let mut packer = zstd::Encoder::new(Vec::new(), 1).unwrap();
    packer.window_log(24).unwrap();
    packer.write_all(b"[]").unwrap();
    let packed = packer.finish().unwrap();
    for (path, content_type) in [
        ("/v1/operations", "application/json"),
        ("/v1/operations", "application/x-ndjson"),
        ("/v1/traces", "application/x-protobuf"),
        ("/v1/traces", "application/json"),
        ("/v1/metrics", "application/json"),
    ] {
        let request = Request::post(path).header("content-type", content_type).header("content-encoding", "zstd");
        let answer = api.send(request.body(packed.clone().into()).unwrap()).await;
        assert!(answer.status == 400 && answer.text.contains("cannot be unpacked as zstd"), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn gzip_within_gzip_is_unpacked_once() {
    let api = Fixture::new().await;
    let mut inner = GzEncoder::new(Vec::new(), Compression::fast());
    inner.write_all(br#"{"model":"m"}"#).unwrap();
    let nested = gzip(&inner.finish().unwrap());
    let post = async |encoding: &str| {
        let request = Request::post("/v1/operations").header("content-type", "application/json");
        let request = request.header("content-encoding", encoding).body(nested.clone().into()).unwrap();
        let answer = api.send(request).await;
        (answer.status.as_u16(), answer.json()["error"]["code"].clone())
    };
    assert_eq!(post("gzip").await, (400, json!("invalid_utf8")));
    assert_eq!(post("gzip, gzip").await, (415, json!("unsupported_media_type")));
    assert!(api.recorded().is_empty());
}
