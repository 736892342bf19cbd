//! A mounted backup of a pipeline that was stopped in order is verified as it is; one that was killed is not read without its last
//! commits.

use std::path::Path;
use std::process::Output;

use opstream_schemas::database::{Database, DatabaseUrl};

use crate::harness::small_disk::SmallDisk;

#[tokio::test]
async fn a_protected_disk_is_no_reason_not_to_verify() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("backup");
    let Some(disk) = SmallDisk::mount(&data, 32) else { return };
    let file = data.join("opstream.db");
    let database = Database::connect(&DatabaseUrl::Sqlite(file.clone())).await.unwrap();
    opstream_schemas::migrations::migrate(&database).await.unwrap();
    database.close().await;
    assert!(disk.protect());
    let verified = verify(&data).await;
    assert!(verified.status.success(), "{verified:?}");

    disk.unprotect();
    // What a killed process leaves behind: the first bytes of a log.
    std::fs::write(data.join("opstream.db-wal"), [0x37, 0x7f, 0x06, 0x82]).unwrap();
    assert!(disk.protect());
    let refused = verify(&data).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("opstream.db") && said.contains("-wal") && said.contains("copy"), "{said}");
}

async fn verify(data: &Path) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_opstream"));
    command.args(["verify", "--data"]).arg(data).current_dir(data).env_clear().output().await.unwrap()
}
