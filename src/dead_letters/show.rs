//! `opstream dead-letters show`: everything about some letters, for people, or as JSON lines to be edited and sent again.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use opstream_schemas::UtcMillis;
use serde_json::{Map, Value, json};

use opstream_api::dead_letters::{ContentChoice, Format, Letter, Place, REDRIVEN_FROM, ValueView, Writers};

use super::WhereArgs;
use crate::escaped::{escaped, size};
use crate::failure::unless_reader_left;
use crate::schema_registry::RegistryArgs;

/// Show everything about dead letters, prompts and messages withheld.
///
/// With --json there is one line per letter. Its `operation` is the record as far as it could be read: edit it and give the line
/// to `redrive --from`, which puts withheld content back in.
#[derive(clap::Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    place: WhereArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    /// The letters, as `list` names them: STREAM/PARTITION/OFFSET
    #[arg(value_name = "PLACE", required = true)]
    places: Vec<Place>,
    /// Show prompts, messages and tool definitions too, and whatever cannot be told from them
    #[arg(long)]
    content: bool,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
    /// Write the value of the record, byte for byte, to this new file; for one letter
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
}

/// Prints the letters.
///
/// # Errors
/// When the database or standard output fails, or a letter is not there.
pub(super) async fn run(args: &ShowArgs) -> anyhow::Result<()> {
    anyhow::ensure!(args.raw.is_none() || args.places.len() == 1, "--raw writes one value; name one place");
    let content = if args.content { ContentChoice::Show } else { ContentChoice::Withhold };
    let mut writers = Writers::of(args.registry.registry()?);
    let database = args.place.open().await?;
    let mut out = std::io::stdout().lock();
    for (number, place) in args.places.iter().enumerate() {
        let found = Letter::find(&database, *place).await.context("cannot read the dead letter")?;
        let letter =
            found.with_context(|| format!("there is no dead letter {place}; `list` shows those that there are"))?;
        if let Some(file) = &args.raw {
            write_raw(&letter, file)?;
        }
        let schemas = writers.schemas_of(std::slice::from_ref(&letter)).await?;
        let view = ValueView::of(letter.value.as_deref(), schemas, content);
        let written = if args.json {
            writeln!(out, "{}", as_json(&letter, &view))
        } else {
            let separated = if number > 0 { writeln!(out) } else { Ok(()) };
            separated.and_then(|()| write_text(&letter, &view, &mut out))
        };
        unless_reader_left(written).context("cannot write the letter")?;
    }
    database.close().await;
    unless_reader_left(out.flush()).context("cannot write the letter")
}

/// For its owner alone, because it may hold prompts; never over a file that exists.
fn write_raw(letter: &Letter, file: &Path) -> anyhow::Result<()> {
    let value = letter.value.as_deref().with_context(|| format!("the record of {} has no value", letter.place))?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(file).and_then(|mut file| file.write_all(value).and_then(|()| file.sync_all()));
    written.with_context(|| format!("cannot write the new file {}", file.display()))
}

/// Where the record was before, when letters were sent again and failed again: the first place first.
pub(super) fn earlier_places(letter: &Letter) -> Vec<String> {
    let redriven = letter.headers.iter().filter(|(name, _)| name == REDRIVEN_FROM);
    redriven
        .filter_map(|(_, value)| value.as_deref().map(|value| String::from_utf8_lossy(value).into_owned()))
        .collect()
}

fn write_text(letter: &Letter, view: &ValueView, out: &mut impl Write) -> std::io::Result<()> {
    let mut line = |name: &str, value: &str| writeln!(out, "{name:14} {value}");
    let Place { partition, offset, .. } = letter.place;
    line("place", &format!("{} (topic {}, partition {partition}, offset {offset})", letter.place, letter.topic))?;
    line("reason", &format!("{}: {}", letter.reason_code, escaped(&letter.reason)))?;
    line("stored", &letter.stored_at.to_string())?;
    let when = |at: Option<UtcMillis>| at.map_or_else(|| "not yet".to_owned(), |at| at.to_string());
    line("copied", &when(letter.published_at))?;
    line("redriven", &when(letter.redriven_at))?;
    let earlier = earlier_places(letter);
    if !earlier.is_empty() {
        line("came from", &escaped(&format!("{}, where it failed before", earlier.join(", then "))))?;
    }
    line("operation id", &letter.operation_id.map_or_else(|| "not known".to_owned(), |id| id.to_string()))?;
    line("record time", &letter.timestamp.map_or_else(|| "none".to_owned(), |at| at.to_string()))?;
    line("key", &letter.key.as_deref().map_or_else(|| "none".to_owned(), shown_bytes))?;
    for (name, value) in &letter.headers {
        let value = value.as_deref().map_or_else(|| "none".to_owned(), shown_bytes);
        line("header", &format!("{}: {value}", escaped(name)))?;
    }
    line("value", &value_line(letter, &view.format))?;
    if let Some(fault) = &view.fault {
        line("fault", &escaped(fault))?;
    }
    for (name, value) in &view.fields {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        line("", &format!("{name:24} {}", escaped(&text)))?;
    }
    if let Format::Text(text) = &view.format
        && !text.is_empty()
    {
        line("", &escaped(text))?;
    }
    for withheld in &view.withheld {
        let bytes = size(i64::try_from(withheld.bytes).unwrap_or(i64::MAX));
        line("", &format!("{:24} {bytes}, withheld; --content shows it", escaped(&withheld.field)))?;
    }
    Ok(())
}

