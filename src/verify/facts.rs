//! The columns of an operation that are compared between its row and its file, in a form that both decode into.
//!
//! All columns are compared. Numbers, truth values and the texts that windows are grouped by are kept as they are: a
//! difference in any of them changes a sum, a chart or a bill, and is shown with both values. Of the others only a hash is
//! kept, and a byte of each, which says in which column a difference lies.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, RecordBatch, StringArray};
use opstream_schemas::OperationId;
use opstream_schemas::database::Row;
use opstream_schemas::lake::{Column, ColumnKind, OPERATION_COLUMNS, value_hash};

use super::lake_file::LakeFileError;

/// Text columns that are kept as they are: the windows' dimensions, what is counted by, and what says how a cost came about.
pub(super) const TEXTS: [&str; 12] = [
    "workspace",
    "project",
    "team",
    "environment",
    "provider",
    "model",
    "operation_type",
    "agent_id",
    "action_id",
    "cost_status",
    "price_key",
    "producer_id",
];

/// How many numeric columns there are.
pub(super) const NUMBERS: usize = numeric_columns();
/// How many columns are only hashed: all but the id, the numbers and [`TEXTS`].
const OTHERS: usize = OPERATION_COLUMNS.len() - 1 - NUMBERS - TEXTS.len();
const _: () = assert!(NUMBERS <= 64, "the null mask of Facts has 64 bits");

/// The compared columns of one operation. Two are equal only when they share an [`Interner`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Identity and time.
    pub(super) id: OperationId,
    /// Bit `n` is set when number `n` is null.
    nulls: u64,
    numbers: [i64; NUMBERS],
    texts: [Option<Symbol>; TEXTS.len()],
    /// Hash of all other columns.
    others: u64,
    /// A byte of the hash of each of them.
    other_bytes: [u8; OTHERS],
}

/// A text of an [`Interner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Symbol(u32);

/// Gives equal texts equal symbols, so that a model's name is kept once and not once for each operation.
#[derive(Debug, Default)]
pub(super) struct Interner {
    symbols: HashMap<Arc<str>, Symbol>,
    texts: Vec<Arc<str>>,
}

impl Interner {
    fn symbol(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.symbols.get(text) {
            return *symbol;
        }
        let shared: Arc<str> = text.into();
        let number = u32::try_from(self.texts.len()).expect("a slice has fewer texts than 32 bits count");
        self.texts.push(Arc::clone(&shared));
        self.symbols.insert(shared, Symbol(number));
        Symbol(number)
    }

    /// The symbol of a text that this interner has seen.
    pub(super) fn find(&self, text: &str) -> Option<Symbol> {
        self.symbols.get(text).copied()
    }

    /// The text of a symbol that this interner gave out.
    pub(super) fn text(&self, symbol: Symbol) -> &Arc<str> {
        &self.texts[usize::try_from(symbol.0).expect("a symbol is an index of the texts")]
    }
}

impl Facts {
    /// The numeric column at a place of [`number_place`]; truth values are 0 and 1, null is none.
    pub(super) const fn number(&self, place: usize) -> Option<i64> {
        if self.nulls >> place & 1 == 1 { None } else { Some(self.numbers[place]) }
    }

    /// The text column at a place of [`TEXTS`].
    pub(super) const fn text(&self, place: usize) -> Option<Symbol> {
        self.texts[place]
    }

    /// Decodes a row of [`select_list`].
    pub(super) fn from_row(row: &Row, interner: &mut Interner) -> Result<Self, sqlx::Error> {
        let mut facts = Self::empty(row.id("operation_id")?);
        for (place, column) in numbers().enumerate() {
            let value = match column.kind {
                ColumnKind::Bool => row.optional_bool(column.name)?.map(i64::from),
                _ => row.optional_int(column.name)?,
            };
            facts.set_number(place, value);
        }
        for (place, name) in TEXTS.iter().enumerate() {
            facts.texts[place] = row.optional_text(name)?.map(|text| interner.symbol(&text));
        }
        let mut hashes = [0; OTHERS];
        for (hash, column) in hashes.iter_mut().zip(others()) {
            *hash = match column.kind {
                ColumnKind::Float => hash_of_float(row.optional_float(column.name)?),
                _ => hash_of_text(row.optional_text(column.name)?.as_deref()),
            };
        }
        facts.set_others(hashes);
        Ok(facts)
    }

