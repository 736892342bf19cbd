//! Stories through the real processes, each a promise that its file is named after. Every story runs on the embedded
//! broker with SQLite, and on a real Kafka with Postgres where they can be had; the run prints which.

#![expect(clippy::unwrap_used, reason = "a story fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

mod bad_records_become_dead_letters;
mod imports_give_the_known_totals;
mod killed_again_and_again_nothing_is_lost_or_doubled;
mod stock_clients_read_topics_and_files;
mod verify_finds_damage;
