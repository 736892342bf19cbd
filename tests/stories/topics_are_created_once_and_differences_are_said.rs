//! `opstream topics` creates what is missing with the settings that keep acknowledged operations, touches nothing that exists,
//! and says how that differs.

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::pipeline::Pipeline;

#[tokio::test]
async fn a_second_run_changes_nothing_and_names_what_differs() {
    each_combination(async |backends: &Backends| {
        if backends.combination != Combination::KafkaPostgres {
            return;
        }
        let mut pipeline = Pipeline::start(backends).await;
        let topics = async |arguments: &[&str]| {
            let output = pipeline.run(&[&["topics"], arguments].concat()).await;
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let same = topics(&["--partitions", "3"]).await;
        assert_eq!(same.matches("exists already").count(), 5, "{same}");
        assert!(!same.contains(", not "), "{same}");
        let other = topics(&["--partitions", "5", "--retention-hours", "1"]).await;
        let retention = "  retention.ms: 604800000, not 3600000\n";
        assert!(other.contains("  partitions: 3, not 5\n"), "{other}");
        assert_eq!(other.matches(retention).count(), 3, "operations, contents and dead letters: {other}");
        assert_eq!(topics(&["--partitions", "3"]).await, same, "nothing was changed");
        pipeline.stop().await;
    })
    .await;
}
