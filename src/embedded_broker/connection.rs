//! One client's connection: requests in, responses out, in the same order, one after the other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::requests::{Advertised, Broker, RequestError, answer};

/// Room for two batches of the largest size; clients put several smaller ones into a request.
const MAX_REQUEST_BYTES: u32 = 32 * 1024 * 1024;
/// Memory for the requests of all connections together; more of them wait in the network.
pub(super) const REQUEST_MEMORY_BYTES: usize = 64 * 1024 * 1024;
/// What a request that is under way may still take when the broker stops.
const GRACE: Duration = Duration::from_secs(1);

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
    #[error("request of {0} bytes is larger than {MAX_REQUEST_BYTES}")]
    TooLarge(u32),
}

/// Answers requests until the client closes the connection or the broker stops.
///
/// # Errors
/// When the connection fails or the client cannot be understood.
pub(super) async fn serve(
    broker: Arc<Broker>,
    mut stream: TcpStream,
    memory: Arc<Semaphore>,
) -> Result<(), ConnectionError> {
    stream.set_nodelay(true)?;
    let reached = stream.local_addr()?;
    let advertised = Advertised { host: reached.ip().to_string(), port: reached.port() };
    loop {
        let next_length = broker.shutdown.run_until_cancelled(read_length(&mut stream));
        let Some(Some(length)) = next_length.await.transpose()? else { return Ok(()) };
        if length > MAX_REQUEST_BYTES {
            return Err(ConnectionError::TooLarge(length));
        }
        let _memory = memory.acquire_many(length).await.expect("the semaphore is never closed");
        let mut request = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        stream.read_exact(&mut request).await?;
        let response = Box::pin(answer(&broker, &advertised, Bytes::from(request)));
        if let Some(response) = finish_in_time(&broker, response).await? {
            stream.write_all(&response).await?;
        }
    }
}

/// The length of the next request; `None` when the client has closed the connection.
async fn read_length(stream: &mut TcpStream) -> io::Result<Option<u32>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Ok(_) => Ok(Some(u32::from_be_bytes(length))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
        Err(error) => Err(error),
    }
}

async fn finish_in_time(
    broker: &Broker,
    response: impl Future<Output = Result<Option<Bytes>, RequestError>>,
) -> Result<Option<Bytes>, RequestError> {
    tokio::pin!(response);
    match broker.shutdown.run_until_cancelled(&mut response).await {
        Some(answered) => answered,
        None => tokio::time::timeout(GRACE, response).await.unwrap_or(Ok(None)),
    }
}
