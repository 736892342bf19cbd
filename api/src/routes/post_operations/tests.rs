//! The front door as clients see it. A file stands in for the broker.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use opstream_producer::{ProducerConfig, Sink};
use opstream_schemas::{OperationId, UtcMillis};
use serde_json::{Value, json};

use crate::fixture::{Answer, Fixture, Setup, gzip};
use crate::{ContentCapture, RequestLimits};

mod ids;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

async fn post(api: &Fixture, content_type: &str, body: impl Into<Body>) -> Answer {
    api.post("/v1/operations", content_type, body).await
}

/// An id of the present, so that it is accepted.
fn id() -> String {
    OperationId::generate(UtcMillis::now()).to_string()
}

/// The answer without the positions in the file, which depend on the lengths of the ids' lines.
fn without_offsets(answer: &Answer) -> Value {
    let mut answer = answer.json();
    assert!(answer["offsets"][0]["next_offset"].as_i64().unwrap() > 0);
    answer["offsets"] = json!([]);
    answer
}

#[tokio::test]
async fn one_object_is_one_operation() {
    let api = Fixture::new().await;
    let id = id();
    let body = json!({ "operation_id": id, "provider": "Gemini", "input_tokens": 3, "reported_cost_usd": 0.0675 });
    let answer = post(&api, JSON, body.to_string()).await;
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!((&answer["accepted"], &answer["minted"], &answer["refused"]), (&json!(1), &json!(0), &json!([])));
    assert_eq!(answer["offsets"][0]["partition"], 0);
    let recorded = api.recorded();
    assert_eq!((&recorded[0]["operation_id"], &recorded[0]["provider"]), (&json!(id), &json!("gcp.gemini")));
    assert_eq!(recorded[0]["reported_cost_usd"], "0.0675");
}

#[tokio::test]
async fn a_providers_usage_becomes_counts_and_is_not_kept() {
    let api = Fixture::new().await;
    let usage = json!({ "input_tokens": 1000, "cache_read_input_tokens": 100_000, "output_tokens": 500 });
    let body = json!([
        { "operation_id": id(), "provider": "anthropic", "usage": usage },
        { "operation_id": id(), "provider": "anthropic", "usage": usage, "input_tokens": 1000 },
    ]);
    let answer = post(&api, JSON, body.to_string()).await.json();
    assert_eq!((&answer["accepted"], &answer["refused"][0]["index"]), (&json!(1), &json!(1)));
    assert_eq!(answer["refused"][0]["field"], "input_tokens");
    let recorded = api.recorded();
    assert_eq!((&recorded[0]["input_tokens"], &recorded[0]["cache_read_tokens"]), (&json!(101_000), &json!(100_000)));
    assert_eq!((&recorded[0]["output_tokens"], recorded[0].get("usage")), (&json!(500), None));
}

#[tokio::test]
async fn refused_items_are_named_and_the_others_accepted() {
    let api = Fixture::new().await;
    let body = json!([
        { "operation_id": id() },
        { "operation_id": id(), "input_tokens": -3 },
        { "operation_id": id(), "modle": "gpt-5" },
        { "operation_id": "018f0000-0000-7000-8000-000000000000", "success": "yes" },
        7,
        { "operation_id": id(), "session_id": "../.." },
    ]);
    let answer = post(&api, JSON, body.to_string()).await;
    assert_eq!((answer.status.as_u16(), api.recorded().len()), (200, 2));
    insta::assert_json_snapshot!("refusals", without_offsets(&answer));
    assert_eq!(api.recorded()[1]["session_id"], "../..");
}

#[tokio::test]
async fn lines_are_refused_one_by_one_with_their_number() {
    let api = Fixture::new().await;
    let mut body = format!("{{\"operation_id\":\"{}\"}}\n\n", id()).into_bytes();
    body.extend_from_slice(b"{\"model\": \"\xff\"}\n{\"model\"\n");
    body.extend_from_slice(format!("{{\"operation_id\":\"{}\"}}", id()).as_bytes());
    let answer = post(&api, NDJSON, body).await;
    assert_eq!((answer.status.as_u16(), api.recorded().len()), (200, 2));
    insta::assert_json_snapshot!("line_refusals", without_offsets(&answer));
}

