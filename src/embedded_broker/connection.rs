//! One client's connection: requests in, responses out, in the same order, one after the other.
//!
//! What a client may cost is bounded, and what it does not do holds nobody up: a request has memory of its own only up to
//! 64 KiB, and gets the rest out of a common store once those have arrived; who neither sends nor takes what is due in time
//! loses the connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::requests::{Advertised, Broker, RequestError, answer};

/// Room for two batches of the largest size; clients put several smaller ones into a request.
const MOST_PRODUCED_BYTES: usize = 32 * 1024 * 1024;
/// Of requests that carry no records: names and numbers.
const MOST_REQUEST_BYTES: usize = 1024 * 1024;
/// What every connection may take without asking; most requests are smaller.
const OWN_BYTES: usize = 64 * 1024;
/// Memory for what the requests of all connections have beyond that; more of them wait in the network.
pub(super) const REQUEST_MEMORY_BYTES: usize = 64 * 1024 * 1024;
/// How long clients are waited for.
const PATIENCE: Patience = Patience { idle: Duration::from_mins(10), transfer: Duration::from_secs(30) };
/// What a request that is under way may still take when the broker stops.
const GRACE: Duration = Duration::from_secs(1);
const PRODUCE: [u8; 2] = [0, 0];

/// Why a connection ended, other than because the client closed it.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    /// The network or the client failed.
    #[error("connection failed")]
    Io(#[from] io::Error),
    /// What the client sends cannot be followed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Not a Kafka client, most likely.
    #[error("request of {n_bytes} bytes is larger than {limit}")]
    TooLarge { n_bytes: usize, limit: usize },
    /// The client, or the network to it, has stopped.
    #[error("client has stopped in the middle of {0}")]
    Stalled(&'static str),
}

/// How long a client is waited for.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// For its next request. Clients connect again when they need to; a client that has vanished does not.
    idle: Duration,
    /// For one request to arrive, once it has begun, and for one response to be taken.
    transfer: Duration,
}

/// A request without its length.
struct Request<'a> {
    bytes: Bytes,
    /// Given back when the request is answered.
    _memory: Option<SemaphorePermit<'a>>,
}

/// Answers requests until the client closes the connection or the broker stops.
///
/// # Errors
/// When the connection fails or the client cannot be understood.
pub(super) async fn serve(broker: Arc<Broker>, mut stream: TcpStream) -> Result<(), ConnectionError> {
    stream.set_nodelay(true)?;
    let advertised = Advertised::from(stream.local_addr()?);
    loop {
        let next =
            broker.shutdown.run_until_cancelled(next_request(&mut stream, &broker.request_memory, PATIENCE)).await;
        let Some(Some(request)) = next.transpose()? else { return Ok(()) };
        let answering = Box::pin(answer(&broker, &advertised, request.bytes.clone()));
        let Some(answered) = finish_in_time(&broker, answering).await else { return Ok(()) };
        let Some(response) = answered? else { continue };
        let sending = timeout(PATIENCE.transfer, stream.write_all(&response.bytes));
        let Some(sent) = finish_in_time(&broker, sending).await else { return Ok(()) };
        sent.map_err(|_| ConnectionError::Stalled("a response"))??;
    }
}

/// The next request; `None` when the client has closed the connection or has sent nothing for long.
async fn next_request<'a>(
    stream: &mut (impl AsyncRead + Unpin),
    memory: &'a Semaphore,
    patience: Patience,
) -> Result<Option<Request<'a>>, ConnectionError> {
    let mut length = [0; 4];
    match timeout(patience.idle, stream.read_exact(&mut length)).await {
        Ok(Ok(_)) => {}
        Err(_) => return Ok(None),
        Ok(Err(error)) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            return Ok(None);
        }
        Ok(Err(error)) => return Err(error.into()),
    }
    let n_bytes = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    check_size(n_bytes, MOST_PRODUCED_BYTES)?;
    let mut request = vec![0; n_bytes.min(OWN_BYTES)];
    timeout(patience.transfer, stream.read_exact(&mut request)).await.map_err(|_| stalled())??;
    if n_bytes <= OWN_BYTES {
        return Ok(Some(Request { bytes: Bytes::from(request), _memory: None }));
    }
    if request[..PRODUCE.len()] != PRODUCE {
        check_size(n_bytes, MOST_REQUEST_BYTES)?;
    }
    // All that is missing at once: two that have a part each and wait for the other's would wait for ever.
    let missing = u32::try_from(n_bytes - OWN_BYTES).map_err(io::Error::other)?;
    let memory = memory.acquire_many(missing).await.expect("the semaphore is never closed");
    request.resize(n_bytes, 0);
    timeout(patience.transfer, stream.read_exact(&mut request[OWN_BYTES..])).await.map_err(|_| stalled())??;
    Ok(Some(Request { bytes: Bytes::from(request), _memory: Some(memory) }))
}

