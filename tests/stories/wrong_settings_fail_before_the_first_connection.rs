//! A wrong setting ends a command at once, with a message that names its variable and what is allowed, and never the secret
//! in it, wherever it was set. Nothing listens at the addresses that these commands are given: reaching for one would take longer, and say so.

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
        named: &["OPSTREAM_LISTEN", "socket address", "127.0.0.1:8080"],
    },
    Wrong {
        arguments: &["up", "--listen", "0.0.0.0:8080"],
        variables: &[],
        named: &["OPSTREAM_LISTEN", "OPSTREAM_TOKEN_FILE", "--insecure"],
    },
    Wrong {
        arguments: &["up"],
        variables: &[("OPSTREAM_OTLP_LISTEN", "4317,4318")],
        named: &["OPSTREAM_OTLP_LISTEN", "127.0.0.1:4317,127.0.0.1:4318", "off"],
    },
    Wrong {
        arguments: &["up", "--otlp-listen", "127.0.0.1:4317,0.0.0.0:4318"],
        variables: &[],
        named: &["OPSTREAM_OTLP_LISTEN", "0.0.0.0:4318", "OPSTREAM_TOKEN_FILE", "--insecure"],
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
        arguments: &["ingestor"],
        variables: &[("OPSTREAM_KAFKA_PROPERTIES", "sasl.password=first;hunter2")],
        named: &["OPSTREAM_KAFKA_PROPERTIES", "NAME=VALUE"],
    },
    Wrong {
        arguments: &["topics"],
        variables: &[("OPSTREAM_KAFKA_PROPERTIES", "sasl.pasword=hunter2")],
        named: &["OPSTREAM_KAFKA_PROPERTIES", "sasl.pasword"],
    },
    Wrong {
        arguments: &["up"],
        variables: &[("OPSTREAM_LOG", "verbose")],
        named: &["OPSTREAM_LOG", "verbose", "debug"],
    },
    Wrong {
        arguments: &["api"],
        variables: &[("OPSTREAM_CONTENT", "everything")],
        named: &["OPSTREAM_CONTENT", "lake"],
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

#[tokio::test]
async fn another_programs_lines_in_the_file_disable_nothing_and_are_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        "API_KEY=hunter2 and more\nhunter2 without a name\nOPSTREAM_DATABASE_URL=mysql://me:pa$hunter2@127.0.0.1/d\n";
    std::fs::write(folder.path().join(".env"), text).unwrap();
    let run = async |argument: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_opstream"));
        command.arg(argument).current_dir(folder.path()).env_clear().output().await.unwrap()
    };
    assert!(run("--help").await.status.success());
    let output = run("ingestor").await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    for word in ["OPSTREAM_DATABASE_URL", "mysql", "lines=[2]"] {
        assert!(said.contains(word), "it does not say {word:?}: {said}");
    }
    assert!(!said.contains(SECRET), "it repeats a secret: {said}");
}
