//! Prices a batch of columns by the catalogue, each operation by its own start, counts and terms.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array, PrimitiveArray, RecordBatch, StringArray};
use foldhash::fast::RandomState;
use opstream_schemas::UtcMicros;
use opstream_schemas::lake::COST_PARTS;
use opstream_schemas::prices::{
    Catalogue, Charge, CostParts, PriceKey, PriceTerms, Terms, Usage, bills_tokens, was_refused,
};

/// Distinct (provider, model, answered model) whose look-up is remembered, and bytes of the three together up to which they
/// are: hostile names must not fill the memory. No catalogue model has a name that is half as long.
const REMEMBERED_NAMES: usize = 10_000;
const REMEMBERED_BYTES: usize = 255;
/// Bytes that a price key usually has; a first guess of the column's size.
const PRICE_KEY_BYTES: usize = 24;

/// Looks prices up and remembers what names mean.
pub struct Pricer {
    catalogue: Arc<Catalogue>,
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
    /// The model of the catalogue whose prices were used.
    pub price_model: ArrayRef,
    /// Which of them: the model, and each choice that was made.
    pub price_key: ArrayRef,
    /// Parts of the cost, and what caches saved, in the order of [`COST_PARTS`].
    pub parts: [ArrayRef; COST_PARTS.len()],
    /// Version of the catalogue.
    pub price_version: ArrayRef,
}

