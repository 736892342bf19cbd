//! Chooses the files of a question, starts a child for it, and passes on what it answers.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, stream};
use opstream_schemas::lake::FileKind;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::limits::{ScanLimits, lacks_memory};
use super::manifest::live_files;
use super::task::{Head, MAX_BODY, Refusal, Task, Work};
use crate::connections::LongLived;
use crate::error::ApiError;
use crate::query::Range;
use crate::state::ApiState;

/// How long a question waits for others to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a file may take until it is taken whole.
const FILE_TIME: Duration = Duration::from_mins(30);
/// How long the next portion of a file may wait to be taken.
const TAKEN_WITHIN: Duration = Duration::from_mins(1);
/// Portions that may wait.
const PORTIONS: usize = 2;
/// Bytes of a file that are read at once.
const PORTION: usize = 64 << 10;
/// Most bytes of the first line of an answer.
const MAX_HEAD: u64 = 64 << 10;
/// How long a child that said something odd may take to end by itself.
const LAST_MOMENTS: Duration = Duration::from_secs(1);
/// Enough of what a dying child says to see why.
const MAX_WORDS: u64 = 4 << 10;

/// Starts children, so many at once.
pub(crate) struct Scans {
    limits: ScanLimits,
    /// The program that is started; none answers in this process, for tests.
    program: Option<PathBuf>,
    lake: Option<PathBuf>,
    places: Arc<Semaphore>,
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
        let places = || Arc::new(Semaphore::new(limits.at_once.max(1)));
        Ok(Self { limits, program, lake, places: places(), file_places: places() })
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
                "other questions are read from the lake's files at the moment, {} at a time; try again",
                self.limits.at_once
            ),
        };
        place.map_err(|_| busy())?.map_err(|_| busy())
    }

    /// Answers with the whole body, so that whatever goes wrong still has its status.
    async fn answer(&self, work: &Work) -> Result<(Head, Bytes), ApiError> {
        let _place = self.place(&self.places).await?;
        let Some(program) = &self.program else { return answer_here(work).await };
        let mut running = Running::start(program, self.limits.threads)?;
        match tokio::time::timeout(self.limits.time, running.converse(work)).await {
            Ok(answer) => answer.map_err(|end| self.explain(end)),
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

    fn explain(&self, end: End) -> ApiError {
        match end {
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
            Ok(head) => head.map_err(|end| self.scans.explain(end))?,
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

/// How a child ended that gave no answer.
enum End {
    OutOfMemory,
    OutOfTime,
    Other(ExitStatus),
    Io(std::io::Error),
}

/// A child that runs. Dropped, it is killed.
struct Running {
    child: Child,
    /// Closed once the question stands there.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// The one task that listens to what it says beside its answer.
    words: JoinSet<Vec<u8>>,
}

impl Running {
    fn start(program: &Path, threads: usize) -> Result<Self, ApiError> {
        let mut command = Command::new(program);
        command.arg("scan").env_clear().env("POLARS_MAX_THREADS", threads.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| ApiError::Internal(error.into()))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(ApiError::Internal("a process was started without its pipes".into()));
        };
        let mut words = JoinSet::new();
        words.spawn(first_words(errors));
        Ok(Self { child, input: Some(input), output: BufReader::new(output), words })
    }

    async fn ask(&mut self, work: &Work) -> Result<(), End> {
        let question = serde_json::to_vec(work).map_err(|error| End::Io(error.into()))?;
        if let Some(mut input) = self.input.take() {
            // A child that is gone already says below why.
            let _is_taken = input.write_all(&question).await.is_ok();
        }
        Ok(())
    }

    /// The whole answer.
    async fn converse(&mut self, work: &Work) -> Result<(Head, Bytes), End> {
        self.ask(work).await?;
        let answer = read_answer(&mut self.output).await;
        self.unless_failed(answer).await
    }

    /// The first line of the answer.
    async fn begin(&mut self, work: &Work) -> Result<Head, End> {
        self.ask(work).await?;
        match read_head(&mut self.output).await {
            Ok(head) => Ok(head),
            Err(error) => self.unless_failed(Err(error)).await,
        }
    }

    /// What was read, if the child ended well.
    async fn unless_failed<T>(&mut self, read: std::io::Result<T>) -> Result<T, End> {
        // After an odd answer it may wait for somebody to read on; dropping it ends it.
        let patience = if read.is_ok() { FILE_TIME } else { LAST_MOMENTS };
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(Ok(status)) if !status.success() => Err(self.end(status).await),
            Ok(Err(error)) => Err(End::Io(error)),
            Ok(Ok(_)) | Err(_) => read.map_err(End::Io),
        }
    }

    /// What follows the first line, portion by portion. It fails at its end if the child did, so that nobody takes a part for the
    /// whole; and it ends, with the child, when nobody takes the next portion for a while.
    fn passed_on(mut self, place: OwnedSemaphorePermit) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
        let (sender, receiver) = mpsc::channel(PORTIONS);
        let mut passing = JoinSet::new();
        passing.spawn(async move {
            let _place = place;
            let until = Instant::now() + FILE_TIME;
            loop {
                let portion = match tokio::time::timeout_at(until, self.portion()).await {
                    Ok(portion) => portion?,
                    Err(_) => return Err(std::io::Error::other("the file took too long to be taken")),
                };
                let Some(portion) = portion else { return Ok(()) };
                let is_taken = tokio::time::timeout(TAKEN_WITHIN, sender.send(portion)).await;
                if !matches!(is_taken, Ok(Ok(()))) {
                    return Err(std::io::Error::other("nobody takes the file"));
                }
            }
        });
        // Only a task that ended well has passed on everything. Dropped with the answer, it ends, and the child with it.
        let next = |(mut receiver, mut passing): (mpsc::Receiver<Bytes>, JoinSet<std::io::Result<()>>)| async move {
            if let Some(portion) = receiver.recv().await {
                return Some((Ok(portion), (receiver, passing)));
            }
            let error = match passing.join_next().await? {
                Ok(Ok(())) => return None,
                Ok(Err(error)) => error,
                Err(error) => std::io::Error::other(error),
            };
            tracing::warn!(%error, "a file from the lake was broken off");
            Some((Err(error), (receiver, passing)))
        };
        stream::unfold((receiver, passing), next)
    }

    async fn portion(&mut self) -> std::io::Result<Option<Bytes>> {
        let mut bytes = Vec::with_capacity(PORTION);
        if self.output.read_buf(&mut bytes).await? > 0 {
            return Ok(Some(bytes.into()));
        }
        match self.child.wait().await? {
            status if status.success() => Ok(None),
            status => Err(std::io::Error::other(format!("the process that wrote it ended with {status}"))),
        }
    }

    async fn end(&mut self, status: ExitStatus) -> End {
        // What it said may be about the question, so it is looked at and never logged.
        let words = self.words.join_next().await.and_then(Result::ok).unwrap_or_default();
        if lacks_memory(&String::from_utf8_lossy(&words)) {
            return End::OutOfMemory;
        }
        match signal_of(status) {
            Some(SIGKILL) => End::OutOfMemory,
            Some(SIGXCPU) => End::OutOfTime,
            _ => End::Other(status),
        }
    }
}

/// What a child says first. The rest is read too, because a child whose pipe is full waits.
async fn first_words(mut errors: ChildStderr) -> Vec<u8> {
    let mut words = Vec::new();
    if (&mut errors).take(MAX_WORDS).read_to_end(&mut words).await.is_ok() {
        drop(tokio::io::copy(&mut errors, &mut tokio::io::sink()).await);
    }
    words
}

/// The system's last resort where memory runs out.
const SIGKILL: i32 = 9;
/// Sent at the limit of processor time.
const SIGXCPU: i32 = 24;

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}

async fn read_head(output: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Head> {
    let mut line = Vec::new();
    output.take(MAX_HEAD).read_until(b'\n', &mut line).await?;
    Ok(serde_json::from_slice(&line)?)
}

async fn read_answer(mut output: impl AsyncBufRead + Unpin) -> std::io::Result<(Head, Bytes)> {
    let head = read_head(&mut output).await?;
    let mut body = Vec::new();
    output.take(MAX_BODY as u64 + 1).read_to_end(&mut body).await?;
    if body.len() > MAX_BODY {
        return Err(std::io::Error::other("an answer from the lake's files is too large"));
    }
    Ok((head, body.into()))
}
