//! The client against a registry that speaks the protocol, and against everything else that may listen at an address.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the stories of the whole pipeline use the rest")]
#[path = "../../../tests/harness/schema_registry.rs"]
mod schema_registry;

use opstream_registry::{Registered, Registry, RegistryAddress, RegistryError};
use opstream_schemas::avro::{OPERATION_V1, OPERATION_V1_ID, SchemaId};
use serde_json::json;

use self::schema_registry::SchemaRegistry;

const SUBJECT: &str = "llm.operations-value";

fn client(registry: &SchemaRegistry) -> Registry {
    Registry::open(RegistryAddress::parse(&registry.url()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_schema_is_registered_once_and_found_by_subject_and_by_id() {
    let registry = SchemaRegistry::start().await;
    let client = client(&registry);
    assert!(matches!(client.look_up(SUBJECT, OPERATION_V1).await, Err(RegistryError::NotFound { .. })));
    let id = client.register(SUBJECT, OPERATION_V1).await.unwrap();
    assert_eq!(client.register(SUBJECT, OPERATION_V1).await, Ok(id));
    assert_eq!(client.look_up(SUBJECT, OPERATION_V1).await, Ok(Registered { id, version: 1 }));
    let found = client.schema(id).await.unwrap();
    assert_eq!((found.text.as_str(), found.schema_type.as_str(), found.has_references), (OPERATION_V1, "AVRO", false));
    let other = registry.add_answer(json!({ "schema": "syntax = …", "schemaType": "PROTOBUF", "references": [{}] }));
    let other = client.schema(SchemaId(other)).await.unwrap();
    assert_eq!((other.schema_type.as_str(), other.has_references), ("PROTOBUF", true));

    assert_eq!(client.compatibility(SUBJECT).await, Ok(None));
    client.set_compatibility(SUBJECT, "FULL_TRANSITIVE").await.unwrap();
    assert_eq!(client.compatibility(SUBJECT).await.unwrap().as_deref(), Some("FULL_TRANSITIVE"));
}

/// The name of the error's variant and its text.
async fn failure(registry: &SchemaRegistry, status: u16, body: &str) -> (String, String) {
    registry.break_with(Some((status, body)));
    let error = client(registry).schema(SchemaId(7)).await.unwrap_err();
    let name = format!("{error:?}").split([' ', '{']).next().unwrap().to_owned();
    (name, error.to_string())
}

#[tokio::test]
async fn each_answer_asks_for_its_own_reaction() {
    let registry = SchemaRegistry::start().await;
    let error = |code: u32| json!({ "error_code": code, "message": "words\nof the registry" }).to_string();
    let cases = [
        (404, error(40_403), "NotFound"),
        (404, error(404), "NotRegistry"),
        (404, "<html>no such page</html>".to_owned(), "NotRegistry"),
        (200, "<html>welcome</html>".to_owned(), "NotRegistry"),
        (302, String::new(), "NotRegistry"),
        (401, String::new(), "NotAllowed"),
        (403, error(40_301), "NotAllowed"),
        (409, error(409), "Incompatible"),
        (422, error(42_201), "Refused"),
        (429, String::new(), "Unavailable"),
        (500, error(50_001), "Unavailable"),
        (503, "upstream".to_owned(), "Unavailable"),
    ];
    for (status, body, expected) in cases {
        let (name, text) = failure(&registry, status, &body).await;
        assert_eq!(name, expected, "{status} {body}: {text}");
        assert!(text.contains(&registry.url()) && !text.contains('\n'), "{text}");
    }
    let (name, text) = failure(&registry, 200, &" ".repeat(5 << 20)).await;
    assert!(name == "NotRegistry" && text.contains("more than"), "{text}");
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_an_outage() {
    let mut registry = SchemaRegistry::start().await;
    let client = client(&registry);
    registry.go_away().await;
    let error = client.schema(SchemaId(7)).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
    registry.come_back().await;
    assert!(matches!(client.schema(SchemaId(7)).await, Err(RegistryError::NotFound { .. })));
}

#[tokio::test]
async fn credentials_are_sent_from_the_address_and_from_beside_it() {
    let registry = SchemaRegistry::start().await;
    // me:hunter2
    let basic = "Basic bWU6aHVudGVyMg==";
    let port = registry.url().rsplit_once(':').unwrap().1.to_owned();
    let inside = RegistryAddress::parse(&format!("http://me:hunter2@127.0.0.1:{port}")).unwrap();
    let beside = |credentials| RegistryAddress::parse(&registry.url()).unwrap().with_credentials(credentials).unwrap();
    for (wanted, address) in [(basic, inside), (basic, beside("me:hunter2")), ("Bearer hunter2", beside("hunter2"))] {
        registry.protect(wanted);
        let error = Registry::open(address).unwrap().schema(SchemaId(7)).await.unwrap_err();
        assert!(matches!(error, RegistryError::NotFound { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    let error = client(&registry).schema(SchemaId(7)).await.unwrap_err();
    assert!(matches!(error, RegistryError::NotAllowed { status: 401, .. }), "{error:?}");
}

#[tokio::test]
async fn an_id_that_means_something_else_to_every_opstream_is_refused() {
    let registry = SchemaRegistry::start().await;
    registry.continue_at(OPERATION_V1_ID.0);
    let id = client(&registry).register("own-value", OPERATION_V1).await;
    assert_eq!(id, Ok(OPERATION_V1_ID), "its own id for its own schema, as the api's registry gives it");
    let error = client(&registry).register("own-value", "{\"type\": \"string\"}").await;
    assert!(matches!(error, Err(RegistryError::Incompatible { .. })), "{error:?}");
    let error = client(&registry).register("other-value", "{\"type\": \"string\"}").await.unwrap_err();
    assert!(matches!(error, RegistryError::ReservedId { .. }), "{error:?}");
    assert!(error.to_string().contains(&(OPERATION_V1_ID.0 + 1).to_string()), "{error}");
}

#[tokio::test]
async fn an_id_that_leads_to_another_schema_is_refused() {
    let registry = SchemaRegistry::start().await;
    let client = client(&registry);
    let id = client.register(SUBJECT, OPERATION_V1).await.unwrap();
    // As registries show it that keep no comments, or other white space.
    let mut without_comments: serde_json::Value = serde_json::from_str(OPERATION_V1).unwrap();
    without_comments.as_object_mut().unwrap().remove("doc").unwrap();
    registry.mistake(id.0, &without_comments.to_string());
    assert_eq!(client.look_up(SUBJECT, OPERATION_V1).await, Ok(Registered { id, version: 1 }));
    registry.mistake(id.0, "\"string\"");
    let error = client.look_up(SUBJECT, OPERATION_V1).await.unwrap_err();
    assert!(matches!(error, RegistryError::OtherSchema { .. }), "{error:?}");
    assert!(error.to_string().contains(SUBJECT) && error.to_string().contains(&id.to_string()), "{error}");
    registry.deny(id.0, 1);
    let error = client.look_up(SUBJECT, OPERATION_V1).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unavailable { .. }), "a replica that lags behind: {error:?}");
}