fn value_line(letter: &Letter, format: &Format) -> String {
    let bytes = size(letter.value.as_ref().map_or(0, |value| i64::try_from(value.len()).unwrap_or(i64::MAX)));
    match format {
        Format::Tombstone => "none".to_owned(),
        Format::Avro { schema_id, is_guess: false } => format!("{bytes}, Avro with schema id {schema_id}"),
        Format::Avro { schema_id, is_guess: true } => {
            format!("{bytes}, Avro with schema id {schema_id}; read as an opstream.Operation it would be:")
        }
        Format::Json => format!("{bytes}, a JSON object"),
        Format::Text(_) => format!("{bytes}, text"),
        Format::Bytes => format!("{bytes}, neither framed Avro nor text; --raw writes it to a file"),
    }
}

fn shown_bytes(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| format!("{bytes:02x?}"), escaped)
}

fn as_json(letter: &Letter, view: &ValueView) -> Value {
    let operation: Map<String, Value> = view.fields.iter().cloned().collect();
    let withheld = |is_known| {
        let fields = view.withheld.iter().filter(|field| field.is_known == is_known);
        fields.map(|field| field.field.as_str()).collect::<Vec<_>>()
    };
    let schema_id = match view.format {
        Format::Avro { schema_id, .. } => Some(schema_id),
        _ => None,
    };
    let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let headers: Vec<_> = letter.headers.iter().map(|(name, value)| (name, text(value))).collect();
    json!({
        "place": letter.place.to_string(),
        "topic": letter.topic,
        "reason_code": letter.reason_code,
        "reason": letter.reason,
        "stored_at": letter.stored_at.to_string(),
        "redriven_at": letter.redriven_at.map(|at| at.to_string()),
        "earlier_places": earlier_places(letter),
        "key": text(&letter.key),
        "headers": headers,
        "value_bytes": letter.value.as_ref().map(Vec::len),
        "schema_id": schema_id,
        "fault": view.fault,
        "operation": if operation.is_empty() { Value::Null } else { Value::Object(operation) },
        "content_withheld": withheld(true),
        "unknown_withheld": withheld(false),
    })
}

#[cfg(test)]
mod tests {
    use opstream_records::decode::WriterSchemas;

    use super::*;
    use crate::dead_letters::test_letters::{Letters, letter, operation};

    fn text(letter: &Letter, content: ContentChoice) -> String {
        let mut out = Vec::new();
        write_text(letter, &ValueView::of(letter.value.as_deref(), &WriterSchemas::default(), content), &mut out)
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn a_letter_is_shown_whole_but_for_its_prompt() {
        let letters = Letters::new().await;
        letters.add(&letter(17)).await;
        let found = letters.find(17).await;
        let shown = text(&found, ContentChoice::Withhold);
        for part in ["1/0/17", "input_tokens is -1", "s-17", "app: hi", "schema id 2130706433", "17 B, withheld"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains("secret"), "{shown}");
        assert!(text(&found, ContentChoice::Show).contains("the secret prompt"));
    }

    #[tokio::test]
    async fn a_json_line_holds_the_operation_for_repair_and_says_what_it_lacks() {
        let view = ValueView::of(letter(17).value.as_deref(), &WriterSchemas::default(), ContentChoice::Withhold);
        let line = as_json(&letter(17), &view);
        assert_eq!(line["operation"]["session_id"], operation(17).session_id.unwrap());
        assert_eq!(
            (&line["operation"]["input_tokens"], &line["content_withheld"]),
            (&json!(-1), &json!(["system_prompt"]))
        );
        assert!(!line.to_string().contains("secret"));
    }

    #[test]
    fn the_way_of_a_letter_that_failed_again_is_told() {
        let mut twice = letter(93);
        for place in ["1/0/17", "1/0/51"] {
            twice.headers.push((REDRIVEN_FROM.to_owned(), Some(place.as_bytes().to_vec())));
        }
        assert!(text(&twice, ContentChoice::Withhold).contains("1/0/17, then 1/0/51, where it failed before"));
    }

    #[tokio::test]
    async fn raw_bytes_go_to_a_new_file_and_never_over_one() {
        let letters = Letters::new().await;
        let file = letters.folder().join("value.avro");
        let letter = letter(1);
        write_raw(&letter, &file).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), letter.value.clone().unwrap());
        assert!(write_raw(&letter, &file).is_err());
        let tombstone = Letter { value: None, ..letter };
        assert!(write_raw(&tombstone, &letters.folder().join("none")).is_err());
    }
}
