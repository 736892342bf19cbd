//! What the broker makes of clients that do not speak its language, lie, stop, or are too many.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_kafka_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 0, 0, 2, 9, 9], &[0, 0, 0, 8, 0, 18, 0, 9, 0, 0, 0, 7]] {
        let mut stream = connect(&broker).await;
        stream.write_all(nonsense).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Closing with unread bytes in the way resets the connection, which is as good as an end.
        stream.read_to_end(&mut answer).await.ok();
        // Only the last one asks for something: the supported versions, in a version from the future.
        let is_question = nonsense[5] == 18;
        assert_eq!(answer.len() > 10, is_question, "{nonsense:?}");
        if is_question {
            assert_eq!(answer[4..10], [0, 0, 0, 7, 0, 35], "correlation id and `unsupported version`");
        }
    }
    assert_eq!(produce(&producer(&broker), 0, b"still there").await, 0);
    broker.stop().await.unwrap();
}

/// A client of Kafka's protocol that says whatever it is told to.
async fn say(broker: &EmbeddedBroker, request: &[u8]) -> Vec<u8> {
    let mut stream = connect(broker).await;
    stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_claims_two_billion_topics_costs_its_connection_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let metadata = |count: u32| [&[0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff][..], &count.to_be_bytes()].concat();
    assert!(say(&broker, &metadata(0x7fff_ffff)).await.is_empty());
    assert_eq!(say(&broker, &metadata(0)).await[4..8], [0, 0, 0, 7]);
    broker.stop().await.unwrap();
}

async fn connect(broker: &EmbeddedBroker) -> TcpStream {
    TcpStream::connect(broker.address()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_stop_in_the_middle_of_large_requests_hold_up_neither_others_nor_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let mut stopped = Vec::new();
    for _ in 0..5 {
        let mut stream = connect(&broker).await;
        stream.write_all(&(32u32 << 20).to_be_bytes()).await.unwrap();
        stream.write_all(&vec![0; 100_000]).await.unwrap();
        stopped.push(stream);
    }
    let sender = producer(&broker);
    assert_eq!(produce(&sender, 0, b"goes through").await, 0);
    let reader = consumer(&broker);
    assign(&reader, 0, 0);
    assert_eq!(consume(&reader, 1).len(), 1);
    drop((sender, reader));
    let begun = Instant::now();
    broker.stop().await.unwrap();
    assert!(begun.elapsed() < STOP_PATIENCE, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_most_connections_new_ones_are_closed_and_later_welcome_again() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let mut open = Vec::new();
    for _ in 0..MOST_CONNECTIONS {
        open.push(connect(&broker).await);
    }
    let mut refused = connect(&broker).await;
    assert!(matches!(refused.read(&mut [0; 8]).await, Ok(0) | Err(_)), "closed without a word");
    drop(open);
    assert_eq!(produce(&producer(&broker), 0, b"welcome").await, 0);
    broker.stop().await.unwrap();
}
