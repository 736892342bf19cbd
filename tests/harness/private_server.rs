//! A Kafka or a Postgres that belongs to one story, so that it can be crashed, frozen and started again at its address. Made by the
//! scripts in `.ci/`.

use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

use super::servers::{announce, environment};

/// Set to anything, it has the stories with servers of their own run.
const WANTED: &str = "OPSTREAM_TEST_PRIVATE_SERVERS";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One broker.
    Kafka,
    /// An empty server.
    Postgres,
}

/// A server that nobody else uses. Dropping it without [`Self::stop`], as a failing story does, leaves it running, with a
/// line that says how to stop it.
#[derive(Debug)]
pub(crate) struct PrivateServer {
    kind: Kind,
    folder: Option<TempDir>,
    /// `host:port` of Kafka, the URL of Postgres.
    pub(crate) address: String,
}

impl PrivateServer {
    /// Starts one. `None` where that is not wanted, with a line that says so: a start takes up to a quarter of a minute.
    ///
    /// # Panics
    /// When it does not start although it is wanted.
    pub(crate) async fn start(kind: Kind) -> Option<Self> {
        if environment(WANTED).is_none() {
            let test = std::thread::current().name().unwrap_or("a story").to_owned();
            announce(&format!("SKIPPED: {test} with a {kind:?} of its own (set {WANTED}=yes to have it)"));
            return None;
        }
        let folder = tempfile::Builder::new().prefix("opstream-server-").tempdir_in("/var/tmp");
        let folder = folder.expect("/var/tmp is writable");
        // As root, Postgres runs as a user who must be able to enter it.
        let entered = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(folder.path(), entered).expect("the folder is ours");
        let mut server = Self { kind, folder: Some(folder), address: String::new() };
        server.address = server.start_again().await;
        Some(server)
    }

    /// Which it is.
    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Starts it at the same address after a crash, and waits until it is ready. Returns the address.
    pub(crate) async fn start_again(&self) -> String {
        let line = self.run("start").await;
        let address = line.trim().split_once('=').map(|(_, address)| address.to_owned());
        address.unwrap_or_else(|| panic!("{:?} gave no address: {line}", self.kind))
    }

    /// Ends it as a power cut does.
    pub(crate) async fn crash(&self) {
        self.run("crash").await;
    }

    /// Stops it and deletes what it kept.
    pub(crate) async fn stop(mut self) {
        self.run("stop").await;
        drop(self.folder.take());
    }

    async fn run(&self, command: &str) -> String {
        let folder = self.folder.as_ref().expect("it is there until the server is stopped").path();
        let output = Command::new(self.script()).arg(command).arg(folder).stdin(Stdio::null()).output().await;
        let output = output.expect("the scripts are part of the repository");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?} {command}: {errors}", self.kind);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn script(&self) -> PathBuf {
        let name = match self.kind {
            Kind::Kafka => ".ci/kafka.sh",
            Kind::Postgres => ".ci/postgres.sh",
        };
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        let Some(mut folder) = self.folder.take() else { return };
        folder.disable_cleanup(true);
        announce(&format!(
            "{:?} still runs; stop it: {} stop {}",
            self.kind,
            self.script().display(),
            folder.path().display()
        ));
    }
}
