//! Client of a Schema Registry that speaks Confluent's protocol: Confluent's own, Karapace, Apicurio, Redpanda.
//!
//! In reading order: [`RegistryAddress`] says where it is and who asks; [`SubjectNames`] what our schemas are called there;
//! [`Registry`] asks, and [`RegistryError`] says which reaction an answer wants. It keeps nothing and repeats nothing: what an id
//! means never changes, so whoever asks remembers the answer. [`Subjects`] asks for our own ids until there is an answer, as an
//! application that records operations does at its start:
//!
//! ```no_run
//! use opstream_registry::{Registry, RegistryAddress, SubjectNames, Subjects};
//! use opstream_schemas::avro::{Record, WriterId};
//! use opstream_schemas::topics::Topics;
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::open(RegistryAddress::parse("https://registry.example:8081")?)?;
//! let subjects = Subjects::new(registry, SubjectNames::Topic, Topics::default());
//! let schema_id = WriterId::unknown(); // for `ProducerConfig::schema_id`: operations have the built-in id until it is known
//! let learnt = schema_id.clone();
//! tokio::spawn(async move {
//!     if let Err(error) = subjects.learn(Record::Operation, &learnt).await {
//!         eprintln!("{error}");
//!     }
//! });
//! # Ok(())
//! # }
//! ```

mod address;
mod answer;
mod client;
mod error;
mod subjects;

pub use address::{AddressError, RegistryAddress};
pub use client::{Registered, Registry};
pub use error::RegistryError;
pub use subjects::{SubjectNames, Subjects, UnknownSubjectNames};
