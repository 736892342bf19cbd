//! The columns that re-pricing replaces, of a batch of stored columns and as new values for it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow_select::zip::zip;
use opstream_pricing::PriceColumns;
use opstream_schemas::OperationId;
use opstream_schemas::database::{Database, Value};
use opstream_schemas::lake::COST_PARTS;

use crate::rows_statement::RowsStatement;

static LOAD_BEFORE: LazyLock<RowsStatement> =
    LazyLock::new(|| RowsStatement::new(include_str!("load_before.sql"), 1, 1));

/// Numbers: the cost, its parts, the catalogue's beside a reported one, the first cost, and the re-pricing that was last.
pub(super) const NUMBERS: [&str; 10] = [
    "cost_nano_usd",
    COST_PARTS[0],
    COST_PARTS[1],
    COST_PARTS[2],
    COST_PARTS[3],
    COST_PARTS[4],
    COST_PARTS[5],
    "catalogue_cost_nano_usd",
    "billed_cost_nano_usd",
    "repricing",
];
const COST: usize = 0;
const CATALOGUE: usize = 7;
const BILLED: usize = 8;
const REPRICING: usize = 9;
/// Of [`NUMBERS`], those that say what an operation costs.
const PRICED_NUMBERS: usize = 8;
/// Texts: how the cost came about.
pub(super) const TEXTS: [&str; 4] = ["cost_status", "price_model", "price_key", "price_version"];
/// Of [`TEXTS`], those of which another one is another price: not the version, which is another one with any edit.
const PRICED_TEXTS: usize = 3;

/// The columns of a batch.
#[derive(Clone, Debug)]
pub(super) struct RevisedColumns {
    numbers: [Int64Array; NUMBERS.len()],
    texts: [StringArray; TEXTS.len()],
}

impl RevisedColumns {
    /// Those that are stored.
    pub(super) fn of(batch: &RecordBatch) -> Self {
        let column = |name: &str| batch.column_by_name(name).expect("stored columns have them all");
        Self {
            numbers: NUMBERS.map(|name| column(name).as_primitive::<Int64Type>().clone()),
            texts: TEXTS.map(|name| column(name).as_string::<i32>().clone()),
        }
    }

    /// What a catalogue says, where this is stored and this re-pricing says it.
    pub(super) fn priced(prices: &PriceColumns, stored: &Self, repricing: i64) -> Self {
        let int = |column: &ArrayRef| column.as_primitive::<Int64Type>().clone();
        let text = |column: &ArrayRef| column.as_string::<i32>().clone();
        let rows = stored.len();
        let billed = |row| if stored.was_repriced(row) { stored.number(BILLED, row) } else { stored.cost(row) };
        let number = |place| match place {
            COST => int(&prices.cost_nano_usd),
            CATALOGUE => int(&prices.catalogue_cost_nano_usd),
            BILLED => (0..rows).map(billed).collect(),
            REPRICING => Int64Array::from(vec![repricing; rows]),
            part => int(&prices.parts[part - 1]),
        };
        let texts = [&prices.cost_status, &prices.price_model, &prices.price_key, &prices.price_version].map(text);
        Self { numbers: std::array::from_fn(number), texts }
    }

    /// These rows one after the other.
    pub(super) fn of_rows(rows: &[&PriceRow]) -> Self {
        Self {
            numbers: std::array::from_fn(|place| rows.iter().map(|row| row.numbers[place]).collect()),
            texts: std::array::from_fn(|place| rows.iter().map(|row| row.texts[place].as_deref()).collect()),
        }
    }

    /// Rows.
    pub(super) fn len(&self) -> usize {
        self.numbers[COST].len()
    }

    /// Nano-USD; none is unknown.
    pub(super) fn cost(&self, row: usize) -> Option<i64> {
        self.number(COST, row)
    }

    fn was_repriced(&self, row: usize) -> bool {
        self.numbers[REPRICING].is_valid(row)
    }

    fn number(&self, place: usize, row: usize) -> Option<i64> {
        let column = &self.numbers[place];
        column.is_valid(row).then(|| column.value(row))
    }

    fn text(&self, place: usize, row: usize) -> Option<&str> {
        let column = &self.texts[place];
        column.is_valid(row).then(|| column.value(row))
    }

    /// Whether an operation costs something else in these columns, or for another reason.
    pub(super) fn is_other_price(&self, other: &Self, row: usize) -> bool {
        (0..PRICED_NUMBERS).any(|place| self.number(place, row) != other.number(place, row))
            || (0..PRICED_TEXTS).any(|place| self.text(place, row) != other.text(place, row))
    }

    /// The batch with these columns in the rows that are marked.
    pub(super) fn put_into(&self, batch: &RecordBatch, marked: &BooleanArray) -> RecordBatch {
        let schema = batch.schema();
        let mut columns = batch.columns().to_vec();
        let numbers = NUMBERS.iter().zip(self.numbers.iter().map(|column| column as &dyn Array));
        let texts = TEXTS.iter().zip(self.texts.iter().map(|column| column as &dyn Array));
        for (name, column) in numbers.chain(texts) {
            let place = schema.index_of(name).expect("stored columns have them all");
            columns[place] = zip(marked, &column, &columns[place].as_ref()).expect("both columns are of one batch");
        }
        RecordBatch::try_new(Arc::clone(&schema), columns).expect("each column has its type and length")
    }

    /// One row as bound values, [`NUMBERS`] before [`TEXTS`].
    pub(super) fn values(&self, row: usize) -> impl Iterator<Item = Value> {
        let numbers = (0..NUMBERS.len()).map(move |place| Value::from(self.number(place, row)));
        numbers.chain((0..TEXTS.len()).map(move |place| Value::from(self.text(place, row))))
    }
}

/// One row of the columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PriceRow {
    /// In the order of [`NUMBERS`].
    pub(super) numbers: [Option<i64>; NUMBERS.len()],
    /// In the order of [`TEXTS`].
    pub(super) texts: [Option<String>; TEXTS.len()],
}

/// What a re-pricing found in these operations.
pub(super) async fn read_before(
    database: &Database,
    repricing: i64,
    ids: &[OperationId],
) -> Result<HashMap<OperationId, PriceRow>, sqlx::Error> {
    let mut found = HashMap::new();
    for (range, text) in LOAD_BEFORE.chunks(database.engine(), ids.len()) {
        let mut values = vec![Value::from(repricing)];
        values.extend(ids[range].iter().map(|id| Value::from(*id)));
        for row in database.fetch_all(text, &values).await? {
            let mut before = PriceRow::default();
            for (number, name) in before.numbers.iter_mut().zip(NUMBERS) {
                *number = row.optional_int(name)?;
            }
            for (text, name) in before.texts.iter_mut().zip(TEXTS) {
                *text = row.optional_text(name)?;
            }
            found.insert(row.id("operation_id")?, before);
        }
    }
    Ok(found)
}
