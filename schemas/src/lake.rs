//! The stored shape of an operation: one list of columns that the SQL table and the lake's files share.
//!
//! Parquet files hold the same columns under the same names as the SQL table `operations`; content is in files of its
//! own with [`CONTENT_COLUMNS`]. Readers never list a folder: the table `lake_files` says which files exist.

pub mod durable;

use std::path::{Component, Path, PathBuf};

use crate::UtcMillis;

/// How a column is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// 16 bytes: `uuid` in Postgres, `blob` in SQLite, fixed-size binary in Parquet.
    Id,
    /// 64-bit integer.
    Int,
    /// 32-bit integer.
    SmallInt,
    /// 64-bit float.
    Float,
    /// Truth value.
    Bool,
    /// UTF-8 text.
    Text,
    /// Valid JSON in a text column.
    Json,
}

/// Whether a column may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nullable {
    /// Null means unknown or absent.
    Yes,
    /// Every row has a value.
    No,
}

/// One stored column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name in SQL and Parquet.
    pub name: &'static str,
    /// How it is stored.
    pub kind: ColumnKind,
    /// Whether it may be null.
    pub nullable: Nullable,
    /// Whether files that earlier versions wrote are without it. Their rows are null there, in SQL too.
    pub is_later: bool,
}

const fn column(name: &'static str, kind: ColumnKind, nullable: Nullable) -> Column {
    Column { name, kind, nullable, is_later: false }
}

/// A column that files of earlier versions do not have.
const fn later(name: &'static str, kind: ColumnKind) -> Column {
    Column { name, kind, nullable: Nullable::Yes, is_later: true }
}

/// Columns of the table `operations` and of the operations' files, in their order.
pub const OPERATION_COLUMNS: &[Column] = &[
    column("operation_id", ColumnKind::Id, Nullable::No),
    column("time_ms", ColumnKind::Int, Nullable::No),
    column("stream_id", ColumnKind::Int, Nullable::No),
    column("source_partition", ColumnKind::SmallInt, Nullable::No),
    column("source_offset", ColumnKind::Int, Nullable::No),
    column("workspace", ColumnKind::Text, Nullable::No),
    column("call_id", ColumnKind::Text, Nullable::Yes),
    column("attempt", ColumnKind::SmallInt, Nullable::No),
    column("trace_id", ColumnKind::Text, Nullable::Yes),
    column("span_id", ColumnKind::Text, Nullable::Yes),
    column("parent_span_id", ColumnKind::Text, Nullable::Yes),
    column("response_id", ColumnKind::Text, Nullable::Yes),
    column("producer_id", ColumnKind::Text, Nullable::Yes),
    column("producer_seq", ColumnKind::Int, Nullable::Yes),
    column("project", ColumnKind::Text, Nullable::Yes),
    column("team", ColumnKind::Text, Nullable::Yes),
    column("environment", ColumnKind::Text, Nullable::Yes),
    column("service", ColumnKind::Text, Nullable::Yes),
    column("session_id", ColumnKind::Text, Nullable::Yes),
    column("user_id", ColumnKind::Text, Nullable::Yes),
    column("agent_id", ColumnKind::Text, Nullable::Yes),
    column("agent_name", ColumnKind::Text, Nullable::Yes),
    column("action_id", ColumnKind::Text, Nullable::Yes),
    column("operation_type", ColumnKind::Text, Nullable::No),
    column("source_type", ColumnKind::Text, Nullable::Yes),
    column("provider", ColumnKind::Text, Nullable::Yes),
    column("model", ColumnKind::Text, Nullable::Yes),
    column("response_model", ColumnKind::Text, Nullable::Yes),
    column("endpoint", ColumnKind::Text, Nullable::Yes),
    column("service_tier", ColumnKind::Text, Nullable::Yes),
    column("processing", ColumnKind::Text, Nullable::Yes),
    column("stream", ColumnKind::Bool, Nullable::Yes),
    column("temperature", ColumnKind::Float, Nullable::Yes),
    column("max_tokens", ColumnKind::Int, Nullable::Yes),
    column("request_parameters", ColumnKind::Json, Nullable::Yes),
    column("started_at_us", ColumnKind::Int, Nullable::No),
    column("latency_us", ColumnKind::Int, Nullable::Yes),
    column("queue_us", ColumnKind::Int, Nullable::Yes),
    column("ttft_us", ColumnKind::Int, Nullable::Yes),
    column("generation_us", ColumnKind::Int, Nullable::Yes),
    column("success", ColumnKind::Bool, Nullable::No),
    column("error_type", ColumnKind::Text, Nullable::Yes),
    column("error_message", ColumnKind::Text, Nullable::Yes),
    column("http_status", ColumnKind::SmallInt, Nullable::Yes),
    column("finish_reasons", ColumnKind::Json, Nullable::Yes),
    column("input_tokens", ColumnKind::Int, Nullable::Yes),
    column("cache_read_tokens", ColumnKind::Int, Nullable::No),
    column("cache_write_tokens", ColumnKind::Int, Nullable::No),
    column("cache_write_1h_tokens", ColumnKind::Int, Nullable::No),
    column("output_tokens", ColumnKind::Int, Nullable::Yes),
    column("reasoning_tokens", ColumnKind::Int, Nullable::No),
    column("input_audio_tokens", ColumnKind::Int, Nullable::No),
    column("output_audio_tokens", ColumnKind::Int, Nullable::No),
    column("input_image_tokens", ColumnKind::Int, Nullable::No),
    column("output_image_tokens", ColumnKind::Int, Nullable::No),
    column("web_searches", ColumnKind::Int, Nullable::No),
    column("billable_units", ColumnKind::Json, Nullable::Yes),
    column("reported_cost_nano_usd", ColumnKind::Int, Nullable::Yes),
    column("cost_nano_usd", ColumnKind::Int, Nullable::Yes),
    column("cost_status", ColumnKind::Text, Nullable::No),
    column("price_model", ColumnKind::Text, Nullable::Yes),
    column("price_version", ColumnKind::Text, Nullable::No),
    column("content_truncated", ColumnKind::Bool, Nullable::No),
    column("content_redacted", ColumnKind::Bool, Nullable::No),
    column("tags", ColumnKind::Json, Nullable::Yes),
    column("metadata", ColumnKind::Json, Nullable::Yes),
    column("has_content", ColumnKind::Bool, Nullable::No),
    later("price_key", ColumnKind::Text),
    later("input_cost_nano_usd", ColumnKind::Int),
    later("cache_read_cost_nano_usd", ColumnKind::Int),
    later("cache_write_cost_nano_usd", ColumnKind::Int),
    later("output_cost_nano_usd", ColumnKind::Int),
    later("unit_cost_nano_usd", ColumnKind::Int),
    later("cache_savings_nano_usd", ColumnKind::Int),
    later("catalogue_cost_nano_usd", ColumnKind::Int),
    later("billed_cost_nano_usd", ColumnKind::Int),
    later("repricing", ColumnKind::Int),
];

