//! The reasons that letters can have, so that a mistyped one is told from one without letters.

use anyhow::Context as _;
use opstream_schemas::database::Database;

/// The codes that this version gives: those of `Poison` in the ingestor.
const REASONS: [&str; 15] = [
    "before_retention_floor",
    "empty_field",
    "id_not_uuid7",
    "id_of_another_workspace",
    "negative_count",
    "newer_schema",
    "no_value",
    "not_framed",
    "out_of_range",
    "part_exceeds_whole",
    "too_far_ahead",
    "too_long",
    "undecodable",
    "unknown_schema",
    "unresolvable_schema",
];

/// Refuses a reason that no letter can have: it would choose nothing, silently. Letters of another version may have reasons that
/// this one does not give.
///
/// # Errors
/// Names the reasons that there are; what the database answers.
pub(super) async fn require_known(codes: &[String], database: &Database) -> anyhow::Result<()> {
    for code in codes.iter().filter(|code| !REASONS.contains(&code.as_str())) {
        let sql = "select 1 as found from dead_letters where reason_code = $1 limit 1";
        let found = database.fetch_optional(sql, &[code.as_str().into()]).await;
        let is_there = found.context("cannot look for letters with this reason")?.is_some();
        anyhow::ensure!(is_there, "there is no reason {code:?} (--reason); there are {}", REASONS.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use opstream_records::dead_letter::Poison;
    use opstream_schemas::avro::FramingError;
    use opstream_schemas::validate::Violation;
    use opstream_schemas::{OperationId, UtcMillis};

    use super::*;
    use crate::dead_letters::test_letters::{Letters, letter};
    use opstream_api::dead_letters::Letter;

    #[tokio::test]
    async fn a_reason_that_no_letter_can_have_is_refused_with_those_that_there_are() {
        let letters = Letters::new().await;
        letters.add(&Letter { reason_code: "of_a_later_version".to_owned(), ..letter(0) }).await;
        let check =
            async |reason: &str| require_known(&["no_value".to_owned(), reason.to_owned()], &letters.database).await;
        check("negative_count").await.unwrap();
        check("of_a_later_version").await.unwrap();
        let error = check("negativ_count").await.unwrap_err().to_string();
        assert!(error.contains("\"negativ_count\"") && error.contains(", negative_count"), "{error}");
    }

    #[test]
    fn every_reason_is_known_and_described() {
        let (id, field, time) = (OperationId::MIN, "f", UtcMillis::from_millis(0));
        let violations = [
            Violation::NotVersion7 { id },
            Violation::BeforeFloor { field, time, floor: time },
            Violation::TooFarAhead { field, time },
            Violation::Negative { field, value: -1 },
            Violation::PartExceedsWhole { part: field, value: 2, whole: "g" },
            Violation::Empty { field },
            Violation::TooLong { field, bytes: 1 },
            Violation::OutOfRange { field, value: 1, allowed: "none" },
        ];
        let poisons = [
            Poison::NoValue,
            Poison::NotFramed(FramingError::TooShort { length: 0 }),
            Poison::UnknownSchema { id: 1, expected: 2 },
            Poison::Unresolvable { id: 1, reason: String::new() },
            Poison::NewerSchema { id: 1 },
            Poison::Undecodable { reason: String::new() },
            Poison::OtherWorkspace { id },
        ];
        let mut codes: Vec<&str> = poisons.iter().map(Poison::code).collect();
        codes.extend(violations.iter().map(Violation::code));
        codes.sort_unstable();
        assert_eq!(codes, REASONS);
        let page = include_str!("../../docs/dead-letters.md");
        let undescribed: Vec<&str> = codes.into_iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
        assert!(undescribed.is_empty(), "not in docs/dead-letters.md: {undescribed:?}");
    }
}
