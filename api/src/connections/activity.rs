//! What one connection is busy with, for whoever decides whether it may stay.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

/// How long a client may take nothing of an answer that is still its own. Networks that lose packets pause for a second or three.
const TAKING_PATIENCE: Duration = Duration::from_secs(5);

/// What a connection is busy with.
#[derive(Debug)]
pub(super) struct Activity {
    requests: watch::Sender<Requests>,
    /// Whether the client has sent anything.
    is_heard: AtomicBool,
    /// Since when the client takes nothing of what it is sent; none while nothing waits to be sent.
    // Held for a look, never across an await.
    stuck_since: Mutex<Option<Instant>>,
    /// Told when the connection has no request any more.
    became_idle: Arc<Notify>,
}

#[derive(Clone, Copy, Debug)]
struct Requests {
    under_way: usize,
    /// When the last one ended, or the connection began.
    since: Instant,
}

/// Counts one request for as long as it lives: a client that goes away has it dropped in the middle.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Activity>);

/// A stream whose traffic is noted.
#[derive(Debug)]
pub(super) struct Noted<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl Activity {
    /// Of a connection that begins now.
    pub(super) fn new(became_idle: Arc<Notify>) -> Arc<Self> {
        let (requests, _) = watch::channel(Requests { under_way: 0, since: Instant::now() });
        Arc::new(Self { requests, is_heard: AtomicBool::new(false), stuck_since: Mutex::new(None), became_idle })
    }

    /// Notes what comes and goes there.
    pub(super) fn note<S>(self: &Arc<Self>, stream: S) -> Noted<S> {
        Noted { stream, activity: self.clone() }
    }

    /// Counts a request that begins.
    pub(super) fn begin_request(self: &Arc<Self>) -> UnderWay {
        self.requests.send_modify(|requests| requests.under_way += 1);
        UnderWay(self.clone())
    }

    /// Since when the connection has had nothing to do; none while a request is under way or the client takes its answer.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let requests = *self.requests.borrow();
        let stuck_since = *self.stuck_since.lock().unwrap_or_else(PoisonError::into_inner);
        let takes_answer = stuck_since.is_some_and(|since| since.elapsed() < TAKING_PATIENCE);
        (requests.under_way == 0 && !takes_answer).then_some(requests.since)
    }

    /// Returns once no request has been under way for `idle`.
    pub(super) async fn none_for(&self, idle: Duration) {
        let mut requests = self.requests.subscribe();
        loop {
            let changed = if requests.borrow_and_update().under_way > 0 {
                requests.changed().await
            } else {
                match timeout(idle, requests.changed()).await {
                    Ok(changed) => changed,
                    Err(_) => return,
                }
            };
            changed.expect("its sender is here");
        }
    }

    /// Returns if the client has sent nothing for so long from now on, else never.
    pub(super) async fn says_nothing_for(&self, silence: Duration) {
        sleep(silence).await;
        if self.is_heard.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    fn note_writing<T>(&self, written: &Poll<io::Result<T>>) {
        let mut stuck_since = self.stuck_since.lock().unwrap_or_else(PoisonError::into_inner);
        if written.is_ready() {
            *stuck_since = None;
        } else {
            stuck_since.get_or_insert_with(Instant::now);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.requests.send_modify(|requests| {
            *requests = Requests { under_way: requests.under_way - 1, since: Instant::now() };
        });
        self.0.became_idle.notify_one();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.is_heard.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.activity.note_writing(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.activity.note_writing(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
