//! The ids in a file of the lake, of which no other column is read.

use std::fs::File;
use std::path::PathBuf;

use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use opstream_records::columns::read_id;
use opstream_schemas::OperationId;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

/// Every id of the file; none when it cannot be read.
pub(super) async fn read_ids(path: PathBuf) -> Option<Vec<OperationId>> {
    // A thread of its own: damaged bytes can make a decoder panic.
    tokio::task::spawn_blocking(move || read(path)).await.ok()?.ok()
}

fn read(path: PathBuf) -> Result<Vec<OperationId>, ParquetError> {
    // The types are those of the Parquet schema, whatever Arrow type the writer had in hand.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(File::open(path)?, options)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["operation_id"]);
    let mut ids = Vec::new();
    for batch in builder.with_projection(mask).build()? {
        let batch = batch?;
        let column = batch.column_by_name("operation_id").and_then(|column| column.as_fixed_size_binary_opt());
        let column = column.filter(|column| column.value_length() == 16 && column.null_count() == 0);
        let column = column.ok_or_else(|| ParquetError::General("operation_id is not 16 bytes".to_owned()))?;
        ids.extend((0..column.len()).map(|row| read_id(column.value(row))));
    }
    Ok(ids)
}
