//! `opstream import csv`: one operation per row of a CSV file with a header line.
//!
//! Columns are mapped to the operation's fields by name, `--map` or a known header. What a file does not say stays null: a
//! trace without provider, model or latency gets none. An id follows from workspace, row and occurrence number, so two
//! identical rows are two operations and a second run adds neither again.

mod cells;
mod columns;
mod lines;
mod moment;
mod preview;
mod rows;

use std::fs::File;
use std::path::PathBuf;

use anyhow::Context as _;
use opstream_schemas::operation::DEFAULT_WORKSPACE;

use self::columns::ColumnMapping;
use self::lines::LineStarts;
use self::moment::{TimeFormat, UtcOffset};
pub(super) use self::preview::preview;
use self::rows::{Constants, Rows};
use super::feed::{Extent, Feed, Input};

/// Arguments of `opstream import csv`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  opstream import csv AzureLLMInferenceTrace_code.csv
  opstream import csv calls.csv --map when=started_at --map prompt=input_tokens --map took=latency_ms \\
      --map customer=tags.customer --time-format '%d.%m.%Y %H:%M:%S' --utc-offset +02:00 --provider openai --dry-run

A column that is named like a field needs no --map. Durations may be given as latency_us, latency_ms or latency_s \
(likewise queue, ttft, generation), and tags.NAME makes a tag. The header of the Azure LLM inference traces \
(TIMESTAMP,ContextTokens,GeneratedTokens) is recognised.")]
pub(super) struct CsvArgs {
    /// The file
    file: PathBuf,
    /// A column and the field that it fills; repeatable
    #[arg(long = "map", value_name = "COLUMN=FIELD")]
    map: Vec<ColumnMapping>,
    /// How times are written: auto (RFC 3339, or the same without a zone), unix, unix-ms, unix-us, or a pattern such as
    /// '%d.%m.%Y %H:%M:%S'
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    time_format: TimeFormat,
    /// Zone of times that name none, as +HH:MM
    #[arg(long, value_name = "OFFSET", default_value = "+00:00", allow_hyphen_values = true)]
    utc_offset: UtcOffset,
    /// Character between two columns, or tab
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = parse_delimiter)]
    delimiter: u8,
    /// Workspace of rows that name none
    #[arg(long, default_value = DEFAULT_WORKSPACE)]
    workspace: String,
    /// Provider of rows that name none
    #[arg(long)]
    provider: Option<String>,
    /// Model of rows that name none
    #[arg(long)]
    model: Option<String>,
    /// Kind of operation of rows that name none
    #[arg(long, default_value = "chat")]
    operation_type: String,
    /// Check every row, show the first ones as they would be imported and all that would be refused, and send nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// Opens the file and checks the mapping against its header.
///
/// # Errors
/// When the file cannot be read, a mapping names no column or no field, or no column gives a time.
pub(super) fn open(args: &CsvArgs) -> anyhow::Result<Input> {
    let n_bytes = args.file.metadata().with_context(|| format!("cannot read {}", args.file.display()))?.len();
    let mut rows = rows(args)?;
    let name = args.file.display().to_string();
    let remarks = rows.remarks();
    let read = move |feed: &Feed| {
        while let Some(record) = rows.next_record()? {
            feed.push(record)?;
        }
        Ok(remarks)
    };
    Ok(Input { name, extent: Extent::Bytes(n_bytes), read: Box::new(read) })
}

fn parse_delimiter(text: &str) -> Result<u8, &'static str> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ if matches!(text, "tab" | "\\t") => Ok(b'\t'),
        _ => Err("expected one ASCII character such as ; or the word tab"),
    }
}

fn rows(args: &CsvArgs) -> anyhow::Result<Rows<File>> {
    let file = File::open(&args.file).with_context(|| format!("cannot open {}", args.file.display()))?;
    let name = args.file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let constants = Constants {
        workspace: args.workspace.clone(),
        provider: args.provider.clone(),
        model: args.model.clone(),
        operation_type: args.operation_type.clone(),
        time_format: args.time_format.clone(),
        utc_offset: args.utc_offset,
    };
    let reader = csv::ReaderBuilder::new().delimiter(args.delimiter).flexible(true).from_reader(LineStarts::new(file));
    Rows::open(reader, &name, &args.map, constants).with_context(|| args.file.display().to_string())
}

#[cfg(test)]
mod tests;
