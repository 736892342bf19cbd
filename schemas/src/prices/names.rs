//! From the model names that operations carry to the models of one provider's price file.
//!
//! A name is tried as it is, then without its snapshot date, then against the declared prefixes. Nothing matches by
//! mere similarity: `gpt-5` is not `gpt-5-mini`, and a name that nobody declared stays unknown.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::catalogue::PriceKey;

/// Whom a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The model with this key.
    Model(PriceKey),
    /// Nobody, although its form says otherwise: a snapshot at a price that the catalogue does not have.
    Excluded,
}

/// The names of one provider's models, in lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct NameIndex {
    names: HashMap<String, Claim>,
    prefixes: Vec<(String, PriceKey)>,
}

impl NameIndex {
    /// Enters a name; false if it is taken.
    pub(super) fn claim_name(&mut self, name: &str, claim: Claim) -> bool {
        self.names.insert(name.to_owned(), claim).is_none()
    }

    /// Enters a prefix; false if it is taken.
    pub(super) fn claim_prefix(&mut self, prefix: &str, key: PriceKey) -> bool {
        if self.prefixes.iter().any(|(taken, _)| taken == prefix) {
            return false;
        }
        let place = self.prefixes.partition_point(|(other, _)| other.len() >= prefix.len());
        self.prefixes.insert(place, (prefix.to_owned(), key));
        true
    }

    /// Whom this lower-case name belongs to: by name, by name without its date, by the longest prefix.
    pub(super) fn resolve(&self, name: &str) -> Option<Claim> {
        if let Some(claim) = self.names.get(name) {
            return Some(*claim);
        }
        let Some((undated, date)) = split_snapshot(name) else {
            return self.by_prefix(name);
        };
        // Exclusions are declared with dashes; `20240513` and `@20240513` name the same snapshot.
        self.names
            .get(&format!("{undated}-{date}"))
            .or_else(|| self.names.get(undated))
            .copied()
            .or_else(|| self.by_prefix(undated))
    }

    fn by_prefix(&self, name: &str) -> Option<Claim> {
        let is_match = |prefix: &str| name.strip_prefix(prefix).is_some_and(is_version_suffix);
        self.prefixes.iter().find(|(prefix, _)| is_match(prefix)).map(|(_, key)| Claim::Model(*key))
    }
}

/// Whether what follows a prefix only counts versions of the same model: nothing, `-001`, `-05-06`, `-09-2025`.
fn is_version_suffix(rest: &str) -> bool {
    rest.is_empty()
        || (rest.starts_with('-')
            && rest.ends_with(|last: char| last.is_ascii_digit())
            && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

/// Splits `-YYYYMMDD`, `@YYYYMMDD`, `-YYYY-MM-DD` or `@YYYY-MM-DD` off a name.
fn split_snapshot(name: &str) -> Option<(&str, NaiveDate)> {
    [(8, "%Y%m%d"), (10, "%Y-%m-%d")].into_iter().find_map(|(length, format)| {
        let (rest, date) = name.split_at_checked(name.len().checked_sub(length)?)?;
        let undated = rest.strip_suffix(['-', '@']).filter(|undated| !undated.is_empty())?;
        // The year bounds keep numbers that are no dates out; the first character refuses chrono's leniency with signs.
        let date = NaiveDate::parse_from_str(date, format).ok().filter(|_| date.starts_with("20"))?;
        Some((undated, date))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> NameIndex {
        let mut index = NameIndex::default();
        let model = |number| Claim::Model(PriceKey::new(number));
        assert!(index.claim_name("gpt-5", model(0)));
        assert!(index.claim_name("gpt-5-mini", model(1)));
        assert!(index.claim_name("gpt-5-2", model(2)));
        assert!(index.claim_name("gpt-4o", model(3)));
        assert!(index.claim_name("gpt-4o-2024-05-13", Claim::Excluded));
        assert!(index.claim_prefix("gemini-2.5-pro", PriceKey::new(4)));
        assert!(index.claim_prefix("gemini-2.5-pro-preview", PriceKey::new(5)));
        index
    }

    fn key(name: &str) -> Option<Claim> {
        index().resolve(name)
    }

    #[test]
    fn a_snapshot_is_its_model_in_every_spelling_of_the_date() {
        for name in ["gpt-5", "gpt-5-2025-08-07", "gpt-5-20250807", "gpt-5@20250807", "gpt-5@2025-08-07"] {
            assert_eq!(key(name), Some(Claim::Model(PriceKey::new(0))), "{name}");
        }
        assert_eq!(key("gpt-5-2-2025-12-11"), Some(Claim::Model(PriceKey::new(2))));
        assert_eq!(key("gpt-5-mini-2025-08-07"), Some(Claim::Model(PriceKey::new(1))));
    }

    #[test]
    fn a_name_that_only_begins_like_a_model_stays_unknown() {
        for name in [
            "gpt-5-pro",
            "gpt-5.9-foo",
            "gpt-5.9",
            "gpt-51",
            "gpt-5-2025",
            "gpt-5-99999999",
            "gpt-5-2025-13-01",
            "gpt-5x20250807",
            "gpt-",
            "gpt",
            "",
            "-20250807",
            "5-20250807",
            "ünï-20250807",
            "gpt-5-+20250807",
        ] {
            assert_eq!(key(name), None, "{name}");
        }
    }

    #[test]
    fn an_excluded_snapshot_is_unknown_in_every_spelling() {
        for name in ["gpt-4o-2024-05-13", "gpt-4o-20240513", "gpt-4o@20240513"] {
            assert_eq!(key(name), Some(Claim::Excluded), "{name}");
        }
        assert_eq!(key("gpt-4o-2024-11-20"), Some(Claim::Model(PriceKey::new(3))));
    }

    #[test]
    fn the_longest_prefix_wins_and_only_versions_may_follow() {
        for (name, number) in [
            ("gemini-2.5-pro", 4),
            ("gemini-2.5-pro-001", 4),
            ("gemini-2.5-pro-2025-06-05", 4),
            ("gemini-2.5-pro-preview", 5),
            ("gemini-2.5-pro-preview-05-06", 5),
            ("gemini-2.5-pro-preview@20250506", 5),
        ] {
            assert_eq!(key(name), Some(Claim::Model(PriceKey::new(number))), "{name}");
        }
        for name in [
            "gemini-2.5-pro-preview-tts",
            "gemini-2.5-prod",
            "gemini-2.5-pro-",
            "gemini-2.5-pro-5b",
            "gemini-2.5-pro.1",
        ] {
            assert_eq!(key(name), None, "{name}");
        }
    }

    #[test]
    fn a_taken_name_cannot_be_claimed_again() {
        let mut index = index();
        assert!(!index.claim_name("gpt-5", Claim::Excluded));
        assert!(!index.claim_prefix("gemini-2.5-pro", PriceKey::new(9)));
    }
}
