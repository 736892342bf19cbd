//! A statement over a list of rows, in a few fixed sizes, so that the databases' caches of prepared statements know it.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use sqlx::AssertSqlSafe;

/// Rows per statement: 64 rows of 31 columns are 1,984 binds, far below either database's limit, and more would gain nothing.
const SIZES: [usize; 4] = [64, 16, 4, 1];

/// The statement in all its sizes.
pub(crate) struct RowsStatement {
    texts: [Arc<str>; SIZES.len()],
}

impl RowsStatement {
    /// Replaces `{rows}` in `text` by rows of `columns` binds each; they are numbered after `fixed` binds of the text's own.
    pub(crate) fn new(text: &str, fixed: usize, columns: usize) -> Self {
        Self { texts: SIZES.map(|rows| text.replace("{rows}", &row_binds(rows, fixed, columns)).into()) }
    }

    /// Cuts `rows` rows into ranges and gives each its statement.
    pub(crate) fn chunks(&self, rows: usize) -> Vec<(Range<usize>, AssertSqlSafe<Arc<str>>)> {
        let mut chunks = Vec::new();
        let mut at = 0;
        for (size, text) in SIZES.into_iter().zip(&self.texts) {
            while rows - at >= size {
                chunks.push((at..at + size, AssertSqlSafe(Arc::clone(text))));
                at += size;
            }
        }
        chunks
    }
}

fn row_binds(rows: usize, fixed: usize, columns: usize) -> String {
    let mut text = String::new();
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            let separator = if column == 0 { "" } else { ", " };
            write!(text, "{separator}${}", fixed + row * columns + column + 1)
                .expect("writing to a string cannot fail");
        }
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_exactly_one_chunk_and_has_its_own_binds() {
        let statement = RowsStatement::new("values {rows}", 2, 2);
        let chunks = statement.chunks(150);
        assert_eq!(chunks.iter().map(|(range, _)| range.len()).collect::<Vec<_>>(), [64, 64, 16, 4, 1, 1]);
        assert!(chunks.windows(2).all(|pair| pair[0].0.end == pair[1].0.start));
        assert_eq!(&*chunks[4].1.0, "values ($3, $4)");
        assert!(chunks[3].1.0.starts_with("values ($3, $4), ($5, $6), "));
        assert!(statement.chunks(0).is_empty());
    }
}
