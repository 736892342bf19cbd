//! `opstream schemas` puts our schemas into a registry once, looks whether they are there, and says by its exit code and in words what
//! the registry has against it. No secret is in what it says.

use std::process::Output;
use std::time::Duration;

use opstream_schemas::avro::WINDOW_V3_ID;
use serde_json::json;
use tokio::process::Command;

use crate::harness::schema_registry::SchemaRegistry;

const OPERATIONS: &str = "llm.operations-value";

async fn schemas(url: &str, arguments: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let output: Output = Command::new(env!("CARGO_BIN_EXE_opstream"))
        .arg("schemas")
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .env("OPSTREAM_SCHEMA_REGISTRY", url)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), said)
}

#[tokio::test]
async fn what_is_missing_is_registered_once() {
    let registry = SchemaRegistry::start().await;
    let (code, said) = schemas(&registry.url(), &["check"]).await;
    assert_eq!((code, said.matches("is not registered").count()), (1, 3), "{said}");
    assert_eq!(registry.count_asked("PUT"), 0, "check changes nothing");

    let (code, said) = schemas(&registry.url(), &["register"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("llm.operations-value: registered with id 100001; compatibility is FULL_TRANSITIVE"),
        "{said}"
    );
    assert!(said.contains("llm.windows-value: registered with id 100002"), "{said}");
    assert_eq!(registry.level(OPERATIONS).as_deref(), Some("FULL_TRANSITIVE"));

    let (code, again) = schemas(&registry.url(), &["register"]).await;
    assert_eq!((code, again.matches("is registered already, as version 1").count()), (0, 3), "{again}");
    assert_eq!(registry.count_asked("POST /subjects/llm.operations-value/versions"), 1);
    let (code, said) = schemas(&registry.url(), &["check"]).await;
    assert_eq!(
        (code, said.lines().next()),
        (0, Some("llm.operations-value: is registered, as version 1 with id 100001"))
    );

    let (code, said) =
        schemas(&registry.url(), &["register", "--schema-subjects", "topic-record", "--topic-prefix", "t"]).await;
    assert!(code == 0 && said.contains("t.windows-opstream.Window: registered with id 100002"), "{said}");
    let (code, said) = schemas(&registry.url(), &["register", "--schema-subjects", "record"]).await;
    assert!(code == 0 && said.contains("opstream.Operation: registered with id 100001"), "{said}");
}

#[tokio::test]
async fn what_the_registry_has_against_it_is_said() {
    let registry = SchemaRegistry::start().await;
    let other = json!({"type": "record", "name": "Operation", "fields": [{"name": "other", "type": "int"}]});
    registry.add(OPERATIONS, &other.to_string());
    let (code, said) = schemas(&registry.url(), &["register"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("refuses llm.operations-value: not compatible") && said.contains("llm.windows-value: registered"),
        "{said}"
    );
    let (code, said) = schemas(&registry.url(), &["check"]).await;
    assert!(code == 1 && said.contains("is not registered in this version"), "{said}");

    let invalid = json!({"error_code": 42201, "message": "Invalid schema"}).to_string();
    for (status, body, expected_code, words) in [
        (422, invalid.as_str(), 1, "422: Invalid schema"),
        (401, "", 1, "answers 401: it wants other credentials"),
        (403, "", 1, "answers 403"),
        (500, "", 2, "does not answer: 500"),
        (404, "<html>", 2, "does not answer as a schema registry"),
    ] {
        registry.break_with(Some((status, body)));
        let (code, said) = schemas(&registry.url(), &["register"]).await;
        assert!(code == expected_code && said.contains(words), "{status}: {code} {said}");
    }
    registry.break_with(None);

    // What is written under this id would be read by nobody.
    let registry = SchemaRegistry::start().await;
    assert_eq!(schemas(&registry.url(), &["register"]).await.0, 0);
    registry.mistake(100_001, "\"string\"");
    let (code, said) = schemas(&registry.url(), &["check"]).await;
    assert!(code == 1 && said.contains("under that id it has another schema"), "{said}");

    // Every opstream takes this id for that of its own windows.
    let registry = SchemaRegistry::start().await;
    registry.continue_at(WINDOW_V3_ID.0);
    let (code, said) = schemas(&registry.url(), &["register"]).await;
    assert!(code == 1 && said.contains("gave llm.operations-value the id 2130706691"), "{said}");
}

#[tokio::test]
async fn credentials_come_from_the_variable_or_a_file_and_are_not_said() {
    let registry = SchemaRegistry::start().await;
    registry.protect("Bearer hunter2");
    let (code, said) = schemas(&registry.url().replace("://", "://me:hunter2@"), &["check"]).await;
    assert!(code == 1 && said.contains("401") && !said.contains("hunter2"), "{said}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hunter2\n").unwrap();
    let named = ["--schema-registry-credentials-file", file.path().to_str().unwrap()];
    let (code, said) = schemas(&registry.url(), &[&["register"], &named[..]].concat()).await;
    assert!(code == 0 && !said.contains("hunter2"), "{said}");
    // A registry that takes its time is waited for.
    registry.slow_down(Duration::from_millis(300));
    assert_eq!(schemas(&registry.url(), &[&["check"], &named[..]].concat()).await.0, 0);

    let (code, said) = schemas("", &["check"]).await;
    assert!(code == 2 && said.contains("OPSTREAM_SCHEMA_REGISTRY"), "{said}");
    let mut registry = registry;
    registry.go_away().await;
    let (code, said) = schemas(&registry.url(), &["check"]).await;
    assert!(code == 2 && said.contains("does not answer") && said.contains(&registry.url()), "{said}");
}
