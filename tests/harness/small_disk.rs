//! A small disk in memory, which a story can fill and protect from writing. Only root may mount one, and only on Linux.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::servers::announce;

/// Written until nothing fits any more.
const BALLAST: &str = "ballast";

/// A mounted disk. Dropping it unmounts it; what was on it is gone.
pub(crate) struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts an empty disk of this size over the folder, which is created. `None` where that is not allowed, with a line that
    /// says so.
    pub(crate) fn mount(folder: &Path, mebibytes: u32) -> Option<Self> {
        fs::create_dir_all(folder).expect("the story's folder is writable");
        let size = format!("size={mebibytes}m");
        if run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "opstream-test"]).arg(folder)) {
            return Some(Self { folder: folder.to_owned() });
        }
        let test = std::thread::current().name().unwrap_or("a story").to_owned();
        announce(&format!("SKIPPED: {test} (mounting a small disk is not allowed here)"));
        None
    }

    /// Leaves no space.
    pub(crate) fn fill(&self) {
        let mut ballast = File::create(self.folder.join(BALLAST)).expect("there is space for an empty file");
        for piece in [1 << 20, 4096, 1] {
            while ballast.write_all(&vec![0; piece]).is_ok() {}
        }
    }

    /// Gives the space back.
    pub(crate) fn empty(&self) {
        fs::remove_file(self.folder.join(BALLAST)).expect("the disk was filled");
    }

    /// Lets nobody write. False while somebody has a file open for writing.
    pub(crate) fn protect(&self) -> bool {
        run(Command::new("mount").args(["-o", "remount,ro"]).arg(&self.folder))
    }

    /// Lets everybody write again.
    pub(crate) fn unprotect(&self) {
        assert!(run(Command::new("mount").args(["-o", "remount,rw"]).arg(&self.folder)), "it was writable before");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because processes of a failing story may still have files open.
        run(Command::new("umount").arg("--lazy").arg(&self.folder));
    }
}

fn run(command: &mut Command) -> bool {
    let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    ended.is_ok_and(|status| status.success())
}