#[tokio::test]
async fn nothing_accepted_is_a_400_that_lists_the_reasons() {
    let api = Fixture::new().await;
    let answer = post(&api, NDJSON, "{\"input_tokens\": \"many\"}\n").await;
    assert_eq!(answer.status, 400);
    let answer = answer.json();
    assert_eq!(
        (&answer["error"]["code"], &answer["refused"][0]["field"]),
        (&json!("all_refused"), &json!("input_tokens"))
    );
    assert_eq!(post(&api, JSON, "[]").await.status, 200);
}

#[tokio::test]
async fn a_document_that_is_broken_anywhere_sends_nothing() {
    let api = Fixture::new().await;
    for (body, code) in [
        (&b"[{}, {\"model\": \"\xff\"}]"[..], "invalid_utf8"),
        (b"[{}, {", "malformed_json"),
        (b"", "malformed_json"),
        (b"[{}] trailing", "malformed_json"),
        (b"\"operation\"", "not_operations"),
    ] {
        let answer = post(&api, JSON, body).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (400, &json!(code)));
    }
    assert!(api.recorded().is_empty());
}

#[tokio::test]
async fn content_is_passed_on_only_when_it_is_wanted() {
    let messages = json!([{ "role": "user" }]);
    let body = json!({ "operation_id": id(), "system_prompt": "s", "input_messages": messages, "tags": { "a": "b" } });
    for (content, prompt) in [(ContentCapture::On, json!("s")), (ContentCapture::Off, json!(null))] {
        let api = Fixture::with(Setup { content, ..Setup::default() }).await;
        assert_eq!(post(&api, JSON, body.to_string()).await.status, 200);
        let recorded = api.recorded().remove(0);
        assert_eq!((&recorded["system_prompt"], &recorded["tags"]["a"]), (&prompt, &json!("b")));
        assert_eq!(recorded["input_messages"].is_null(), content == ContentCapture::Off);
    }
}

#[tokio::test]
async fn a_prompt_of_five_megabytes_passes_in_both_formats() {
    let api = Fixture::new().await;
    let prompt = "p".repeat(5_000_000);
    for content_type in [JSON, NDJSON] {
        let body = json!({ "operation_id": id(), "system_prompt": prompt }).to_string();
        assert_eq!(post(&api, content_type, body).await.status, 200);
    }
    assert_eq!(api.recorded()[1]["system_prompt"].as_str().unwrap().len(), 5_000_000);
}

#[tokio::test]
async fn what_is_too_large_is_refused_as_a_whole_or_as_an_item() {
    let limits = RequestLimits { body_bytes: 2000, item_bytes: 300, ..RequestLimits::default() };
    let api = Fixture::with(Setup { limits, ..Setup::default() }).await;
    let large = json!({ "operation_id": id(), "system_prompt": "p".repeat(400) });
    let small = json!({ "operation_id": id() });
    for (content_type, body) in [(JSON, json!([large, small]).to_string()), (NDJSON, format!("{large}\n{small}"))] {
        let answer = post(&api, content_type, body).await.json();
        assert_eq!((&answer["accepted"], &answer["refused"][0]["code"]), (&json!(1), &json!("too_large")));
    }
    let recorded = api.recorded().len();
    for content_type in [JSON, NDJSON] {
        let announced = post(&api, content_type, " ".repeat(2001)).await;
        assert_eq!((announced.status.as_u16(), &announced.json()["error"]["code"]), (413, &json!("too_large")));
        assert!(announced.text.contains("--max-body-mib"), "{}", announced.text);
    }
    assert_eq!(api.recorded().len(), recorded);
}

#[tokio::test]
async fn a_stream_that_grows_too_large_says_what_was_accepted() {
    let limits = RequestLimits { body_bytes: 200, ..RequestLimits::default() };
    let api = Fixture::with(Setup { limits, ..Setup::default() }).await;
    let line = format!("{{\"operation_id\":\"{}\"}}\n", id());
    let pieces = (0..4).map(move |_| Ok::<_, std::io::Error>(line.clone()));
    let answer = post(&api, NDJSON, Body::from_stream(futures_util::stream::iter(pieces))).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["accepted_items"], json!([{ "from": 0, "to": 3 }]));
}

