//! One run: operations in one order and in batches of random sizes, half of them before a re-pricing and half after it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opstream_aggregator::repricing::{RepricingRequest, ask, ask_undo};
use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;
use opstream_schemas::prices::{Catalogue, CostPolicy};
use opstream_schemas::window::SUM_COLUMNS;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::calls::operation;
use super::expected::{Prices, Sums, Totals, add, differences, place_of};
use super::found;
use super::intake::{Intake, PARTITIONS};
use crate::harness::backends::Backends;
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

/// How long the aggregator may take for everything that there is.
const PATIENCE: Duration = Duration::from_hours(1);
/// Of a hundred operations, so many are sent once more.
const RESENT: u64 = 3;
/// What is priced again: operations from so long before the end …
const FROM_MILLIS: i64 = 50 * 3_600_000;
/// … to so long before it.
const TO_MILLIS: i64 = 9 * 3_600_000;

const NOT_WINDOWED: &str = "select count(*) as n from lake_files files where kind = 'operations' and removed_at_ms is null \
                            and not exists (select 1 from windowed_files done, settings where name = 'window_generation' \
                            and done.generation = value and done.file_number = files.file_number)";
const MERGED: &str = "select count(*) as n from lake_files where merges > 0";
const OTHERS: &str = "select count(*) as n from window_dimensions where agent_id = '(other)'";
const STATE: &str = "select state from repricings where repricing = $1";

/// How large a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) operations: u64,
    /// Records of the largest batch; every size down to one is as frequent as its double.
    pub(crate) largest_batch: u64,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Batches that were stored.
    pub(crate) batches: u64,
    /// Files that were merged from others.
    pub(crate) merged: i64,
    /// Operations whose cost was another one meanwhile.
    pub(crate) repriced: i64,
    /// Sums over everything, in the order of [`SUM_COLUMNS`].
    pub(crate) sums: Sums,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batches, merged, repriced, sums } = self;
        write!(f, "{batches} batches, {merged} merged files, {repriced} operations priced again;")?;
        SUM_COLUMNS.iter().zip(sums).try_for_each(|(column, sum)| write!(f, " {column} {sum}"))
    }
}

/// Where a run takes place.
struct Scene<'a> {
    pipeline: Pipeline<'a>,
    database: Database,
    intake: Intake,
    end: UtcMillis,
}

/// Stores everything in the order of this seed and holds the sums against each other before, while and after costs are others.
///
/// # Panics
/// When two sums differ, or `opstream verify` finds something.
pub(crate) async fn run(backends: &Backends, extent: Extent, (seed, end): (u64, UtcMillis)) -> Outcome {
    let prices = Prices { catalogue: Catalogue::embedded().clone(), policy: CostPolicy::CatalogueOrReported };
    let mut rng = StdRng::seed_from_u64(seed);
    let pipeline = Pipeline::start(backends).await;
    let database = pipeline.database().await;
    let intake = Intake::new(&database, &pipeline.lake(), &prices, end).await;
    let mut scene = Scene { pipeline, database, intake, end };
    let order = order(extent, &mut rng);
    let (first, second) = order.split_at(order.len() / 2);

    let mut batches = scene.store(first, extent, &mut rng).await;
    scene.windowed().await;
    // A process that is killed and started again also looks for files to merge at once.
    scene.pipeline.restart(&["aggregator"], "").await;
    let others = other_prices();
    let number = scene.reprice(&others).await;
    let stored_first: HashSet<u64> = first.iter().copied().collect();
    scene
        .assert_sums("half of it, priced again", &expected(stored_first.iter().copied(), end, |_| (&others, &prices)))
        .await;
    let repriced = scene.number("select count(*) as n from operations where repricing is not null").await;
    assert!(repriced > 0, "no operation was priced again");

    let (third, fourth) = second.split_at(second.len() / 2);
    batches += scene.store(third, extent, &mut rng).await;
    scene.windowed().await;
    let stored: HashSet<u64> = first.iter().chain(third).copied().collect();
    let of = |number: u64| if stored_first.contains(&number) { (&others, &prices) } else { (&prices, &prices) };
    scene.assert_sums("three quarters, half of them priced again", &expected(stored.iter().copied(), end, of)).await;
    ask_undo(&scene.database, number).await.expect("the re-pricing is done");
    batches += scene.store(fourth, extent, &mut rng).await;
    scene.reached(number, "undone").await;
    scene.windowed().await;
    scene.pipeline.restart(&["aggregator"], "").await;
    let merged = eventually(PATIENCE, async || match scene.number(MERGED).await {
        0 => Err("no file was merged"),
        merged => Ok(merged),
    });
    let merged = merged.await;
    let all = expected(0..extent.operations, end, |_| (&prices, &prices));
    scene.assert_sums("all of it, and the re-pricing undone", &all).await;
    assert!(scene.number(OTHERS).await > 0, "no hour had more combinations than it keeps");
    scene.pipeline.assert_verified().await;
    scene.database.close().await;
    scene.pipeline.stop().await;
    let mut sums = Totals::new();
    for more in all.values() {
        add(&mut sums, (String::new(), 0), more);
    }
    Outcome { batches, merged, repriced, sums: sums.into_values().next().unwrap_or([0; SUM_COLUMNS.len()]) }
}

