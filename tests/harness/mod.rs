//! What the stories stand on: real backends, the test data, the real `opstream` process under load and under faults, and
//! waiting without sleeping.

pub(crate) mod backends;
mod containers;
pub(crate) mod data;
pub(crate) mod earlier_version;
pub(crate) mod eventually;
pub(crate) mod fault_proxy;
pub(crate) mod load;
pub(crate) mod otlp;
pub(crate) mod page;
pub(crate) mod pipeline;
pub(crate) mod private_server;
pub(crate) mod process;
pub(crate) mod removed_files;
pub(crate) mod schema_registry;
pub(crate) mod servers;
pub(crate) mod small_disk;
pub(crate) mod windows_topic;
