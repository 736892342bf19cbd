//! A TCP proxy that does to connections what networks and servers do to them; the fault is changed while it runs.
//!
//! Knows nothing of the protocol. For an unknown outcome it can cut a connection where a pattern of bytes passes towards the
//! server, just before or just after the server gets it. Traffic that stands still is kept and passes later, as TCP would
//! send it again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Most bytes that pass at a time.
const PIECE: usize = 64 * 1024;

/// What becomes of all traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// It passes at once.
    Passes,
    /// Each piece passes this much later, one after the other.
    Late(Duration),
    /// So many bytes a second pass in each direction of each connection.
    Slow(u32),
    /// Nothing passes, new connections are accepted, and nobody says that the peer is gone.
    Silent,
    /// Connections are closed, and new ones refused.
    Refused,
}

/// Where a connection is cut, once, whichever comes there first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Before the server gets these bytes.
    Before(&'static [u8]),
    /// After the server got these bytes; it cannot answer.
    After(&'static [u8]),
    /// Once a connection has sent so many bytes to the server.
    AtByte(usize),
}

/// A running proxy on a loopback port of its own. Dropping it closes all connections.
pub(crate) struct FaultProxy {
    port: u16,
    line: Line,
    _tasks: JoinSet<()>,
}

/// What all connections share.
#[derive(Clone)]
struct Line {
    server: SocketAddr,
    traffic: watch::Sender<Traffic>,
    /// Counts the times that all connections were cut.
    cut_all: watch::Sender<usize>,
    /// Counts the times that the peers of all connections vanished.
    vanish_all: watch::Sender<usize>,
    cut: watch::Sender<Option<Cut>>,
    cuts: Arc<AtomicUsize>,
}

impl FaultProxy {
    /// Passes everything on to this server.
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let line = Line {
            server,
            traffic: watch::Sender::new(Traffic::Passes),
            cut_all: watch::Sender::new(0),
            vanish_all: watch::Sender::new(0),
            cut: watch::Sender::new(None),
            cuts: Arc::default(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, line.clone()));
        Self { port, line, _tasks: tasks }
    }

    /// Stands before the server of this URL, which must name host and port; returns the URL that leads through the proxy.
    pub(crate) async fn before(url: &str) -> (Self, String) {
        let mut through = url::Url::parse(url).expect("the harness writes usable addresses");
        let server = through.socket_addrs(|| None).expect("host and port are named");
        let proxy = Self::start(server[0]).await;
        through.set_port(Some(proxy.port())).expect("an address with a host can have a port");
        (proxy, through.into())
    }

    /// Where clients connect to.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// From now on all traffic is treated so.
    pub(crate) fn set(&self, traffic: Traffic) {
        self.line.traffic.send_replace(traffic);
    }

    /// Cuts every connection that exists.
    pub(crate) fn cut_all(&self) {
        self.line.cut_all.send_modify(|times| *times += 1);
    }

    /// Nothing passes any more on the connections that exist, for good, not even their end: each side waits for a peer that
    /// has vanished. New connections are as before.
    pub(crate) fn vanish_all(&self) {
        self.line.vanish_all.send_modify(|times| *times += 1);
    }

    /// Cuts one connection, there. Replaces an order that was not carried out.
    pub(crate) fn cut_one(&self, cut: Cut) {
        self.line.cut.send_replace(Some(cut));
    }

    /// How often [`Self::cut_one`] was carried out.
    pub(crate) fn cuts(&self) -> usize {
        self.line.cuts.load(Ordering::Acquire)
    }
}

async fn accept(first: TcpListener, line: Line) {
    let mut connections = JoinSet::new();
    let mut traffic = line.traffic.subscribe();
    let address = first.local_addr().expect("it is bound");
    let mut listener = Some(first);
    loop {
        let open = match listener.take() {
            Some(open) => open,
            None => TcpListener::bind(address).await.expect("nobody else takes the port meanwhile"),
        };
        loop {
            tokio::select! {
                _ = traffic.wait_for(|traffic| *traffic == Traffic::Refused) => break,
                accepted = open.accept() => if let Ok((client, _)) = accepted {
                    connections.spawn(carry(client, line.clone()));
                },
                Some(_) = connections.join_next() => {}
            }
        }
        // What refuses is a port on which nobody listens.
        drop(open);
        connections.shutdown().await;
        drop(traffic.wait_for(|traffic| *traffic != Traffic::Refused).await);
    }
}

