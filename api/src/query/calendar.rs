//! Reads time zones and the widths of steps from the query string. Pure.

use opstream_schemas::calendar::{Resolution, Zone};

use super::Parameters;
use super::parameters::{excerpt, invalid};
use crate::error::ApiError;

impl Parameters {
    /// A zone by its IANA name, in capitals or small letters.
    ///
    /// # Errors
    /// When there is no such zone, or it is given twice.
    pub(crate) fn take_zone(&mut self) -> Result<Option<Zone>, ApiError> {
        let Some(text) = self.take("zone")? else { return Ok(None) };
        // A plus that was not escaped arrives as a space: Etc/GMT+5.
        let zone = Zone::from_name(&text.replace(' ', "+"));
        let unknown = || {
            let reason = format!("is {:?}, which is no IANA time zone, such as Europe/Berlin or UTC", excerpt(&text));
            invalid("zone", &reason)
        };
        zone.map(Some).ok_or_else(unknown)
    }

    /// The name of a width.
    ///
    /// # Errors
    /// When it is another word, or given twice.
    pub(crate) fn take_resolution(&mut self) -> Result<Option<Resolution>, ApiError> {
        self.take_choice("resolution", &Resolution::ALL.map(|resolution| (resolution.name(), resolution)))
    }
}

/// Steps that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stepping {
    /// None: the whole range at once.
    Whole,
    /// Of this width; of the one that a chart shows well unless it is named.
    Steps(Option<Resolution>),
}

impl Parameters {
    /// The name of a width, or `auto`.
    ///
    /// # Errors
    /// When it is another word, or given twice.
    pub(crate) fn take_stepping(&mut self) -> Result<Stepping, ApiError> {
        let widths = Resolution::ALL.map(|resolution| (resolution.name(), Some(resolution)));
        let words: Vec<(&str, Option<Resolution>)> = widths.into_iter().chain([("auto", None)]).collect();
        Ok(self.take_choice("resolution", &words)?.map_or(Stepping::Whole, Stepping::Steps))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use opstream_schemas::UtcMillis;

    use super::super::parameters::tests::parameters;

    pub(in crate::query) fn at(text: &str) -> UtcMillis {
        opstream_schemas::UtcMicros::parse_rfc3339(text).unwrap().to_millis()
    }

    #[test]
    fn a_zone_has_its_name_of_the_database_however_it_is_written() {
        let name = |query: &str| parameters(query).take_zone().map(|zone| zone.unwrap().name());
        assert_eq!(name("zone=Asia/Kolkata").unwrap(), "Asia/Kolkata");
        assert_eq!(name("zone=america/new_york").unwrap(), "America/New_York");
        assert_eq!((name("zone=Etc/GMT+5").unwrap(), name("zone=Etc/GMT%2B5").unwrap()), ("Etc/GMT+5", "Etc/GMT+5"));
        for unknown in ["zone=", "zone=Mars/Olympus", "zone=%2B05:30", "zone=Europe"] {
            assert!(
                name(unknown).unwrap_err().to_string().contains("no IANA time zone, such as Europe/Berlin"),
                "{unknown}"
            );
        }
    }
}
