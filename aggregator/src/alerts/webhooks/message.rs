//! What a webhook is sent. Pure.

use opstream_schemas::alerts::{Alert, AlertState};
use serde_json::json;

use super::target::Format;

/// The body about one revision of an alert: 1 says that it was raised, a later one that it is over. A first call that comes late still
/// says what was raised, unless the period had ended by then.
pub(super) fn body(format: Format, alert: &Alert, revision: i64) -> String {
    let told = if revision == 1 && alert.revision > 1 {
        Alert { state: AlertState::Open, revision: 1, ..alert.clone() }
    } else {
        alert.clone()
    };
    match format {
        Format::Json => json!({ "type": kind(revision), "alert": told.to_json() }).to_string(),
        Format::Slack => {
            let sign = if revision == 1 { ":rotating_light:" } else { ":white_check_mark:" };
            json!({ "text": format!("{sign} {}", escaped(&told.message())) }).to_string()
        }
    }
}

/// What happened.
const fn kind(revision: i64) -> &'static str {
    if revision == 1 { "alert.raised" } else { "alert.resolved" }
}

/// Names in a message are those of operations: none may mention everybody or become a link.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