    /// Which columns differ, as `column: ours ≠ theirs`.
    pub(super) fn differences(&self, other: &Self, interner: &Interner) -> Vec<String> {
        let show = |value: Option<i64>| value.map_or_else(|| "null".to_owned(), |value| value.to_string());
        let text = |symbol: Option<Symbol>| {
            symbol.map_or_else(|| "null".to_owned(), |symbol| format!("{:?}", interner.text(symbol)))
        };
        let in_numbers = numbers().enumerate().filter_map(|(place, column)| {
            let (ours, theirs) = (self.number(place), other.number(place));
            (ours != theirs).then(|| format!("{}: {} ≠ {}", column.name, show(ours), show(theirs)))
        });
        let in_texts = TEXTS.iter().enumerate().filter_map(|(place, name)| {
            let (ours, theirs) = (self.text(place), other.text(place));
            (ours != theirs).then(|| format!("{name}: {} ≠ {}", text(ours), text(theirs)))
        });
        let in_others = self.other_bytes.iter().zip(other.other_bytes).zip(others());
        let in_others = in_others.filter(|((ours, theirs), _)| *ours != theirs);
        let in_others = in_others.map(|(_, column)| format!("{}: the values differ", column.name));
        let mut differences: Vec<String> = in_numbers.chain(in_texts).chain(in_others).collect();
        // One time in 256 the bytes of two hashes are the same.
        if differences.is_empty() && self.others != other.others {
            let names: Vec<&str> = others().map(|column| column.name).collect();
            differences.push(format!("one of {}: the values differ", names.join(", ")));
        }
        differences
    }

    const fn empty(id: OperationId) -> Self {
        Self { id, nulls: 0, numbers: [0; NUMBERS], texts: [None; TEXTS.len()], others: 0, other_bytes: [0; OTHERS] }
    }

    fn set_others(&mut self, hashes: [u64; OTHERS]) {
        self.other_bytes = hashes.map(|hash| hash.to_be_bytes()[0]);
        self.others = value_hash(hashes.map(u64::to_be_bytes).as_flattened());
    }

    fn set_number(&mut self, place: usize, value: Option<i64>) {
        match value {
            Some(value) => self.numbers[place] = value,
            None => self.nulls |= 1 << place,
        }
    }
}

/// Hash of a text, or of null, which is none of them.
pub(super) fn hash_of_text(text: Option<&str>) -> u64 {
    text.map_or(0, |text| value_hash(text.as_bytes()) | 1)
}

/// SQLite stores NaN as null and does not keep the sign of zero.
fn hash_of_float(number: Option<f64>) -> u64 {
    let number = number.filter(|number| !number.is_nan());
    number.map_or(0, |number| value_hash(&(number + 0.0).to_bits().to_be_bytes()) | 1)
}

/// The compared columns of one batch of a file.
pub(super) struct FactColumns<'a> {
    ids: &'a FixedSizeBinaryArray,
    numbers: Vec<NumberColumn<'a>>,
    /// None where the file was written before there was such a column.
    texts: Vec<Option<&'a StringArray>>,
    others: Vec<OtherColumn<'a>>,
}

