//! Accepts connections and keeps each within [`Bounds`]: how many there are, and how long one may be without a request. Whatever
//! a client does, its place is free again after a time; else a few hundred silent ones would lock everybody out.
//!
//! Stops by taking no more connections, letting requests under way be answered, and then, after [`GRACE`], no longer waiting.

mod under_way;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::under_way::{Counting, none_for};
use crate::rate::Peer;

/// How many connections there are, and how long one may take.
///
/// Listeners with clones of the same bounds share the places.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// A place for each connection; further ones wait in their listener's backlog.
    places: Arc<Semaphore>,
    /// How long a connection may be without a request under way, from its beginning and between two. The head of a request
    /// must come in this time.
    idle: Duration,
    /// How long an answer may still be on its way when its connection counts as idle.
    finish: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        // Half of the 1024 files that systems allow a process by default.
        Self { places: Arc::new(Semaphore::new(512)), idle: Duration::from_secs(30), finish: Duration::from_mins(1) }
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
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &bounds.places) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let (app, bounds, shutdown) = (app.clone(), bounds.clone(), shutdown.clone());
                connections.spawn(async move {
                    serve_connection((stream, peer), app, bounds, shutdown).await;
                    drop(place);
                });
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

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer.ip(), place))
}

async fn serve_connection(
    (stream, peer): (TcpStream, IpAddr),
    app: Router,
    bounds: Bounds,
    shutdown: CancellationToken,
) {
    // Small answers must not wait for the acknowledgement of earlier packets; without it they are merely slower.
    stream.set_nodelay(true).ok();
    let (app, mut requests) = Counting::new(app, Peer(peer));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(bounds.idle);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(bounds.idle);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = none_for(bounds.idle, &mut requests) => {
            connection.as_mut().graceful_shutdown();
            match timeout(bounds.finish, connection).await {
                Ok(served) => served,
                Err(_) => return tracing::debug!("a client did not take its answer"),
            }
        }
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
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
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    use super::*;

    struct Server {
        address: std::net::SocketAddr,
        shutdown: CancellationToken,
        tasks: JoinSet<()>,
        /// Told when `/slow` was asked.
        asked: Arc<Notify>,
        /// Lets `/slow` answer.
        answer: Arc<Notify>,
    }

    async fn start(bounds: Bounds) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (is_asked, may_answer) = (asked.clone(), answer.clone());
        let slow = get(async move || {
            is_asked.notify_one();
            may_answer.notified().await;
            "done"
        });
        let app = Router::new().route("/slow", slow).route("/large", get(async || vec![b'x'; 50 << 20]));
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let token = shutdown.clone();
        tasks.spawn(async move { serve_connections(listener, app, bounds, &token).await });
        Server { address, shutdown, tasks, asked, answer }
    }

    async fn ask(client: &mut TcpStream, path: &str) {
        client.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    }

    /// The first bytes of an answer.
    async fn status_line(client: &mut TcpStream) -> String {
        let mut answer = [0; 12];
        let read = client.read_exact(&mut answer);
        timeout(Duration::from_secs(30), read).await.expect("an answer in time").unwrap();
        String::from_utf8(answer.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_before_the_end() {
        let mut server = start(Bounds::default()).await;
        let mut client = TcpStream::connect(server.address).await.unwrap();
        ask(&mut client, "/slow").await;
        server.asked.notified().await;
        server.shutdown.cancel();
        server.answer.notify_one();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
        server.tasks.join_next().await.unwrap().unwrap();
        assert!(TcpStream::connect(server.address).await.is_err());
    }

    #[tokio::test]
    async fn idle_connections_do_not_hold_up_the_end() {
        let mut server = start(Bounds::default()).await;
        let _silent = TcpStream::connect(server.address).await.unwrap();
        let mut kept_alive = TcpStream::connect(server.address).await.unwrap();
        ask(&mut kept_alive, "/nowhere").await;
        assert_eq!(status_line(&mut kept_alive).await, "HTTP/1.1 404");
        server.shutdown.cancel();
        timeout(Duration::from_secs(5), server.tasks.join_next())
            .await
            .expect("well below the grace")
            .unwrap()
            .unwrap();
    }

    /// One place, which is free again soon.
    fn narrow() -> Bounds {
        let places = Arc::new(Semaphore::new(1));
        Bounds { places, idle: SHORT, finish: SHORT }
    }
    const SHORT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn a_client_that_says_nothing_or_half_a_word_loses_its_place() {
        let server = start(narrow()).await;
        for word in ["", "P", "GET /slow HTTP/1.1\r\n"] {
            let mut silent = TcpStream::connect(server.address).await.unwrap();
            silent.write_all(word.as_bytes()).await.unwrap();
            let mut other = TcpStream::connect(server.address).await.unwrap();
            ask(&mut other, "/nowhere").await;
            assert_eq!(status_line(&mut other).await, "HTTP/1.1 404", "after {word:?}");
        }
    }

    #[tokio::test]
    async fn a_client_that_does_not_take_its_answer_loses_its_place() {
        let server = start(narrow()).await;
        let mut greedy = TcpStream::connect(server.address).await.unwrap();
        ask(&mut greedy, "/large").await;
        assert_eq!(status_line(&mut greedy).await, "HTTP/1.1 200");
        let mut other = TcpStream::connect(server.address).await.unwrap();
        ask(&mut other, "/nowhere").await;
        assert_eq!(status_line(&mut other).await, "HTTP/1.1 404");
    }

    #[tokio::test]
    async fn a_request_may_take_longer_than_a_connection_may_be_idle() {
        let server = start(narrow()).await;
        let mut client = TcpStream::connect(server.address).await.unwrap();
        ask(&mut client, "/slow").await;
        server.asked.notified().await;
        // Nothing else tells that the time has passed in which the connection would count as idle.
        sleep(3 * SHORT).await;
        server.answer.notify_one();
        assert_eq!(status_line(&mut client).await, "HTTP/1.1 200");
    }
}
