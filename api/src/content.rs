//! Prompts, messages and tool definitions of one operation, from the lake's files.
//!
//! Content is kept apart from the operations, in files of its own; the manifest says which of them may hold an id. Of
//! each file only the column of ids is read, and then the one row.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use opstream_schemas::OperationId;
use opstream_schemas::database::Database;
use opstream_schemas::lake::{CONTENT_COLUMNS, local_path};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::error::ApiError;

/// Files that are looked through at a time. Files of neighbouring batches touch; only imports overlap widely.
const FILES_AT_A_TIME: i64 = 100;

/// What an operation said and was told, as text; messages and tool definitions are JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Content {
    /// System prompt.
    pub(crate) system_prompt: Option<String>,
    /// Request messages.
    pub(crate) input_messages: Option<String>,
    /// Answer messages.
    pub(crate) output_messages: Option<String>,
    /// Tool definitions.
    pub(crate) tool_definitions: Option<String>,
}

impl Content {
    /// What several events of one span say, one after the other.
    pub(crate) fn of_events(events: &[Self]) -> Self {
        let lists = |of: fn(&Self) -> Option<&str>| joined_lists(events.iter().filter_map(of));
        let prompts: Vec<&str> = events.iter().filter_map(|event| event.system_prompt.as_deref()).collect();
        Self {
            system_prompt: (!prompts.is_empty()).then(|| prompts.join("\n")),
            input_messages: lists(|event| event.input_messages.as_deref()),
            output_messages: lists(|event| event.output_messages.as_deref()),
            tool_definitions: lists(|event| event.tool_definitions.as_deref()),
        }
    }

    /// Each part, of the other where this one says nothing: an instrumentation may say the same in both places.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            system_prompt: self.system_prompt.or(other.system_prompt),
            input_messages: self.input_messages.or(other.input_messages),
            output_messages: self.output_messages.or(other.output_messages),
            tool_definitions: self.tool_definitions.or(other.tool_definitions),
        }
    }
}

/// JSON lists as one. What is none is left out: whoever writes to the topic may have written anything.
fn joined_lists<'a>(lists: impl Iterator<Item = &'a str>) -> Option<String> {
    let elements: Vec<Json> = lists.filter_map(|list| serde_json::from_str::<Vec<Json>>(list).ok()).flatten().collect();
    (!elements.is_empty()).then(|| Json::Array(elements).to_string())
}

/// A file of the lake that cannot be read: someone must look at the lake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LakeError {
    /// The manifest names no file inside the lake.
    #[error(transparent)]
    Path(#[from] opstream_schemas::lake::LakePathError),
    /// The file is not there or not readable.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no Parquet file with content's columns.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The content of an operation, if a live file holds it.
///
/// # Errors
/// What the database answers, and files that cannot be read.
pub(crate) async fn find_in_lake(
    database: &Database,
    lake: &Path,
    id: OperationId,
) -> Result<Option<Content>, ApiError> {
    let sql = "select file_number, path from lake_files where kind = 'contents' and removed_at_ms is null \
               and min_operation_id <= $1 and max_operation_id >= $1 and file_number > $2 order by file_number limit $3";
    let (mut passed, mut missing, mut is_second_look) = (-1, false, false);
    loop {
        let rows = database.fetch_all(sql, &[id.into(), passed.into(), FILES_AT_A_TIME.into()]).await?;
        let Some(last) = rows.last() else {
            if !missing || is_second_look {
                return Ok(None);
            }
            (passed, is_second_look) = (-1, true);
            continue;
        };
        passed = last.int("file_number")?;
        let paths: Vec<String> = rows.iter().map(|row| row.text("path")).collect::<Result<_, _>>()?;
        let lake = lake.to_owned();
        let search = tokio::task::spawn_blocking(move || search(&lake, &paths, id));
        let found = search.await.map_err(|error| ApiError::Internal(Box::new(error)))?;
        match found.map_err(|error| ApiError::Internal(Box::new(error)))? {
            Found::Content(content) => return Ok(Some(*content)),
            Found::MissingFile => missing = true,
            Found::Nothing => {}
        }
    }
}

/// What some files hold of an operation.
enum Found {
    Content(Box<Content>),
    /// Nothing, but one of the files is not there any more. It may have been merged into another meanwhile, whose number can be lower than
    /// those that were passed.
    MissingFile,
    Nothing,
}

fn search(lake: &Path, paths: &[String], id: OperationId) -> Result<Found, LakeError> {
    let mut found = Found::Nothing;
    for path in paths {
        let path = local_path(lake, path)?;
        let file = match File::open(&path) {
            Ok(file) => file,
            // Removed after its row was read: the content is in the file that took its place, which has the same ids.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                found = Found::MissingFile;
                continue;
            }
            Err(source) => return Err(LakeError::Open { path, source }),
        };
        let read = |source: Box<dyn std::error::Error + Send + Sync>| LakeError::Read { path: path.clone(), source };
        if let Some(content) = read_content(&file, id).map_err(read)? {
            return Ok(Found::Content(Box::new(content)));
        }
    }
    Ok(found)
}

fn read_content(file: &File, id: OperationId) -> Result<Option<Content>, Box<dyn std::error::Error + Send + Sync>> {
    let Some(place) = find_row(file, id)? else { return Ok(None) };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file.try_clone()?)?;
    let only = RowSelection::from(vec![RowSelector::skip(place), RowSelector::select(1)]);
    let mut reader = builder.with_row_selection(only).with_batch_size(1).build()?;
    let Some(row) = reader.next().transpose()? else { return Ok(None) };
    let text = |column: &str| text_of(&row, column);
    Ok(Some(Content {
        system_prompt: text("system_prompt"),
        input_messages: text("input_messages"),
        output_messages: text("output_messages"),
        tool_definitions: text("tool_definitions"),
    }))
}

/// Position of the row with this id.
fn find_row(file: &File, id: OperationId) -> Result<Option<usize>, Box<dyn std::error::Error + Send + Sync>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file.try_clone()?)?;
    let ids_only = ProjectionMask::columns(builder.parquet_schema(), [CONTENT_COLUMNS[0].name]);
    let mut passed = 0;
    for batch in builder.with_projection(ids_only).build()? {
        let batch = batch?;
        let ids = batch.column(0).as_fixed_size_binary_opt().ok_or("the first column holds no ids")?;
        if let Some(place) = ids.iter().position(|found| found == Some(&id.bytes()[..])) {
            return Ok(Some(passed + place));
        }
        passed += batch.num_rows();
    }
    Ok(None)
}

fn text_of(row: &RecordBatch, column: &str) -> Option<String> {
    let column = row.column_by_name(column)?;
    if column.is_null(0) {
        return None;
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        return Some(texts.value(0).to_owned());
    }
    if let Some(texts) = column.as_string_opt::<i64>() {
        return Some(texts.value(0).to_owned());
    }
    column.as_string_view_opt().map(|texts| texts.value(0).to_owned())
}