/// A column that is only hashed, by its stored type.
enum OtherColumn<'a> {
    /// Of a file that was written before there was such a column: null.
    Absent,
    Text(&'a StringArray),
    Float(&'a PrimitiveArray<Float64Type>),
}

/// A numeric column by its stored type.
pub(super) enum NumberColumn<'a> {
    /// Of a file that was written before there was such a column: null.
    Absent,
    Int(&'a PrimitiveArray<Int64Type>),
    SmallInt(&'a PrimitiveArray<Int32Type>),
    Bool(&'a BooleanArray),
}

impl<'a> FactColumns<'a> {
    /// Finds the compared columns.
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self, LakeFileError> {
        let ids = id_column(batch)?;
        let numbers = numbers().map(|column| NumberColumn::of(batch, column)).collect::<Result<_, _>>()?;
        let is_absent =
            |name: &str| OPERATION_COLUMNS.iter().any(|column| column.name == name && is_absent_from(batch, column));
        let text = |name: &&str| if is_absent(name) { Ok(None) } else { text_column(batch, name).map(Some) };
        let texts = TEXTS.iter().map(text).collect::<Result<_, _>>()?;
        let others = others().map(|column| OtherColumn::of(batch, column)).collect::<Result<_, _>>()?;
        Ok(Self { ids, numbers, texts, others })
    }

    /// Id of this row of the batch.
    pub(super) fn id(&self, row: usize) -> OperationId {
        id_at(self.ids, row)
    }

    /// Decodes this row of the batch.
    pub(super) fn facts(&self, row: usize, interner: &mut Interner) -> Facts {
        let mut facts = Facts::empty(self.id(row));
        for (place, column) in self.numbers.iter().enumerate() {
            facts.set_number(place, column.value(row));
        }
        for (place, column) in self.texts.iter().enumerate() {
            let text = column.filter(|column| column.is_valid(row)).map(|column| column.value(row));
            facts.texts[place] = text.map(|text| interner.symbol(text));
        }
        let mut hashes = [0; OTHERS];
        for (hash, column) in hashes.iter_mut().zip(&self.others) {
            *hash = column.hash(row);
        }
        facts.set_others(hashes);
        facts
    }
}

impl<'a> OtherColumn<'a> {
    fn of(batch: &'a RecordBatch, column: &Column) -> Result<Self, LakeFileError> {
        if is_absent_from(batch, column) {
            return Ok(Self::Absent);
        }
        if column.kind != ColumnKind::Float {
            return text_column(batch, column.name).map(Self::Text);
        }
        let array = batch.column_by_name(column.name).and_then(|array| array.as_primitive_opt());
        let wrong = || LakeFileError::Column { name: column.name.to_owned(), expected: "a floating-point number" };
        array.map(Self::Float).ok_or_else(wrong)
    }

    fn hash(&self, row: usize) -> u64 {
        match self {
            Self::Absent => hash_of_text(None),
            Self::Text(array) => hash_of_text(array.is_valid(row).then(|| array.value(row))),
            Self::Float(array) => hash_of_float(array.is_valid(row).then(|| array.value(row))),
        }
    }
}

/// Finds a text column of a file.
pub(super) fn text_column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, LakeFileError> {
    let array = batch.column_by_name(name).and_then(|array| array.as_string_opt());
    array.ok_or_else(|| LakeFileError::Column { name: name.to_owned(), expected: "text" })
}

impl<'a> NumberColumn<'a> {
    /// Finds a numeric column of a file.
    pub(super) fn of(batch: &'a RecordBatch, column: &Column) -> Result<Self, LakeFileError> {
        let array = batch.column_by_name(column.name);
        if is_absent_from(batch, column) {
            return Ok(Self::Absent);
        }
        let found = match column.kind {
            ColumnKind::SmallInt => array.and_then(|array| array.as_primitive_opt()).map(Self::SmallInt),
            ColumnKind::Bool => array.and_then(|array| array.as_boolean_opt()).map(Self::Bool),
            _ => array.and_then(|array| array.as_primitive_opt()).map(Self::Int),
        };
        found.ok_or_else(|| LakeFileError::Column { name: column.name.to_owned(), expected: "a number" })
    }

    /// Value of this row of the batch.
    pub(super) fn value(&self, row: usize) -> Option<i64> {
        match self {
            Self::Absent => None,
            Self::Int(array) => array.is_valid(row).then(|| array.value(row)),
            Self::SmallInt(array) => array.is_valid(row).then(|| array.value(row).into()),
            Self::Bool(array) => array.is_valid(row).then(|| array.value(row).into()),
        }
    }
}

/// Whether a file was written before there was such a column.
fn is_absent_from(batch: &RecordBatch, column: &Column) -> bool {
    column.is_later && batch.column_by_name(column.name).is_none()
}

/// The ids of a batch.
pub(super) fn id_column(batch: &RecordBatch) -> Result<&FixedSizeBinaryArray, LakeFileError> {
    let array = batch.column_by_name("operation_id").and_then(|array| array.as_fixed_size_binary_opt());
    let array = array.filter(|array| array.value_length() == 16 && array.null_count() == 0);
    array.ok_or_else(|| LakeFileError::Column { name: "operation_id".to_owned(), expected: "16 bytes, never null" })
}

/// Id of this row of an [`id_column`].
pub(super) fn id_at(ids: &FixedSizeBinaryArray, row: usize) -> OperationId {
    let bytes = ids.value(row).try_into().expect("the column was checked to hold 16 bytes");
    OperationId::from_bytes(bytes)
}

/// All columns as a select list. Postgres keeps small integers in 32 bits, hence the casts.
pub(super) fn select_list() -> String {
    let term = |column: &Column| match column.kind {
        ColumnKind::SmallInt => format!("cast({0} as bigint) as {0}", column.name),
        _ => column.name.to_owned(),
    };
    OPERATION_COLUMNS.iter().map(term).collect::<Vec<_>>().join(", ")
}

/// Place of a numeric column in [`Facts::number`]. Evaluated by the compiler: an unknown name does not compile.
pub(super) const fn number_place(name: &str) -> usize {
    let (mut at, mut place) = (0, 0);
    while at < OPERATION_COLUMNS.len() {
        if is_numeric(&OPERATION_COLUMNS[at]) {
            if is_same(OPERATION_COLUMNS[at].name, name) {
                return place;
            }
            place += 1;
        }
        at += 1;
    }
    panic!("no numeric column has this name")
}

/// Place of a text column in [`TEXTS`]. Evaluated by the compiler: an unknown name does not compile.
pub(super) const fn text_place(name: &str) -> usize {
    let mut place = 0;
    while place < TEXTS.len() {
        if is_same(TEXTS[place], name) {
            return place;
        }
        place += 1;
    }
    panic!("no compared text column has this name")
}

fn numbers() -> impl Iterator<Item = &'static Column> {
    OPERATION_COLUMNS.iter().filter(|column| is_numeric(column))
}

fn others() -> impl Iterator<Item = &'static Column> {
    let is_other =
        |column: &&Column| column.kind != ColumnKind::Id && !is_numeric(column) && !TEXTS.contains(&column.name);
    OPERATION_COLUMNS.iter().filter(is_other)
}

const fn is_numeric(column: &Column) -> bool {
    matches!(column.kind, ColumnKind::Int | ColumnKind::SmallInt | ColumnKind::Bool)
}

const fn numeric_columns() -> usize {
    let (mut at, mut count) = (0, 0);
    while at < OPERATION_COLUMNS.len() {
        if is_numeric(&OPERATION_COLUMNS[at]) {
            count += 1;
        }
        at += 1;
    }
    count
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}