fn check_size(n_bytes: usize, limit: usize) -> Result<(), ConnectionError> {
    if n_bytes > limit { Err(ConnectionError::TooLarge { n_bytes, limit }) } else { Ok(()) }
}

fn stalled() -> ConnectionError {
    ConnectionError::Stalled("a request")
}

/// What comes of some work; `None` when the broker stops and the work does not end soon.
async fn finish_in_time<T>(broker: &Broker, work: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(work);
    match broker.shutdown.run_until_cancelled(&mut work).await {
        Some(outcome) => Some(outcome),
        None => timeout(GRACE, work).await.ok(),
    }
}

impl From<SocketAddr> for Advertised {
    fn from(reached: SocketAddr) -> Self {
        // A listener on `[::]` sees IPv4 addresses as IPv6 ones, which some clients cannot reach.
        Self { host: reached.ip().to_canonical().to_string(), port: reached.port() }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    const SHORT: Patience = Patience { idle: Duration::from_millis(50), transfer: Duration::from_millis(50) };

    fn request(key: u8, n_bytes: usize, n_sent: usize) -> Vec<u8> {
        let mut sent = u32::try_from(n_bytes).unwrap().to_be_bytes().to_vec();
        sent.extend_from_slice(&[0, key]);
        sent.resize(4 + n_sent, 7);
        sent
    }

    /// What becomes of a client that sends this and stops; the pipe holds all of it.
    async fn outcome(sent: &[u8], memory: &Semaphore) -> Result<Option<usize>, ConnectionError> {
        let (mut client, mut server) = duplex(64 * 1024 * 1024);
        client.write_all(sent).await.unwrap();
        let next = next_request(&mut server, memory, SHORT).await;
        next.map(|request| request.map(|request| request.bytes.len()))
    }

    #[tokio::test]
    async fn a_client_that_stops_is_let_go_and_its_memory_too() {
        let memory = Semaphore::new(REQUEST_MEMORY_BYTES);
        assert!(matches!(outcome(&[], &memory).await, Ok(None)), "it may be idle for a while");
        for (n_bytes, n_sent) in [(100, 10), (1 << 20, 10), (1 << 20, 100_000), (32 << 20, 0), (32 << 20, 31 << 20)] {
            let stopped = outcome(&request(0, n_bytes, n_sent), &memory).await;
            assert!(matches!(stopped, Err(ConnectionError::Stalled(_))), "{n_bytes}: {stopped:?}");
            assert_eq!(memory.available_permits(), REQUEST_MEMORY_BYTES);
        }
        assert_eq!(outcome(&request(0, 32 << 20, 32 << 20), &memory).await.unwrap(), Some(32 << 20));
    }

    /// Nothing is left in the common store, as if others had it all.
    #[tokio::test]
    async fn small_requests_need_nobody() {
        let memory = Semaphore::new(0);
        assert_eq!(outcome(&request(3, OWN_BYTES, OWN_BYTES), &memory).await.unwrap(), Some(OWN_BYTES));
        let large = request(0, OWN_BYTES + 1, OWN_BYTES + 1);
        assert!(
            timeout(SHORT.transfer * 10, outcome(&large, &memory)).await.is_err(),
            "it waits its turn, and that is no fault of the client"
        );
    }

    #[tokio::test]
    async fn only_records_may_take_much_room() {
        let memory = Semaphore::new(REQUEST_MEMORY_BYTES);
        for (key, n_bytes) in [(0, MOST_PRODUCED_BYTES + 1), (3, MOST_REQUEST_BYTES + 1)] {
            let refused = outcome(&request(key, n_bytes, OWN_BYTES), &memory).await;
            assert!(matches!(refused, Err(ConnectionError::TooLarge { .. })), "{refused:?}");
        }
    }

    #[test]
    fn clients_are_told_an_address_of_the_kind_they_used() {
        let told = |reached: &str| Advertised::from(reached.parse::<SocketAddr>().unwrap()).host;
        assert_eq!(told("[::ffff:10.0.0.7]:9092"), "10.0.0.7");
        assert_eq!(told("[fe80::1]:9092"), "fe80::1");
        assert_eq!(told("127.0.0.1:9092"), "127.0.0.1");
    }
}
