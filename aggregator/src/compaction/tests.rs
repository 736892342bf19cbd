//! The promises of compaction, on SQLite, and on Postgres too where `OPSTREAM_TEST_POSTGRES` names a server.
//!
//! A yard writes files as the ingestor does and knows every row; whatever compaction does or breaks off, the live files must hold
//! exactly these rows, in every column.

mod crashes;
mod damage;
mod deletion;
mod merging;
mod rivals;
mod yard;
