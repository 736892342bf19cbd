//! Operations in the order of a number. Which they are is read from the lake's files: no index of the database has the order of every
//! number.

use opstream_schemas::OperationId;
use serde::{Deserialize, Serialize};

use super::{DEFAULT_OPERATIONS, Direction, MAX_OPERATIONS, OperationsAnswer, read_bound};
use crate::error::ApiError;
use crate::query::{Parameters, Range, Selection, invalid};
use crate::routes::belonging::rows_of;
use crate::scan::{Scanned, Task};
use crate::state::Shared;

/// A number that operations can be in the order of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ranking {
    /// The column of the lake's files.
    pub(crate) column: &'static str,
}

const fn by(column: &'static str) -> Ranking {
    Ranking { column }
}

/// The words of `order`; the order of time has no number.
const WORDS: [(&str, Option<Ranking>); 29] = [
    ("time", None),
    ("cost_usd", Some(by("cost_nano_usd"))),
    ("reported_cost_usd", Some(by("reported_cost_nano_usd"))),
    ("input_cost_usd", Some(by("input_cost_nano_usd"))),
    ("cache_read_cost_usd", Some(by("cache_read_cost_nano_usd"))),
    ("cache_write_cost_usd", Some(by("cache_write_cost_nano_usd"))),
    ("output_cost_usd", Some(by("output_cost_nano_usd"))),
    ("unit_cost_usd", Some(by("unit_cost_nano_usd"))),
    ("cache_savings_usd", Some(by("cache_savings_nano_usd"))),
    ("catalogue_cost_usd", Some(by("catalogue_cost_nano_usd"))),
    ("billed_cost_usd", Some(by("billed_cost_nano_usd"))),
    ("latency_us", Some(by("latency_us"))),
    ("ttft_us", Some(by("ttft_us"))),
    ("queue_us", Some(by("queue_us"))),
    ("generation_us", Some(by("generation_us"))),
    ("input_tokens", Some(by("input_tokens"))),
    ("cache_read_tokens", Some(by("cache_read_tokens"))),
    ("cache_write_tokens", Some(by("cache_write_tokens"))),
    ("cache_write_1h_tokens", Some(by("cache_write_1h_tokens"))),
    ("output_tokens", Some(by("output_tokens"))),
    ("reasoning_tokens", Some(by("reasoning_tokens"))),
    ("input_audio_tokens", Some(by("input_audio_tokens"))),
    ("output_audio_tokens", Some(by("output_audio_tokens"))),
    ("input_image_tokens", Some(by("input_image_tokens"))),
    ("output_image_tokens", Some(by("output_image_tokens"))),
    ("web_searches", Some(by("web_searches"))),
    ("max_tokens", Some(by("max_tokens"))),
    ("attempt", Some(by("attempt"))),
    ("http_status", Some(by("http_status"))),
];

/// The last operation of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Its number.
    pub(crate) value: i64,
    /// Its id, which orders those of the same number.
    pub(crate) id: OperationId,
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct AskedRanked {
    pub(crate) ranking: Ranking,
    pub(crate) direction: Direction,
    pub(crate) range: Range,
    pub(crate) selection: Selection,
    /// Where the page before ended.
    pub(crate) after: Option<Place>,
    pub(crate) limit: u32,
}

/// What a child finds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FoundRanked {
    /// In their order.
    pub(crate) places: Vec<Place>,
    /// Whether there are more behind them.
    pub(crate) has_more: bool,
    /// How much was read.
    pub(crate) scanned: Scanned,
}

/// The number that is asked to order by; none for the order of time.
///
/// # Errors
/// Names what is none, and those that are.
pub(super) fn take_ranking(parameters: &mut Parameters) -> Result<Option<Ranking>, ApiError> {
    Ok(parameters.take_choice("order", &WORDS)?.flatten())
}

impl AskedRanked {
    /// What is asked for, if it is an order of numbers.
    ///
    /// # Errors
    /// When a parameter cannot be read.
    pub(crate) fn read(mut parameters: Parameters) -> Result<Option<Self>, ApiError> {
        take_ranking(&mut parameters)?.map(|ranking| Self::of(ranking, parameters)).transpose()
    }

