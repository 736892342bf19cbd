//! An operation that flags describe.

use opstream_schemas::validate::MAX_COUNT;
use opstream_schemas::{Operation, UtcMicros};
use serde_json::{Map, Value, json};

use crate::price::parse_moment;
use crate::settings::whole_number;

/// An operation that is not stored.
#[derive(clap::Args, Default)]
#[command(next_help_heading = "An operation that is not stored")]
pub(super) struct DescribedArgs {
    /// Who is asked, such as `openai`
    #[arg(long, value_name = "NAME", requires = "model", conflicts_with = "operation_id")]
    pub(super) provider: Option<String>,
    /// The model, as the answer names it
    #[arg(long, value_name = "NAME", requires = "provider", conflicts_with = "operation_id")]
    pub(super) model: Option<String>,
    #[command(flatten)]
    counts: CountArgs,
    /// Units that are billed apart, as in `billable_units`; may be repeated
    #[arg(long = "unit", value_name = "NAME=N", value_parser = parse_unit, requires = "provider", conflicts_with = "operation_id")]
    units: Vec<(String, i64)>,
    /// When it starts: `2026-11-23T08:00:00Z`, or a day, which begins at midnight UTC [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_moment, requires = "provider", conflicts_with = "operation_id")]
    at: Option<UtcMicros>,
    /// How it is handed in, such as `batch`
    #[arg(long, value_name = "WORD", requires = "provider", conflicts_with = "operation_id")]
    processing: Option<String>,
    /// The answer's service tier, such as `flex` or `priority`
    #[arg(long, value_name = "WORD", requires = "provider", conflicts_with = "operation_id")]
    service_tier: Option<String>,
    /// The answer's speed, such as `fast`
    #[arg(long, value_name = "WORD", requires = "provider", conflicts_with = "operation_id")]
    speed: Option<String>,
    /// Where it is processed, such as `eu`
    #[arg(long, value_name = "WORD", requires = "provider", conflicts_with = "operation_id")]
    region: Option<String>,
    /// Anything else that the price depends on, such as the size of a search
    #[arg(long, value_name = "WORD", requires = "provider", conflicts_with = "operation_id")]
    context: Option<String>,
}

/// What it uses.
#[derive(clap::Args, Default)]
struct CountArgs {
    /// Tokens of the whole prompt, cached ones included
    #[arg(long, value_name = "N", value_parser = count(), allow_negative_numbers = true, requires = "provider")]
    input: Option<i64>,
    /// Tokens of the whole answer, reasoning included
    #[arg(long, value_name = "N", value_parser = count(), allow_negative_numbers = true, requires = "provider")]
    output: Option<i64>,
    /// Of the input: read from a cache
    #[arg(long, value_name = "N", value_parser = count(), default_value_t, hide_default_value = true, allow_negative_numbers = true, requires = "provider")]
    cache_read: i64,
    /// Of the input: written to a cache
    #[arg(long, value_name = "N", value_parser = count(), default_value_t, hide_default_value = true, allow_negative_numbers = true, requires = "provider")]
    cache_write: i64,
    /// Of the input: written to a cache for an hour or longer; not in --cache-write
    #[arg(long = "cache-write-1h", value_name = "N", value_parser = count(), default_value_t, hide_default_value = true, allow_negative_numbers = true, requires = "provider")]
    cache_write_1h: i64,
    /// Of the output: spent on reasoning
    #[arg(long, value_name = "N", value_parser = count(), default_value_t, hide_default_value = true, allow_negative_numbers = true, requires = "provider")]
    reasoning: i64,
    /// Of the input: audio
    #[arg(long, value_name = "N", value_parser = count(), default_value_t, hide_default_value = true, allow_negative_numbers = true, requires = "provider")]
    input_audio: i64,
    /// Of the output: audio
    #[arg(long, value_name = "N", value_parser = count(), default_value_t, hide_default_value = true, allow_negative_numbers = true, requires = "provider")]
    output_audio: i64,
    /// Of the input: images
    #[arg(long, value_name = "N", value_parser = count(), default_value_t, hide_default_value = true, allow_negative_numbers = true, requires = "provider")]
    input_image: i64,
    /// Of the output: images
    #[arg(long, value_name = "N", value_parser = count(), default_value_t, hide_default_value = true, allow_negative_numbers = true, requires = "provider")]
    output_image: i64,
    /// Web searches
    #[arg(long, value_name = "N", value_parser = count(), default_value_t, hide_default_value = true, allow_negative_numbers = true, requires = "provider")]
    web_searches: i64,
}