impl Pricer {
    /// Prices with this catalogue.
    pub fn new(catalogue: Arc<Catalogue>) -> Self {
        Self { catalogue, keys: HashMap::default(), joined: String::new() }
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
        let mut models = Vec::with_capacity(rows);
        let mut price_keys = StringBuilder::with_capacity(rows, rows * PRICE_KEY_BYTES);
        let mut parts: [Vec<Option<i64>>; COST_PARTS.len()] = std::array::from_fn(|_| Vec::with_capacity(rows));
        for row in 0..rows {
            let names = source.names(row);
            let key = self.key(names);
            let priced = catalogue.price(key, &source.charge(row, names));
            costs.push(priced.cost.map(opstream_schemas::NanoUsd::nanos));
            statuses.push(priced.status.name());
            models.push(priced.used.map(|used| used.model.id.as_str()));
            match priced.used {
                Some(used) => {
                    used.write_key(&mut price_keys).expect("memory takes what is written to it");
                    price_keys.append_value("");
                }
                None => price_keys.append_null(),
            }
            let split = priced.parts.map(nanos_of);
            for (place, column) in parts.iter_mut().enumerate() {
                column.push(split.map(|split| split[place]));
            }
        }
        PriceColumns {
            cost_nano_usd: Arc::new(Int64Array::from(costs)),
            cost_status: Arc::new(StringArray::from(statuses)),
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
mod tests {
    use arrow_array::{Int32Array, RecordBatch};
    use arrow_schema::{Field, Schema};
    use opstream_schemas::{NanoUsd, Operation, OperationId};

    use super::*;

    /// The columns of these operations that decide a price.
    fn columns(operations: &[Operation]) -> RecordBatch {
        let texts = |text: fn(&Operation) -> Option<&str>| -> ArrayRef {
            Arc::new(operations.iter().map(text).collect::<StringArray>())
        };
        let ints = |int: fn(&Operation) -> Option<i64>| -> ArrayRef {
            Arc::new(operations.iter().map(int).collect::<Int64Array>())
        };
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("provider", texts(|operation| operation.provider.as_deref())),
            ("model", texts(|operation| operation.model.as_deref())),
            ("response_model", texts(|operation| operation.response_model.as_deref())),
            ("operation_type", texts(|operation| Some(&operation.operation_type))),
            ("processing", texts(|operation| operation.processing.as_deref())),
            ("service_tier", texts(|operation| operation.service_tier.as_deref())),
            ("billable_units", texts(|operation| operation.billable_units.as_deref())),
            ("metadata", texts(|operation| operation.metadata.as_deref())),
            ("http_status", Arc::new(operations.iter().map(|operation| operation.http_status).collect::<Int32Array>())),
            ("started_at_us", ints(|operation| Some(operation.started_at.micros()))),
            ("input_tokens", ints(|operation| operation.input_tokens)),
            ("output_tokens", ints(|operation| operation.output_tokens)),
            ("cache_read_tokens", ints(|operation| Some(operation.cache_read_tokens))),
            ("cache_write_tokens", ints(|operation| Some(operation.cache_write_tokens))),
            ("cache_write_1h_tokens", ints(|operation| Some(operation.cache_write_1h_tokens))),
            ("reasoning_tokens", ints(|operation| Some(operation.reasoning_tokens))),
            ("input_audio_tokens", ints(|operation| Some(operation.input_audio_tokens))),
            ("output_audio_tokens", ints(|operation| Some(operation.output_audio_tokens))),
            ("input_image_tokens", ints(|operation| Some(operation.input_image_tokens))),
            ("output_image_tokens", ints(|operation| Some(operation.output_image_tokens))),
            ("web_searches", ints(|operation| Some(operation.web_searches))),
        ];
        let fields: Vec<Field> =
            columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, column)| column).collect())
            .unwrap()
    }

    #[test]
    fn every_row_has_the_price_of_its_own_counts_and_terms() {
        let at = UtcMicros::parse_rfc3339("2026-11-23T12:00:00Z").unwrap();
        let operation = Operation {
            operation_id: OperationId::generate(at.to_millis()),
            started_at: at,
            provider: Some("openai".to_owned()),
            model: Some("gpt-6.1-sol".to_owned()),
            input_tokens: Some(300_000),
            output_tokens: Some(0),
            ..Operation::default()
        };
        let text = |text: &str| Some(text.to_owned());
        let operations = [
            Operation { input_tokens: Some(1_000), ..operation.clone() },
            Operation {
                processing: text("batch"),
                metadata: text(r#"{"price_terms": {"region": "eu"}}"#),
                billable_units: text(r#"{"file_search": 2}"#),
                ..operation.clone()
            },
            Operation { service_tier: text("scale"), ..operation.clone() },
            Operation { operation_type: "execute_tool".to_owned(), ..operation.clone() },
            Operation { billable_units: text(r#"{"spells": 1}"#), ..operation },
        ];
        let prices = Pricer::new(Catalogue::embedded().clone()).price(&columns(&operations));
        let costs: Vec<_> = prices.cost_nano_usd.as_primitive::<Int64Type>().iter().collect();
        assert_eq!(costs, [Some(2_000_000), Some(665_000_000), None, Some(0), None]);
        assert_eq!(costs[1].map(NanoUsd::from_nanos), Some(NanoUsd::parse("0.665").unwrap()));
        let texts = |column: &ArrayRef| -> Vec<Option<String>> {
            column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
        };
        assert_eq!(
            texts(&prices.price_key),
            [text("gpt-6.1-sol"), text("gpt-6.1-sol above-272000 batch eu"), None, None, None]
        );
        assert_eq!(texts(&prices.price_model), [text("gpt-6.1-sol"), text("gpt-6.1-sol"), None, None, None]);
        let part = |name: &str| -> Vec<Option<i64>> {
            let place = COST_PARTS.iter().position(|part| *part == name).unwrap();
            prices.parts[place].as_primitive::<Int64Type>().iter().collect()
        };
        assert_eq!(part("input_cost_nano_usd"), [Some(2_000_000), Some(660_000_000), None, Some(0), None]);
        assert_eq!(part("unit_cost_nano_usd"), [Some(0), Some(5_000_000), None, Some(0), None]);
        assert_eq!(part("cache_savings_nano_usd"), [Some(0), Some(0), None, Some(0), None]);
        let statuses = ["priced", "priced", "unpriced", "free", "unpriced"];
        assert_eq!(texts(&prices.cost_status), statuses.map(text));
    }

    #[test]
    fn another_catalogue_prices_from_the_next_batch_on() {
        let own = "schema = 1\ncatalogue = 2026-11-24\ncurrency = \"USD\"\nunit = \"per_mtok\"\nprovider = \"openai\"\n\n[[model]]\nid = \"gpt-4o\"\n\
                   source = \"our contract\"\nchecked_on = 2026-11-24\n\n[[model.interval]]\nrates = { input = \"1\", output = \"2\" }\n";
        let operation = Operation {
            operation_id: OperationId::generate(UtcMicros::from_micros(1_795_000_000_000_000).to_millis()),
            started_at: UtcMicros::from_micros(1_795_000_000_000_000),
            provider: Some("openai".to_owned()),
            model: Some("gpt-4o".to_owned()),
            input_tokens: Some(1_000_000),
            output_tokens: Some(0),
            ..Operation::default()
        };
        let columns = columns(&[operation]);
        let mut pricer = Pricer::new(Catalogue::embedded().clone());
        let cost = |prices: &PriceColumns| prices.cost_nano_usd.as_primitive::<Int64Type>().value(0);
        let before = pricer.price(&columns);
        assert_eq!(cost(&before), 2_500_000_000);
        pricer.replace_catalogue(Arc::new(Catalogue::embedded().overlay(&[("own.toml", own)]).unwrap()));
        let after = pricer.price(&columns);
        assert_eq!(cost(&after), 1_000_000_000);
        let version = |prices: &PriceColumns| prices.price_version.as_string::<i32>().value(0).to_owned();
        assert_ne!(version(&after), version(&before));
    }

    #[test]
    fn hostile_names_are_not_remembered() {
        let mut pricer = Pricer::new(Catalogue::embedded().clone());
        let long = "x".repeat(300);
        let names = Names { provider: Some("openai"), model: Some("gpt-4o"), response_model: Some(&long) };
        assert_eq!(pricer.key(names), None);
        assert!(pricer.keys.is_empty());
        // The length decides what is remembered, not what is found.
        let padded = format!("gpt-4o{}", " ".repeat(300));
        let names = Names { model: Some(&padded), response_model: None, ..names };
        let found = pricer.key(names);
        assert!(found.is_some() && pricer.keys.is_empty());
        assert_eq!(pricer.key(Names { model: Some("gpt-4o"), ..names }), found);
        assert_eq!(pricer.keys.len(), 1);
    }
}
