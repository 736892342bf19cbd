//! Turns signals into one token: the first asks everything to stop and drain, the second ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Exit code of a process that a second signal ended: 128 + SIGINT, as a shell reports it.
const INTERRUPTED: i32 = 130;

/// A token that the first interrupt or termination cancels, and the task that listens; it must be kept.
///
/// # Errors
/// When the system does not let us listen for signals.
pub(crate) fn shutdown_on_signal() -> std::io::Result<(CancellationToken, JoinSet<()>)> {
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    let (mut interrupts, mut terminations) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut listener = JoinSet::new();
    listener.spawn(async move {
        next_signal(&mut interrupts, &mut terminations).await;
        tracing::info!("stopping: finishing what is under way; interrupt again to stop at once");
        token.cancel();
        next_signal(&mut interrupts, &mut terminations).await;
        exit_at_once();
    });
    Ok((shutdown, listener))
}

async fn next_signal(interrupts: &mut Signal, terminations: &mut Signal) {
    tokio::select! {
        _ = interrupts.recv() => {}
        _ = terminations.recv() => {}
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that ends the process without draining, because the user asked twice"
)]
fn exit_at_once() -> ! {
    std::process::exit(INTERRUPTED)
}
