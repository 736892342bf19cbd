//! Chooses the files of a question and a place for it, has a child answer, and says what went wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use opstream_schemas::lake::FileKind;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::ScanLimits;
use super::manifest::live_files;
use super::running::{End, FILE_TIME, Running, has_crashed, read_answer};
use super::task::{Head, Refusal, Task, Work};
use crate::connections::LongLived;
use crate::error::ApiError;
use crate::query::Range;
use crate::state::ApiState;

/// How long a question waits for others to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts children, so many at once.
pub(crate) struct Scans {
    limits: ScanLimits,
    /// The program that is started; none answers in this process, for tests.
    program: Option<PathBuf>,
    lake: Option<PathBuf>,
    places: Arc<Semaphore>,
    /// Statements have their own, so that somebody who tries what takes long holds up no page.
    sql_places: Arc<Semaphore>,
    /// Files have their own, so that somebody who takes one slowly holds up no question.
    file_places: Arc<Semaphore>,
}

impl Scans {
    /// Children of this very program.
    ///
    /// # Errors
    /// When the program does not know where it is.
    pub(crate) fn new(limits: ScanLimits, lake: Option<PathBuf>) -> std::io::Result<Self> {
        let program = if cfg!(test) { None } else { Some(this_program()?) };
        let places = |n: usize| Arc::new(Semaphore::new(n.max(1)));
        let (of_questions, of_sql) = (limits.at_once, limits.at_once / 2);
        let (sql_places, file_places) = (places(of_sql), places(of_questions));
        Ok(Self { limits, program, lake, places: places(of_questions), sql_places, file_places })
    }

    fn lake(&self) -> Result<&Path, ApiError> {
        self.lake.as_deref().ok_or_else(|| ApiError::NotFound {
            message: "this api cannot read the lake's files; start it with --lake".to_owned(),
        })
    }

    /// What they may take.
    pub(crate) const fn limits(&self) -> ScanLimits {
        self.limits
    }

    async fn place(&self, places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
        let place = tokio::time::timeout(PATIENCE, places.clone().acquire_owned()).await;
        let busy = || ApiError::Busy {
            message: format!(
                "other questions are read from the lake's files at the moment, at most {} at a time; try again",
                self.limits.at_once
            ),
        };
        place.map_err(|_| busy())?.map_err(|_| busy())
    }

    /// Answers with the whole body, so that whatever goes wrong still has its status.
    async fn answer(&self, work: &Work) -> Result<(Head, Bytes), ApiError> {
        let is_sql = matches!(work.task, Task::Sql(_));
        let _place = self.place(if is_sql { &self.sql_places } else { &self.places }).await?;
        let Some(program) = &self.program else { return answer_here(work).await };
        let mut running = Running::start(program, self.limits.threads)?;
        match tokio::time::timeout(self.limits.time, running.converse(work)).await {
            Ok(answer) => answer.map_err(|end| self.explain(end, &work.task)),
            // Dropping it ends it.
            Err(_) => Err(self.too_slow()),
        }
    }

    fn too_slow(&self) -> ApiError {
        let message = format!(
            "the answer takes more than {} s to read from the lake's files; ask for a shorter range, or name more filters",
            self.limits.time.as_secs()
        );
        ApiError::Refused(Refusal { status: 422, code: "too_slow".to_owned(), message, cause: None })
    }

    fn explain(&self, end: End, task: &Task) -> ApiError {
        match end {
            End::Other(status) if matches!(task, Task::Sql(_)) && has_crashed(status) => {
                let message = "the statement cannot be run: it is nested too deeply; say it in fewer steps, such as with IN (…) for many ORs";
                ApiError::Refused(Refusal {
                    status: 422,
                    code: "sql_failed".to_owned(),
                    message: message.to_owned(),
                    cause: None,
                })
            }
            End::Io(error) => ApiError::Internal(error.into()),
            End::OutOfMemory => {
                let message = format!(
                    "the answer needs more than {} MiB of memory; ask for a shorter range, fewer groups or columns, or name more filters",
                    self.limits.memory_bytes >> 20
                );
                ApiError::Refused(Refusal { status: 422, code: "too_much_memory".to_owned(), message, cause: None })
            }
            End::OutOfTime => self.too_slow(),
            End::Other(status) => {
                ApiError::Internal(format!("a process that reads the lake's files ended with {status}").into())
            }
        }
    }
}

