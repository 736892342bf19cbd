//! Connections as clients see them, on a port of this machine.

use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use futures_util::{StreamExt as _, stream};
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
    let endless = get(async || {
        let pieces = stream::repeat_with(|| Ok::<_, std::convert::Infallible>("x")).then(async |piece| {
            sleep(SHORT / 4).await;
            piece
        });
        let mut answer = Response::new(Body::from_stream(pieces));
        answer.extensions_mut().insert(LongLived);
        answer
    });
    let app = Router::new()
        .route("/endless", endless)
        .route("/slow", slow)
        .route("/large", get(async || vec![b'x'; 50 << 20]));
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
    let mut server = start(patient(512)).await;
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
    let mut server = start(patient(512)).await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let mut kept_alive = TcpStream::connect(server.address).await.unwrap();
    ask(&mut kept_alive, "/nowhere").await;
    assert_eq!(status_line(&mut kept_alive).await, "HTTP/1.1 404");
    server.shutdown.cancel();
    timeout(Duration::from_secs(5), server.tasks.join_next()).await.expect("well below the grace").unwrap().unwrap();
}

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_mins(10);

/// One place, which is free again soon.
fn narrow() -> Bounds {
    Bounds { places: 1, silence: LONG, idle: SHORT, finish: SHORT }
}

/// Places that nobody has to leave but for somebody else.
fn patient(places: usize) -> Bounds {
    Bounds { places, silence: LONG, idle: LONG, finish: LONG }
}

/// Waits until the server has closed the connection.
async fn until_closed(client: &mut TcpStream) {
    let read = timeout(Duration::from_secs(30), client.read_to_end(&mut Vec::new())).await;
    // An end or a reset: either way nobody is there any more.
    read.expect("an end in time").ok();
}

/// Connects and asks once, so that the server knows the connection.
async fn kept_alive(server: &Server) -> TcpStream {
    let mut client = TcpStream::connect(server.address).await.unwrap();
    ask(&mut client, "/nowhere").await;
    assert_eq!(status_line(&mut client).await, "HTTP/1.1 404");
    client
}

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

#[tokio::test]
async fn an_answer_that_goes_on_keeps_its_place_for_as_long_as_somebody_reads_it() {
    let server = start(narrow()).await;
    let mut reader = TcpStream::connect(server.address).await.unwrap();
    ask(&mut reader, "/endless").await;
    assert_eq!(status_line(&mut reader).await, "HTTP/1.1 200");
    // Beyond what an answer may take that is under way when its connection counts as idle.
    let long = tokio::time::Instant::now() + 5 * SHORT;
    while tokio::time::Instant::now() < long {
        assert!(reader.read(&mut [0; 100]).await.unwrap() > 0, "the answer ended");
    }
    drop(reader);
    kept_alive(&server).await;
}

#[tokio::test]
async fn when_all_places_are_taken_whoever_was_idle_for_longest_makes_room() {
    let server = start(patient(3)).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(kept_alive(&server).await);
    }
    let mut new = kept_alive(&server).await;
    until_closed(&mut silent[0]).await;
    let [_, second, third] = &mut silent[..] else { unreachable!("three were made") };
    for client in [second, third, &mut new] {
        ask(client, "/slow").await;
        server.asked.notified().await;
        server.answer.notify_one();
    }
}

#[tokio::test]
async fn a_crowd_that_never_says_a_word_keeps_nobody_out() {
    for word in ["", "P", "GET /slow HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
        let server = start(patient(2)).await;
        let mut crowd = Vec::new();
        for _ in 0..5 {
            let mut silent = TcpStream::connect(server.address).await.unwrap();
            silent.write_all(word.as_bytes()).await.unwrap();
            crowd.push(silent);
        }
        kept_alive(&server).await;
    }
}

#[tokio::test]
async fn nobody_loses_the_place_on_which_a_request_is_under_way() {
    let server = start(patient(1)).await;
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    ask(&mut busy, "/slow").await;
    server.asked.notified().await;
    let mut other = TcpStream::connect(server.address).await.unwrap();
    ask(&mut other, "/nowhere").await;
    // Time enough to lose the place.
    sleep(SHORT).await;
    server.answer.notify_one();
    assert_eq!(status_line(&mut busy).await, "HTTP/1.1 200");
    assert_eq!(status_line(&mut other).await, "HTTP/1.1 404");
}

#[tokio::test]
async fn a_new_connection_that_says_nothing_is_closed_and_one_that_has_spoken_is_not() {
    let server = start(Bounds { silence: SHORT, ..patient(3) }).await;
    let mut spoken = kept_alive(&server).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    until_closed(&mut silent).await;
    ask(&mut spoken, "/slow").await;
    server.asked.notified().await;
}

#[tokio::test]
async fn a_full_listener_leaves_the_places_of_another_alone() {
    let (full, other) = (start(patient(1)).await, start(patient(1)).await);
    let mut busy = TcpStream::connect(full.address).await.unwrap();
    ask(&mut busy, "/slow").await;
    full.asked.notified().await;
    kept_alive(&other).await;
    let all = |listeners| Bounds::shared_by(listeners).places * listeners;
    assert_eq!((all(1), all(3)), (512, 768));
    assert_eq!(Bounds::shared_by(5000).places, 1);
}
