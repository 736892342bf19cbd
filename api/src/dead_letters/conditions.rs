//! Which letters are meant, as the conditions of a query. Pure.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Value;

use super::place::Place;

/// A place in the order of the lists: time of storage first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When the letter was stored.
    pub stored_at: UtcMillis,
    /// The letter.
    pub place: Place,
}

/// Conditions on `dead_letters` with the values that they bind.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    texts: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    /// One of these letters.
    pub fn of_places(places: &[Place]) -> Self {
        let rows: Vec<String> = places
            .iter()
            .map(|Place { stream, partition, offset }| format!("({stream}, {partition}, {offset})"))
            .collect();
        // Numbers, so nothing has to be bound; a chain of `or` would be too deep for SQLite.
        let text = format!("(stream_id, partition, source_offset) in (values {})", rows.join(", "));
        Self { texts: vec![text], values: Vec::new() }
    }

    /// Not sent to the topic again so far.
    #[must_use]
    pub fn not_redriven(mut self) -> Self {
        self.texts.push("redriven_at_ms is null".to_owned());
        self
    }

    /// Sent to the topic again.
    #[must_use]
    pub fn redriven(mut self) -> Self {
        self.texts.push("redriven_at_ms is not null".to_owned());
        self
    }

    /// On one side of a cursor: `comparison` is `<`, `>` or `<=`.
    #[must_use]
    pub fn beside(mut self, comparison: &str, cursor: Cursor) -> Self {
        let [stream, partition, offset] = cursor.place.values();
        let bound = [cursor.stored_at.into(), stream, partition, offset].map(|value| self.bind(value));
        let text = format!("(stored_at_ms, stream_id, partition, source_offset) {comparison} ({})", bound.join(", "));
        self.texts.push(text);
        self
    }

    /// A comparison such as `stored_at_ms >=` with a value.
    pub fn compare(&mut self, comparison: &str, value: Value) {
        let bound = self.bind(value);
        self.texts.push(format!("{comparison} {bound}"));
    }

    /// The next free `$n`, which stands for this value.
    pub fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// The text behind `where`.
    pub fn sql(&self) -> String {
        if self.texts.is_empty() { "true".to_owned() } else { self.texts.join(" and ") }
    }

    /// The values of the text's `$n`.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// One of these values; all rows when there are none.
    pub fn add_any(&mut self, column: &str, values: impl Iterator<Item = Value>) {
        let bound: Vec<String> = values.map(|value| self.bind(value)).collect();
        if !bound.is_empty() {
            self.texts.push(format!("{column} in ({})", bound.join(", ")));
        }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.stored_at.millis(), self.place)
    }
}

/// Reads a cursor as a list shows it.
///
/// # Errors
/// Says where cursors come from.
pub fn parse_cursor(text: &str) -> Result<Cursor, String> {
    let cursor = text.split_once('/').and_then(|(millis, place)| {
        Some(Cursor { stored_at: UtcMillis::from_millis(millis.parse().ok()?), place: place.parse().ok()? })
    });
    cursor.ok_or_else(|| "expected what the end of a list shows, or `cursor` of a JSON line".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let place = Place { stream: 1, partition: 0, offset: 17 };
        let cursor = Cursor { stored_at: UtcMillis::from_millis(1_790_000_000_000), place };
        assert_eq!(parse_cursor(&cursor.to_string()), Ok(cursor));
        assert!(parse_cursor("1/0/17").is_err() && parse_cursor("").is_err());
    }
}