#[tokio::test]
async fn while_the_broker_is_away_the_answer_is_try_again() {
    // Port 1 of the machine itself refuses at once.
    let away = ProducerConfig { acknowledge_within: Duration::from_millis(300), ..ProducerConfig::new("127.0.0.1:1") };
    let api = Fixture::with(Setup { sink: Some(Sink::Kafka(away)), ..Setup::default() }).await;
    let answer = post(&api, JSON, json!([{ "model": "a" }, { "x": 1 }]).to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.headers["retry-after"].to_str().unwrap()), (503, "2"));
    let body = answer.json();
    assert_eq!((&body["error"]["code"], &body["accepted"]), (&json!("broker_unavailable"), &json!(0)));
    assert_eq!(body["refused"][0]["field"], "x");
    assert!(body["minted_ids"][0]["operation_id"].is_string(), "it may still arrive, so its id must be known: {body}");
    assert!(!answer.text.contains("127.0.0.1"), "{}", answer.text);
    let ready = api.get("/health/ready").await;
    assert_eq!((ready.status.as_u16(), &ready.json()["checks"][1]["ok"]), (503, &json!(false)));
}

#[tokio::test]
async fn another_type_or_encoding_is_refused_with_what_is_accepted() {
    let api = Fixture::new().await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"] {
        let answer = post(&api, content_type, "{}").await;
        assert_eq!(answer.status, 415, "{content_type}");
    }
    assert!(post(&api, "text/plain", "{}").await.text.contains("application/x-ndjson"));
    assert_eq!(post(&api, "application/json; charset=UTF-8", "{}").await.status, 200);
    let packed = Request::post("/v1/operations").header("content-type", JSON).header("content-encoding", "br");
    let answer = api.send(packed.body("{}".into()).unwrap()).await;
    assert!(answer.status == 415 && answer.text.contains("send gzip, zstd or the body as it is"), "{answer:?}");
}

#[tokio::test]
async fn packed_bodies_are_unpacked_piece_by_piece() {
    let limits = RequestLimits { body_bytes: 100_000, ..RequestLimits::default() };
    let api = Fixture::with(Setup { limits, ..Setup::default() }).await;
    let lines: String = (0..100).map(|_| json!({ "operation_id": id() }).to_string() + "\n").collect();
    let post_packed = async |encoding: &str, body: Vec<u8>| {
        let request =
            Request::post("/v1/operations").header("content-type", NDJSON).header("content-encoding", encoding);
        api.send(request.body(body.into()).unwrap()).await
    };
    let zstd = zstd::encode_all(lines.as_bytes(), 0).unwrap();
    for answer in [post_packed("gzip", gzip(lines.as_bytes())).await, post_packed("zstd", zstd).await] {
        assert_eq!((answer.status.as_u16(), &answer.json()["accepted"]), (200, &json!(100)), "{answer:?}");
    }
    let bomb = gzip(&vec![b'\n'; 10_000_000]);
    assert!(bomb.len() < limits.body_bytes);
    let answer = post_packed("gzip", bomb).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (413, &json!("too_large")));
    assert_eq!(post_packed("gzip", b"not packed".to_vec()).await.json()["error"]["code"], "damaged_packing");
}

#[tokio::test]
async fn thousands_of_lines_keep_their_order_and_their_count() {
    let api = Fixture::new().await;
    let mut body = String::new();
    for session in 0..1234 {
        writeln!(body, "{}", json!({ "operation_id": id(), "session_id": session.to_string() })).unwrap();
        if session % 100 == 0 {
            writeln!(body, "{{\"x\":1}}").unwrap();
        }
    }
    let answer = post(&api, NDJSON, body).await.json();
    assert_eq!((&answer["accepted"], answer["refused"].as_array().unwrap().len()), (&json!(1234), 13));
    assert_eq!(answer["refused"][1]["index"], 102);
    let sessions: Vec<Value> = api.recorded().iter().map(|operation| operation["session_id"].clone()).collect();
    assert_eq!((sessions.len(), &sessions[1233]), (1234, &json!("1233")));
}

/// A body whose client sends `text` and then neither more nor an end.
fn stopping_after(text: String) -> Body {
    let pieces = futures_util::stream::iter((!text.is_empty()).then_some(Ok::<_, std::io::Error>(text)));
    Body::from_stream(futures_util::StreamExt::chain(pieces, futures_util::stream::pending()))
}

#[tokio::test]
async fn a_request_that_runs_out_of_time_says_what_was_accepted() {
    // Long enough to read the chunk on a busy machine.
    let limits = RequestLimits { timeout: Duration::from_secs(4), ..RequestLimits::default() };
    let api = Fixture::with(Setup { limits, ..Setup::default() }).await;
    // A whole chunk, which is sent at once, and the beginning of another.
    let lines = format!("{{\"operation_id\":\"{}\"}}\n", id()).repeat(2001);
    let answer = post(&api, NDJSON, stopping_after(lines)).await;
    assert_eq!((answer.status.as_u16(), answer.headers["retry-after"].to_str().unwrap()), (503, "2"));
    let body = answer.json();
    assert_eq!((&body["error"]["code"], &body["accepted"]), (&json!("timed_out"), &json!(2000)));
    assert_eq!(body["accepted_items"], json!([{ "from": 0, "to": 2000 }]));
    assert_eq!(api.recorded().len(), 2000);
}