/// The numbers of all operations, some of them a second time.
fn order(extent: Extent, rng: &mut StdRng) -> Vec<u64> {
    let resent = extent.operations * RESENT / 100;
    let mut order: Vec<u64> = (0..extent.operations).collect();
    order.extend((0..resent).map(|_| rng.random_range(0..extent.operations)));
    order.shuffle(rng);
    order
}

/// Prices of the deployment for a model that nobody knew and for others that were known, and reported costs before all.
fn other_prices() -> Prices {
    let texts = price_files();
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let catalogue = Catalogue::embedded().overlay(&files).expect("the files are price files");
    Prices { catalogue: Arc::new(catalogue), policy: CostPolicy::ReportedOrCatalogue }
}

fn price_files() -> BTreeMap<String, String> {
    let file = |provider: &str, models: [(&str, &str); 2]| {
        let models = models.map(|(model, rates)| {
            format!(
                "[[model]]\nid = \"{model}\"\nsource = \"our contract\"\nchecked_on = 2026-11-24\n\n\
                 [[model.interval]]\nrates = {{ {rates} }}\n"
            )
        });
        format!(
            "schema = 1\ncatalogue = 2026-11-24\ncurrency = \"USD\"\nunit = \"per_mtok\"\nprovider = \"{provider}\"\n\n{}",
            models.join("\n")
        )
    };
    let house =
        [("unlisted-13b", "input = \"0.123\", output = \"0.457\""), ("unlisted-70b", "input = \"1\", output = \"2\"")];
    let openai = [
        ("gpt-4o-mini", "input = \"0.11\", output = \"0.4401\", cache_read = \"0.033\""),
        ("gpt-5-mini", "input = \"0.3\", output = \"1.7\""),
    ];
    BTreeMap::from([
        ("house.toml".to_owned(), file("house", house)),
        ("openai.toml".to_owned(), file("openai", openai)),
    ])
}

/// What these operations come to, where the first of two prices holds for those in the span that is priced again.
fn expected<'a>(
    numbers: impl Iterator<Item = u64>,
    end: UtcMillis,
    prices: impl Fn(u64) -> (&'a Prices, &'a Prices),
) -> Totals {
    let span = end.plus_millis(-FROM_MILLIS)..end.plus_millis(-TO_MILLIS);
    let mut totals = Totals::new();
    for number in numbers {
        let operation = operation(number, end);
        let (within, outside) = prices(number);
        let prices = if span.contains(&operation.operation_id.time()) { within } else { outside };
        add(&mut totals, place_of(&operation), &prices.measure(&operation).sums());
    }
    totals
}

impl Scene<'_> {
    /// Stores operations in this order, in batches of any size. Returns how many.
    async fn store(&mut self, mut numbers: &[u64], extent: Extent, rng: &mut StdRng) -> u64 {
        let mut batches = 0;
        while !numbers.is_empty() {
            let doublings = rng.random_range(0.0..=(extent.largest_batch as f64).log2());
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a batch has some thousand records"
            )]
            let size = (doublings.exp2() as usize).clamp(1, numbers.len());
            let (batch, rest) = numbers.split_at(size);
            let operations = batch.iter().map(|number| (rng.random_range(0..PARTITIONS), operation(*number, self.end)));
            self.intake.store(operations, self.end).await;
            numbers = rest;
            batches += 1;
        }
        batches
    }

    /// Asks for other prices and waits until they are everywhere.
    async fn reprice(&self, prices: &Prices) -> i64 {
        let request = RepricingRequest {
            from: self.end.plus_millis(-FROM_MILLIS),
            to: self.end.plus_millis(-TO_MILLIS),
            price_version: prices.catalogue.version().to_owned(),
            price_files: price_files(),
            cost_policy: prices.policy,
        };
        let number = ask(&self.database, &request).await.expect("nothing else is under way");
        self.reached(number, "done").await;
        number
    }

    async fn reached(&self, repricing: i64, state: &str) {
        eventually(PATIENCE, async || {
            let row =
                self.database.fetch_optional(STATE, &[repricing.into()]).await.map_err(|error| error.to_string())?;
            let found = row.expect("it was asked for").text("state").map_err(|error| error.to_string())?;
            if found == state { Ok(()) } else { Err(found) }
        })
        .await;
    }

    async fn windowed(&self) {
        eventually(PATIENCE, async || match self.number(NOT_WINDOWED).await {
            0 => Ok(()),
            files => Err(format!("{files} files are not in windows")),
        })
        .await;
    }

    async fn number(&self, sql: &'static str) -> i64 {
        let row = self.database.fetch_optional(sql, &[]).await.expect("the database answers");
        row.expect("a count has a row").int("n").expect("it is a number")
    }

    /// Rows, files and windows of every set and level come to what is expected.
    async fn assert_sums(&self, when: &str, expected: &Totals) {
        let check = |what: &str, found: &Totals| {
            let differences = differences(found, expected);
            let first = &differences[..differences.len().min(5)];
            assert!(differences.is_empty(), "{when}: {what}: {} sums differ: {first:#?}", differences.len());
        };
        check("rows", &found::of_rows(&self.database).await);
        check("files", &found::of_files(&self.database, &self.pipeline.lake()).await);
        for ((set, level), found) in found::of_windows(&self.database).await {
            check(&format!("{level} windows of the set {set}"), &found);
        }
    }
}
