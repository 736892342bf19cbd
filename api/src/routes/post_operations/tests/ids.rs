//! Which operation an item is: the ids that items have, get from the request's key, or get anew.

use super::*;

#[tokio::test]
async fn a_retry_with_the_same_key_has_the_same_ids() {
    let api = Fixture::new().await;
    let body = json!([{ "started_at": "2026-11-23T08:00:00Z" }, { "started_at": "2026-11-23T08:00:00Z" }, {}]);
    for _ in 0..2 {
        let request = Request::post("/v1/operations").header("content-type", JSON).header("idempotency-key", "batch 7");
        let answer = api.send(request.body(body.to_string().into()).unwrap()).await.json();
        assert_eq!((&answer["accepted"], &answer["minted"]), (&json!(2), &json!(0)));
        assert_eq!(answer["refused"][0]["field"], "started_at");
    }
    let ids: Vec<Value> = api.recorded().iter().map(|operation| operation["operation_id"].clone()).collect();
    assert_eq!((&ids[0], &ids[1]), (&ids[2], &ids[3]));
    assert_ne!(ids[0], ids[1]);
    let request = Request::post("/v1/operations").header("content-type", JSON).header("idempotency-key", "");
    assert_eq!(api.send(request.body("{}".into()).unwrap()).await.status, 400);
}

#[tokio::test]
async fn the_same_key_in_another_packing_or_format_repeats_and_with_another_body_does_not() {
    let api = Fixture::new().await;
    let post = async |content_type: &str, encoding: &str, body: Vec<u8>| {
        let request = Request::post("/v1/operations").header("content-type", content_type);
        let request = request.header("idempotency-key", "batch 7").header("content-encoding", encoding);
        let answer = api.send(request.body(body.into()).unwrap()).await.json();
        assert_eq!((&answer["accepted"], &answer["minted"]), (&json!(1), &json!(0)), "{answer}");
    };
    let first = br#"{"started_at":"2026-11-23T08:00:00Z","model":"a"}"#;
    let other = br#"{"started_at":"2026-11-23T08:00:00Z","model":"b"}"#;
    post(JSON, "identity", first.to_vec()).await;
    post(JSON, "gzip", gzip(first)).await;
    post(NDJSON, "zstd", zstd::encode_all(first.as_slice(), 0).unwrap()).await;
    post(JSON, "identity", other.to_vec()).await;
    let ids: Vec<Value> = api.recorded().iter().map(|operation| operation["operation_id"].clone()).collect();
    assert_eq!((&ids[0], &ids[0]), (&ids[1], &ids[2]));
    assert_ne!(ids[0], ids[3], "another operation is never taken for the first");
}

#[tokio::test]
async fn the_same_key_repeats_however_the_items_are_written() {
    let api = Fixture::new().await;
    let post = async |content_type: &str, body: &str| {
        let request = Request::post("/v1/operations").header("content-type", content_type);
        let answer = api.send(request.header("idempotency-key", "batch 7").body(body.to_owned().into()).unwrap()).await;
        assert_eq!(answer.json()["accepted"], 1, "{answer:?}");
    };
    let written = r#"{"started_at": "2026-11-23T08:00:00Z", "metadata": {"b": 1.0, "a": "\u0041"}, "model": "a"}"#;
    post(JSON, written).await;
    post(NDJSON, &format!("{written}\n")).await;
    post(NDJSON, &format!("{written}\r\n")).await;
    post(JSON, r#"[{"metadata":{"a":"A","b":1.0},"model":"a","started_at":"2026-11-23T08:00:00Z"}]"#).await;
    post(JSON, &written.replace("1.0", "1")).await;
    let ids: Vec<Value> = api.recorded().iter().map(|operation| operation["operation_id"].clone()).collect();
    assert!(ids[..4].iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_ne!(ids[0], ids[4], "numbers count as they are written");
}

#[tokio::test]
async fn a_corrected_item_is_never_taken_for_the_accepted_one_whose_place_it_has() {
    let api = Fixture::new().await;
    let post = async |body: Value| {
        let request = Request::post("/v1/operations").header("content-type", JSON).header("idempotency-key", "batch 7");
        api.send(request.body(body.to_string().into()).unwrap()).await.json()
    };
    let second = "2026-11-23T08:00:00Z";
    let both =
        post(json!([{ "started_at": second, "model": "a" }, { "started_at": second, "model": "b", "x": 1 }])).await;
    assert_eq!((&both["accepted"], &both["refused"][0]["index"]), (&json!(1), &json!(1)));
    assert_eq!(post(json!([{ "started_at": second, "model": "b" }])).await["accepted"], 1);
    let recorded = api.recorded();
    assert_ne!(recorded[0]["operation_id"], recorded[1]["operation_id"]);
}

#[tokio::test]
async fn new_ids_come_with_a_warning() {
    let api = Fixture::new().await;
    let answer = post(&api, JSON, r#"{"model": "m"}"#).await.json();
    assert_eq!((&answer["accepted"], &answer["minted"]), (&json!(1), &json!(1)));
    assert!(answer["warning"].as_str().unwrap().contains("twice"));
    assert_eq!(answer["minted_ids"][0]["operation_id"], api.recorded()[0]["operation_id"]);
}