#[tokio::test]
async fn a_broker_that_is_slower_than_the_request_may_be_is_told_apart_from_success() {
    let slow = ProducerConfig { acknowledge_within: Duration::from_secs(30), ..ProducerConfig::new("127.0.0.1:1") };
    let limits = RequestLimits { timeout: Duration::from_millis(500), ..RequestLimits::default() };
    let api = Fixture::with(Setup { limits, sink: Some(Sink::Kafka(slow)), ..Setup::default() }).await;
    let answer = post(&api, JSON, json!([{ "model": "a" }]).to_string()).await;
    let body = answer.json();
    assert_eq!((answer.status.as_u16(), &body["error"]["code"]), (503, &json!("timed_out")));
    assert_eq!((&body["accepted"], &body["minted_ids"][0]["index"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn clients_that_announce_much_and_send_little_hold_up_nobody() {
    let api = std::sync::Arc::new(Fixture::new().await);
    let mut slow = tokio::task::JoinSet::new();
    for content_type in [JSON, NDJSON].repeat(100) {
        for beginning in ["", "["] {
            let api = api.clone();
            slow.spawn(async move { post(&api, content_type, stopping_after(beginning.to_owned())).await });
        }
    }
    // Each of them is on its way before the next request comes.
    tokio::task::yield_now().await;
    let answer = post(&api, JSON, json!({ "operation_id": id() }).to_string()).await;
    assert_eq!(answer.status, 200);
    assert!(slow.try_join_next().is_none(), "it was not answered before one of them gave up");
    slow.shutdown().await;
}

#[tokio::test]
async fn others_have_their_turn_among_thousands_of_tiny_items() {
    let api = Fixture::new().await;
    let turns = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = turns.clone();
    let mut other = tokio::task::JoinSet::new();
    other.spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    for (content_type, body) in [(NDJSON, "x\n".repeat(20_000)), (JSON, format!("[1{}]", ",1".repeat(19_999)))] {
        turns.store(0, Ordering::Relaxed);
        let answer = post(&api, content_type, body).await.json();
        assert_eq!((&answer["error"]["code"], &answer["refused_not_listed"]), (&json!("all_refused"), &json!(19_000)));
        let turns = turns.load(Ordering::Relaxed);
        assert!(turns >= 50, "{turns} turns");
    }
}

#[tokio::test]
async fn items_that_are_all_refused_have_no_more_time_than_others() {
    let limits = RequestLimits { timeout: Duration::ZERO, ..RequestLimits::default() };
    let api = Fixture::with(Setup { limits, ..Setup::default() }).await;
    for (content_type, body) in [(NDJSON, "x\n".repeat(20_000)), (JSON, format!("[1{}]", ",1".repeat(19_999)))] {
        let answer = post(&api, content_type, body).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (503, &json!("timed_out")));
    }
}

#[tokio::test]
async fn every_text_of_the_schema_is_searched_for_what_sql_cannot_hold() {
    let api = Fixture::new().await;
    let schema: Value = serde_json::from_str(opstream_schemas::avro::OPERATION_V1).unwrap();
    let mut texts = 0;
    for field in schema["fields"].as_array().unwrap() {
        let name = field["name"].as_str().unwrap();
        let is = |kind: &str| {
            let kinds = field["type"].as_array().cloned().unwrap_or_else(|| vec![field["type"].clone()]);
            kinds.iter().any(|candidate| candidate == kind || candidate["type"] == kind)
        };
        let value = if is("map") {
            json!({ "a": "b\0" })
        } else if is("array") {
            json!(["a\0"])
        } else if is("string") {
            json!("{}\0")
        } else {
            continue;
        };
        texts += 1;
        let answer = post(&api, JSON, json!({ name: value }).to_string()).await.json();
        let refused = &answer["refused"][0];
        assert_eq!((&refused["field"], &refused["code"]), (&json!(name), &json!("nul_character")), "{answer}");
    }
    assert!(texts > 30, "{texts}");
}
