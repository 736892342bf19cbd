//! What was found or changed, in words for people and as JSON for programs. Pure.

use opstream_aggregator::repricing::{ModelChange, ModelChanges, Preview, Repricing, RepricingState, Shown};
use opstream_schemas::{NanoUsd, UtcMillis};
use serde_json::{Value, json};

use crate::text_table::{Align, Table, grouped};

/// What is reported.
pub(super) enum Report {
    /// All re-pricings.
    List(Vec<Repricing>),
    /// One, with what it changed.
    One(Shown),
    /// What would change.
    Preview {
        span: (UtcMillis, UtcMillis),
        version: String,
        policy: &'static str,
        as_model: Option<String>,
        seen: Preview,
    },
}

impl Report {
    /// Lines of text.
    pub(super) fn as_text(&self) -> Vec<String> {
        match self {
            Self::List(all) if all.is_empty() => vec!["nothing was priced again yet".to_owned()],
            Self::List(all) => list(all),
            Self::One(shown) => one(shown),
            Self::Preview { span, version, policy, as_model, seen } => {
                previewed(*span, (version, policy), as_model.as_deref(), seen)
            }
        }
    }

    /// JSON objects, one per line.
    pub(super) fn as_json(&self) -> Vec<String> {
        match self {
            Self::List(all) => all.iter().map(|repricing| as_object(repricing).to_string()).collect(),
            Self::One(Shown { repricing, models, files_left, kept_from }) => {
                let mut object = as_object(repricing);
                object["files_left"] = json!(files_left);
                object["kept_from"] = json!(kept_from.to_string());
                object["models"] = models_as_json(models);
                vec![object.to_string()]
            }
            Self::Preview { span: (from, to), version, policy, as_model, seen } => {
                let object = json!({
                    "from": from.to_string(),
                    "to": to.to_string(),
                    "price_version": version,
                    "cost_policy": policy,
                    "as_model": as_model,
                    "files": seen.files,
                    "operations": seen.operations,
                    "changed": seen.models.total().changed,
                    "models": models_as_json(&seen.models),
                });
                vec![object.to_string()]
            }
        }
    }
}

fn list(all: &[Repricing]) -> Vec<String> {
    use Align::{Left, Right};
    let head = ["number", "state", "from", "to", "prices", "cost policy", "operations", "changed"];
    let mut table = Table::new([Right, Left, Left, Left, Left, Left, Right, Right], head);
    for repricing in all {
        table.add([
            repricing.number.to_string(),
            repricing.state.name().to_owned(),
            repricing.from.to_string(),
            repricing.to.to_string(),
            repricing.price_version.clone(),
            repricing.cost_policy.clone(),
            grouped(repricing.operations.into()),
            grouped(repricing.changed.into()),
        ]);
    }
    table.lines()
}

fn one(Shown { repricing, models, files_left, kept_from }: &Shown) -> Vec<String> {
    let Repricing { number, state, from, to, price_version, cost_policy, .. } = repricing;
    let mut lines = vec![format!(
        "re-pricing {number}: operations from {from} to {to} with prices {price_version}, cost policy {cost_policy}"
    )];
    lines.extend(table(models, ["changed", "USD before", "USD after"]));
    let (operations, changed) = (grouped(repricing.operations.into()), grouped(repricing.changed.into()));
    lines.push(match state {
        RepricingState::Running => {
            format!("under way, {files_left} files are left: {operations} operations were priced, {changed} of them changed")
        }
        RepricingState::Done => {
            format!("done: {operations} operations were priced, {changed} of them changed; `opstream reprice undo {number}` puts them back")
        }
        RepricingState::Failed => format!(
            "failed: {}; what it had changed stays so until `opstream reprice undo {number}`",
            repricing.failure.as_deref().unwrap_or("the reason is not known")
        ),
        RepricingState::Undoing => format!("being undone, {files_left} files are left"),
        RepricingState::Undone if from < kept_from => format!(
            "undone: all costs are as they were before it, but what windows say of days before {kept_from}, whose operations are no longer kept"
        ),
        RepricingState::Undone => "undone: all costs are as they were before it".to_owned(),
    });
    lines
}

fn previewed(
    (from, to): (UtcMillis, UtcMillis),
    (version, policy): (&str, &str),
    as_model: Option<&str>,
    seen: &Preview,
) -> Vec<String> {
    let asked =
        as_model.map_or_else(|| format!(", cost policy {policy}"), |model| format!(", each as if it had been {model}"));
    let mut lines = vec![format!("operations from {from} to {to} with prices {version}{asked}")];
    let counted = if as_model.is_some() { "operations" } else { "changed" };
    lines.extend(table(&seen.models, [counted, "USD now", "USD then"]));
    let (operations, changed) = (grouped(seen.operations.into()), grouped(seen.models.total().changed.into()));
    lines.push(match as_model {
        Some(_) => format!(
            "{operations} operations were looked at, nothing was changed. Their tokens are counted as their own model counted them; another \
             one may count the same text differently"
        ),
        None => format!("{operations} operations were looked at, {changed} would change; nothing was changed"),
    });
    lines
}

