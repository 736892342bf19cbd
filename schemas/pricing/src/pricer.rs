//! Prices a batch of columns by the catalogue, each operation by its own start, counts and terms, and settles which cost counts.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array, PrimitiveArray, RecordBatch, StringArray};
use foldhash::fast::RandomState;
use opstream_schemas::lake::COST_PARTS;
use opstream_schemas::prices::{
    Catalogue, Charge, CostParts, CostPolicy, PriceKey, PriceTerms, Terms, Usage, bills_tokens, was_refused,
};
use opstream_schemas::{NanoUsd, UtcMicros};

/// Distinct (provider, model, answered model) whose look-up is remembered, and bytes of the three together up to which they
/// are: hostile names must not fill the memory. No catalogue model has a name that is half as long.
const REMEMBERED_NAMES: usize = 10_000;
const REMEMBERED_BYTES: usize = 255;
/// Bytes that a price key usually has; a first guess of the column's size.
const PRICE_KEY_BYTES: usize = 24;

/// Looks prices up and remembers what names mean.
pub struct Pricer {
    catalogue: Arc<Catalogue>,
    policy: CostPolicy,
    /// By the names in one text, each behind its length.
    keys: HashMap<Box<str>, Option<PriceKey>, RandomState>,
    /// The names that are being looked up; kept, so that a look-up allocates nothing.
    joined: String,
}

/// The columns that pricing adds.
#[derive(Debug)]
pub struct PriceColumns {
    /// Nano-USD; null is unknown, never 0.
    pub cost_nano_usd: ArrayRef,
    /// Name of the status.
    pub cost_status: ArrayRef,
    /// What the catalogue says, where a cost was reported too. Nano-USD.
    pub catalogue_cost_nano_usd: ArrayRef,
    /// The model of the catalogue whose prices were used, also where the cost that they make does not count.
    pub price_model: ArrayRef,
    /// Which of them: the model, and each choice that was made.
    pub price_key: ArrayRef,
    /// Parts of the cost, and what caches saved, in the order of [`COST_PARTS`].
    pub parts: [ArrayRef; COST_PARTS.len()],
    /// Version of the catalogue.
    pub price_version: ArrayRef,
}

impl Pricer {
    /// Prices with this catalogue, and counts costs by this policy.
    pub fn new(catalogue: Arc<Catalogue>, policy: CostPolicy) -> Self {
        Self { catalogue, policy, keys: HashMap::default(), joined: String::new() }
    }

    /// Prices with another catalogue from now on.
    pub fn replace_catalogue(&mut self, catalogue: Arc<Catalogue>) {
        // Keys have a meaning in the catalogue that gave them only.
        self.keys.clear();
        self.catalogue = catalogue;
    }

    /// Prices every row of columns that have the fields of the Avro schema, or the columns of the lake's files.
    ///
    /// # Panics
    /// If one that decides a price is missing or has another type.
    pub fn price(&mut self, columns: &RecordBatch) -> PriceColumns {
        let rows = columns.num_rows();
        let source = Source::new(columns);
        let catalogue = Arc::clone(&self.catalogue);
        let mut costs = Vec::with_capacity(rows);
        let mut statuses = Vec::with_capacity(rows);
        let mut catalogue_costs = Vec::with_capacity(rows);
        let mut models = Vec::with_capacity(rows);
        let mut price_keys = StringBuilder::with_capacity(rows, rows * PRICE_KEY_BYTES);
        let mut parts: [Vec<Option<i64>>; COST_PARTS.len()] = std::array::from_fn(|_| Vec::with_capacity(rows));
        for row in 0..rows {
            let names = source.names(row);
            let key = self.key(names);
            let priced = catalogue.price(key, &source.charge(row, names));
            let counted = self.policy.settle(&priced, int(source.reported_cost, row).map(NanoUsd::from_nanos));
            costs.push(counted.cost.map(NanoUsd::nanos));
            statuses.push(counted.status.name());
            catalogue_costs.push(counted.catalogue_cost.map(NanoUsd::nanos));
            models.push(priced.used.map(|used| used.model.id.as_str()));
            match priced.used {
                Some(used) => {
                    used.write_key(&mut price_keys).expect("memory takes what is written to it");
                    price_keys.append_value("");
                }
                None => price_keys.append_null(),
            }
            let split = counted.parts.map(nanos_of);
            for (place, column) in parts.iter_mut().enumerate() {
                column.push(split.map(|split| split[place]));
            }
        }
        PriceColumns {
            cost_nano_usd: Arc::new(Int64Array::from(costs)),
            cost_status: Arc::new(StringArray::from(statuses)),
            catalogue_cost_nano_usd: Arc::new(Int64Array::from(catalogue_costs)),
            price_model: Arc::new(StringArray::from(models)),
            price_key: Arc::new(price_keys.finish()),
            parts: parts.map(|column| Arc::new(Int64Array::from(column)) as ArrayRef),
            price_version: Arc::new(StringArray::from(vec![catalogue.version(); rows])),
        }
    }

