//! What one request may hold. Two bytes of a body can stand for a span of some hundred bytes of memory, so the number of its parts
//! is limited beside its size.

/// Most spans or log records of a request.
const SPANS: usize = 50_000;
/// Most attributes, list elements and events of a request.
const PARTS: usize = 1_000_000;
/// How deep values may lie in each other: each map takes four brackets of JSON, around all of them are ten, twelve in an event, and
/// `serde_json` takes 127.
pub(crate) const DEPTH: usize = 28;

/// What is left of a request's parts.
#[derive(Debug)]
pub(crate) struct Budget {
    spans: usize,
    parts: usize,
}

/// A body that is no request, or more than one may hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// It cannot be read: a sender that sends it again changes nothing.
    #[error("the body is damaged: {0}")]
    Damaged(String),
    /// Send less deep values.
    #[error("values lie more than {DEPTH} deep in each other; send what is deeper as one text of JSON")]
    TooDeep,
    /// Send less at once.
    #[error("the request has more than {limit} {parts}; export in smaller batches")]
    TooMany {
        /// Of what.
        parts: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

impl Default for Budget {
    fn default() -> Self {
        Self { spans: SPANS, parts: PARTS }
    }
}

impl Budget {
    /// One more span.
    ///
    /// # Errors
    /// When there are too many.
    pub(crate) fn take_span(&mut self) -> Result<(), DecodeError> {
        take(&mut self.spans, "spans", SPANS)
    }

    /// One more log record.
    ///
    /// # Errors
    /// When there are too many.
    pub(crate) fn take_log_record(&mut self) -> Result<(), DecodeError> {
        take(&mut self.spans, "log records", SPANS)
    }

    /// One more attribute, element or event.
    ///
    /// # Errors
    /// When there are too many.
    pub(crate) fn take_part(&mut self) -> Result<(), DecodeError> {
        take(&mut self.parts, "attributes", PARTS)
    }
}

fn take(left: &mut usize, parts: &'static str, limit: usize) -> Result<(), DecodeError> {
    *left = left.checked_sub(1).ok_or(DecodeError::TooMany { parts, limit })?;
    Ok(())
}

/// Refuses JSON with more parts than a request may have, before any memory is taken for them. Each part has at least a bracket or a
/// comma of its own, and most have four.
///
/// # Errors
/// When there are too many.
pub(crate) fn check_structure(json: &[u8]) -> Result<(), DecodeError> {
    let (mut marks, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' | b',' if !is_text => marks += 1,
            _ => {}
        }
    }
    if marks > 4 * PARTS { Err(DecodeError::TooMany { parts: "attributes", limit: PARTS }) } else { Ok(()) }
}
