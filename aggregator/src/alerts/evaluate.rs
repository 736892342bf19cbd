//! One look at all rules: what windows say, which alerts that makes, and the transactions that write them.

use std::time::{Duration, Instant};

use opstream_schemas::UtcMillis;
use opstream_schemas::alerts::store::{StoredRule, load_rules};
use opstream_schemas::alerts::{AlertKey, Condition, MAX_COMBINATIONS, Rule};
use opstream_schemas::database::{Database, Transaction};
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::offsets::Fence;
use opstream_schemas::window::{CURRENT_GENERATION, CoverError, Level};
use sqlx::AssertSqlSafe;

use super::ceiling::{MOST_AN_HOUR, hold_back};
use super::judge::{Known, OpenAlert, Verdict, judge_periods, judge_states};
use super::percentile::percentiles;
use super::periods::{LookBack, Period, budget_periods, last_hours, rate_period, same_hours};
use super::question::{Answer, Question};
use super::seen::{self, Comparison, Seen};
use super::write::{Changes, resolve_of_changed_rules, write};
use crate::lease::{self, LeaseError};
use crate::metrics;

/// How often periods that are over are looked at too.
const LOOK_BACK_EVERY: Duration = Duration::from_mins(1);
/// Groups of answers that are kept for other rules with the same question: about 20 MB.
const MOST_KEPT: usize = 100_000;
/// How long the questions of one rule may take.
const RULE_LIMIT: Duration = Duration::from_secs(15);
/// After this time a look ends, and the next one goes on with the rules behind: none is kept from its turn by slow ones.
const LOOK_LIMIT: Duration = Duration::from_mins(1);

/// Looks at all rules.
pub(crate) struct Evaluator {
    database: Database,
    /// Names of the webhooks that there are.
    targets: Vec<String>,
    looked_back_at: Option<Instant>,
    /// Alerts that a rule raises within an hour.
    pub(super) most_an_hour: usize,
    /// Name of the last rule of a look that ended early.
    went_to: Option<String>,
}

/// What a look did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looked {
    /// Alerts that were raised or are over.
    pub(crate) changed: usize,
    /// Whether the next look has work to do already.
    pub(crate) more: bool,
}

/// Rules that were not looked at. Those that could be were.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EvaluationError {
    /// See there.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Try again.
    #[error("the database did not answer about alert rules")]
    Database(#[from] sqlx::Error),
}

/// What one rule sees, and why that is not all.
#[derive(Debug, Default)]
struct View {
    seen: Vec<Seen>,
    oldest: Option<UtcMillis>,
    problem: Option<String>,
    /// Whether there are combinations that are not seen.
    is_cut: bool,
}

/// What this rule sees at a moment, with the periods before where it has such; it raises nothing. The text says why that is not all.
///
/// # Errors
/// What the database answers.
pub async fn look(
    database: &Database,
    rule: &Rule,
    now: UtcMillis,
) -> Result<(Vec<Seen>, Option<String>), sqlx::Error> {
    let mut sight = Sight { database, now, answers: Vec::new() };
    let View { seen, problem, .. } = sight.view(rule, UtcMillis::from_millis(i64::MIN), LookBack::Yes).await?;
    Ok((seen, problem))
}

impl Evaluator {
    /// Has looked at nothing yet.
    pub(crate) const fn new(database: Database, targets: Vec<String>) -> Self {
        Self { database, targets, looked_back_at: None, most_an_hour: MOST_AN_HOUR, went_to: None }
    }

    /// Looks at every rule at the time of the database.
    pub(crate) async fn pass_now(&mut self, fence: Fence) -> Result<Looked, EvaluationError> {
        let now = lease::database_now(&self.database).await?;
        self.pass(fence, now).await
    }

    /// Looks at every rule at the time `now`.
    pub(crate) async fn pass(&mut self, fence: Fence, now: UtcMillis) -> Result<Looked, EvaluationError> {
        let began = Instant::now();
        let is_due = self.looked_back_at.is_none_or(|at| at.elapsed() >= LOOK_BACK_EVERY);
        let look_back = if is_due { LookBack::Yes } else { LookBack::No };
        let rules = load_rules(&self.database).await?;
        metrics::record_rules(rules.iter().filter(|rule| rule.rule.is_enabled).count());
        let mut looked = resolve_of_changed_rules(&self.database, fence, now).await?;
        let mut sight = Sight { database: &self.database, now, answers: Vec::new() };
        let after = self.went_to.take();
        let is_left = |rule: &&StoredRule| {
            rule.rule.is_enabled && after.as_ref().is_none_or(|after| rule.rule.name.as_str() > after.as_str())
        };
        let (mut went_to, mut has_ended_early) = (None, false);
        for rule in rules.iter().filter(is_left) {
            if began.elapsed() >= LOOK_LIMIT {
                (looked.more, has_ended_early) = (true, true);
                break;
            }
            went_to = Some(rule.rule.name.clone());
            // A rule that cannot be looked at says so, and keeps no other from its turn.
            let changes = match self.changes(&mut sight, rule, look_back).await {
                Ok(changes) => changes,
                Err(error) => unseen(rule, &error, now),
            };
            failpoint::reach(Step::AlertsJudged).await.map_err(sqlx::Error::from)?;
            let written = write(&self.database, fence, &changes).await?;
            looked = Looked { changed: looked.changed + written.changed, more: looked.more || written.more };
        }
        self.went_to = went_to.filter(|_| has_ended_early);
        // What was left for the next look is seen by it only if it looks back too.
        self.looked_back_at = if looked.more {
            None
        } else if is_due {
            Some(began)
        } else {
            self.looked_back_at
        };
        metrics::record_evaluation(began.elapsed());
        Ok(looked)
    }

