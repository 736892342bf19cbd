//! Embeds the built dashboard, `dashboard/dist`, when it is there. Without it the binary builds just the same, and `/` says
//! how to get the dashboard.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let dist = package.join("dashboard/dist");
    // A watched folder that does not exist would make every build look like the first one.
    let watched = if dist.is_dir() { "dashboard/dist" } else { "dashboard" };
    println!("cargo::rerun-if-changed={watched}");
    println!("cargo::rerun-if-changed=build.rs");

    let mut files = Vec::new();
    if dist.is_dir() {
        collect(&dist, &mut files)?;
        files.sort();
    }
    let mut list = String::from("&[");
    for file in &files {
        let name = file.strip_prefix(&dist).expect("it was found below").to_string_lossy().replace('\\', "/");
        // The folder is looked up when the list is compiled: a target folder may serve one checkout after the other.
        write!(
            list,
            "({name:?}, include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?}))),",
            format!("/dashboard/dist/{name}")
        )
        .expect("a string takes everything");
    }
    list.push(']');
    fs::write(out.join("dashboard_files.rs"), list)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
