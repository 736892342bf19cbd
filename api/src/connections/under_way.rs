//! Counts the requests under way on one connection, so that it can be known for how long it has had none.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use axum::{BoxError, Router};
use futures_util::{Stream, StreamExt as _};
use tower::{Service, ServiceExt as _};

use super::activity::{Activity, UnderWay};
use crate::rate::Peer;

/// Marks an answer that goes on for as long as its reader stays: its request is under way until then, and its connection keeps its place.
/// Such an answer must end by itself when nobody takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongLived;

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
            let mut answer = answer.await?;
            if answer.extensions_mut().remove::<LongLived>().is_some() {
                answer = answer.map(|body| Body::from_stream(held(body, under_way)));
            }
            Ok(answer)
        })
    }
}

/// The pieces of a body, for whose length a request is under way.
fn held(body: Body, under_way: UnderWay) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    body.into_data_stream().inspect(move |_| {
        let _until_it_ends = &under_way;
    })
}