fn table(models: &ModelChanges, [counted, before, after]: [&str; 3]) -> Vec<String> {
    use Align::{Left, Right};
    let head = ["", counted, "unpriced", before, after, "difference"];
    let mut table = Table::new([Left, Right, Right, Right, Right, Right], head);
    for (provider, model, change) in models.iter() {
        let names: Vec<&str> = [provider, model].into_iter().filter(|name| !name.is_empty()).collect();
        table.add(row(&if names.is_empty() { "(no model)".to_owned() } else { names.join("/") }, change));
    }
    table.add(row("total", &models.total()));
    table.lines()
}

fn row(name: &str, change: &ModelChange) -> [String; 6] {
    let unpriced = match (change.unpriced_before, change.unpriced_after) {
        (0, 0) => String::new(),
        (before, after) => format!("{} -> {}", grouped(before.into()), grouped(after.into())),
    };
    let difference = change.cost_after - change.cost_before;
    let sign = if difference > 0 { "+" } else { "" };
    [
        name.to_owned(),
        grouped(change.changed.into()),
        unpriced,
        usd(change.cost_before),
        usd(change.cost_after),
        format!("{sign}{}", usd(difference)),
    ]
}

/// Nano-USD as decimal text.
fn usd(nanos: i128) -> String {
    i64::try_from(nanos).map_or_else(|_| format!("{nanos}e-9"), |nanos| NanoUsd::from_nanos(nanos).to_string())
}

fn as_object(repricing: &Repricing) -> Value {
    json!({
        "repricing": repricing.number,
        "state": repricing.state.name(),
        "from": repricing.from.to_string(),
        "to": repricing.to.to_string(),
        "price_version": repricing.price_version,
        "cost_policy": repricing.cost_policy,
        "asked_at": repricing.asked_at.to_string(),
        "finished_at": repricing.finished_at.map(|at| at.to_string()),
        "failure": repricing.failure,
        "files": repricing.files,
        "operations": repricing.operations,
        "changed": repricing.changed,
    })
}

fn models_as_json(models: &ModelChanges) -> Value {
    let of = |(provider, model, change): (&str, &str, &ModelChange)| {
        json!({
            "provider": provider,
            "model": model,
            "changed": change.changed,
            "unpriced_before": change.unpriced_before,
            "unpriced_after": change.unpriced_after,
            "cost_before_usd": usd(change.cost_before),
            "cost_after_usd": usd(change.cost_after),
        })
    };
    models.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> ModelChanges {
        let mut models = ModelChanges::default();
        let change = |changed, before, after| ModelChange {
            changed,
            unpriced_before: changed / 2,
            unpriced_after: 0,
            cost_before: before,
            cost_after: after,
        };
        models.merge("openai", "gpt-4o", &change(1200, 1_500_000_000, 3_000_000_001));
        models.merge("", "", &change(1, 7_000_000_000, 0));
        models
    }

    #[test]
    fn what_changed_is_said_per_model_and_in_total() {
        let repricing = Repricing {
            number: 3,
            state: RepricingState::Done,
            from: UtcMillis::from_millis(0),
            to: UtcMillis::from_millis(86_400_000),
            price_version: "2026-11-24-0123abcd".to_owned(),
            cost_policy: "catalogue".to_owned(),
            asked_at: UtcMillis::from_millis(0),
            finished_at: None,
            failure: None,
            files: 2,
            operations: 10_000,
            changed: 1_201,
        };
        let shown = Shown { repricing, models: models(), files_left: 0, kept_from: UtcMillis::from_millis(0) };
        let report = Report::One(shown.clone());
        let expected = [
            "re-pricing 3: operations from 1970-01-01T00:00:00.000Z to 1970-01-02T00:00:00.000Z with prices 2026-11-24-0123abcd, cost policy catalogue",
            "               changed  unpriced  USD before    USD after    difference",
            "(no model)           1                  7.00         0.00         -7.00",
            "openai/gpt-4o    1,200  600 -> 0        1.50  3.000000001  +1.500000001",
            "total            1,201  600 -> 0        8.50  3.000000001  -5.499999999",
            "done: 10,000 operations were priced, 1,201 of them changed; `opstream reprice undo 3` puts them back",
        ];
        assert_eq!(report.as_text(), expected);
        let json: Value = serde_json::from_str(&report.as_json()[0]).unwrap();
        assert_eq!(json["models"][1]["cost_after_usd"], "3.000000001");
        assert_eq!((&json["state"], &json["changed"]), (&json!("done"), &json!(1201)));

        let undone = Repricing { state: RepricingState::Undone, ..shown.repricing };
        let undone = Shown { repricing: undone, kept_from: UtcMillis::from_millis(1), ..shown };
        assert!(Report::One(undone).as_text().last().unwrap().contains("no longer kept"));
    }
}
