//! Puts what a command has measured into a page of docs/.

use std::path::Path;

use anyhow::Context as _;

/// Replaces what stands between two lines that are markers.
///
/// # Errors
/// When the page cannot be read or written, or has no markers.
pub(crate) fn put_between(page: &Path, (begin, end): (&str, &str), text: &str) -> anyhow::Result<()> {
    let place = || format!("the page {}", page.display());
    let found = std::fs::read_to_string(page).with_context(|| format!("cannot read {}", place()))?;
    let (before, rest) = found.split_once(begin).with_context(|| format!("{} has no {begin}", place()))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("{} has no {end}", place()))?;
    std::fs::write(page, format!("{before}{begin}\n{text}{end}{after}"))
        .with_context(|| format!("cannot write {}", place()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("page.md");
        std::fs::write(&page, "before\n<a>\nold\n</a>\nafter\n").unwrap();
        put_between(&page, ("<a>", "</a>"), "new\n").unwrap();
        assert_eq!(std::fs::read_to_string(&page).unwrap(), "before\n<a>\nnew\n</a>\nafter\n");
        assert!(put_between(&page, ("<b>", "</b>"), "").unwrap_err().to_string().contains("<b>"));
    }
}
