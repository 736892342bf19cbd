//! Counts the requests under way on one connection, so that it can be known for how long it has had none.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use axum::{BoxError, Router};
use tokio::sync::watch;
use tokio::time::timeout;
use tower::{Service, ServiceExt as _};

use crate::rate::Peer;

/// The app as one connection sees it.
#[derive(Clone)]
pub(super) struct Counting {
    app: Router,
    peer: Peer,
    requests: watch::Sender<usize>,
}

/// Counts one request for as long as it lives: a client that goes away has it dropped in the middle.
struct UnderWay(watch::Sender<usize>);

impl Counting {
    /// `app` for requests from this address, and the number of requests that it is answering.
    pub(super) fn new(app: Router, peer: Peer) -> (Self, watch::Receiver<usize>) {
        let (requests, count) = watch::channel(0);
        (Self { app, peer, requests }, count)
    }
}

impl UnderWay {
    fn begin(requests: watch::Sender<usize>) -> Self {
        requests.send_modify(|count| *count += 1);
        Self(requests)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl<B> Service<Request<B>> for Counting
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        let under_way = UnderWay::begin(self.requests.clone());
        let answer = self.app.clone().oneshot(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(under_way);
            answer
        })
    }
}

/// Returns once no request has been under way for `idle`.
pub(super) async fn none_for(idle: Duration, requests: &mut watch::Receiver<usize>) {
    loop {
        let changed = if *requests.borrow_and_update() > 0 {
            requests.changed().await
        } else {
            match timeout(idle, requests.changed()).await {
                Ok(changed) => changed,
                Err(_) => return,
            }
        };
        if changed.is_err() {
            // The connection has ended, and whoever serves it is told so.
            std::future::pending::<()>().await;
        }
    }
}
