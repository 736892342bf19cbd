//! Operations of which everything follows from their number and the moment they start, so that whoever finds one stored knows
//! what it must look like.
//!
//! The price of the two models is written down here a second time, as their provider publishes it: the pipeline's own catalogue is
//! what is judged.

use opstream_schemas::database::Row;
use opstream_schemas::time::DAY_MILLIS;
use opstream_schemas::{Operation, OperationId, UtcMicros, UtcMillis};

/// Combinations of dimensions; number modulo this chooses one.
pub(crate) const COMBINATIONS: u64 = 12;
/// One in so many cannot become an operation, because its id is of a day that is yet to come.
const NUMBERS_PER_POISON: u64 = 997;
/// One in so many comes some minutes late.
const NUMBERS_PER_LATE: u64 = 50;
const LATEST_MINUTES: u64 = 20;
/// Second byte of the random part of each id: tells ours from any other.
const MARK: u8 = 0xA7;

/// Nano-USD per input and output token; `None`: a model that nobody prices.
const MODELS: [(&str, Option<(i64, i64)>); 3] =
    [("gpt-4o", Some((2_500, 10_000))), ("gpt-4o-mini", Some((150, 600))), ("house-model", None)];
const TEAMS: [Option<&str>; 2] = [Some("search"), None];
const TYPES: [&str; 2] = ["chat", "embeddings"];

/// What a combination's operations have in common, in the order of the columns of `window_dimensions`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Combination {
    pub(crate) workspace: String,
    pub(crate) project: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) operation_type: Option<String>,
    pub(crate) agent_id: Option<String>,
    pub(crate) action_id: Option<String>,
}

impl Combination {
    /// The combination of a number.
    pub(crate) fn of(number: u64) -> Self {
        let place = usize::try_from(number % COMBINATIONS).expect("there are few combinations");
        let text = |text: &str| Some(text.to_owned());
        let (model, _) = MODELS[place % MODELS.len()];
        Self {
            workspace: format!("tenant-{}", place % 2),
            project: text("assistant"),
            team: TEAMS[place / 2 % 2].map(str::to_owned),
            environment: text("torture"),
            provider: text("openai"),
            model: text(model),
            operation_type: text(TYPES[place / 6]),
            agent_id: text("planner"),
            action_id: text(if place.is_multiple_of(4) { "plan" } else { "answer" }),
        }
    }
}

impl Combination {
    /// That of a row of `operations`, or of `window_dimensions`: the columns have the same names.
    pub(crate) fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            workspace: row.text("workspace")?,
            project: row.optional_text("project")?,
            team: row.optional_text("team")?,
            environment: row.optional_text("environment")?,
            provider: row.optional_text("provider")?,
            model: row.optional_text("model")?,
            operation_type: row.optional_text("operation_type")?,
            agent_id: row.optional_text("agent_id")?,
            action_id: row.optional_text("action_id")?,
        })
    }
}

/// Counts and money of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measures {
    pub(crate) failures: i64,
    pub(crate) unpriced: i64,
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) cost_nano_usd: i64,
    pub(crate) latency_us: i64,
}

impl Measures {
    /// Those of a number.
    pub(crate) fn of(number: u64) -> Self {
        let small = |modulus: u64| i64::try_from(number % modulus).expect("a small number");
        let (input_tokens, output_tokens) = (100 + small(1_009), small(307));
        let place = usize::try_from(number % COMBINATIONS).expect("there are few combinations");
        let (_, price) = MODELS[place % MODELS.len()];
        Self {
            failures: i64::from(is_failure(number)),
            unpriced: i64::from(price.is_none()),
            input_tokens,
            output_tokens,
            cost_nano_usd: price.map_or(0, |(input, output)| input_tokens * input + output_tokens * output),
            latency_us: 1_000 + small(5_003),
        }
    }
}

const fn is_failure(number: u64) -> bool {
    number % 101 == 7
}

/// Whether the operation of this number must become a dead letter.
pub(crate) const fn is_poison(number: u64) -> bool {
    number % NUMBERS_PER_POISON == 13
}

/// The operation of this number, when it is handed over at `now`.
pub(crate) fn operation(number: u64, now: UtcMillis) -> Operation {
    let combination = Combination::of(number);
    let measures = Measures::of(number);
    let at = start(number, now);
    Operation {
        operation_id: id(number, at),
        workspace: combination.workspace,
        project: combination.project,
        team: combination.team,
        environment: combination.environment,
        provider: combination.provider,
        model: combination.model,
        agent_id: combination.agent_id,
        action_id: combination.action_id,
        session_id: Some(format!("session-{}", number % 1_000)),
        success: measures.failures == 0,
        input_tokens: Some(measures.input_tokens),
        output_tokens: Some(measures.output_tokens),
        latency_us: Some(measures.latency_us),
        ..Operation::starting(
            &combination.operation_type.expect("every combination has a type"),
            UtcMicros::from_micros(at.millis() * 1_000),
        )
    }
}

fn start(number: u64, now: UtcMillis) -> UtcMillis {
    if is_poison(number) {
        return now.plus_millis(3 * DAY_MILLIS);
    }
    if number % NUMBERS_PER_LATE == 3 {
        let minutes = number / NUMBERS_PER_LATE % LATEST_MINUTES;
        return now.plus_millis(-60_000 * i64::try_from(minutes).expect("a small number"));
    }
    now
}

fn id(number: u64, at: UtcMillis) -> OperationId {
    let mut random = [0; 10];
    random[1] = MARK;
    random[3..].copy_from_slice(&number.to_be_bytes()[1..]);
    OperationId::mint(at, random)
}

/// The number in an id of ours.
pub(crate) fn number_of(id: [u8; 16]) -> Option<u64> {
    if id[7] != MARK {
        return None;
    }
    let mut number = [0; 8];
    number[1..].copy_from_slice(&id[9..]);
    Some(u64::from_be_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_number_and_nothing_else_does() {
        let now = UtcMillis::from_millis(1_790_000_000_000);
        for number in [0, 13, 53, 4_711, (1 << 40) + 3] {
            let operation = operation(number, now);
            assert_eq!(number_of(operation.operation_id.bytes()), Some(number));
            assert_eq!(operation.operation_id.time() > now, is_poison(number));
        }
        assert_eq!(number_of(OperationId::MIN.bytes()), None);
    }

    #[test]
    fn every_model_team_and_type_occurs() {
        let all: std::collections::BTreeSet<Combination> = (0..COMBINATIONS).map(Combination::of).collect();
        assert_eq!(all.len(), usize::try_from(COMBINATIONS).unwrap());
        assert_eq!(Measures::of(0).cost_nano_usd, 100 * 2_500);
    }
}
