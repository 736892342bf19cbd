//! Has Kafka and Postgres started in Docker, by the program in `containers/`, for runs that were given no addresses.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use super::servers::{Servers, announce};

/// Starts both servers and waits until they are ready.
///
/// # Errors
/// With the reason, when no Docker engine answers or the containers do not start.
pub(super) fn start() -> Result<Servers, String> {
    // Asked first: compiling the program takes minutes, which would be in vain.
    if !docker_answers() {
        return Err("no Docker engine answers".to_owned());
    }
    announce(
        "starting Kafka and Postgres with Docker; the first time this compiles Docker's client and fetches images",
    );
    let mut program = starter().spawn().map_err(|error| format!("cargo did not start: {error}"))?;
    let mut lines =
        BufReader::new(program.stdout.take().expect("standard output is piped")).lines().map_while(Result::ok);
    let (Some(kafka_bootstrap), Some(postgres_url)) = (lines.next(), lines.next()) else {
        return Err("the containers did not start; the reason is above".to_owned());
    };
    keep_until_this_process_ends(program);
    Ok(Servers { kafka_bootstrap, postgres_url })
}

fn docker_answers() -> bool {
    let quiet =
        Command::new("docker").arg("info").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

fn starter() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["run", "--quiet", "--locked", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/harness/containers/Cargo.toml"))
        .arg("--target-dir")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("containers"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    cargo
}

/// The program removes the containers when its standard input closes, which happens when this process ends.
fn keep_until_this_process_ends(program: Child) {
    static STARTER: OnceLock<Child> = OnceLock::new();
    STARTER.get_or_init(|| program);
}
