//! A child that runs: what it is asked, what it answers, how it ends.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::limits::lacks_memory;
use super::task::{Head, MAX_BODY, Work};
use crate::error::ApiError;

/// How long a file may take until it is taken whole.
pub(super) const FILE_TIME: Duration = Duration::from_mins(30);

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
/// Stack of the threads of a child beside the one that answers: they descend into expressions, too.
const STACK_OF_OTHERS: usize = 8 << 20;
/// How long in all portions of a file may wait until so many bytes of it are taken. A slow line takes more; who does not holds a place
/// that others want.
const TAKEN_WITHIN: Duration = Duration::from_mins(1);
const TAKEN_BYTES: usize = 1 << 20;

/// How a child ended that gave no answer.
pub(super) enum End {
    OutOfMemory,
    OutOfTime,
    Other(ExitStatus),
    Io(std::io::Error),
}

/// A child that runs. Dropped, it is killed.
pub(super) struct Running {
    child: Child,
    /// Closed once the question stands there.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// The one task that listens to what it says beside its answer.
    words: JoinSet<Vec<u8>>,
}

impl Running {
    pub(super) fn start(program: &Path, threads: usize) -> Result<Self, ApiError> {
        let mut command = Command::new(program);
        command.arg("scan").env_clear().env("POLARS_MAX_THREADS", threads.to_string());
        command.env("RUST_MIN_STACK", STACK_OF_OTHERS.to_string());
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
    pub(super) async fn converse(&mut self, work: &Work) -> Result<(Head, Bytes), End> {
        self.ask(work).await?;
        let answer = read_answer(&mut self.output).await;
        self.unless_failed(answer).await
    }

    /// The first line of the answer.
    pub(super) async fn begin(&mut self, work: &Work) -> Result<Head, End> {
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
    pub(super) fn passed_on(
        mut self,
        place: OwnedSemaphorePermit,
    ) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
        let (sender, receiver) = mpsc::channel(PORTIONS);
        let mut passing = JoinSet::new();
        passing.spawn(async move {
            let _place = place;
            let until = Instant::now() + FILE_TIME;
            let (mut patience, mut taken) = (TAKEN_WITHIN, 0);
            loop {
                let portion = match tokio::time::timeout_at(until, self.portion()).await {
                    Ok(portion) => portion?,
                    Err(_) => return Err(std::io::Error::other("the file took too long to be taken")),
                };
                let Some(portion) = portion else { return Ok(()) };
                let (began, bytes) = (Instant::now(), portion.len());
                let is_taken = tokio::time::timeout(patience, sender.send(portion)).await;
                if !matches!(is_taken, Ok(Ok(()))) {
                    return Err(std::io::Error::other("nobody takes the file, or too slowly"));
                }
                patience = patience.saturating_sub(began.elapsed());
                taken += bytes;
                if taken >= TAKEN_BYTES {
                    (patience, taken) = (TAKEN_WITHIN, 0);
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

/// Whether a process ended as those do whose stack is full.
pub(super) fn has_crashed(status: ExitStatus) -> bool {
    const SIGABRT: i32 = 6;
    const SIGBUS: i32 = 7;
    const SIGSEGV: i32 = 11;
    matches!(signal_of(status), Some(SIGABRT | SIGBUS | SIGSEGV))
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

pub(super) async fn read_answer(mut output: impl AsyncBufRead + Unpin) -> std::io::Result<(Head, Bytes)> {
    let head = read_head(&mut output).await?;
    let mut body = Vec::new();
    output.take(MAX_BODY as u64 + 1).read_to_end(&mut body).await?;
    if body.len() > MAX_BODY {
        return Err(std::io::Error::other("an answer from the lake's files is too large"));
    }
    Ok((head, body.into()))
}