    /// What is asked for in the order of a number that was read already.
    ///
    /// # Errors
    /// When a parameter cannot be read.
    pub(super) fn of(ranking: Ranking, mut parameters: Parameters) -> Result<Self, ApiError> {
        let [from, to] = ["from", "to"].map(|name| read_bound(&mut parameters, name));
        let range = Range { from: from?.map(OperationId::time), to: to?.map(OperationId::time) };
        let direction = Direction::take(&mut parameters)?;
        let after = parameters.take("cursor")?.map(|text| ranking.read_cursor(direction, &text)).transpose()?;
        let limit = parameters.take_count("limit", MAX_OPERATIONS)?.unwrap_or(DEFAULT_OPERATIONS);
        if parameters.take("success")?.is_some() {
            return Err(invalid("success", "goes with the order of time only; say outcome=success or outcome=failure"));
        }
        let selection = Selection::read(&mut parameters)?;
        parameters.finish()?;
        Ok(Self { ranking, direction, range, selection, after, limit })
    }
}

/// Answers with a page.
pub(super) async fn ranked(
    state: &Shared,
    asked: AskedRanked,
    given: Vec<(String, String)>,
) -> Result<OperationsAnswer, ApiError> {
    let complete_to = state.complete_to().await?;
    let (ranking, direction) = (asked.ranking, asked.direction);
    let found: FoundRanked = state.scan_for(Task::Ranked { parameters: given }, asked.range).await?;
    let FoundRanked { places, has_more, scanned } = found;
    let next_cursor = places.last().filter(|_| has_more).map(|place| ranking.cursor(direction, place));
    let operations = rows_of(state, places.into_iter().map(|place| place.id).collect()).await?;
    Ok(OperationsAnswer { operations, next_cursor, complete_to, scanned: Some(scanned) })
}

impl Ranking {
    /// What the page behind a place is asked for with; it is of this order only.
    fn cursor(self, direction: Direction, Place { value, id }: &Place) -> String {
        format!("{}{}:{value}:{id}", direction.mark(), self.column)
    }

    fn read_cursor(self, direction: Direction, text: &str) -> Result<Place, ApiError> {
        let parts = || {
            let of_order = text.strip_prefix(direction.mark())?.strip_prefix(self.column)?.strip_prefix(':')?;
            let (value, id) = of_order.split_once(':')?;
            Some(Place { value: value.parse().ok()?, id: id.parse().ok()? })
        };
        parts().ok_or_else(|| invalid("cursor", "is no next_cursor of an earlier answer in this order"))
    }
}

impl Direction {
    /// What a cursor begins with.
    fn mark(self) -> &'static str {
        match self {
            Self::Descending => "",
            Self::Ascending => "ascending:",
        }
    }
}

#[cfg(test)]
mod tests {
    use opstream_schemas::lake::OPERATION_COLUMNS;

    use super::*;
    use crate::query::parameters_of;

    #[test]
    fn an_order_of_numbers_has_a_cursor_of_its_own() {
        let id: OperationId = "01936f7e-2b1a-7c3d-9e4f-5a6b7c8d9e0f".parse().unwrap();
        let text = by("cost_nano_usd").cursor(Direction::Descending, &Place { value: -7, id });
        let asked =
            AskedRanked::read(parameters_of(&format!("order=cost_usd&cursor={text}&model=a"))).unwrap().unwrap();
        assert_eq!((asked.ranking.column, asked.after), ("cost_nano_usd", Some(Place { value: -7, id })));
        assert!(AskedRanked::read(parameters_of("order=time&limit=7")).unwrap().is_none());
        assert!(AskedRanked::read(parameters_of("limit=7")).unwrap().is_none());
    }

    #[test]
    fn every_order_is_of_a_column_of_the_files() {
        for ranking in WORDS.iter().filter_map(|(_, ranking)| *ranking) {
            assert!(OPERATION_COLUMNS.iter().any(|column| column.name == ranking.column), "{}", ranking.column);
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let refusal = |query: &str| AskedRanked::read(parameters_of(query)).unwrap_err().to_string();
        assert!(refusal("order=speed").contains("latency_us"));
        assert!(refusal(&format!("order=cost_usd&cursor={}", OperationId::MAX)).contains("in this order"));
        let place = Place { value: 7, id: OperationId::MAX };
        let of_latency = by("latency_us").cursor(Direction::Descending, &place);
        assert!(refusal(&format!("order=cost_usd&cursor={of_latency}")).contains("in this order"));
        let upwards = by("cost_nano_usd").cursor(Direction::Ascending, &place);
        assert!(refusal(&format!("order=cost_usd&cursor={upwards}")).contains("in this order"));
        assert!(refusal("order=cost_usd&direction=up").contains("descending, ascending"));
        assert!(refusal("order=cost_usd&success=true").contains("outcome=success"));
    }
}
