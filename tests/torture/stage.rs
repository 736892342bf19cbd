//! Where a run takes place: a pipeline, and around it what its disturbances need.

use std::time::Duration;

use super::faults::{Disturbance, Outage};
use crate::harness::backends::{Backends, Combination};
use crate::harness::eventually::eventually;
use crate::harness::fault_proxy::{Cut, FaultProxy, Traffic};
use crate::harness::pipeline::Pipeline;
use crate::harness::process::Process;
use crate::harness::small_disk::SmallDisk;

/// What fits on the disk that gets full.
const DISK_MEBIBYTES: u32 = 3 * 1024;
/// What is left of the speed of a connection.
const SLOW_BYTES_PER_SECOND: u32 = 10_000;
/// How long it may take until a connection is cut, or another process gets SQLite's lock.
const HAPPENS_WITHIN: Duration = Duration::from_mins(2);
/// How long an orderly end may take.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// A running pipeline that can be disturbed.
pub(crate) struct Stage<'a> {
    pub(crate) pipeline: Pipeline<'a>,
    backends: &'a Backends,
    /// A second ingestor or aggregator.
    second: Option<Process>,
    /// Before the database.
    proxy: Option<FaultProxy>,
    /// Under the lake; on a laptop under everything.
    disk: Option<SmallDisk>,
}

impl<'a> Stage<'a> {
    /// Starts a pipeline for these disturbances. `None` where they need something that cannot be had here; that was said.
    pub(crate) async fn set(backends: &'a Backends, disturbances: &[Disturbance]) -> Option<Self> {
        let away = |what: Outage| {
            disturbances.iter().any(|one| matches!(one, Disturbance::Away { what: it, .. } if *it == what))
        };
        let cuts = disturbances.iter().any(|one| matches!(one, Disturbance::Cut(_)));
        let disk =
            if away(Outage::Space) { Some(SmallDisk::mount(&disk_folder(backends), DISK_MEBIBYTES)?) } else { None };
        let (mut proxy, mut database_url) = (None, None);
        if cuts || away(Outage::Peer) || away(Outage::Speed) {
            let (before, url) = FaultProxy::before(&backends.database_url).await;
            (proxy, database_url) = (Some(before), Some(url));
        }
        let is_apart = disturbances
            .iter()
            .any(|one| matches!(one, Disturbance::Freeze { .. } | Disturbance::Away { what: Outage::Broker, .. }));
        let pipeline = match database_url {
            Some(url) => Pipeline::start_behind(backends, [url.clone(), url]).await,
            None if is_apart => Pipeline::start_apart(backends, settings(disturbances)).await,
            None => Pipeline::start_with(backends, settings(disturbances)).await,
        };
        Some(Self { pipeline, backends, second: None, proxy, disk })
    }

    /// Starts a second process of this role, where two can work beside each other.
    pub(crate) fn start_second(&mut self, role: &str) -> bool {
        let arguments: &[&str] = match role {
            "ingestor" => &["ingestor", "--content", "lake", "--instance", "ingestor-2"],
            "aggregator" => &["aggregator"],
            other => panic!("nobody needs a second {other}"),
        };
        let is_possible = self.backends.combination == Combination::KafkaPostgres;
        self.second = is_possible.then(|| self.pipeline.start_role(arguments));
        is_possible
    }

    /// Ends the second process, if there is one.
    pub(crate) async fn end_second(&mut self, is_killed: bool) {
        let Some(mut second) = self.second.take() else { return };
        if is_killed {
            second.kill().await;
        } else {
            assert!(second.stop(ENDS_WITHIN).await.success(), "the second process ends in order");
        }
    }

    /// Takes something away for so long.
    pub(crate) async fn take_away(&mut self, what: Outage, lasts: Duration) {
        match (what, self.backends.combination) {
            (Outage::Broker, Combination::EmbeddedSqlite) => {
                self.pipeline.kill_one("broker").await;
                tokio::time::sleep(lasts).await;
                self.pipeline.start_one("broker");
            }
            (Outage::Database, Combination::EmbeddedSqlite) => self.lock_database(lasts).await,
            (Outage::Broker | Outage::Database, Combination::KafkaPostgres) => {
                self.backends.own().crash().await;
                tokio::time::sleep(lasts).await;
                self.backends.own().start_again().await;
            }
            (Outage::Space, _) => {
                let disk = self.disk.as_ref().expect("it was mounted for this");
                disk.fill();
                tokio::time::sleep(lasts).await;
                disk.empty();
            }
            (Outage::Peer, _) => {
                tokio::time::sleep(lasts).await;
                self.proxy().vanish_all();
            }
            (Outage::Speed, _) => {
                self.proxy().set(Traffic::Slow(SLOW_BYTES_PER_SECOND));
                tokio::time::sleep(lasts).await;
                self.proxy().set(Traffic::Passes);
            }
            (Outage::Connection, _) => panic!("a connection is cut, not taken away"),
        }
    }

    /// Cuts a connection to the database, and waits until that has happened.
    pub(crate) async fn cut(&self, cut: &Cut) {
        let before = self.proxy().cuts();
        self.proxy().cut_one(cut.clone());
        eventually(HAPPENS_WITHIN, async || {
            if self.proxy().cuts() > before { Ok(()) } else { Err(format!("nothing was cut {cut:?}")) }
        })
        .await;
    }

    /// Ends everything in order.
    pub(crate) async fn stop(mut self) {
        self.end_second(false).await;
        self.pipeline.stop().await;
    }

    async fn lock_database(&self, lasts: Duration) {
        let database = self.pipeline.database().await;
        let lock = eventually(HAPPENS_WITHIN, async || database.begin().await.map_err(|error| error.to_string())).await;
        tokio::time::sleep(lasts).await;
        lock.rollback().await.expect("nothing was written");
        database.close().await;
    }

    fn proxy(&self) -> &FaultProxy {
        self.proxy.as_ref().expect("it was put there for this")
    }
}

fn disk_folder(backends: &Backends) -> std::path::PathBuf {
    let data = backends.folder.path().join("data");
    match backends.combination {
        Combination::EmbeddedSqlite => data,
        Combination::KafkaPostgres => data.join("lake"),
    }
}

/// Files are merged while they are small, and full batches are not: merging needs small ones.
fn settings(disturbances: &[Disturbance]) -> &'static [(&'static str, &'static str)] {
    if disturbances.iter().any(|disturbance| disturbance.meets("compaction")) {
        &[("OPSTREAM_BATCH_RECORDS", "2000")]
    } else {
        &[]
    }
}