    fn key(&mut self, names: Names<'_>) -> Option<PriceKey> {
        let provider = names.provider?;
        if !self.join(names) {
            return self.catalogue.find_billed(provider, names.model, names.response_model);
        }
        if let Some(known) = self.keys.get(self.joined.as_str()) {
            return *known;
        }
        let found = self.catalogue.find_billed(provider, names.model, names.response_model);
        if self.keys.len() >= REMEMBERED_NAMES {
            self.keys.clear();
        }
        self.keys.insert(self.joined.as_str().into(), found);
        found
    }

    /// Puts the names into one text; false when they are too long to be remembered.
    fn join(&mut self, names: Names<'_>) -> bool {
        let names = [names.provider, names.model, names.response_model].map(Option::unwrap_or_default);
        if names.iter().map(|name| name.len()).sum::<usize>() > REMEMBERED_BYTES {
            return false;
        }
        self.joined.clear();
        for name in names {
            let length = u8::try_from(name.len()).expect("all of them together are shorter");
            self.joined.push(char::from(length));
            self.joined.push_str(name);
        }
        true
    }
}

/// In the order of [`COST_PARTS`].
const fn nanos_of(parts: CostParts) -> [i64; COST_PARTS.len()] {
    let CostParts { input, cache_read, cache_write, output, units, cache_savings } = parts;
    [input.nanos(), cache_read.nanos(), cache_write.nanos(), output.nanos(), units.nanos(), cache_savings.nanos()]
}

#[derive(Clone, Copy)]
struct Names<'a> {
    provider: Option<&'a str>,
    model: Option<&'a str>,
    response_model: Option<&'a str>,
}

/// The columns that decide a price, taken out once for each batch.
struct Source<'a> {
    provider: &'a StringArray,
    model: &'a StringArray,
    response_model: &'a StringArray,
    operation_type: &'a StringArray,
    processing: &'a StringArray,
    service_tier: &'a StringArray,
    billable_units: &'a StringArray,
    metadata: &'a StringArray,
    http_status: &'a PrimitiveArray<Int32Type>,
    started_at: &'a Int64Array,
    input: &'a Int64Array,
    output: &'a Int64Array,
    reported_cost: &'a Int64Array,
    parts: [&'a Int64Array; 9],
}

/// Never-null counts in the order of [`Source::charge`].
const PARTS: [&str; 9] = [
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
    "web_searches",
];

impl<'a> Source<'a> {
    fn new(columns: &'a RecordBatch) -> Self {
        let column = |name: &str| columns.column_by_name(name).expect("the columns are those of operations");
        let text = |name: &str| column(name).as_string::<i32>();
        let int = |name: &str| column(name).as_primitive::<Int64Type>();
        Self {
            provider: text("provider"),
            model: text("model"),
            response_model: text("response_model"),
            operation_type: text("operation_type"),
            processing: text("processing"),
            service_tier: text("service_tier"),
            billable_units: text("billable_units"),
            metadata: text("metadata"),
            http_status: column("http_status").as_primitive::<Int32Type>(),
            started_at: columns.column_by_name("started_at_us").unwrap_or_else(|| column("started_at")).as_primitive(),
            input: int("input_tokens"),
            output: int("output_tokens"),
            reported_cost: int("reported_cost_nano_usd"),
            parts: PARTS.map(int),
        }
    }

    fn names(&self, row: usize) -> Names<'a> {
        Names {
            provider: text(self.provider, row),
            model: text(self.model, row),
            response_model: text(self.response_model, row),
        }
    }

    fn charge(&self, row: usize, names: Names<'_>) -> Charge<'a> {
        let [cache_read, cache_write, cache_write_1h, reasoning, audio_in, audio_out, image_in, image_out, searches] =
            self.parts.map(|column| column.value(row));
        Charge {
            started_at: UtcMicros::from_micros(self.started_at.value(row)),
            usage: Usage {
                input_tokens: int(self.input, row),
                cache_read_tokens: cache_read,
                cache_write_tokens: cache_write,
                cache_write_1h_tokens: cache_write_1h,
                output_tokens: int(self.output, row),
                reasoning_tokens: reasoning,
                input_audio_tokens: audio_in,
                output_audio_tokens: audio_out,
                input_image_tokens: image_in,
                output_image_tokens: image_out,
                web_searches: searches,
                billable_units: text(self.billable_units, row),
            },
            terms: Terms {
                bills_tokens: bills_tokens(self.operation_type.value(row), names.model),
                was_refused: was_refused(self.http_status.is_valid(row).then(|| self.http_status.value(row))),
                processing: text(self.processing, row),
                service_tier: text(self.service_tier, row),
                others: PriceTerms::read(text(self.metadata, row)),
            },
        }
    }
}

fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn int(column: &Int64Array, row: usize) -> Option<i64> {
    column.is_valid(row).then(|| column.value(row))
}

#[cfg(test)]
mod tests;
