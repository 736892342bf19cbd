//! Accepts connections and keeps each within bounds: how many there are, and how long a client may take for a head.
//!
//! Stops by taking no more connections, letting requests under way be answered, and then, after [`GRACE`], no longer waiting.

use std::io;
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

/// Connections at a time; further ones wait in the listener's backlog. Half of the 1024 files that systems allow a process
/// by default.
const MAX_CONNECTIONS: usize = 512;
/// How long a client may take to send the head of a request, and how long it may be idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests under way may take after the stop signal.
const GRACE: Duration = Duration::from_secs(10);
/// Pause when the system has no file for another connection.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(500);

/// Serves `app` to everybody who connects, until `shutdown`.
pub(crate) async fn serve_connections(listener: TcpListener, app: Router, shutdown: &CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                connections.spawn(serve_connection(stream, app.clone(), shutdown.clone(), place));
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

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn serve_connection(stream: TcpStream, app: Router, shutdown: CancellationToken, place: OwnedSemaphorePermit) {
    // Small answers must not wait for the acknowledgement of earlier packets; without it they are merely slower.
    stream.set_nodelay(true).ok();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD_TIMEOUT);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        // Clients go away; that is their right.
        tracing::debug!(error, "a connection ended early");
    }
    drop(place);
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

    use super::*;

    /// A server whose `/slow` takes a second.
    async fn start() -> (std::net::SocketAddr, CancellationToken, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let slow = get(async || {
            sleep(Duration::from_secs(1)).await;
            "done"
        });
        let app = Router::new().route("/slow", slow);
        let shutdown = CancellationToken::new();
        let mut server = JoinSet::new();
        let token = shutdown.clone();
        server.spawn(async move { serve_connections(listener, app, &token).await });
        (address, shutdown, server)
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_before_the_end() {
        let (address, shutdown, mut server) = start().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        sleep(Duration::from_millis(200)).await;
        shutdown.cancel();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
        server.join_next().await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn idle_connections_do_not_hold_up_the_end() {
        let (address, shutdown, mut server) = start().await;
        let _silent = TcpStream::connect(address).await.unwrap();
        let mut kept_alive = TcpStream::connect(address).await.unwrap();
        kept_alive.write_all(b"GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        kept_alive.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 404");
        shutdown.cancel();
        timeout(Duration::from_secs(5), server.join_next()).await.expect("well below the grace").unwrap().unwrap();
    }
}
