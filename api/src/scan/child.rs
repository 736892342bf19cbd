//! What runs in a child: reads the question, takes its own limits, answers, ends.

use std::io::{self, BufWriter, Read as _, Write};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use polars::prelude::*;

use super::answers::{Answer, respond};
use super::files::TableError;
use super::limits::lacks_memory;
use super::table::{Format, TableWriter, WriteError};
use super::task::{Head, Refusal, Task, Work};
use crate::error::ApiError;

/// Memory that a child has mapped before it reads anything, with the stacks of its threads.
const BASE_MEMORY: u64 = 384 << 20;
/// Stack of the thread that answers: statements are parsed and planned by descending into them.
const STACK: usize = 64 << 20;
/// Rows of a file that are in memory at once.
const BATCH_ROWS: usize = 20_000;
const JSON: &str = "application/json";

/// Answers the one question that stands on the standard input, on the standard output. Nobody calls it but the api.
///
/// # Errors
/// When the question cannot be read or the answer not be written.
pub fn serve() -> anyhow::Result<()> {
    let mut question = Vec::new();
    io::stdin().lock().read_to_end(&mut question)?;
    let work: Work = serde_json::from_slice(&question)?;
    limit(&work)?;
    let answering = std::thread::Builder::new().stack_size(STACK);
    let answering = answering.spawn(move || answer(work, &mut BufWriter::new(io::stdout())))?;
    match answering.join() {
        Ok(answer) => Ok(answer?),
        Err(panic) => resume_unwind(panic),
    }
}

/// What the system enforces from here on: memory, time of the processor, no dump of the memory, no file written.
#[cfg(unix)]
fn limit(work: &Work) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let at_most = |most| Rlimit { current: Some(most), maximum: Some(most) };
    // Where the system counts only what a process has to itself, mapped files are not in it.
    setrlimit(Resource::Data, at_most(work.memory_bytes + BASE_MEMORY))?;
    setrlimit(Resource::Cpu, at_most(work.cpu_seconds))?;
    setrlimit(Resource::Core, at_most(0))?;
    setrlimit(Resource::Fsize, at_most(0))?;
    Ok(())
}

#[cfg(not(unix))]
fn limit(_: &Work) -> io::Result<()> {
    Err(io::Error::other("here no limits can be set on a process"))
}

/// Answers a question: a line that says what follows, and the body.
pub(super) fn answer(work: Work, out: &mut (impl Write + Send)) -> io::Result<()> {
    let began = Instant::now();
    let is_sql = matches!(work.task, Task::Sql(_));
    match unless_panicked(is_sql, || respond(work, began)) {
        Ok(Answer::Json(body)) => {
            write_head(&Head::Body { content_type: JSON.to_owned(), file_name: None }, out)?;
            out.write_all(&body)?;
        }
        Ok(Answer::File { plan, format, name, blame }) => write_file(*plan, (format, name), blame, out)?,
        Err(error) => write_head(&Head::Refused(Refusal::of(&error)), out)?,
    }
    out.flush()
}

/// What some work says. Polars panics over some statements that it does not know how to run, which is no fault of ours; any other
/// panic ends the process, and the parent sees why.
fn unless_panicked<T>(is_sql: bool, work: impl FnOnce() -> Result<T, ApiError>) -> Result<T, ApiError> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let words =
            panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        if !is_sql || words.is_some_and(lacks_memory) {
            resume_unwind(panic);
        }
        let message =
            "the statement cannot be run: Polars gave up on it; write it in another way, or over a shorter range";
        Err(ApiError::Refused(Refusal {
            status: 422,
            code: "sql_failed".to_owned(),
            message: message.to_owned(),
            cause: None,
        }))
    })
}

fn write_head(head: &Head, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, head)?;
    out.write_all(b"\n")
}

/// Writes a table batch by batch. What goes wrong before the first one is still told; later the process ends with an error, and
/// the answer is cut off.
fn write_file(
    mut plan: LazyFrame,
    (format, name): (Format, &str),
    blame: fn(PolarsError) -> ApiError,
    out: &mut (impl Write + Send),
) -> io::Result<()> {
    let refuse = |error: PolarsError, out: &mut _| write_head(&Head::Refused(Refusal::of(&blame(error))), out);
    let schema = match plan.collect_schema() {
        Ok(schema) => schema,
        Err(error) => return refuse(error, out),
    };
    let (batches, reading) = match batches(plan) {
        Ok((batches, reading)) => (batches, reading),
        Err(error) => return refuse(error, out),
    };
    let mut batches = batches.into_iter().peekable();
    if let Some(Err(error)) = batches.next_if(Result::is_err) {
        return refuse(error, out);
    }
    let head = Head::Body { content_type: format.content_type().to_owned(), file_name: Some(format.file_name(name)) };
    write_head(&head, out)?;
    let broken = |error: WriteError| io::Error::other(error);
    let mut writer = TableWriter::begin(format, &schema, &mut *out).map_err(broken)?;
    for batch in batches {
        writer.write(&batch.map_err(io::Error::other)?).map_err(broken)?;
    }
    // A thread that panicked sends no more either, and what it had not sent is missing.
    reading.join().map_err(|_| io::Error::other("the reading of the files ended early"))?;
    writer.finish().map_err(broken)
}

/// The rows of a plan as they are read, a batch ahead of who takes them.
pub(super) fn batches(plan: LazyFrame) -> PolarsResult<(Receiver<PolarsResult<DataFrame>>, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(1);
    let failed = sender.clone();
    // It ends when nobody takes them any more.
    let pass_on = PlanCallback::new(move |batch: DataFrame| Ok(sender.send(Ok(batch)).is_err()));
    let plan = plan.sink_batches(pass_on, true, NonZeroUsize::new(BATCH_ROWS))?;
    let reading = std::thread::spawn(move || {
        if let Err(error) = plan.collect_with_engine(Engine::Streaming) {
            // Whoever went away has no need to know.
            drop(failed.send(Err(error)));
        }
    });
    Ok((receiver, reading))
}

impl Refusal {
    fn of(error: &ApiError) -> Self {
        let (status, code) = error.status_and_code();
        let cause = match error {
            ApiError::Internal(cause) => Some(without_quoted(&cause.to_string())),
            _ => None,
        };
        Self { status: status.as_u16(), code: code.to_owned(), message: error.to_string(), cause }
    }
}

/// A text for the log: what Polars quotes may be a value that somebody asked for.
fn without_quoted(text: &str) -> String {
    let parts: Vec<&str> = text.split('"').step_by(2).collect();
    parts.join("\"…\"").chars().take(500).collect()
}

impl From<TableError> for ApiError {
    fn from(error: TableError) -> Self {
        Self::Internal(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_over_a_statement_is_told_to_whoever_wrote_it() {
        let told = |is_sql, words: &'static str| {
            std::panic::catch_unwind(|| unless_panicked::<()>(is_sql, || panic!("{words}")).unwrap_err())
        };
        assert_eq!(told(true, "not yet implemented").unwrap().status_and_code().1, "sql_failed");
        assert!(told(true, "Cannot allocate memory").is_err());
        assert!(told(false, "not yet implemented").is_err());
        assert!(unless_panicked(true, || Ok(())).is_ok());
    }
}
