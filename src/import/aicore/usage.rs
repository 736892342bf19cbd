//! Recognises usage that `AiCore` recorded twice: where a call brings none, it stores that of the call before it again.
//!
//! A failed call without an answer is such a call. Its usage is dropped when it is exactly that of the session's previous
//! record; other usage of a failed call stays and is tagged as doubtful.

use std::collections::HashMap;

use super::record::AicoreRecord;

/// The last usage of each session, in the order of the records.
#[derive(Debug, Default)]
pub(super) struct Usages {
    last: HashMap<String, Usage>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Usage {
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    cached_tokens: Option<i64>,
    cost: Option<f64>,
}

impl Usages {
    /// Takes repeated usage out of the next record; true when there was some.
    pub(super) fn drop_repeated(&mut self, record: &mut AicoreRecord) -> bool {
        let usage = Usage {
            input_tokens: record.input_tokens,
            output_tokens: record.output_tokens,
            cached_tokens: record.cached_tokens,
            cost: record.cost,
        };
        let previous = self.last.insert(record.session_id.clone(), usage);
        let is_repeated = previous == Some(usage) && failed_with_usage(record);
        if is_repeated {
            (record.input_tokens, record.output_tokens, record.cached_tokens, record.cost) = (None, None, None, None);
        }
        is_repeated
    }
}

/// Whether a call failed without an answer and has usage all the same.
pub(super) fn failed_with_usage(record: &AicoreRecord) -> bool {
    let has_answer = record.response.as_str().map_or(!record.response.is_null(), |text| !text.is_empty());
    let tokens = [record.input_tokens, record.output_tokens, record.cached_tokens];
    let has_usage = tokens.iter().flatten().any(|count| *count != 0) || record.cost.is_some_and(|cost| cost != 0.0);
    !record.error_message.is_empty() && !has_answer && has_usage
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(session: &str, input_tokens: i64, error: &str) -> AicoreRecord {
        let answer = if error.is_empty() { json!("yes") } else { json!("") };
        AicoreRecord {
            session_id: session.to_owned(),
            input_tokens: Some(input_tokens),
            cost: Some(0.25),
            error_message: error.to_owned(),
            response: answer,
            ..AicoreRecord::default()
        }
    }

    #[test]
    fn only_a_failure_that_repeats_its_session_loses_its_usage() {
        let mut usages = Usages::default();
        let mut is_repeated = |mut record: AicoreRecord| {
            let is_repeated = usages.drop_repeated(&mut record);
            assert_eq!(is_repeated, record.input_tokens.is_none() && record.cost.is_none());
            is_repeated
        };
        assert!(!is_repeated(record("a", 10, "")));
        assert!(!is_repeated(record("a", 10, "")), "two equal calls may both have succeeded");
        assert!(!is_repeated(record("b", 10, "Timeout: none")), "another session's");
        assert!(is_repeated(record("a", 10, "Timeout: none")));
        assert!(is_repeated(record("a", 10, "Timeout: again")), "every retry repeats it");
        assert!(!is_repeated(record("a", 11, "Timeout: none")), "usage of its own");
    }
}
