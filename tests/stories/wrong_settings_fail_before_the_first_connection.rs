//! A wrong setting ends a command at once, with a message that names its variable and what is allowed, and never the secret
//! in it. Nothing listens at the addresses that these commands are given: reaching for one would take longer, and say so.

use std::time::Duration;

use tokio::process::Command;

/// What a command is given, and words that its message must have.
struct Wrong {
    arguments: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    named: &'static [&'static str],
}

const SECRET: &str = "hunter2";

const WRONG: &[Wrong] = &[
    Wrong { arguments: &["up", "--partitions", "65"], variables: &[], named: &["--partitions", "1..=64"] },
    Wrong {
        arguments: &["up"],
        variables: &[("OPSTREAM_LISTEN", "8080")],
        named: &["OPSTREAM_LISTEN", "socket address"],
    },
    Wrong {
        arguments: &["up", "--listen", "0.0.0.0:8080"],
        variables: &[],
        named: &["OPSTREAM_LISTEN", "OPSTREAM_TOKEN_FILE", "--insecure"],
    },
    Wrong {
        arguments: &["up"],
        variables: &[("OPSTREAM_BROKER_LISTEN", "0.0.0.0:9092")],
        named: &["OPSTREAM_BROKER_LISTEN", "--insecure"],
    },
    Wrong { arguments: &["ingestor"], variables: &[], named: &["OPSTREAM_DATABASE_URL", "postgres://", "sqlite:"] },
    Wrong {
        arguments: &["ingestor"],
        variables: &[("OPSTREAM_DATABASE_URL", "mysql://me:hunter2@127.0.0.1/d")],
        named: &["OPSTREAM_DATABASE_URL", "postgres://", "sqlite:"],
    },
    Wrong {
        arguments: &["aggregator"],
        variables: &[("CONNECTION_STRING", "oracle://me:hunter2@127.0.0.1/d")],
        named: &["CONNECTION_STRING"],
    },
    Wrong {
        arguments: &["ingestor"],
        variables: &[("OPSTREAM_BATCH_AGE_MS", "0")],
        named: &["OPSTREAM_BATCH_AGE_MS", "1..=60000"],
    },
    Wrong {
        arguments: &["ingestor"],
        variables: &[("OPSTREAM_KAFKA_PROPERTIES", "sasl.password")],
        named: &["OPSTREAM_KAFKA_PROPERTIES", "sasl.password", "NAME=VALUE"],
    },
    Wrong {
        arguments: &["aggregator"],
        variables: &[("OPSTREAM_TICK_MS", "5")],
        named: &["OPSTREAM_TICK_MS", "10..=60000"],
    },
    Wrong {
        arguments: &["ingestor"],
        variables: &[
            ("OPSTREAM_HEALTH_LISTEN", "0.0.0.0:8081"),
            ("OPSTREAM_DATABASE_URL", "postgres://me@127.0.0.1:1/d"),
        ],
        named: &["OPSTREAM_HEALTH_LISTEN", "--insecure"],
    },
    Wrong {
        arguments: &["api"],
        variables: &[("OPSTREAM_TOPIC_PREFIX", "../x"), ("OPSTREAM_DATABASE_URL", "postgres://me@127.0.0.1:1/d")],
        named: &["OPSTREAM_TOPIC_PREFIX"],
    },
    Wrong {
        arguments: &["api"],
        variables: &[("OPSTREAM_MAX_BODY_MIB", "0"), ("OPSTREAM_DATABASE_URL", "postgres://me@127.0.0.1:1/d")],
        named: &["OPSTREAM_MAX_BODY_MIB", "1..=1024"],
    },
];

#[tokio::test]
async fn the_message_names_the_variable_and_what_is_allowed() {
    for wrong in WRONG {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_opstream"));
        command.args(wrong.arguments).current_dir(folder.path()).env_clear().envs(wrong.variables.iter().copied());
        let ended = tokio::time::timeout(Duration::from_secs(20), command.kill_on_drop(true).output()).await;
        let case = format!("{:?} with {:?}", wrong.arguments, wrong.variables);
        let output = ended.unwrap_or_else(|_| panic!("{case} did not end")).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{case} was accepted");
        for word in wrong.named {
            assert!(said.contains(word), "{case} does not say {word:?}: {said}");
        }
        assert!(!said.contains(SECRET), "{case} repeats a secret: {said}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{case} left something behind");
    }
}
