//! Each fault does what it says, shown with a server that answers every byte with itself.

use std::io::ErrorKind;

use super::*;

/// A server that remembers all it got.
async fn echo() -> (SocketAddr, watch::Receiver<Vec<u8>>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (got, seen) = watch::channel(Vec::new());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let got = got.clone();
            connections.spawn(async move {
                let mut piece = [0; 1024];
                while let Ok(read @ 1..) = stream.read(&mut piece).await {
                    got.send_modify(|got| got.extend(&piece[..read]));
                    if stream.write_all(&piece[..read]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (address, seen, tasks)
}

async fn ask(client: &mut TcpStream, question: &[u8]) -> io::Result<Vec<u8>> {
    client.write_all(question).await?;
    let mut answer = vec![0; question.len()];
    client.read_exact(&mut answer).await?;
    Ok(answer)
}

async fn connect(proxy: &FaultProxy) -> io::Result<TcpStream> {
    TcpStream::connect(("127.0.0.1", proxy.port())).await
}

#[tokio::test]
async fn a_pattern_cuts_before_or_after_the_server_has_it_even_in_two_pieces() {
    let (address, mut seen, _server) = echo().await;
    let proxy = FaultProxy::start(address).await;
    for (cut, expected) in [(Cut::Before(b"COMMIT"), &b"a;"[..]), (Cut::After(b"COMMIT"), b"a;COMMIT")] {
        let before = seen.borrow().len();
        let cuts = proxy.cuts();
        let mut client = connect(&proxy).await.unwrap();
        proxy.cut_one(cut);
        assert_eq!(ask(&mut client, b"a;").await.unwrap(), b"a;");
        assert!(ask(&mut client, b"COMMIT;b").await.is_err());
        assert_eq!(proxy.cuts(), cuts + 1);
        seen.wait_for(|seen| seen[before..].ends_with(expected)).await.unwrap();
        let mut next = connect(&proxy).await.unwrap();
        assert_eq!(ask(&mut next, b"COMMIT").await.unwrap(), b"COMMIT", "the order was carried out");
    }
    assert_eq!(find_cut(&Cut::After(b"COMMIT"), b"..COM", b"MIT..", 5), Some(3));
    assert_eq!(find_cut(&Cut::Before(b"COMMIT"), b"..COM", b"MIT..", 5), Some(0));
    assert_eq!(find_cut(&Cut::Before(b"COMMIT"), b"COMMIT", b"..", 6), None);
    assert_eq!(find_cut(&Cut::AtByte(7), b"", b"abcd", 5), Some(2));
}

#[tokio::test]
async fn slow_traffic_takes_the_time_of_its_bytes_and_late_traffic_its_delay() {
    let (address, _seen, _server) = echo().await;
    let proxy = FaultProxy::start(address).await;
    let mut client = connect(&proxy).await.unwrap();
    let began = tokio::time::Instant::now();
    proxy.set(Traffic::Slow(10_000));
    ask(&mut client, &[7; 1_000]).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());
    let began = tokio::time::Instant::now();
    proxy.set(Traffic::Late(Duration::from_millis(30)));
    ask(&mut client, b"x").await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(60), "there and back: {:?}", began.elapsed());
}

#[tokio::test]
async fn silence_is_accepted_and_kept_and_refusal_closes_the_port() {
    let (address, seen, _server) = echo().await;
    let proxy = FaultProxy::start(address).await;
    let mut old = connect(&proxy).await.unwrap();
    ask(&mut old, b"1").await.unwrap();
    proxy.set(Traffic::Silent);
    let mut new = connect(&proxy).await.unwrap();
    for client in [&mut old, &mut new] {
        client.write_all(b"2").await.unwrap();
        let answer = tokio::time::timeout(Duration::from_millis(50), client.read_u8()).await;
        assert!(answer.is_err(), "{answer:?}");
    }
    assert_eq!(*seen.borrow(), b"1");
    proxy.set(Traffic::Passes);
    assert_eq!(old.read_u8().await.unwrap(), b'2');
    proxy.cut_all();
    assert!(old.read_u8().await.is_err());
    proxy.set(Traffic::Refused);
    super::super::eventually::eventually(Duration::from_secs(5), async || match connect(&proxy).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    proxy.set(Traffic::Passes);
    super::super::eventually::eventually(Duration::from_secs(5), async || match connect(&proxy).await {
        Ok(mut client) => ask(&mut client, b"3").await,
        Err(error) => Err(error),
    })
    .await;
}

#[tokio::test]
async fn a_vanished_peer_is_never_heard_of_and_a_new_connection_is() {
    let (address, seen, _server) = echo().await;
    let proxy = FaultProxy::start(address).await;
    let mut old = connect(&proxy).await.unwrap();
    ask(&mut old, b"1").await.unwrap();
    proxy.vanish_all();
    old.write_all(b"2").await.unwrap();
    let mut new = connect(&proxy).await.unwrap();
    assert_eq!(ask(&mut new, b"3").await.unwrap(), b"3");
    let answer = tokio::time::timeout(Duration::from_millis(50), old.read_u8()).await;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(*seen.borrow(), b"13", "what was sent to the vanished peer never came");
}
