//! Counts the requests under way on one connection, so that it can be known for how long it has had none.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use axum::{BoxError, Router};
use tower::{Service, ServiceExt as _};

use super::activity::Activity;
use crate::rate::Peer;

/// The app as one connection sees it.
#[derive(Clone)]
pub(super) struct Counting {
    app: Router,
    peer: Peer,
    activity: Arc<Activity>,
}

impl Counting {
    /// `app` for requests from this address, on the connection that is busy with them.
    pub(super) fn new(app: Router, peer: Peer, activity: Arc<Activity>) -> Self {
        Self { app, peer, activity }
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
        let under_way = self.activity.begin_request();
        let answer = self.app.clone().oneshot(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(under_way);
            answer
        })
    }
}
