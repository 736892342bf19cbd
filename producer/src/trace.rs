//! Ids of traces and spans as W3C Trace Context writes them.

use std::fmt::Write;

use opstream_schemas::{OperationId, UtcMillis};

/// A new id of a trace: 32 lower-case hex digits.
pub(crate) fn new_trace_id(at: UtcMillis) -> String {
    hex(&OperationId::generate(at).bytes())
}

/// A new id of a span: 16 lower-case hex digits.
pub(crate) fn new_span_id(at: UtcMillis) -> String {
    // The second half of a UUIDv7 is random but for its two highest bits.
    hex(&OperationId::generate(at).bytes()[8..])
}

/// The ids of trace and span in a `traceparent` header; none when it is not valid.
///
/// Later versions may add fields behind those of version 00, and are read as far as it goes.
pub(crate) fn parse_traceparent(header: &str) -> Option<(&str, &str)> {
    let mut fields = header.trim().split('-');
    let [version, trace_id, span_id, flags] = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
    let are_hex = is_hex(version, 2) && is_hex(trace_id, 32) && is_hex(span_id, 16) && is_hex(flags, 2);
    let is_version = version != "ff" && (version != "00" || fields.next().is_none());
    (are_hex && is_version && !is_zero(trace_id) && !is_zero(span_id)).then_some((trace_id, span_id))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'0')
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing into memory does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_traceparent_names_trace_and_span() {
        assert_eq!(parse_traceparent(&format!("00-{TRACE}-{SPAN}-01")), Some((TRACE, SPAN)));
        assert_eq!(parse_traceparent(&format!(" 42-{TRACE}-{SPAN}-01-what-comes ")), Some((TRACE, SPAN)));
    }

    #[test]
    fn what_is_no_traceparent_names_nothing() {
        for header in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
        ] {
            assert_eq!(parse_traceparent(&header), None, "{header}");
        }
    }

    #[test]
    fn new_ids_are_valid_and_differ() {
        let at = UtcMillis::from_millis(1_790_000_000_000);
        let header = format!("00-{}-{}-01", new_trace_id(at), new_span_id(at));
        assert!(parse_traceparent(&header).is_some(), "{header}");
        assert_ne!(new_span_id(at), new_span_id(at));
        assert_ne!(new_trace_id(at), new_trace_id(at));
    }
}
