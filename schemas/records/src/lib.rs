//! What a record of the operations topic is, for everybody who reads the topic: the ingestor, which stores it, and whoever shows
//! live operations or dead letters.
//!
//! In reading order: [`record`] holds raw bytes of a batch; [`decode`] turns them into columns, with what [`ask`](mod@ask) learns of other
//! writers' schemas; [`checks`] finds rows that break a rule; [`dead_letter`] is what becomes of a record that cannot be an operation;
//! [`columns`] are what is stored of the others; and [`trial`] says what would become of a record. Nothing here stores anything.

pub mod ask;
pub mod checks;
pub mod columns;
pub mod dead_letter;
pub mod decode;
pub mod record;
pub mod trial;