/// The program that runs here, also after its file was replaced by another version.
fn this_program() -> std::io::Result<PathBuf> {
    let linux = Path::new("/proc/self/exe");
    if linux.exists() { Ok(linux.to_owned()) } else { std::env::current_exe() }
}

/// Answers in this process, for tests.
async fn answer_here(work: &Work) -> Result<(Head, Bytes), ApiError> {
    let internal = |error: Box<dyn std::error::Error + Send + Sync>| ApiError::Internal(error);
    let work = work.clone();
    let answer = tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        super::child::answer(work, &mut out).map(|()| out)
    });
    let answer = answer.await.map_err(|error| internal(error.into()))?.map_err(|error| internal(error.into()))?;
    read_answer(&answer[..]).await.map_err(|error| internal(error.into()))
}

impl ApiState {
    /// Answers a question about a range from the lake's files.
    ///
    /// # Errors
    /// What the child refuses, and limits.
    pub(crate) async fn scan(&self, task: Task, range: Range) -> Result<Response, ApiError> {
        let work = self.work(task, range, self.scans.limits.time).await?;
        let (head, body) = self.scans.answer(&work).await?;
        let (content_type, file_name) = accepted(head)?;
        Ok(respond(&content_type, file_name.as_deref(), body))
    }

    /// The same, for what the api itself goes on with.
    ///
    /// # Errors
    /// What the child refuses, and limits.
    pub(crate) async fn scan_for<T: DeserializeOwned>(&self, task: Task, range: Range) -> Result<T, ApiError> {
        let work = self.work(task, range, self.scans.limits.time).await?;
        let (head, body) = self.scans.answer(&work).await?;
        accepted(head)?;
        serde_json::from_slice(&body).map_err(|error| ApiError::Internal(error.into()))
    }

    /// Answers with a file that is passed on as it is written.
    ///
    /// # Errors
    /// What the child refuses before it writes anything, and limits.
    pub(crate) async fn scan_file(&self, task: Task, range: Range) -> Result<Response, ApiError> {
        let work = self.work(task, range, FILE_TIME).await?;
        let place = self.scans.place(&self.scans.file_places).await?;
        let Some(program) = &self.scans.program else {
            let (head, body) = answer_here(&work).await?;
            let (content_type, file_name) = accepted(head)?;
            return Ok(respond(&content_type, file_name.as_deref(), body));
        };
        let mut running = Running::start(program, self.scans.limits.threads)?;
        let head = match tokio::time::timeout(self.scans.limits.time, running.begin(&work)).await {
            Ok(head) => head.map_err(|end| self.scans.explain(end, &work.task))?,
            Err(_) => return Err(self.scans.too_slow()),
        };
        let (content_type, file_name) = accepted(head)?;
        let mut response = respond(&content_type, file_name.as_deref(), Body::from_stream(running.passed_on(place)));
        // It ends by itself when nobody takes it.
        response.extensions_mut().insert(LongLived);
        Ok(response)
    }

    async fn work(&self, task: Task, range: Range, time: Duration) -> Result<Work, ApiError> {
        let lake = self.scans.lake()?.to_owned();
        // Read again: a day that was dropped since the last look must not be counted.
        self.retention_floor.refresh(&self.database).await?;
        let files = live_files(&self.database, FileKind::Operations, range).await?;
        let contents = if task.reads_contents() {
            live_files(&self.database, FileKind::Contents, range).await?
        } else {
            Vec::new()
        };
        let ScanLimits { memory_bytes, threads, .. } = self.scans.limits;
        let cpu_seconds = time.as_secs() * threads as u64 + 1;
        Ok(Work { lake, files, contents, floor: self.retention_floor.get().into(), memory_bytes, cpu_seconds, task })
    }
}

/// The media type and the name of a body, if there is one.
fn accepted(head: Head) -> Result<(String, Option<String>), ApiError> {
    match head {
        Head::Body { content_type, file_name } => Ok((content_type, file_name)),
        Head::Refused(Refusal { status: 500, cause, .. }) => Err(ApiError::Internal(cause.unwrap_or_default().into())),
        Head::Refused(refusal) => Err(ApiError::Refused(refusal)),
    }
}

/// An answer of this media type, which browsers store under a name if it has one.
pub(crate) fn respond(content_type: &str, file_name: Option<&str>, body: impl Into<Body>) -> Response {
    let mut response = ([(CONTENT_TYPE, content_type.to_owned())], body.into()).into_response();
    let disposition = file_name.map(|name| format!("attachment; filename=\"{name}\"").parse());
    if let Some(Ok(disposition)) = disposition {
        response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    }
    response
}
