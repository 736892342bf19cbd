//! Writes a month of windows as the aggregator would.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Engine, Transaction, Value};
use opstream_schemas::window::{Dimension, DimensionSet, Dimensions, Level, SUM_COLUMNS};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sqlx::AssertSqlSafe;

use super::distributions::Contents;

/// Workspaces, the largest first.
pub(super) const WORKSPACES: [&str; 4] = ["acme", "globex", "initech", "umbrella"];
/// Combinations of all dimensions.
const COMBINATIONS: usize = 200;
/// Operations of a minute: 100 million in 30 days.
const PER_MINUTE: f64 = 100e6 / (30.0 * 1_440.0);
const MODELS: [(&str, &str); 8] = [
    ("openai", "gpt-5-mini"),
    ("anthropic", "claude-sonnet-5"),
    ("gcp.gemini", "gemini-2.5-flash"),
    ("openai", "gpt-4.1-mini"),
    ("anthropic", "claude-haiku-4-5"),
    ("mistral_ai", "mistral-small-2603"),
    ("groq", "openai/gpt-oss-120b"),
    ("openrouter", "example-lab/unlisted-13b"),
];
/// Windows of one statement, and of one transaction.
const ROWS: usize = 64;
const ROWS_OF_TRANSACTION: usize = 64 * 500;
/// Different contents of each combination and level; windows take them in turn. Fewer of the wide levels, whose contents
/// take long to draw.
const VARIANTS: [usize; 4] = [8, 8, 4, 1];

/// A combination of a set, its row number and its share of all operations.
struct Combination {
    dimension_id: i64,
    share: f64,
}

/// Fills the tables with the windows of so many days, and of so many minutes, before `now`. Returns their number.
pub(super) async fn fill(database: &Database, now: UtcMillis, (days, minutes): (i64, i64)) -> usize {
    let mut rng = StdRng::seed_from_u64(6);
    let mut sets = Vec::new();
    for set in DimensionSet::ALL {
        sets.push((set, store_combinations(database, set).await));
    }
    let mut writer = Writer::new(database);
    for (set, combinations) in sets {
        for (level, n_variants) in Level::ALL.into_iter().zip(VARIANTS) {
            let minutes_of_level = level.width_millis() / Level::Minute.width_millis();
            let mut draw = |combination: &Combination| -> Vec<Contents> {
                let operations = whole(PER_MINUTE * minutes_of_level as f64 * combination.share);
                (0..n_variants).map(|_| Contents::draw(operations, &mut rng)).collect()
            };
            let contents: Vec<Vec<Contents>> = combinations.iter().map(&mut draw).collect();
            let length = if level == Level::Minute { minutes } else { days * 1_440 };
            let mut start = level.window_start(now.plus_millis(-length * Level::Minute.width_millis()));
            let mut turn = 0;
            while start <= now {
                for (combination, variants) in combinations.iter().zip(&contents) {
                    let key = [set.code(), level.code(), start.millis(), combination.dimension_id];
                    writer.add(key, &variants[turn % variants.len()]).await;
                }
                start = level.window_end(start);
                turn += 1;
            }
        }
    }
    writer.finish(now.plus_millis(-minutes * Level::Minute.width_millis())).await
}

/// Numbers the combinations of a set, in its order, with their shares.
async fn store_combinations(database: &Database, set: DimensionSet) -> Vec<Combination> {
    let mut shares: BTreeMap<Dimensions, f64> = BTreeMap::new();
    // As in real traffic, the frequent combinations have most of the operations.
    let weights: Vec<f64> = (1..=COMBINATIONS).map(|rank| 1.0 / rank as f64).collect();
    let total: f64 = weights.iter().sum();
    for (rank, weight) in weights.into_iter().enumerate() {
        *shares.entry(dimensions(rank).kept_by(set)).or_default() += weight / total;
    }
    let mut tx = database.begin().await.expect("the database takes a transaction");
    let mut combinations = Vec::new();
    for (kept, share) in shares {
        let mut values: Vec<Value> = vec![set.code().into(), Value::from(&kept.key_hash(set).0[..])];
        values.extend(Dimension::ALL.map(|dimension| Value::from(kept.get(dimension))));
        let row = tx.fetch_optional(include_str!("insert_dimensions.sql"), &values).await.expect("the row is taken");
        let dimension_id = row.and_then(|row| row.int("dimension_id").ok()).expect("the row has a number");
        combinations.push(Combination { dimension_id, share });
    }
    tx.commit().await.expect("the database commits");
    combinations
}

