//! How a command says that it could not do its work: on one line, each cause once, and never a backtrace.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Exit code of a command that could not run, where 1 is an answer: something was found, refused or is missing.
pub(crate) const NOT_RUN: u8 = 2;

/// The exit code of a command whose failure is an answer too; says why there is none.
pub(crate) fn answered(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        say("error", &error);
        ExitCode::from(NOT_RUN)
    })
}

/// Writes the error to standard error behind `what`.
pub(crate) fn say(what: &str, error: &anyhow::Error) {
    // A standard error that is gone leaves the exit code to say it.
    drop(writeln!(io::stderr(), "{what}: {}", told(error.as_ref())));
}

/// An error and what it came from. Many errors say their cause themselves; what was said already is not said again.
pub(crate) fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Whoever reads the output may stop before its end, as `head` does, and has then seen enough.
///
/// # Errors
/// Those of writing, but for that.
pub(crate) fn unless_reader_left(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn each_cause_is_said_once() {
        let system = || io::Error::other("permission denied (os error 13)");
        let repeated: anyhow::Error = sqlx::Error::Io(system()).into();
        let error = repeated.context("cannot open the database");
        let expected = "cannot open the database: error communicating with database: permission denied (os error 13)";
        assert_eq!(told(error.as_ref()), expected);
        let plain = Err::<(), _>(system()).context("cannot open a.jsonl").unwrap_err();
        assert_eq!(told(plain.as_ref()), "cannot open a.jsonl: permission denied (os error 13)");
    }

    #[test]
    fn a_reader_that_left_is_no_failure_and_a_full_disk_is() {
        let failing = |kind: io::ErrorKind| unless_reader_left(Err(kind.into()));
        assert!(failing(io::ErrorKind::BrokenPipe).is_ok() && failing(io::ErrorKind::StorageFull).is_err());
    }
}
