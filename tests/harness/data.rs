//! What lies outside the repository: real input, traces and `AiCore` folders, and a Python with stock clients.

use std::path::{Path, PathBuf};

use super::servers::{announce, environment, in_ci};

const TEST_DATA: &str = "OPSTREAM_TEST_DATA";

/// The folder with the test data: `OPSTREAM_TEST_DATA`, by default `../shared/data` beside the repository.
///
/// `None` where there is none; then a line names the folder, and the test that asked is to return.
///
/// # Panics
/// When `OPSTREAM_TEST_DATA` names a folder that does not exist.
pub(crate) fn test_data() -> Option<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = environment(TEST_DATA).map_or_else(|| repository.join("../shared/data"), |path| repository.join(path));
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(environment(TEST_DATA).is_none(), "{TEST_DATA} names {}, which is no folder", folder.display());
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    announce(&format!("SKIPPED: {test} (no test data in {}; set {TEST_DATA} to its folder)", folder.display()));
    None
}

/// A Python interpreter that has the stock clients: `OPSTREAM_TEST_PYTHON`. `None` where there is none, with a line
/// that says so.
///
/// # Panics
/// Under `CI=true` when it is not set.
pub(crate) fn python() -> Option<String> {
    interpreter("OPSTREAM_TEST_PYTHON", "stock clients", "requirements.txt")
}

/// The same with instrumentations of OpenTelemetry: `OPSTREAM_TEST_OPENTELEMETRY_PYTHON`.
///
/// # Panics
/// Under `CI=true` when it is not set.
pub(crate) fn python_with_opentelemetry() -> Option<String> {
    let variable = "OPSTREAM_TEST_OPENTELEMETRY_PYTHON";
    interpreter(variable, "instrumented applications", "requirements-opentelemetry.txt")
}

fn interpreter(variable: &str, skipped: &str, requirements: &str) -> Option<String> {
    let interpreter = environment(variable);
    if interpreter.is_none() {
        assert!(!in_ci(), "{variable} does not name a Python with the packages of .ci/{requirements}");
        announce(&format!("SKIPPED: {skipped} (set {variable} to a Python with the packages of .ci/{requirements})"));
    }
    interpreter
}

/// The folder with the stock Java clients: `OPSTREAM_TEST_JAVA_JARS`, for the `java` of the path. `None` where there is none, with a
/// line that says so.
///
/// # Panics
/// Under `CI=true` when it is not set.
pub(crate) fn java_jars() -> Option<PathBuf> {
    let jars = environment("OPSTREAM_TEST_JAVA_JARS");
    if jars.is_none() {
        assert!(!in_ci(), "OPSTREAM_TEST_JAVA_JARS does not name a folder with kafka-clients and Avro");
        announce("SKIPPED: Java clients (set OPSTREAM_TEST_JAVA_JARS to a folder with the jars of .ci/java/pom.xml)");
    }
    jars.map(PathBuf::from)
}