impl DescribedArgs {
    /// The operation as it would be stored, but for what no price depends on.
    pub(super) fn operation(&self, now: UtcMicros) -> Operation {
        let CountArgs { input, output, web_searches, .. } = self.counts;
        Operation {
            provider: self.provider.clone(),
            model: self.model.clone(),
            started_at: self.at.unwrap_or(now),
            operation_type: "chat".to_owned(),
            processing: self.processing.clone(),
            service_tier: self.service_tier.clone(),
            input_tokens: input,
            cache_read_tokens: self.counts.cache_read,
            cache_write_tokens: self.counts.cache_write,
            cache_write_1h_tokens: self.counts.cache_write_1h,
            output_tokens: output,
            reasoning_tokens: self.counts.reasoning,
            input_audio_tokens: self.counts.input_audio,
            output_audio_tokens: self.counts.output_audio,
            input_image_tokens: self.counts.input_image,
            output_image_tokens: self.counts.output_image,
            web_searches,
            billable_units: self.units_as_json(),
            metadata: self.terms_as_json(),
            ..Operation::default()
        }
    }

    fn units_as_json(&self) -> Option<String> {
        let units: Map<String, Value> =
            self.units.iter().map(|(name, count)| (name.clone(), (*count).into())).collect();
        (!units.is_empty()).then(|| Value::Object(units).to_string())
    }

    /// Terms without a field of their own, where operations have them.
    fn terms_as_json(&self) -> Option<String> {
        let terms = [("speed", &self.speed), ("region", &self.region), ("context", &self.context)];
        let named = terms.into_iter().filter_map(|(name, word)| Some((name.to_owned(), word.as_deref()?.into())));
        let named: Map<String, Value> = named.collect();
        (!named.is_empty()).then(|| json!({ "price_terms": named }).to_string())
    }
}

fn count() -> impl Fn(&str) -> Result<i64, String> + Clone + Send + Sync + 'static {
    whole_number::<i64>(0..=MAX_COUNT)
}

fn parse_unit(text: &str) -> Result<(String, i64), String> {
    let (name, number) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("expected NAME=N")?;
    Ok((name.to_owned(), count()(number)?))
}

#[cfg(test)]
mod tests {
    use opstream_schemas::prices::{Charge, Property};

    use super::*;

    #[test]
    fn flags_become_an_operation_of_which_every_term_and_unit_counts() {
        let args = DescribedArgs {
            provider: Some("openai".to_owned()),
            model: Some("gpt-6.1-sol".to_owned()),
            units: vec![parse_unit("file_search=3").unwrap()],
            at: Some(parse_moment("2026-11-23").unwrap()),
            processing: Some("batch".to_owned()),
            region: Some("eu".to_owned()),
            ..DescribedArgs::default()
        };
        let operation = args.operation(UtcMicros::from_micros(0));
        let charge = Charge::from(&operation);
        assert_eq!(charge.terms.word(Property::Region), Some("eu"));
        assert_eq!(charge.terms.word(Property::Processing), Some("batch"));
        assert_eq!(charge.usage.billable_units, Some(r#"{"file_search":3}"#));
        assert_eq!(charge.started_at.to_string(), "2026-11-23T00:00:00.000000Z");
        assert!(charge.terms.bills_tokens);
    }

    #[test]
    fn a_unit_has_a_name_and_a_count() {
        for wrong in ["file_search", "=3", "file_search=", "file_search=-1", "file_search=1.5"] {
            assert!(parse_unit(wrong).is_err(), "{wrong}");
        }
    }
}
