//! The table `windows`, added up once more from the rows: every level of every kept set, no window missing and none too many.

use std::collections::BTreeMap;

use opstream_schemas::database::{Database, Row};

use super::rows::{StoredRows, Sums};
use super::{Verdict, examples};
use crate::torture::operations::{Combination, Measures};

/// Code and width of each level, as docs/sql.md has them.
const LEVELS: [(i64, i64); 4] = [(0, 60_000), (1, 900_000), (2, 3_600_000), (3, 86_400_000)];
/// Code of each set.
const SETS: std::ops::RangeInclusive<i64> = 0..=6;
const STORED: &str = "select cast(w.dimension_set as bigint) as dimension_set, cast(w.level as bigint) as level, window_start_ms, \
                      workspace, project, team, environment, provider, model, operation_type, agent_id, action_id, operations, \
                      failures, unpriced, input_tokens, output_tokens, cost_nano_usd, latency_sum_us \
                      from windows w join window_dimensions d on d.dimension_id = w.dimension_id \
                      join settings s on s.name = 'window_generation' and s.value = w.generation";

/// Set, level, start and combination.
type Place = (i64, i64, i64, Combination);

/// Compares them.
pub(super) async fn compare(database: &Database, rows: &StoredRows, verdict: &mut Verdict) {
    let mut expected = expected(rows);
    let mut wrong = Vec::new();
    let mut snapshot = database.begin_snapshot().await.expect("the database answers");
    let read = snapshot.fetch_each(STORED, &[], |row| {
        let place = place_of(&row)?;
        let stored = sums_of(&row)?;
        match expected.remove(&place) {
            Some(sums) if sums == stored => {}
            sums => wrong.push(format!("{place:?} is {stored:?} instead of {sums:?}")),
        }
        Ok(())
    });
    read.await.expect("every window can be read");
    wrong.extend(expected.into_iter().map(|(place, sums)| format!("{place:?} is missing instead of {sums:?}")));
    verdict.wrong += wrong.len() as u64;
    verdict.remark(wrong.len(), "windows are wrong", &examples(&wrong));
}

fn expected(rows: &StoredRows) -> BTreeMap<Place, Sums> {
    let mut windows: BTreeMap<Place, Sums> = BTreeMap::new();
    for ((minute, combination), sums) in &rows.minutes {
        for set in SETS {
            let kept = kept_by(set, Combination::of(*combination));
            for (level, width) in LEVELS {
                let start = minute.div_euclid(width) * width;
                windows.entry((set, level, start, kept.clone())).or_default().add(*sums);
            }
        }
    }
    windows
}

/// What docs/sql.md says that a set keeps.
fn kept_by(set: i64, all: Combination) -> Combination {
    let none = Combination {
        workspace: all.workspace.clone(),
        project: None,
        team: None,
        environment: None,
        provider: None,
        model: None,
        operation_type: None,
        agent_id: None,
        action_id: None,
    };
    match set {
        0 => all,
        2 => Combination { provider: all.provider, model: all.model, ..none },
        3 => Combination { project: all.project, ..none },
        4 => Combination { team: all.team, ..none },
        5 => Combination { agent_id: all.agent_id, action_id: all.action_id, ..none },
        6 => Combination { operation_type: all.operation_type, ..none },
        _ => none,
    }
}

fn place_of(row: &Row) -> Result<Place, sqlx::Error> {
    let combination = Combination::from_row(row)?;
    Ok((row.int("dimension_set")?, row.int("level")?, row.int("window_start_ms")?, combination))
}

fn sums_of(row: &Row) -> Result<Sums, sqlx::Error> {
    let measures = Measures {
        failures: row.int("failures")?,
        unpriced: row.int("unpriced")?,
        input_tokens: row.int("input_tokens")?,
        output_tokens: row.int("output_tokens")?,
        cost_nano_usd: row.int("cost_nano_usd")?,
        latency_us: row.int("latency_sum_us")?,
    };
    Ok(Sums { operations: row.int("operations")?, measures })
}
