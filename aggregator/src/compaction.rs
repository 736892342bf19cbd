//! Small files become large ones: nothing else changes.
//!
//! In: live files of operations that the current generation has wholly, with their contents. Out: fewer files with the same rows,
//! sorted by id, none over the end of a UTC day, which are in the windows from the beginning. The way of a merge: what is to be merged
//! ([`mod@plan`], from `candidates`), what the files hold (`listed`, `decode`), new files (`merge`), and the one transaction
//! (`flip`). What was merged stays on disk for an hour, for readers that are still at it; `removed_files` deletes it.
//!
//! A crash before the transaction leaves files that nothing lists, for the ingestor's sweeper; after it, the manifest says what is
//! to be deleted. Nothing is remembered that a restart would miss. Two at the same work do no harm: the transaction of the second
//! finds that its inputs are gone.
//!
//! It never looks at offsets, and does nothing while windows are built again. It works beside the windows, one merge at a time, rests
//! at least twice as long as it worked, and holds at most 64 MiB of decoded rows.

mod decode;
mod listed;
mod plan;
mod stored_columns;
mod summary;
