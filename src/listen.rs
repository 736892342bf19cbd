//! Who may reach the api: the token file, and the refusal to listen to the whole network without one.

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use opstream_api::Secret;

/// More than any token file has; a wrong file, such as a disk image, is not read whole.
const MAX_TOKEN_FILE_BYTES: u64 = 64 << 10;

/// The token in the first line of `file`; none when no file is named.
///
/// # Errors
/// When the file cannot be read or its first line cannot serve as a token. The line itself is never repeated.
pub(crate) fn read_token(file: Option<&Path>) -> anyhow::Result<Option<Secret>> {
    let Some(path) = file else { return Ok(None) };
    let name = || format!("--token-file (OPSTREAM_TOKEN_FILE) {}", path.display());
    Ok(Some(Secret::new(&first_line(path, name)?).with_context(name)?))
}

/// The first line of a file with a secret; warns when others can read it. `name` says which file it is.
///
/// # Errors
/// When the file cannot be read as text.
pub(crate) fn first_line(path: &Path, name: impl Fn() -> String) -> anyhow::Result<String> {
    let mut text = String::new();
    let opened = File::open(path).with_context(|| format!("{} cannot be opened", name()))?;
    opened
        .take(MAX_TOKEN_FILE_BYTES)
        .read_to_string(&mut text)
        .with_context(|| format!("{} cannot be read as text", name()))?;
    if is_open_to_others(path) {
        tracing::warn!(file = %path.display(), "every user of this machine can read the file with a secret; chmod 600 keeps it private");
    }
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Refuses an address that other machines can reach when nothing protects it.
///
/// # Errors
/// Names the address and both ways out.
pub(crate) fn check_listen(address: SocketAddr, token: Option<&Secret>, insecure: bool) -> anyhow::Result<()> {
    if is_allowed(address, token, insecure) {
        return Ok(());
    }
    bail!(refusal("--listen", address, "OPSTREAM_LISTEN", "read and write"))
}

/// Refuses an address for exporters that other machines can reach when nothing protects it.
///
/// # Errors
/// Names the address and both ways out.
pub(crate) fn check_otlp_listen(address: SocketAddr, token: Option<&Secret>, insecure: bool) -> anyhow::Result<()> {
    if is_allowed(address, token, insecure) {
        return Ok(());
    }
    bail!(refusal("--otlp-listen", address, "OPSTREAM_OTLP_LISTEN", "write"))
}

/// Refuses a health port that other machines can reach when nothing protects the metrics.
///
/// # Errors
/// Names the address and both ways out.
pub(crate) fn check_health_listen(address: SocketAddr, token: Option<&Secret>, insecure: bool) -> anyhow::Result<()> {
    if is_allowed(address, token, insecure) {
        return Ok(());
    }
    bail!(refusal("--health-listen", address, "OPSTREAM_HEALTH_LISTEN", "read the metrics"))
}

fn is_allowed(address: SocketAddr, token: Option<&Secret>, insecure: bool) -> bool {
    address.ip().is_loopback() || token.is_some() || insecure
}

fn refusal(flag: &str, address: SocketAddr, variable: &str, danger: &str) -> String {
    format!(
        "{flag} {address} ({variable}) can be reached from other machines, and everybody there could {danger}; name a file with a \
         token by --token-file (OPSTREAM_TOKEN_FILE), listen on 127.0.0.1, or allow it with --insecure"
    )
}

fn is_open_to_others(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_address_needs_a_token_or_a_word() {
        let token = Secret::new("0123456789abcdef").unwrap();
        for address in ["0.0.0.0:8080", "10.1.2.3:8080", "[::]:8080"] {
            let address = address.parse().unwrap();
            let error = check_listen(address, None, false).unwrap_err().to_string();
            assert!(
                error.contains("--token-file") && error.contains("--insecure") && error.contains("8080"),
                "{error}"
            );
            check_listen(address, Some(&token), false).unwrap();
            check_listen(address, None, true).unwrap();
            let error = check_health_listen(address, None, false).unwrap_err().to_string();
            assert!(error.contains("OPSTREAM_HEALTH_LISTEN") && error.contains("--insecure"), "{error}");
            check_health_listen(address, Some(&token), false).unwrap();
        }
        for address in ["127.0.0.1:8080", "[::1]:8080"] {
            check_listen(address.parse().unwrap(), None, false).unwrap();
        }
    }

    #[test]
    fn the_token_is_the_first_line_and_a_bad_file_is_named_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(read_token(None).unwrap().is_none());
        std::fs::write(&path, "0123456789abcdef\nnotes\n").unwrap();
        assert!(read_token(Some(&path)).unwrap().unwrap().matches("0123456789abcdef"));
        std::fs::write(&path, "hunter2\n").unwrap();
        let error = format!("{:#}", read_token(Some(&path)).unwrap_err());
        assert!(
            error.contains("OPSTREAM_TOKEN_FILE") && error.contains("openssl") && !error.contains("hunter2"),
            "{error}"
        );
        let missing = format!("{:#}", read_token(Some(&folder.path().join("none"))).unwrap_err());
        assert!(missing.contains("none cannot be opened"), "{missing}");
    }
}
