//! Whoever mistypes a command for operators hears what is wrong and what there is instead, by an exit code that says whether there was
//! an answer; and nothing is changed.

use std::path::Path;
use std::process::{Output, Stdio};

use opstream_schemas::database::{Database, DatabaseUrl};
use tokio::process::Command;

/// More than a pipe holds, so that a reader who leaves is noticed.
const LETTERS: i64 = 2_000;

/// A folder of `opstream up` with dead letters, in which nothing runs.
async fn stopped_pipeline(data: &Path) {
    let database = Database::connect(&DatabaseUrl::Sqlite(data.join("opstream.db"))).await.unwrap();
    opstream_schemas::migrations::migrate(&database).await.unwrap();
    let mut tx = database.begin().await.unwrap();
    let stream =
        "insert into streams (cluster_id, topic, topic_id, first_seen_ms) values ('c', 'llm.operations', '', 0)";
    tx.execute(stream, &[]).await.unwrap();
    let letters = "insert into dead_letters (stream_id, partition, source_offset, reason_code, reason, record_headers, stored_at_ms) \
                   with recursive n (n) as (select 0 union all select n + 1 from n where n + 1 < $1) \
                   select 1, 0, n, 'no_value', 'record has no value (a tombstone)', '[]', n from n";
    tx.execute(letters, &[LETTERS.into()]).await.unwrap();
    tx.commit().await.unwrap();
    database.close().await;
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opstream"));
    // With this variable a library would show how it came to the error.
    command.args(arguments).current_dir(folder).env_clear().env("RUST_BACKTRACE", "1").kill_on_drop(true);
    command
}

async fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().await.unwrap()
}

#[tokio::test]
async fn the_answer_names_the_mistake_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    stopped_pipeline(&folder.path().join("d1")).await;
    let cases: [(&[&str], i32, &[&str]); 12] = [
        (&["dead-letters", "list", "--data", "d1", "--reason", "nonsense"], 2, &["nonsense", "no_value"]),
        (&["dead-letters", "redrive", "--data", "d1", "--reason", "no_valu"], 2, &["no_valu", "no_value"]),
        (&["dead-letters", "list", "--data", "d1", "--offsets", "9..5"], 2, &["9", "5", "--offsets"]),
        (&["dead-letters", "list", "--data", "nowhere"], 2, &["no file nowhere/opstream.db", "--data"]),
        (&["dead-letters", "list", "--data", "d1/opstream.db"], 2, &["is a file", "d1"]),
        (&["dead-letters", "list", "--database-url", "sqlite:nope.db"], 2, &["no file nope.db", "--database-url"]),
        (
            &["dead-letters", "redrive", "--data", "d1", "--from", "none.jsonl", "--dry-run"],
            2,
            &["none.jsonl", "os error 2"],
        ),
        (&["dead-letters", "redrive", "--data", "d1", "--all", "--dry-run"], 1, &[]),
        (&["verify", "--database-url", "sqlite:nope.db"], 2, &["no file nope.db"]),
        (
            &["aggregator", "--data", "d1", "--keep-days", "-1", "--preview-retention"],
            2,
            &["1 to 36500", "OPSTREAM_KEEP_DAYS"],
        ),
        (&["aggregator", "--data", "d1", "--give-up-file", "abc"], 2, &["a whole number, 1 to"]),
        (&["broker", "--listen", "127.0.0.1:0"], 2, &["--broker-listen"]),
    ];
    for (arguments, code, named) in cases {
        let output = run(folder.path(), arguments).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        for word in named {
            assert!(said.contains(word), "{arguments:?} does not say {word:?}: {said}");
        }
        assert!(!said.contains("backtrace") && said.matches("os error").count() <= 1, "{arguments:?}: {said}");
    }
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test]
async fn a_preview_beside_the_pipeline_needs_only_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    stopped_pipeline(&folder.path().join("d1")).await;
    let output = run(folder.path(), &["aggregator", "--data", "d1", "--keep-days", "90", "--preview-retention"]).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("nothing would be dropped"), "{output:?}");
}

#[tokio::test]
async fn a_line_that_repairs_nothing_says_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    stopped_pipeline(&folder.path().join("d1")).await;
    std::fs::write(folder.path().join("lines.jsonl"), "s-0,5\n{\"place\":\"1/0/0\",\"operation\":null}\n").unwrap();
    let output =
        run(folder.path(), &["dead-letters", "redrive", "--data", "d1", "--from", "lines.jsonl", "--dry-run"]).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("lines.jsonl:1: the line is not JSON") && said.contains("write the operation yourself"),
        "{said}"
    );
}

#[tokio::test]
async fn a_reader_who_has_seen_enough_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    stopped_pipeline(&folder.path().join("d1")).await;
    for arguments in [&["dead-letters", "list", "--data", "d1", "--limit", "2000"][..], &["dead-letters", "--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(folder.path(), arguments).stdout(Stdio::from(writer)).output().await.unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[tokio::test]
async fn a_new_folder_is_made_only_where_all_addresses_are_free() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let flags = ["--listen", "--broker-listen", "--otlp-listen"];
    for flag in flags {
        let folder = tempfile::tempdir().unwrap();
        let free = flags.into_iter().filter(|other| *other != flag).flat_map(|other| [other, "127.0.0.1:0"]);
        let arguments: Vec<&str> = ["up", "--data", "new", flag, &address].into_iter().chain(free).collect();
        let output = run(folder.path(), &arguments).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{flag}: {said}");
        assert!(said.contains(flag) && said.contains(&address), "{flag}: {said}");
        assert!(!folder.path().join("new").exists(), "{flag}");
    }
}