/// The combination of this rank.
fn dimensions(rank: usize) -> Dimensions {
    let pick = |texts: &[&str], step: usize| Some(texts[rank / step % texts.len()].to_owned());
    let (provider, model) = MODELS[rank / 4 % MODELS.len()];
    Dimensions {
        workspace: WORKSPACES[rank % WORKSPACES.len()].to_owned(),
        project: pick(&["support-desk", "code-assistant", "market-research"], 4),
        team: pick(&["customer-care", "developer-tools", "insights"], 4),
        environment: pick(&["production", "production", "staging"], 7),
        provider: Some(provider.to_owned()),
        model: Some(model.to_owned()),
        operation_type: pick(&["chat", "chat", "chat", "embeddings", "execute_tool"], 3),
        agent_id: pick(&["triage", "planner", "worker", "reviewer"], 5),
        action_id: pick(&["plan", "look_up", "answer", "write", "review"], 2),
    }
}

/// Writes windows in the order in which they come, many per statement.
struct Writer<'a> {
    database: &'a Database,
    statement: Arc<str>,
    tx: Option<Transaction>,
    values: Vec<Value>,
    n_windows: usize,
}

impl<'a> Writer<'a> {
    fn new(database: &'a Database) -> Self {
        Self { database, statement: statement(database.engine(), ROWS), tx: None, values: Vec::new(), n_windows: 0 }
    }

    async fn add(&mut self, key: [i64; 4], contents: &Contents) {
        self.values.extend(key.map(Value::from));
        self.values.extend(contents.sums.to_array().map(Value::from));
        self.values.extend([contents.latency.as_slice(), contents.ttft.as_slice()].map(Value::from));
        self.n_windows += 1;
        if self.n_windows.is_multiple_of(ROWS) {
            let statement = Arc::clone(&self.statement);
            self.write(statement).await;
        }
        if self.n_windows.is_multiple_of(ROWS_OF_TRANSACTION) {
            self.commit().await;
        }
    }

    async fn write(&mut self, statement: Arc<str>) {
        if self.tx.is_none() {
            self.tx = Some(self.database.begin().await.expect("the database takes a transaction"));
        }
        let tx = self.tx.as_mut().expect("begun above");
        tx.execute(AssertSqlSafe(statement), &self.values).await.expect("the windows are taken");
        self.values.clear();
    }

    async fn commit(&mut self) {
        if let Some(tx) = self.tx.take() {
            tx.commit().await.expect("the database commits");
        }
    }

    /// Writes what is left, says from when on minutes are kept, and lets Postgres look at what it has, as it would by
    /// itself a minute later.
    async fn finish(mut self, minutes_kept_from: UtcMillis) -> usize {
        let left = self.n_windows % ROWS;
        if left > 0 {
            self.write(statement(self.database.engine(), left)).await;
        }
        self.commit().await;
        let mut tx = self.database.begin().await.expect("the database takes a transaction");
        let floor = "update settings set value = $1 where name = 'window_minute_floor_ms'";
        tx.execute(floor, &[minutes_kept_from.into()]).await.expect("the setting is there");
        if self.database.engine() == Engine::Postgres {
            tx.execute("analyze windows, window_dimensions", &[]).await.expect("Postgres looks at its tables");
        }
        tx.commit().await.expect("the database commits");
        self.n_windows
    }
}

/// Inserts so many windows of the first generation.
fn statement(engine: Engine, rows: usize) -> Arc<str> {
    let sums = SUM_COLUMNS.join(", ");
    let mut text = format!(
        "insert into windows (generation, fence, revision, published_revision, dimension_set, level, window_start_ms, \
         dimension_id, {sums}, latency_sketch, ttft_sketch) values "
    );
    let columns = 4 + SUM_COLUMNS.len() + 2;
    for row in 0..rows {
        text.push_str(if row == 0 { "(1, 1, 1, 1" } else { ", (1, 1, 1, 1" });
        for column in 1..=columns {
            match engine {
                Engine::Postgres => write!(text, ", ${}", row * columns + column),
                // SQLite takes numbers for names, and looking each name up is slow.
                Engine::Sqlite => write!(text, ", ?"),
            }
            .expect("writing to a string cannot fail");
        }
        text.push(')');
    }
    text.into()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and far below 2^32")]
fn whole(operations: f64) -> u32 {
    operations.round().max(1.0) as u32
}
