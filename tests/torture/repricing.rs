//! Costs that are computed again and put back all the while: the oldest operations of a run get other prices, and their own back, over
//! and over. In the end they have their own.

use std::collections::BTreeMap;
use std::time::Duration;

use opstream_aggregator::repricing::{RepricingRequest, ask, ask_undo, list};
use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;
use opstream_schemas::prices::{Catalogue, CostPolicy};

use crate::harness::eventually::eventually;

/// Operations of this time after the beginning: enough for a few files.
const SPAN_MS: i64 = 3_000;
const PAUSE: Duration = Duration::from_millis(300);
/// Before each round files are merged, which they are not meanwhile.
const REST: Duration = Duration::from_secs(15);
/// How long it may take until everything is put back.
const PUT_BACK_WITHIN: Duration = Duration::from_mins(2);
const PRICES: &str = "schema = 1\ncatalogue = 2026-11-24\ncurrency = \"USD\"\nunit = \"per_mtok\"\nprovider = \"openai\"\n\n\
                      [[model]]\nid = \"gpt-4o\"\nsource = \"a test\"\nchecked_on = 2026-11-24\n\n[[model.interval]]\n\
                      rates = { input = \"77\", output = \"99\" }\n";

/// Prices again and puts back until it is dropped. What is in the way, such as a database that is away, is waited for.
pub(crate) async fn go_on(database: &Database) {
    let began = UtcMillis::now();
    let (from, to) = (began.plus_millis(-SPAN_MS), began.plus_millis(SPAN_MS));
    let files = [("torture.toml", PRICES)];
    let catalogue = Catalogue::embedded().overlay(&files).expect("the prices are usable");
    let request = RepricingRequest {
        from,
        to,
        price_version: catalogue.version().to_owned(),
        price_files: files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        cost_policy: CostPolicy::Catalogue,
    };
    loop {
        tokio::time::sleep(PAUSE).await;
        // What fails, or is refused because one is under way, is tried again.
        match newest(database).await {
            Ok(Some((number, "done"))) => drop(ask_undo(database, number).await),
            Ok(None | Some((_, "undone"))) => {
                tokio::time::sleep(REST).await;
                drop(ask(database, &request).await);
            }
            Ok(Some(_)) | Err(_) => {}
        }
    }
}

/// Puts back what is not yet, and waits for it.
///
/// # Panics
/// When that takes longer than it may.
pub(crate) async fn put_back(database: &Database) {
    eventually(PUT_BACK_WITHIN, async || match newest(database).await {
        Ok(None | Some((_, "undone"))) => Ok(()),
        Ok(Some((number, state))) => {
            if matches!(state, "done" | "running") {
                ask_undo(database, number).await.map_err(|error| error.to_string())?;
            }
            Err(format!("re-pricing {number} is {state}"))
        }
        Err(error) => Err(error.to_string()),
    })
    .await;
}

/// Number and state of the newest one.
async fn newest(database: &Database) -> Result<Option<(i64, &'static str)>, sqlx::Error> {
    Ok(list(database).await?.first().map(|found| (found.number, found.state.name())))
}
