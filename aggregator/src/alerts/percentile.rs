//! A percentile of a duration for each combination of values, from the sketches of its windows.

use std::collections::BTreeMap;

use opstream_schemas::alerts::DurationMeasure;
use opstream_schemas::database::Transaction;
use opstream_schemas::sketch::Sketch;

use super::question::{Group, Question};

/// Operations that have the duration, and its percentile in microseconds.
pub(crate) type Percentile = (i64, i64);

/// The percentiles of these groups. As many sketches are held as there are groups.
///
/// # Errors
/// What the database answers; that a sketch cannot be read.
pub(crate) async fn percentiles(
    reading: &mut Transaction,
    question: &Question,
    (measure, percentile): (DurationMeasure, u8),
    groups: &[Group],
) -> Result<BTreeMap<Vec<Option<String>>, Percentile>, sqlx::Error> {
    let column = match measure {
        DurationMeasure::Latency => "latency_sketch",
        DurationMeasure::Ttft => "ttft_sketch",
    };
    let mut sketches: BTreeMap<Vec<Option<String>>, Sketch> =
        groups.iter().map(|group| (group.per.clone(), Sketch::default())).collect();
    let add = |per: Vec<Option<String>>, bytes: &[u8]| {
        let Some(sum) = sketches.get_mut(&per) else { return Ok(()) };
        let sketch = Sketch::from_bytes(bytes).map_err(|error| sqlx::Error::Decode(error.into()))?;
        sum.add(&sketch).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    question.ask_sketches(reading, column, add).await?;
    let known = sketches.into_iter().filter_map(|(per, sketch)| Some((per, percentile_of(&sketch, percentile)?)));
    Ok(known.collect())
}

#[expect(clippy::cast_possible_truncation, reason = "durations are far below 2^53 microseconds, and a cast saturates")]
fn percentile_of(sketch: &Sketch, percentile: u8) -> Option<Percentile> {
    let quantile = sketch.quantile(f64::from(percentile) / 100.0)?;
    Some((i64::try_from(sketch.count()).unwrap_or(i64::MAX), quantile.value.round() as i64))
}
