//! Input of tests: the recorded data sets, and whatever a source yields.

use std::path::PathBuf;

use super::feed::{Feed, Input, Item, Record, Refusal};

/// A file or folder of the recorded data sets; none where they are not installed, which the test then says.
///
/// They are looked for in `OPSTREAM_TEST_DATA`, which must have them where it is set, else in `../shared/data`.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "tests have no configuration and no display")]
pub(super) fn recorded(name: &str) -> Option<PathBuf> {
    let named = std::env::var("OPSTREAM_TEST_DATA").map(PathBuf::from);
    let is_required = named.is_ok();
    let root = named.unwrap_or_else(|_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(!is_required, "{} is missing; OPSTREAM_TEST_DATA names the folder of recorded data", path.display());
    eprintln!("skipped: {} is missing; OPSTREAM_TEST_DATA names the folder of recorded data", path.display());
    None
}

/// Everything that a source yields.
#[derive(Debug, Default)]
pub(super) struct Yield {
    pub(super) items: Vec<Item>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) n_repeated: usize,
    pub(super) remarks: Vec<String>,
    /// Shares of the extent that the records had.
    pub(super) weight: u64,
}

/// Reads a source to its end.
pub(super) async fn drain(input: Input) -> Yield {
    let (feed, mut records) = Feed::new();
    let reader = std::thread::spawn(move || (input.read)(&feed));
    let mut all = Yield::default();
    while let Some(record) = records.recv().await {
        match record {
            Record::Item(item) => {
                all.weight += item.weight;
                all.items.push(item);
            }
            Record::Refused { refusal, weight } => {
                all.weight += weight;
                all.refusals.push(refusal);
            }
            Record::Repeated { weight } => {
                all.weight += weight;
                all.n_repeated += 1;
            }
        }
    }
    all.remarks = reader.join().unwrap().unwrap();
    all
}
