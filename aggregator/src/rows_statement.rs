//! A statement over a list of rows, in a few fixed sizes, so that the databases' caches of prepared statements know it.

use std::ops::Range;
use std::sync::Arc;

use opstream_schemas::database::Engine;
use sqlx::AssertSqlSafe;

/// Rows per statement: 64 rows of 31 columns are 1,984 binds, far below either database's limit, and more would gain nothing.
const SIZES: [usize; 4] = [64, 16, 4, 1];

/// The statement in all its sizes.
pub(crate) struct RowsStatement {
    postgres: [Arc<str>; SIZES.len()],
    sqlite: [Arc<str>; SIZES.len()],
}

impl RowsStatement {
    /// Replaces `{rows}` in `text` by rows of `columns` binds each; they are numbered after `fixed` binds of the text's own.
    pub(crate) fn new(text: &str, fixed: usize, columns: usize) -> Self {
        let numbered = SIZES
            .map(|rows| Arc::from(text.replace("{rows}", &row_binds(rows, columns, |at| format!("${}", fixed + at)))));
        // To SQLite `$7` is a name, and each is looked for in the list of all names: with 2,000 binds that took several times
        // as long as storing the rows. Binds without a name have to be all of them.
        let nameless =
            SIZES.map(|rows| Arc::from(text.replace("{rows}", &row_binds(rows, columns, |_| "?".to_owned()))));
        let sqlite = if fixed == 0 { nameless } else { numbered.clone() };
        Self { postgres: numbered, sqlite }
    }

    /// Cuts `rows` rows into ranges and gives each its statement.
    pub(crate) fn chunks(&self, engine: Engine, rows: usize) -> Vec<(Range<usize>, AssertSqlSafe<Arc<str>>)> {
        let texts = match engine {
            Engine::Postgres => &self.postgres,
            Engine::Sqlite => &self.sqlite,
        };
        let mut chunks = Vec::new();
        let mut at = 0;
        for (size, text) in SIZES.into_iter().zip(texts) {
            while rows - at >= size {
                chunks.push((at..at + size, AssertSqlSafe(Arc::clone(text))));
                at += size;
            }
        }
        chunks
    }
}

/// Rows of binds; `name` names each by its number, from 1 on.
fn row_binds(rows: usize, columns: usize, name: impl Fn(usize) -> String) -> String {
    let row = |row: usize| {
        let binds: Vec<String> = (1..=columns).map(|column| name(row * columns + column)).collect();
        format!("({})", binds.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_exactly_one_chunk_and_has_its_own_binds() {
        let statement = RowsStatement::new("values {rows}", 2, 2);
        let chunks = statement.chunks(Engine::Postgres, 150);
        assert_eq!(chunks.iter().map(|(range, _)| range.len()).collect::<Vec<_>>(), [64, 64, 16, 4, 1, 1]);
        assert!(chunks.windows(2).all(|pair| pair[0].0.end == pair[1].0.start));
        assert_eq!(&*chunks[4].1.0, "values ($3, $4)");
        assert!(chunks[3].1.0.starts_with("values ($3, $4), ($5, $6), "));
        assert!(statement.chunks(Engine::Postgres, 0).is_empty());
    }

    #[test]
    fn sqlite_gets_no_names_unless_the_text_has_binds_of_its_own() {
        let text = |fixed| RowsStatement::new("values {rows}", fixed, 2).chunks(Engine::Sqlite, 4)[0].1.0.to_string();
        assert_eq!(text(0), "values (?, ?), (?, ?), (?, ?), (?, ?)");
        assert_eq!(text(1), "values ($2, $3), ($4, $5), ($6, $7), ($8, $9)");
    }
}
