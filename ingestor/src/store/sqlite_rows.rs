//! Rows into SQLite by multi-row inserts: one statement for many rows saves the round trips to sqlx's worker thread.

use std::future::{Future as _, poll_fn};
use std::ops::Range;
use std::sync::Arc;
use std::task::Poll;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use opstream_schemas::failpoint::{self, Step};
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, SqliteConnection};

use super::StoreError;

/// SQLite's limit of bound values in one statement.
const MAX_BINDS: usize = 32_766;
/// Rows in one statement; more gains nothing and makes the statement's text long.
const MAX_ROWS: usize = 200;

/// Inserts every row; columns are named as in the batch.
pub(super) async fn insert(tx: &mut SqliteConnection, table: &str, rows: &RecordBatch) -> Result<(), StoreError> {
    let columns = rows.num_columns();
    let chunk = (MAX_BINDS / columns).min(MAX_ROWS);
    let full = statement(table, rows, chunk);
    let mut texts: Vec<RepeatedText<'_>> = rows.columns().iter().map(|_| RepeatedText::default()).collect();
    let chunks: Vec<Range<usize>> =
        (0..rows.num_rows()).step_by(chunk).map(|start| start..rows.num_rows().min(start + chunk)).collect();
    let mut arguments = chunks.first().map(|first| bind_rows(rows, first.clone(), &mut texts)).transpose()?;
    for (place, range) in chunks.iter().enumerate() {
        // Only the statement for a full chunk is worth keeping prepared.
        let is_full = range.len() == chunk;
        let sql = if is_full { full.clone() } else { statement(table, rows, range.len()) };
        let bound = arguments.take().expect("each chunk is bound while the one before it runs");
        let query = sqlx::query_with(AssertSqlSafe(sql), bound).persistent(is_full);
        let mut running = std::pin::pin!(query.execute(&mut *tx));
        // The first poll hands the statement to SQLite's own thread; the next one is bound while it runs there.
        let early = poll_fn(|cx| Poll::Ready(running.as_mut().poll(cx))).await;
        arguments = chunks.get(place + 1).map(|next| bind_rows(rows, next.clone(), &mut texts)).transpose()?;
        match early {
            Poll::Ready(done) => done?,
            Poll::Pending => running.await?,
        };
        failpoint::reach(Step::RowsSending).await.map_err(sqlx::Error::from)?;
    }
    Ok(())
}

fn bind_rows<'a>(
    rows: &'a RecordBatch,
    range: Range<usize>,
    texts: &mut [RepeatedText<'a>],
) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(range.len() * rows.num_columns(), 0);
    for row in range {
        for (column, repeated) in rows.columns().iter().zip(texts.iter_mut()) {
            add(&mut arguments, column, row, repeated).map_err(sqlx::Error::Encode)?;
        }
    }
    Ok(arguments)
}

fn statement(table: &str, rows: &RecordBatch, length: usize) -> String {
    let schema = rows.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let row = format!("({})", vec!["?"; names.len()].join(","));
    format!("insert into {table} ({}) values {}", names.join(","), vec![row; length].join(","))
}

/// The latest text of a column, shared by the rows that repeat it: dimensions repeat nearly always.
#[derive(Default)]
struct RepeatedText<'a> {
    latest: Option<(&'a str, Arc<str>)>,
}

impl<'a> RepeatedText<'a> {
    fn share(&mut self, text: &'a str) -> Arc<str> {
        match &self.latest {
            Some((latest, shared)) if *latest == text => shared.clone(),
            _ => {
                let shared: Arc<str> = Arc::from(text);
                self.latest = Some((text, shared.clone()));
                shared
            }
        }
    }
}

fn add<'a>(
    arguments: &mut SqliteArguments,
    column: &'a ArrayRef,
    row: usize,
    repeated: &mut RepeatedText<'a>,
) -> Result<(), sqlx::error::BoxDynError> {
    use arrow_schema::DataType;
    if column.is_null(row) {
        return arguments.add(None::<i64>);
    }
    match column.data_type() {
        DataType::FixedSizeBinary(_) => arguments.add(column.as_fixed_size_binary().value(row).to_vec()),
        DataType::Int64 => arguments.add(column.as_primitive::<Int64Type>().value(row)),
        DataType::Int32 => arguments.add(column.as_primitive::<Int32Type>().value(row)),
        DataType::Float64 => arguments.add(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => arguments.add(column.as_boolean().value(row)),
        _ => {
            let texts: &'a StringArray = column.as_string();
            arguments.add(repeated.share(texts.value(row)))
        }
    }
}
