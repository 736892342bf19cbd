//! `opstream import jsonl`: operations as the front door takes them, one JSON object per line.
//!
//! Lines pass through as they are, so the front door alone decides what is an operation. A line without an `operation_id`
//! gets one that follows from the line and its occurrence number; it needs a `started_at` for that.

mod identified;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use self::identified::identify;
use super::feed::{At, Extent, Feed, Input, Item, Place, Record, Refusal};
use super::identity::SeenIds;
use super::lines::{self, Line, next_line};

/// Arguments of `opstream import jsonl`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  opstream import jsonl operations.jsonl
  zcat spool-*.jsonl.gz | opstream import jsonl -

A line is what POST /v1/operations takes, for instance
  {\"started_at\": \"2026-11-23T08:00:00Z\", \"operation_type\": \"chat\", \"provider\": \"openai\", \"model\": \"gpt-4o\", \
\"input_tokens\": 812, \"output_tokens\": 64}")]
pub(super) struct JsonLinesArgs {
    /// The file, or - for standard input
    file: PathBuf,
}

#[cfg(test)]
impl JsonLinesArgs {
    /// The arguments for this file.
    pub(super) fn of(file: PathBuf) -> Self {
        Self { file }
    }
}

/// Opens the file or standard input.
///
/// # Errors
/// When the file cannot be opened, or is a folder.
pub(super) fn open(args: JsonLinesArgs) -> anyhow::Result<Input> {
    let path = args.file;
    if path == Path::new("-") {
        let name = "standard input".to_owned();
        let read = |feed: &Feed| read(BufReader::new(std::io::stdin()), "stdin", feed);
        return Ok(Input { name, extent: Extent::Unknown, read: Box::new(read) });
    }
    let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let metadata = file.metadata().with_context(|| format!("cannot read {}", path.display()))?;
    if metadata.is_dir() {
        let folder = path.display();
        anyhow::bail!(
            "{folder} is a folder; name a file, or send several: cat {folder}/*.jsonl | opstream import jsonl -"
        );
    }
    let n_bytes = metadata.len();
    let shown = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let read = move |feed: &Feed| read(BufReader::new(file), &shown, feed);
    Ok(Input { name: path.display().to_string(), extent: Extent::Bytes(n_bytes), read: Box::new(read) })
}

fn read(mut source: impl BufRead, file: &str, feed: &Feed) -> anyhow::Result<Vec<String>> {
    let file: Arc<str> = Arc::from(file);
    let mut seen = SeenIds::default();
    let mut buffer = Vec::new();
    for number in 1.. {
        let place = Place { file: Arc::clone(&file), at: At::Line(number) };
        let line = next_line(&mut source, &mut buffer).with_context(|| format!("cannot read on at {place}"))?;
        match line {
            Line::End => break,
            Line::TooLong { weight } => {
                let reason = format!("the line has more than {} bytes", lines::LONGEST_LINE_BYTES);
                feed.push(Record::Refused { refusal: Refusal { place, reason }, weight })?;
            }
            Line::Text { weight } => {
                if let Some(record) = record(&buffer, weight, place, &mut seen) {
                    feed.push(record)?;
                }
            }
        }
    }
    Ok(Vec::new())
}

/// The record of a line; none for an empty one.
fn record(line: &[u8], weight: u64, place: Place, seen: &mut SeenIds) -> Option<Record> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return None;
    }
    Some(match identify(line, seen) {
        Err(error) => Record::Refused { refusal: Refusal::because(place, &error), weight },
        Ok(None) => Record::Repeated { weight },
        Ok(Some(known)) => Record::Item(Item { id: known.id, json: known.json, counts: known.counts, weight, place }),
    })
}

#[cfg(test)]
mod tests;