    async fn changes<'a>(
        &'a self,
        sight: &mut Sight<'_>,
        rule: &'a StoredRule,
        look_back: LookBack,
    ) -> Result<Changes<'a>, sqlx::Error> {
        let View { seen, oldest, problem, is_cut } = sight.view(&rule.rule, rule.updated_at, look_back).await?;
        let oldest = oldest.unwrap_or(sight.now);
        let known = known(&self.database, rule, oldest).await?;
        let mut verdict = if rule.rule.condition.has_calendar_periods() {
            judge_periods(&seen, &known, sight.now)
        } else {
            judge_states(&seen, &known, is_cut)
        };
        let held_back = hold_back(&self.database, (rule, self.most_an_hour), &mut verdict, sight.now).await?;
        let (targets, unknown) = self.targets_of(&rule.rule);
        let unknown = unknown.map(|name| format!("names the webhook {name:?}, which the aggregator does not have"));
        Ok(Changes { rule, verdict, targets, problem: problem.or(held_back).or(unknown), now: sight.now })
    }

    /// The webhooks that a rule tells, and a name of one that is not there.
    fn targets_of<'a>(&'a self, rule: &'a Rule) -> (Vec<&'a str>, Option<String>) {
        let Some(names) = &rule.webhooks else { return (self.targets.iter().map(String::as_str).collect(), None) };
        let is_there = |name: &&String| self.targets.contains(name);
        let unknown = names.iter().find(|name| !is_there(name)).cloned();
        (names.iter().filter(is_there).map(String::as_str).collect(), unknown)
    }
}

/// What is written of a rule that could not be looked at.
fn unseen<'a>(rule: &'a StoredRule, error: &sqlx::Error, now: UtcMillis) -> Changes<'a> {
    tracing::warn!(rule = rule.rule.name, %error, "the database did not answer for an alert rule; it is looked at again");
    let problem = format!("was not looked at: the database refused its question, or took longer than {RULE_LIMIT:?}");
    Changes { rule, verdict: Verdict::default(), targets: Vec::new(), problem: Some(problem), now }
}

/// The alerts of this version of a rule, from the oldest period that is looked at.
async fn known(database: &Database, rule: &StoredRule, oldest: UtcMillis) -> Result<Known, sqlx::Error> {
    let values = [rule.rule_id.into(), rule.version.into(), oldest.into()];
    let rows = database.fetch_all(include_str!("known_alerts.sql"), &values).await?;
    let mut known = Known::default();
    for row in rows {
        let combination = row.bytes("combination_hash")?.try_into();
        let key = AlertKey {
            period_start: UtcMillis::from_millis(row.int("period_start_ms")?),
            threshold: row.int("threshold")?,
            combination: combination
                .map_err(|_| sqlx::Error::Decode("combination_hash has other than 16 bytes".into()))?,
        };
        known.keys.insert(key);
        if row.optional_int("resolved_at_ms")?.is_none() {
            let period_end = UtcMillis::from_millis(row.int("period_end_ms")?);
            known.open.push(OpenAlert { alert_id: row.text("alert_id")?, key, period_end });
        }
    }
    Ok(known)
}

/// Asks windows for rules, and the same only once.
struct Sight<'a> {
    database: &'a Database,
    now: UtcMillis,
    answers: Vec<(Question, Answer)>,
}

impl Sight<'_> {
    async fn view(&mut self, rule: &Rule, made_at: UtcMillis, look_back: LookBack) -> Result<View, sqlx::Error> {
        let mut reading = self.database.begin_snapshot_within(RULE_LIMIT).await?;
        let kept_from = minutes_kept_from(&mut reading).await?;
        let mut asking = Asking { sight: self, reading, kept_from, view: View::default() };
        match asking.look(rule, made_at, look_back).await? {
            Ok(()) => {}
            // Of zones as they are since 2015, no period is.
            Err(error) => asking.view.problem = Some(format!("has a period that windows do not cover: {error}")),
        }
        Ok(asking.view)
    }
}

