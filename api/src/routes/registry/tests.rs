//! Questions and answers of the protocol.

use opstream_schemas::avro::{OPERATION_V1, OPERATION_V1_ID, WINDOW_V1_ID};
use serde_json::json;

use crate::fixture::{Answer, Fixture};

fn code(answer: &Answer) -> (u16, i64) {
    (answer.status.as_u16(), answer.json()["error_code"].as_i64().unwrap())
}

#[tokio::test]
async fn a_consumer_finds_the_schema_by_the_id_in_its_record() {
    let api = Fixture::new().await;
    let answer = api.get(&format!("/registry/schemas/ids/{OPERATION_V1_ID}")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.headers["content-type"].to_str().unwrap()),
        (200, "application/vnd.schemaregistry.v1+json")
    );
    assert_eq!(answer.json(), json!({ "schema": OPERATION_V1 }));
    // Clients add parameters of their own.
    let answer =
        api.get(&format!("/registry/schemas/ids/{WINDOW_V1_ID}?subject=llm.windows-value&fetchMaxId=false")).await;
    assert!(answer.text.contains("opstream"), "{}", answer.text);
}

#[tokio::test]
async fn subjects_are_the_topics() {
    let api = Fixture::new().await;
    assert_eq!(api.get("/registry").await.json(), json!({}));
    assert_eq!(api.get("/registry/").await.json(), json!({}));
    let subjects = json!(["llm.alerts-value", "llm.contents-value", "llm.operations-value", "llm.windows-value"]);
    assert_eq!(api.get("/registry/subjects").await.json(), subjects);
    assert_eq!(api.get("/registry/subjects/llm.windows-value/versions").await.json(), json!([1, 2, 3]));
    for version in ["1", "latest", "-1"] {
        let answer = api.get(&format!("/registry/subjects/llm.operations-value/versions/{version}")).await;
        let expected = json!({
            "subject": "llm.operations-value", "version": 1, "id": OPERATION_V1_ID.0, "schema": OPERATION_V1,
        });
        assert_eq!(answer.json(), expected);
    }
    assert_eq!(api.get("/registry/schemas/types").await.json(), json!(["AVRO"]));
    assert_eq!(api.get("/registry/config").await.json(), json!({ "compatibilityLevel": "FULL_TRANSITIVE" }));
    let versions = api.get(&format!("/registry/schemas/ids/{WINDOW_V1_ID}/versions")).await.json();
    assert_eq!(versions, json!([{ "subject": "llm.windows-value", "version": 1 }]));
}

#[tokio::test]
async fn what_is_not_there_has_the_protocols_code() {
    let api = Fixture::new().await;
    assert_eq!(code(&api.get("/registry/subjects/other-value/versions").await), (404, 40401));
    assert_eq!(code(&api.get("/registry/subjects/llm.windows-value/versions/4").await), (404, 40402));
    assert_eq!(code(&api.get("/registry/subjects/llm.windows-value/versions/first").await), (422, 42202));
    assert_eq!(code(&api.get("/registry/schemas/ids/1").await), (404, 40403));
    assert_eq!(code(&api.get("/registry/schemas/ids/x").await), (404, 40403));
    assert_eq!(code(&api.get("/registry/nowhere").await), (404, 404));
}

#[tokio::test]
async fn a_schema_is_looked_up_whatever_its_white_space_and_nothing_is_registered() {
    let api = Fixture::new().await;
    let compact = serde_json::from_str::<serde_json::Value>(OPERATION_V1).unwrap().to_string();
    let body = json!({ "schema": compact, "schemaType": "AVRO", "references": [] }).to_string();
    let found =
        api.post("/registry/subjects/llm.operations-value?normalize=false", "application/json", body.clone()).await;
    assert_eq!(found.json()["id"], OPERATION_V1_ID.0);
    let registered =
        api.post("/registry/subjects/llm.operations-value/versions", "application/json", body.clone()).await;
    assert_eq!(registered.json(), json!({ "id": OPERATION_V1_ID.0 }));

    let other = json!({ "schema": "{\"type\": \"string\"}" }).to_string();
    let missing = api.post("/registry/subjects/llm.operations-value", "application/json", other.clone()).await;
    assert_eq!(code(&missing), (404, 40403));
    let refused = api.post("/registry/subjects/llm.operations-value/versions", "application/json", other.clone()).await;
    assert_eq!(code(&refused), (422, 42205));
    assert_eq!(code(&api.post("/registry/subjects/x-value", "application/json", other).await), (404, 40401));
    let broken = api.post("/registry/subjects/llm.operations-value", "application/json", "{").await;
    assert_eq!(code(&broken), (422, 42201));
}
