//! The live files of the manifest, read by Polars: together they hold exactly the rows.

use std::fs::File;
use std::path::Path;

use opstream_schemas::database::Database;
use polars::prelude::{ParquetReader, PolarsResult, SerReader as _};

use super::rows::StoredRows;
use super::{Verdict, examples};
use crate::torture::ledger::Numbers;
use crate::torture::operations::{Measures, number_of};

const LIVE: &str =
    "select path from lake_files where kind = 'operations' and removed_at_ms is null order by file_number";

/// Compares them.
pub(super) async fn compare(database: &Database, lake: &Path, rows: &StoredRows, verdict: &mut Verdict) {
    let live = database.fetch_all(LIVE, &[]).await.expect("the manifest can be read");
    let mut found = Found::default();
    for row in live {
        let path = row.text("path").expect("every file has a path");
        if let Err(error) = found.read(&lake.join(&path)) {
            verdict.remarks.push(format!("{path}: {error}"));
        }
    }
    let missing: Vec<u64> = rows.numbers.iter().filter(|number| !found.numbers.contains(*number)).collect();
    let extra: Vec<u64> = found.numbers.iter().filter(|number| !rows.numbers.contains(*number)).collect();
    verdict.lost += missing.len() as u64;
    verdict.doubled += found.doubled.len() as u64;
    verdict.wrong += (extra.len() + found.wrong.len()) as u64;
    verdict.remark(missing.len(), "rows are in no file", &examples(&missing));
    verdict.remark(extra.len(), "operations are in a file and no row", &examples(&extra));
    verdict.remark(found.doubled.len(), "operations are in files twice", &examples(&found.doubled));
    verdict.remark(found.wrong.len(), "costs in files are wrong", &examples(&found.wrong));
}

#[derive(Default)]
struct Found {
    numbers: Numbers,
    doubled: Vec<u64>,
    wrong: Vec<String>,
}

impl Found {
    fn read(&mut self, path: &Path) -> PolarsResult<()> {
        let columns = ["operation_id", "cost_nano_usd"].map(str::to_owned);
        let frame = ParquetReader::new(File::open(path)?).with_columns(Some(columns.to_vec())).finish()?;
        let costs = frame.column("cost_nano_usd")?.i64()?;
        for (id, cost) in frame.column("operation_id")?.binary()?.iter().zip(costs.iter()) {
            let id = id.and_then(|id| <[u8; 16]>::try_from(id).ok());
            let Some(number) = id.and_then(number_of) else {
                self.wrong.push(format!("{id:02x?} was never handed over"));
                continue;
            };
            if !self.numbers.insert(number) {
                self.doubled.push(number);
            }
            let measures = Measures::of(number);
            if cost != (measures.unpriced == 0).then_some(measures.cost_nano_usd) {
                self.wrong.push(format!("{number} costs {cost:?}"));
            }
        }
        Ok(())
    }
}
