//! Prices of the catalogue for columns of operations.
//!
//! In: columns as the ingestor decodes them from the topic, or as the lake's files hold them. Out: the columns of a cost. What a
//! price is, how it is chosen and whose cost counts stands in [`opstream_schemas::prices`]; here it is applied to whole batches without
//! an allocation for each operation. The ingestor prices what it writes, the aggregator prices again what is written.

mod pricer;

pub use pricer::{PriceColumns, Pricer};
