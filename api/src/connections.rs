//! Accepts connections and keeps each within [`Bounds`]: how many there are, and how long one may be without a request. Whatever
//! a client does, its place is free again after a time, and at once when somebody else needs it and nothing is under way on it;
//! else a few hundred silent ones would lock everybody out.
//!
//! Stops by taking no more connections, letting requests under way be answered, and then, after [`GRACE`], no longer waiting.

mod activity;
mod places;
mod under_way;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{BoxError, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::activity::Activity;
use self::places::{Place, Places};
use self::under_way::Counting;
pub(crate) use self::under_way::LongLived;
use crate::rate::Peer;

/// How many connections a listener has, and how long one may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Places for connections; when all are busy, further ones wait in the listener's backlog.
    places: usize,
    /// How long a new connection may say nothing at all.
    silence: Duration,
    /// How long a connection may be without a request under way, from its beginning and between two. The head of a request
    /// must come in this time.
    idle: Duration,
    /// How long an answer may still be on its way when its connection counts as idle.
    finish: Duration,
}

/// Connections of a process: three quarters of the 1024 files that systems allow one by default.
const ALL_PLACES: usize = 768;
/// Connections of a listener at most.
const MOST_PLACES: usize = 512;

impl Bounds {
    /// For each of so many listeners. None can take the places of another.
    pub(crate) fn shared_by(listeners: usize) -> Self {
        Self {
            places: (ALL_PLACES / listeners.max(1)).clamp(1, MOST_PLACES),
            silence: Duration::from_secs(5),
            idle: Duration::from_secs(30),
            finish: Duration::from_mins(1),
        }
    }
}

/// How long requests under way may take after the stop signal.
const GRACE: Duration = Duration::from_secs(10);
/// Pause when the system has no file for another connection.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(500);

/// Serves `app` to everybody who connects, until `shutdown`.
pub(crate) async fn serve_connections(
    listener: TcpListener,
    app: Router,
    bounds: Bounds,
    shutdown: &CancellationToken,
) {
    let places = Places::new(bounds.places);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let activity = places.activity();
                let place = tokio::select! {
                    () = shutdown.cancelled() => break,
                    place = places.take(&activity) => place,
                };
                let (accepted, app) = (Accepted { stream, peer: peer.ip(), activity, place }, app.clone());
                connections.spawn(serve_connection(accepted, app, bounds, shutdown.clone()));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted; trying again");
                sleep(OUT_OF_FILES_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all_answered = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    if all_answered.is_err() {
        tracing::warn!(connections = connections.len(), "some requests were not answered in time and are dropped");
    }
}

/// A connection that has its place.
struct Accepted {
    stream: TcpStream,
    peer: IpAddr,
    activity: Arc<Activity>,
    place: Place,
}

async fn serve_connection(accepted: Accepted, app: Router, bounds: Bounds, shutdown: CancellationToken) {
    let Accepted { stream, peer, activity, place } = accepted;
    // Small answers must not wait for the acknowledgement of earlier packets; without it they are merely slower.
    stream.set_nodelay(true).ok();
    let app = Counting::new(app, Peer(peer), activity.clone());
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(bounds.idle);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(bounds.idle);
    let connection = builder.serve_connection(TokioIo::new(activity.note(stream)), TowerToHyperService::new(app));
    let mut connection = std::pin::pin!(connection);
    let finish = tokio::select! {
        served = connection.as_mut() => return note_end(served),
        () = activity.says_nothing_for(bounds.silence) => return,
        () = activity.none_for(bounds.idle) => bounds.finish,
        // What was said to a client in between is kept; whoever else is there has had nothing to do.
        () = place.is_wanted() => if activity.idle_since().is_some() { Duration::ZERO } else { bounds.finish },
        () = shutdown.cancelled() => Duration::MAX,
    };
    connection.as_mut().graceful_shutdown();
    let Ok(served) = timeout(finish, connection).await else {
        return tracing::debug!("a client did not take its answer");
    };
    note_end(served);
}

fn note_end(served: Result<(), BoxError>) {
    if let Err(error) = served {
        // Clients go away; that is their right.
        tracing::debug!(error, "a connection ended early");
    }
}

/// Errors that the client caused before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}

#[cfg(test)]
mod tests;