/// Asking for one rule, in one state of the database.
struct Asking<'a, 'b> {
    sight: &'a mut Sight<'b>,
    reading: Transaction,
    kept_from: UtcMillis,
    view: View,
}

impl Asking<'_, '_> {
    async fn look(
        &mut self,
        rule: &Rule,
        made_at: UtcMillis,
        look_back: LookBack,
    ) -> Result<Result<(), CoverError>, sqlx::Error> {
        let now = self.sight.now;
        let (periods, largest_by) = match &rule.condition {
            Condition::Budget { period, .. } => (budget_periods(*period, now, made_at, look_back), "cost_nano_usd"),
            Condition::FailureRate { window, .. } => (vec![rate_period(*window, now)], "failures"),
            Condition::Latency { window, .. } => (vec![rate_period(*window, now)], "operations"),
            Condition::Unpriced { window, .. } => (vec![rate_period(*window, now)], "unpriced"),
            Condition::Anomaly { zone, .. } => (last_hours(*zone, now).to_vec(), "operations"),
        };
        self.view.oldest = periods.iter().map(|period| period.start).min();
        let mut asked = periods.clone();
        if let Condition::Anomaly { zone, weeks, .. } = rule.condition {
            asked.extend(periods.iter().flat_map(|hour| same_hours(zone, *hour, weeks)));
            asked.sort_unstable();
            asked.dedup();
        }
        let question = match Question::new(rule, &asked, self.kept_from, largest_by) {
            Ok(question) => question,
            Err(error) => return Ok(Err(error)),
        };
        let Answer { groups, is_cut } = self.ask(&question).await?;
        if is_cut {
            let problem = format!(
                "has more than {MAX_COMBINATIONS} combinations of values in a period; those with the largest sums are looked at"
            );
            self.view.problem = Some(problem);
            self.view.is_cut = true;
        }
        self.view.seen = match &rule.condition {
            Condition::Budget { amount, thresholds, .. } => seen::of_budget(*amount, thresholds, &periods, groups),
            Condition::FailureRate { ppm, window } => seen::of_failure_rate(*ppm, *window, periods[0], groups),
            Condition::Unpriced { limit, window } => seen::of_unpriced(*limit, *window, periods[0], groups),
            Condition::Latency { measure, percentile, above_us, window } => {
                let percentiles = percentiles(&mut self.reading, &question, (*measure, *percentile), &groups).await?;
                seen::of_latency(*above_us, *window, periods[0], percentiles)
            }
            Condition::Anomaly { measure, factor_thousandths, minimum, weeks, zone } => {
                let (measure, factor_thousandths, minimum, weeks) = (*measure, *factor_thousandths, *minimum, *weeks);
                let comparison = Comparison { measure, factor_thousandths, minimum, weeks };
                let first = first_window(&mut self.reading).await?;
                let mut all = Vec::new();
                // The older hour first.
                for hour in periods.iter().rev() {
                    let known: Vec<Period> =
                        same_hours(*zone, *hour, weeks).into_iter().filter(|week| week.start >= first).collect();
                    all.extend(seen::of_anomaly(comparison, *hour, &known, &groups));
                }
                all
            }
        };
        Ok(Ok(()))
    }

    async fn ask(&mut self, question: &Question) -> Result<Answer, sqlx::Error> {
        if let Some((_, answer)) = self.sight.answers.iter().find(|(known, _)| known == question) {
            return Ok(answer.clone());
        }
        let answer = question.ask(&mut self.reading).await?;
        let kept: usize = self.sight.answers.iter().map(|(_, answer)| answer.groups.len()).sum();
        if kept + answer.groups.len() > MOST_KEPT {
            self.sight.answers.clear();
        }
        self.sight.answers.push((question.clone(), answer.clone()));
        Ok(answer)
    }
}

async fn minutes_kept_from(reading: &mut Transaction) -> Result<UtcMillis, sqlx::Error> {
    let sql = "select value from settings where name = 'window_minute_floor_ms'";
    let row = reading.fetch_optional(sql, &[]).await?;
    row.map_or(Ok(UtcMillis::from_millis(0)), |row| row.int("value").map(UtcMillis::from_millis))
}

/// Start of the oldest day of which there are windows: weeks before it say nothing.
async fn first_window(reading: &mut Transaction) -> Result<UtcMillis, sqlx::Error> {
    let sql = format!(
        "select window_start_ms from windows where generation = {CURRENT_GENERATION} and dimension_set = 1 and level = {} \
         order by window_start_ms limit 1",
        Level::Day.code()
    );
    let row = reading.fetch_optional(AssertSqlSafe(sql), &[]).await?;
    row.map_or(Ok(UtcMillis::from_millis(i64::MAX)), |row| row.int("window_start_ms").map(UtcMillis::from_millis))
}
