//! Rows of the tables as the columns of a lake file, in the order of their ids.

use std::sync::Arc;

use arrow_array::builder::FixedSizeBinaryBuilder;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use opstream_records::columns::stored_schema;
use opstream_schemas::OperationId;
use opstream_schemas::database::{Database, Row};
use opstream_schemas::lake::{CONTENT_COLUMNS, Column, ColumnKind, FileKind, OPERATION_COLUMNS};
use sqlx::AssertSqlSafe;

use super::origins::Origin;

/// Rows of one query.
const PAGE: i64 = 8192;

/// The rows of these ids, both ends included, that are wanted by id and origin; none when there is none. Holds the rows of one file.
///
/// # Errors
/// What the database answers.
pub(super) async fn read_rows(
    database: &Database,
    kind: FileKind,
    (lowest, highest): (OperationId, OperationId),
    is_wanted: impl Fn(OperationId, Origin) -> bool,
) -> Result<Option<RecordBatch>, sqlx::Error> {
    let columns = match kind {
        FileKind::Operations => OPERATION_COLUMNS,
        FileKind::Contents => CONTENT_COLUMNS,
    };
    let sql = statement(kind, columns);
    let (mut rows, mut from, mut comparison) = (Vec::new(), lowest, ">=");
    loop {
        let page = sql.replace("{from}", comparison);
        let page = database.fetch_all(AssertSqlSafe(page), &[from.into(), highest.into(), PAGE.into()]).await?;
        let Some(last) = page.last() else { break };
        (from, comparison) = (last.id("operation_id")?, ">");
        for row in page {
            if is_wanted(row.id("operation_id")?, origin(&row)?) {
                rows.push(row);
            }
        }
    }
    if rows.is_empty() { Ok(None) } else { batch(columns, &rows).map(Some) }
}

fn statement(kind: FileKind, columns: &[Column]) -> String {
    let table = match kind {
        FileKind::Operations => "operation",
        FileKind::Contents => "content",
    };
    let contents = match kind {
        FileKind::Operations => "",
        FileKind::Contents => "join operation_contents as content on content.operation_id = operation.operation_id ",
    };
    let selected = columns.iter().map(|column| match column.kind {
        ColumnKind::SmallInt => format!("cast({table}.{0} as bigint) as {0}", column.name),
        _ => format!("{table}.{}", column.name),
    });
    format!(
        "select {}, operation.stream_id as from_stream, cast(operation.source_partition as bigint) as from_partition, \
         operation.source_offset as from_offset from operations as operation {contents}\
         where operation.operation_id {{from}} $1 and operation.operation_id <= $2 order by operation.operation_id limit $3",
        selected.collect::<Vec<_>>().join(", ")
    )
}

fn origin(row: &Row) -> Result<Origin, sqlx::Error> {
    Ok(Origin {
        stream: row.int("from_stream")?,
        partition: row.int("from_partition")?,
        offset: row.int("from_offset")?,
    })
}

fn batch(columns: &[Column], rows: &[Row]) -> Result<RecordBatch, sqlx::Error> {
    let arrays = columns.iter().map(|column| array(*column, rows)).collect::<Result<Vec<_>, _>>()?;
    let batch = RecordBatch::try_new(stored_schema(columns), arrays);
    batch.map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn array(column: Column, rows: &[Row]) -> Result<ArrayRef, sqlx::Error> {
    let name = column.name;
    Ok(match column.kind {
        ColumnKind::Id => {
            let mut ids = FixedSizeBinaryBuilder::with_capacity(rows.len(), 16);
            for row in rows {
                ids.append_value(row.id(name)?.bytes()).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            }
            Arc::new(ids.finish())
        }
        ColumnKind::Int => Arc::new(each::<_, Int64Array>(rows, |row| row.optional_int(name))?),
        ColumnKind::SmallInt => Arc::new(each::<_, Int32Array>(rows, |row| {
            let narrow = row.optional_int(name)?.map(i32::try_from).transpose();
            narrow.map_err(|error| sqlx::Error::ColumnDecode { index: name.to_owned(), source: error.into() })
        })?),
        ColumnKind::Float => Arc::new(each::<_, Float64Array>(rows, |row| row.optional_float(name))?),
        ColumnKind::Bool => Arc::new(each::<_, BooleanArray>(rows, |row| row.optional_bool(name))?),
        ColumnKind::Text | ColumnKind::Json => Arc::new(each::<_, StringArray>(rows, |row| row.optional_text(name))?),
    })
}

fn each<T, A: FromIterator<Option<T>>>(
    rows: &[Row],
    read: impl Fn(&Row) -> Result<Option<T>, sqlx::Error>,
) -> Result<A, sqlx::Error> {
    rows.iter().map(read).collect()
}