async fn carry(client: TcpStream, line: Line) {
    let mut cut_all = line.cut_all.subscribe();
    tokio::select! {
        _ = cut_all.changed() => {}
        // How it ended does not matter: both sides are closed.
        _ = exchange(client, &line) => {}
    }
}

async fn exchange(client: TcpStream, line: &Line) -> io::Result<()> {
    line.until_it_passes().await;
    let peers = Peers { vanished: line.vanish_all.subscribe() };
    let server = TcpStream::connect(line.server).await?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::try_join!(forward(from_client, to_server, line, &peers), back(from_server, to_client, line, &peers))?;
    Ok(())
}

/// Whether the two sides of a connection still hear of each other.
struct Peers {
    vanished: watch::Receiver<usize>,
}

impl Peers {
    /// What was read, unless it can no longer pass: then nothing, for good.
    async fn hear(&self, read: io::Result<usize>) -> io::Result<usize> {
        if self.vanished.has_changed().unwrap_or_default() {
            return std::future::pending().await;
        }
        read
    }
}

/// Towards the server, where connections are cut.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, line: &Line, peers: &Peers) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    // Everything that was sent, as far back as a pattern could have begun.
    let (mut tail, mut sent) = (Vec::new(), 0);
    loop {
        let read = peers.hear(from.read(&mut piece).await).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        match line.place_of_cut(&tail, &piece[..read], sent) {
            Some(length) => {
                line.pass(&mut to, &piece[..length]).await?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            None => line.pass(&mut to, &piece[..read]).await?,
        }
        sent += read;
        tail.extend_from_slice(&piece[..read]);
        tail.drain(..tail.len().saturating_sub(LONGEST_PATTERN - 1));
    }
}

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, line: &Line, peers: &Peers) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = peers.hear(from.read(&mut piece).await).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        line.pass(&mut to, &piece[..read]).await?;
    }
}

/// Patterns are at most this long.
const LONGEST_PATTERN: usize = 64;

impl Line {
    async fn until_it_passes(&self) {
        let passes = |traffic: &Traffic| *traffic != Traffic::Silent;
        self.traffic.subscribe().wait_for(passes).await.expect("the sender is ours");
    }

    async fn pass(&self, to: &mut OwnedWriteHalf, mut piece: &[u8]) -> io::Result<()> {
        while !piece.is_empty() {
            let traffic = *self.traffic.borrow();
            let length = match traffic {
                Traffic::Silent => {
                    self.until_it_passes().await;
                    continue;
                }
                // A twentieth of a second's worth at a time.
                Traffic::Slow(bytes) => piece.len().min(usize::try_from(bytes / 20).unwrap_or(PIECE).max(1)),
                _ => piece.len(),
            };
            match traffic {
                Traffic::Late(delay) => tokio::time::sleep(delay).await,
                Traffic::Slow(bytes) => {
                    tokio::time::sleep(Duration::from_secs_f64(length as f64 / f64::from(bytes))).await;
                }
                _ => {}
            }
            to.write_all(&piece[..length]).await?;
            piece = &piece[length..];
        }
        Ok(())
    }

    /// How much of the piece still passes, if the connection is to be cut in it. Carries the order out.
    fn place_of_cut(&self, tail: &[u8], piece: &[u8], sent: usize) -> Option<usize> {
        let mut place = None;
        self.cut.send_if_modified(|cut| {
            place = cut.as_ref().and_then(|cut| find_cut(cut, tail, piece, sent));
            if place.is_some() {
                *cut = None;
                self.cuts.fetch_add(1, Ordering::Release);
            }
            place.is_some()
        });
        place
    }
}

fn find_cut(cut: &Cut, tail: &[u8], piece: &[u8], sent: usize) -> Option<usize> {
    let found = |pattern: &[u8]| {
        let window = [tail, piece].concat();
        let starts = window.windows(pattern.len()).enumerate().filter(|(_, bytes)| *bytes == pattern);
        // One that lies in the tail alone has passed before the order came.
        starts.map(|(at, _)| at).find(|at| at + pattern.len() > tail.len())
    };
    match cut {
        Cut::Before(pattern) => found(pattern).map(|at| at.saturating_sub(tail.len())),
        Cut::After(pattern) => found(pattern).map(|at| at + pattern.len() - tail.len()),
        Cut::AtByte(bytes) => (sent + piece.len() >= *bytes).then(|| bytes.saturating_sub(sent)),
    }
}

#[cfg(test)]
mod tests;
