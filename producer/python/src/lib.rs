//! The native half of the Python client: turns Python's objects into operations and hands them to the Rust producer.
//!
//! In reading order: [`recorder`] is what Python holds; [`fields`], [`request`] and [`completion`] read what it is given, with [`context`]
//! filling what a call leaves open; [`content`] and [`json`] write prompts and answers as text; [`minter`] makes ids; [`repair`] takes out what the
//! ingestor would refuse; [`problems`] counts what could not be used; [`lines`] keeps what the producer's threads have to say
//! until a thread of Python takes it. Nothing here reads the environment, and nothing that records raises.

mod completion;
mod content;
mod context;
mod fields;
mod json;
mod lines;
mod minter;
mod problems;
mod recorder;
mod repair;
mod request;
mod values;

/// Built as `opstream._native`; the package beside it is the interface.
#[pyo3::pymodule(name = "_native")]
mod native {
    use pyo3::prelude::*;

    use super::lines;

    #[pymodule_export]
    use super::context::Context;
    #[pymodule_export]
    use super::recorder::Recorder;

    #[pymodule_init]
    #[expect(clippy::unnecessary_wraps, reason = "the macro wants a result")]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        lines::listen();
        Ok(())
    }

    /// Lines of the log that wait: level of Python's `logging`, text.
    #[pyfunction]
    fn take_lines() -> Vec<(u8, String)> {
        lines::take().into_iter().map(|line| (line.level, line.text)).collect()
    }

    /// To be called first in the child of a fork, where no other thread exists and locks may be held for ever.
    #[pyfunction]
    fn after_fork_in_child() {
        lines::after_fork_in_child();
    }
}
