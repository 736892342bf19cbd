//! The promises of re-pricing, on SQLite, and on Postgres too where `OPSTREAM_TEST_POSTGRES` names a server.
//!
//! A till knows every operation and what each catalogue makes of it. Whatever is asked for, broken off or undone: rows, files and windows
//! must all be what they had been if the ingestor had priced the operations so.

mod asking;
mod forth_and_back;
mod obstacles;
mod till;
