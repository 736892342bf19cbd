//! `opstream alerts test`: what a rule sees now, without raising anything.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use opstream_aggregator::alerts::{Seen, look};
use opstream_schemas::UtcMillis;
use opstream_schemas::alerts::Rule;

use super::apply::read_file;
use super::rule_named;
use crate::data_folder::PlaceArgs;
use crate::escaped::escaped;
use crate::failure::unless_reader_left;

/// Say what a rule sees now, by this machine's clock, with the periods before where it has such. It raises nothing and tells nobody.
#[derive(clap::Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Take the rule from this file instead of the table
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Name of the rule
    name: String,
}

/// Prints what is seen; the exit code is 1 when a limit is reached.
///
/// # Errors
/// When there is no such rule, or the database fails.
pub(super) async fn run(args: &TestArgs) -> anyhow::Result<ExitCode> {
    let database = args.place.open().await?;
    let rule = match &args.file {
        None => rule_named(&database, &args.name).await?.rule,
        Some(file) => {
            let named = read_file(file)?.into_iter().find(|rule| rule.name == args.name);
            named.with_context(|| format!("{} has no rule {:?}", file.display(), args.name))?
        }
    };
    let (seen, problem) = look(&database, &rule, UtcMillis::now()).await.context("cannot ask the windows")?;
    database.close().await;
    let mut lines: Vec<String> = seen.iter().map(|seen| line(&rule, seen)).collect();
    if seen.is_empty() {
        lines.push("no operations in the periods of this rule".to_owned());
    }
    lines.extend(problem.map(|problem| format!("the rule {}", escaped(&problem))));
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    unless_reader_left(std::io::stdout().write_all(text.as_bytes()))?;
    let is_reached = seen.iter().any(|seen| seen.reached().next().is_some());
    Ok(if is_reached { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn line(rule: &Rule, seen: &Seen) -> String {
    let (unit, value) = seen.unit.shown(seen.value);
    let values = rule.per.iter().zip(&seen.per);
    let values = values
        .map(|(dimension, value)| format!("{}={}", dimension.column(), escaped(value.as_deref().unwrap_or("(none)"))));
    let values: Vec<String> = values.collect();
    let of = if values.is_empty() { String::new() } else { format!(" {}", values.join(", ")) };
    let reached: Vec<i64> = seen.reached().map(|(threshold, _)| threshold).collect();
    let limits = seen.limits.iter().map(|(threshold, limit)| {
        let (_, limit) = seen.unit.shown(*limit);
        let percent = if *threshold > 0 { format!(" ({threshold} %)") } else { String::new() };
        let is_reached = if reached.contains(threshold) { ", reached" } else { "" };
        format!("{limit} {unit}{percent}{is_reached}")
    });
    let limits: Vec<String> = limits.collect();
    let enough = if seen.is_enough { "" } else { "; too little to say something" };
    let (from, to, operations) = (seen.period.start, seen.period.end, seen.operations);
    format!("{from} to {to}{of}: {value} {unit} of {operations} operations; limit {}{enough}", limits.join(", "))
}

#[cfg(test)]
mod tests {
    use opstream_aggregator::alerts::Period;
    use opstream_schemas::alerts::{Unit, read_rules};

    use super::*;

    #[test]
    fn what_is_seen_is_told_with_its_limits() {
        let text = "[[rule]]\nname = \"a\"\nkind = \"budget\"\namount_usd = 2\nperiod = \"day\"\nper = [\"team\"]\n";
        let rule = read_rules("f", text).unwrap().swap_remove(0);
        let at = UtcMillis::from_millis;
        let seen = Seen {
            period: Period { start: at(0), end: at(86_400_000) },
            per: vec![Some("a\u{1b}b".to_owned())],
            value: 1_500_000_000,
            unit: Unit::NanoUsd,
            limits: vec![(50, 1_000_000_000), (100, 2_000_000_000)],
            operations: 3,
            is_enough: true,
        };
        let expected = "1970-01-01T00:00:00.000Z to 1970-01-02T00:00:00.000Z team=a\\u{1b}b: 1.50 usd of 3 operations; \
                        limit 1 usd (50 %), reached, 2 usd (100 %)";
        assert_eq!(line(&rule, &seen), expected);
    }
}
