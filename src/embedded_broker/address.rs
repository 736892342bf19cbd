//! The file in the broker's folder that says where the broker accepts connections, for commands that know only the folder.
//!
//! It is there while the broker runs. One that was killed leaves it behind, so whoever reads it must be prepared that nothing, or
//! another broker, answers there.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::segment::write_whole;

const NAME: &str = "address";

/// The file of a running broker, which goes with it.
#[derive(Debug)]
pub(super) struct AddressFile(PathBuf);

impl AddressFile {
    /// Writes the address; whoever reads meanwhile sees all of it or what was there before. A full disk is no reason not to start.
    pub(super) fn write(folder: &Path, address: SocketAddr) -> Option<Self> {
        let path = folder.join(NAME);
        match write_whole(&path, format!("{address}\n").as_bytes()) {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "cannot write the broker's address for commands that look for it");
                None
            }
        }
    }
}

impl Drop for AddressFile {
    fn drop(&mut self) {
        // One that stays is as harmless as that of a broker that was killed.
        drop(fs::remove_file(&self.0));
    }
}

/// Where the broker of this folder accepts connections, or did when it was killed; none when it stands still.
pub(crate) fn last_address(folder: &Path) -> Option<SocketAddr> {
    fs::read_to_string(folder.join(NAME)).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_known_as_long_as_the_broker_runs() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last_address(folder.path()), None);
        let killed = AddressFile::write(folder.path(), "127.0.0.1:1".parse().unwrap()).unwrap();
        std::mem::forget(killed);
        assert_eq!(last_address(folder.path()), "127.0.0.1:1".parse().ok());
        let running = AddressFile::write(folder.path(), "[::1]:2".parse().unwrap()).unwrap();
        assert_eq!(last_address(folder.path()), "[::1]:2".parse().ok());
        drop(running);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(folder.path().join(NAME), "what?").unwrap();
        assert_eq!(last_address(folder.path()), None);
    }
}
