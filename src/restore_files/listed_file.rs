//! A file as the manifest lists it, and what is said when it cannot be written again.

use opstream_ingestor::lake_file::{SUMMED, Summary};
use opstream_schemas::database::{Row, Transaction};
use opstream_schemas::lake::FileKind;
use opstream_schemas::time::DAY_MILLIS;
use opstream_schemas::{OperationId, UtcMillis};

use super::portions::Untold;

/// A file that is live, or was given up.
#[derive(Debug)]
pub(super) struct ListedFile {
    pub(super) number: i64,
    pub(super) path: String,
    pub(super) kind: FileKind,
    /// The file of the operations; for contents another one.
    pub(super) operations: i64,
    pub(super) bytes: i64,
    pub(super) summary: Summary,
    pub(super) is_live: bool,
}

impl ListedFile {
    /// All of them, in the order of their numbers: contents come after their operations.
    ///
    /// # Errors
    /// What the database answers.
    pub(super) async fn read_all(snapshot: &mut Transaction) -> Result<Vec<Self>, sqlx::Error> {
        let rows = snapshot.fetch_all(include_str!("listed_files.sql"), &[]).await?;
        rows.iter().map(Self::of).collect()
    }

    fn of(row: &Row) -> Result<Self, sqlx::Error> {
        let number = row.int("file_number")?;
        let kind = match row.text("kind")?.as_str() {
            kind if kind == FileKind::Operations.name() => FileKind::Operations,
            _ => FileKind::Contents,
        };
        let mut sums = [0; SUMMED.len()];
        for (sum, name) in sums.iter_mut().zip(SUMMED) {
            *sum = row.int(name)?;
        }
        let summary = Summary {
            rows: row.int("rows")?,
            id_hash: row.int("id_hash")?,
            ids: (row.id("min_operation_id")?, row.id("max_operation_id")?),
            failures: row.int("failures")?,
            unpriced: row.int("unpriced")?,
            sums,
        };
        Ok(Self {
            number,
            path: row.text("path")?,
            kind,
            operations: row.optional_int("operations_file")?.unwrap_or(number),
            bytes: row.int("bytes")?,
            summary,
            is_live: row.optional_int("removed_at_ms")?.is_none(),
        })
    }

    /// Whether the id lies between its lowest and highest, both included.
    pub(super) fn spans(&self, id: OperationId) -> bool {
        self.summary.ids.0 <= id && id <= self.summary.ids.1
    }

    /// Whether an id may lie in both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.summary.ids.0 <= other.summary.ids.1 && other.summary.ids.0 <= self.summary.ids.1
    }

    /// Starts of the UTC days from its lowest to its highest id.
    pub(super) fn days(&self) -> impl Iterator<Item = UtcMillis> + use<> {
        let (first, last) = (self.summary.ids.0.time().day_start(), self.summary.ids.1.time());
        let days = std::iter::successors(Some(first), |day| Some(day.plus_millis(DAY_MILLIS)));
        days.take_while(move |day| *day <= last)
    }

    /// How the rows differ from what the manifest says of the file; empty if they do not.
    pub(super) fn differences(&self, found: &Summary) -> String {
        let mut differences = Vec::new();
        let mut compare = |name: &str, listed: i64, found: i64| {
            if listed != found {
                differences.push(format!("{name} {listed} in the manifest, {found} in the tables"));
            }
        };
        compare("rows", self.summary.rows, found.rows);
        compare("id_hash", self.summary.id_hash, found.id_hash);
        if self.kind == FileKind::Operations {
            compare("failures", self.summary.failures, found.failures);
            compare("unpriced", self.summary.unpriced, found.unpriced);
            for (name, (listed, found)) in SUMMED.iter().zip(self.summary.sums.iter().zip(found.sums)) {
                compare(name, *listed, found);
            }
        }
        if self.summary.ids != found.ids {
            differences.push("another lowest or highest id".to_owned());
        }
        differences.join("; ")
    }

    /// Why the file stays missing, when so many rows are its, and of others no range says whose they are. If that may be all of them, it
    /// must not be given up: its operations would be gone from the lake, and from the next windows.
    pub(super) fn refusal(&self, (rows, unknown): (i64, i64), differences: &str) -> String {
        let most = rows + unknown;
        if most < self.summary.rows {
            return self.lacks_rows(most);
        }
        format!(
            "its rows in the tables are not what they were: {differences}; put them right, or look for another copy"
        )
    }

    /// What is wrong with a file of another length than is listed.
    pub(super) fn other_length(&self, found: u64) -> String {
        let listed = self.bytes;
        format!("it has {found} bytes and {listed} are listed: cut off, or of another copy; remove it and run again")
    }

    /// Why the file stays missing, when the tables have no more than `rows` rows that may have been in it.
    pub(super) fn lacks_rows(&self, rows: i64) -> String {
        let listed = self.summary.rows;
        let found = if rows == 0 { "none".to_owned() } else { format!("{rows}") };
        match self.kind {
            FileKind::Operations => format!(
                "the tables have {found} of its {listed} rows; look for another copy, else \
                 `opstream aggregator --give-up-file {}`",
                self.number
            ),
            FileKind::Contents => format!(
                "the tables have {found} of its {listed} rows; contents that are not kept in SQL are in the files alone: \
                 look for another copy"
            ),
        }
    }

    /// Why the file stays missing, when there are rows enough between its ends, and it is not known which were in it.
    pub(super) fn is_untold(&self, untold: &Untold, path_of: impl Fn(i64) -> String) -> String {
        let Untold { rows, rivals } = untold;
        let listed = self.summary.rows;
        if rivals.is_empty() {
            return format!(
                "{rows} rows of the tables may have been among its {listed} and do not add up to it; look for another copy"
            );
        }
        let rivals: Vec<String> = rivals.iter().map(|rival| path_of(*rival)).collect();
        format!(
            "{rows} rows of the tables may have been among its {listed}, and nothing tells which of them were in {}: \
             bring one of these files back from another copy, then `opstream restore-files` can tell; nothing is lost from the tables",
            rivals.join(", ")
        )
    }
}
