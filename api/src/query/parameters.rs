//! Reads the query string: every parameter once, by name, and none that nobody knows. Pure.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use opstream_schemas::{UtcMicros, UtcMillis};

use crate::error::ApiError;

/// Most values of a parameter.
const MAX_VALUES: usize = 100;

/// The parameters of a request. A handler takes those that it knows and then calls [`Parameters::finish`].
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    left: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(left) = query.map_err(|error| ApiError::invalid("invalid_query", error.to_string()))?;
        Ok(Self::of(left))
    }
}

impl Parameters {
    /// Parameters that were read before, by [`Parameters::pairs`].
    pub(crate) fn of(pairs: Vec<(String, String)>) -> Self {
        Self { left: pairs, known: Vec::new() }
    }

    /// Names and values of all that were not taken yet.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        self.left.clone()
    }

    /// The value of a parameter.
    ///
    /// # Errors
    /// When it is given twice: which of the two is meant?
    pub(crate) fn take(&mut self, name: &'static str) -> Result<Option<String>, ApiError> {
        self.known.push(name);
        let Some(at) = self.left.iter().position(|(given, _)| given == name) else { return Ok(None) };
        let (_, value) = self.left.swap_remove(at);
        if self.left.iter().any(|(given, _)| given == name) {
            return Err(invalid(name, "is given more than once"));
        }
        Ok(Some(value))
    }

    /// The values of a parameter that may be given several times.
    ///
    /// # Errors
    /// When there are too many.
    pub(crate) fn take_all(&mut self, name: &'static str) -> Result<Vec<String>, ApiError> {
        self.known.push(name);
        let (taken, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.left).into_iter().partition(|(given, _)| given == name);
        self.left = left;
        if taken.len() > MAX_VALUES {
            return Err(invalid(name, &format!("is given {} times; {MAX_VALUES} values may be", taken.len())));
        }
        Ok(taken.into_iter().map(|(_, value)| value).collect())
    }

    /// A moment as RFC 3339 text.
    ///
    /// # Errors
    /// When it is something else, or given twice.
    pub(crate) fn take_moment(&mut self, name: &'static str) -> Result<Option<UtcMicros>, ApiError> {
        self.take(name)?.map(|text| parse_moment(name, &text)).transpose()
    }

    /// A whole number between 1 and `most`.
    ///
    /// # Errors
    /// When it is something else, or given twice.
    pub(crate) fn take_count(&mut self, name: &'static str, most: u32) -> Result<Option<u32>, ApiError> {
        let Some(text) = self.take(name)? else { return Ok(None) };
        match text.parse() {
            Ok(count) if (1..=most).contains(&count) => Ok(Some(count)),
            _ => Err(invalid(name, &format!("is {:?}; allowed is 1 to {most}", excerpt(&text)))),
        }
    }

    /// One of a few words.
    ///
    /// # Errors
    /// When it is another word, or given twice.
    pub(crate) fn take_choice<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.take(name)? else { return Ok(None) };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
            return Ok(Some(*choice));
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        Err(invalid(name, &format!("is {:?}; allowed is one of {}", excerpt(&text), words.join(", "))))
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Names the first parameter that nobody took, and those that are known.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => {
                let reason = format!("is not known here; known are {}", self.known.join(", "));
                Err(invalid(&excerpt(name), &reason))
            }
        }
    }
}

fn parse_moment(name: &str, text: &str) -> Result<UtcMicros, ApiError> {
    // A plus that was not escaped arrives as a space: 08:00:00+01:00.
    UtcMicros::parse_rfc3339(&text.replace(' ', "+")).map_err(|error| invalid(name, &error.to_string()))
}

/// A whole UTC minute as RFC 3339 text.
///
/// # Errors
/// When it is something else.
pub(crate) fn parse_minute(name: &str, text: &str) -> Result<UtcMillis, ApiError> {
    let moment = parse_moment(name, text)?;
    if moment.micros().rem_euclid(60_000_000) != 0 {
        let reason = format!(
            "({moment}) is not a whole UTC minute; windows are a minute wide or wider, such as 2026-11-23T08:00:00Z"
        );
        return Err(invalid(name, &reason));
    }
    Ok(moment.to_millis())
}

/// Says what is wrong with a parameter.
pub(crate) fn invalid(name: &str, reason: &str) -> ApiError {
    ApiError::invalid("invalid_parameter", format!("parameter {name} {reason}"))
}

/// As much of what a client said as an error repeats.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The parameters of `?query`.
    pub(crate) fn parameters(query: &str) -> Parameters {
        let uri = format!("http://localhost/?{query}").parse().unwrap();
        let Query(left) = Query::try_from_uri(&uri).unwrap();
        Parameters::of(left)
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_those_that_are_known() {
        let mut parameters = parameters("form=2026-11-23T08:00:00Z&to=2026-11-23T09:00:00Z");
        assert_eq!(parameters.take_moment("from").unwrap(), None);
        assert!(parameters.take_moment("to").unwrap().is_some());
        assert_eq!(
            parameters.finish().unwrap_err().to_string(),
            "parameter form is not known here; known are from, to"
        );
    }

    #[test]
    fn a_parameter_given_twice_is_refused() {
        assert!(parameters("a=1&a=1").take("a").unwrap_err().to_string().contains("more than once"));
    }

    #[test]
    fn a_minute_is_whole_in_utc_and_may_be_written_in_any_zone() {
        let minute = |text: &str| {
            let text = parameters(&format!("from={text}")).take("from").unwrap().unwrap();
            parse_minute("from", &text)
        };
        let expected = UtcMillis::from_millis(1_763_884_800_000);
        assert_eq!(minute("2025-11-23T08:00:00Z").unwrap(), expected);
        assert_eq!(minute("2025-11-23T09:00:00%2B01:00").unwrap(), expected);
        assert_eq!(minute("2025-11-23T09:00:00+01:00").unwrap(), expected);
        for text in ["2025-11-23T08:00:01Z", "2025-11-23T08:00:00.000001Z"] {
            assert!(minute(text).unwrap_err().to_string().contains("whole UTC minute"));
        }
        assert!(minute("2025-11-23T08:00:00").unwrap_err().to_string().contains("RFC 3339"));
    }

    #[test]
    fn counts_and_choices_name_what_is_allowed() {
        let count = parameters("limit=0").take_count("limit", 1000).unwrap_err().to_string();
        assert_eq!(count, "parameter limit is \"0\"; allowed is 1 to 1000");
        let choice = parameters("r=week").take_choice("r", &[("hour", 1), ("day", 2)]).unwrap_err().to_string();
        assert_eq!(choice, "parameter r is \"week\"; allowed is one of hour, day");
        assert_eq!(parameters("r=day").take_choice("r", &[("hour", 1), ("day", 2)]).unwrap(), Some(2));
    }
}