/// Columns of a cost's parts, and of what caches saved; windows have sums of the same names.
pub const COST_PARTS: [&str; 6] = [
    "input_cost_nano_usd",
    "cache_read_cost_nano_usd",
    "cache_write_cost_nano_usd",
    "output_cost_nano_usd",
    "unit_cost_nano_usd",
    "cache_savings_nano_usd",
];

/// Columns of the table `operation_contents` and of the contents' files, in their order.
pub const CONTENT_COLUMNS: &[Column] = &[
    column("operation_id", ColumnKind::Id, Nullable::No),
    column("system_prompt", ColumnKind::Text, Nullable::Yes),
    column("input_messages", ColumnKind::Text, Nullable::Yes),
    column("output_messages", ColumnKind::Text, Nullable::Yes),
    column("tool_definitions", ColumnKind::Text, Nullable::Yes),
];

/// The manifest's columns that are sums over a file's rows. All are 0 for a file of contents.
pub const MANIFEST_SUMS: [&str; 8] = [
    "failures",
    "unpriced",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cost_nano_usd",
    "reported_cost_nano_usd",
];

/// What a file of the lake holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Operations.
    Operations,
    /// Their prompts, messages and tool definitions.
    Contents,
}

impl FileKind {
    /// The name used in `lake_files.kind` and as the top folder.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Contents => "contents",
        }
    }
}

/// Path of a new file relative to the lake's root, with `/`: kind, UTC day of writing, unique name. Nothing that came
/// with an operation ever becomes part of a path.
pub fn file_path(kind: FileKind, named_at: UtcMillis, unique: uuid::Uuid) -> String {
    let moment = named_at.to_string();
    let day = moment.get(..10).unwrap_or("unknown-day");
    format!("{}/{day}/{}-{}.parquet", kind.name(), named_at.millis(), unique.simple())
}

/// A manifest path that would leave the lake's root.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("manifest path {path:?} is not a plain relative path; the manifest has been tampered with")]
pub struct LakePathError {
    path: String,
}

/// Where the file is on this machine.
///
/// # Errors
/// Refuses absolute paths and paths with `..`, so that a manifest row can never name a file outside the lake.
pub fn local_path(root: &Path, path: &str) -> Result<PathBuf, LakePathError> {
    let relative = Path::new(path);
    if path.is_empty() || !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(LakePathError { path: path.to_owned() });
    }
    Ok(root.join(relative))
}

/// Order-independent fingerprint of a set of ids: the wrapping sum of the XXH3-64 of each id's 16 bytes. Two files
/// with the same rows in another order have the same hash, and hashes of disjoint sets add up.
pub fn id_hash<'a>(ids: impl IntoIterator<Item = &'a [u8]>) -> i64 {
    ids.into_iter().fold(0_u64, |sum, id| sum.wrapping_add(value_hash(id))).cast_signed()
}

/// XXH3-64 of one value's bytes.
pub fn value_hash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_path_cannot_leave_the_lake() {
        let root = Path::new("lake");
        assert_eq!(
            local_path(root, "operations/2026-11-23/1.parquet").unwrap(),
            root.join("operations/2026-11-23/1.parquet")
        );
        for hostile in ["../secret", "/etc/passwd", "a/../../b", ""] {
            assert!(local_path(root, hostile).is_err(), "{hostile}");
        }
    }

    #[test]
    fn the_id_hash_adds_up_and_ignores_order() {
        let (a, b, c) = ([1_u8; 16], [2_u8; 16], [3_u8; 16]);
        let all = id_hash([&a[..], &b[..], &c[..]]);
        assert_eq!(all, id_hash([&c[..], &a[..], &b[..]]));
        assert_eq!(all, id_hash([&a[..]]).wrapping_add(id_hash([&b[..], &c[..]])));
        assert_ne!(all, id_hash([&a[..], &b[..], &b[..]]));
    }
}
