//! Reads `ExportLogsServiceRequest`, of whose records only those fields that can hold prompts and say whose they are.

use std::borrow::Cow;

use super::super::budget::{Budget, DecodeError};
use super::super::model::{LogRecord, Logs, ResourceLogs, ScopeLogs};
use super::{Content, Fields, read_attribute, read_resource, read_value, text};

/// Reads a body of log records.
///
/// # Errors
/// When it is no request, or holds too much.
pub(crate) fn read_logs<'a>(body: &'a [u8], budget: &mut Budget) -> Result<Logs<'a>, DecodeError> {
    let mut logs = Logs::default();
    for field in Fields(body) {
        if let (1, Content::Bytes(bytes)) = field? {
            budget.take_part()?;
            logs.resource_logs.push(read_resource_logs(bytes, budget)?);
        }
    }
    Ok(logs)
}

fn read_resource_logs<'a>(message: &'a [u8], budget: &mut Budget) -> Result<ResourceLogs<'a>, DecodeError> {
    let mut read = ResourceLogs::default();
    for field in Fields(message) {
        match field? {
            (1, Content::Bytes(bytes)) => read.resource = read_resource(bytes, budget)?,
            (2, Content::Bytes(bytes)) => {
                budget.take_part()?;
                read.scope_logs.push(read_scope_logs(bytes, budget)?);
            }
            _ => {}
        }
    }
    Ok(read)
}

fn read_scope_logs<'a>(message: &'a [u8], budget: &mut Budget) -> Result<ScopeLogs<'a>, DecodeError> {
    let mut read = ScopeLogs::default();
    for field in Fields(message) {
        if let (2, Content::Bytes(bytes)) = field? {
            budget.take_log_record()?;
            read.log_records.push(read_log_record(bytes, budget)?);
        }
    }
    Ok(read)
}

fn read_log_record<'a>(message: &'a [u8], budget: &mut Budget) -> Result<LogRecord<'a>, DecodeError> {
    let mut record = LogRecord::default();
    for field in Fields(message) {
        match field? {
            (1, Content::Number(nanos)) => record.time_unix_nano = nanos,
            (5, Content::Bytes(bytes)) => record.body = read_value(bytes, budget, 0)?,
            (6, Content::Bytes(bytes)) => record.attributes.push(read_attribute(bytes, budget, 0)?),
            (9, Content::Bytes(bytes)) => record.trace_id = Cow::Borrowed(bytes),
            (10, Content::Bytes(bytes)) => record.span_id = Cow::Borrowed(bytes),
            (11, Content::Number(nanos)) => record.observed_time_unix_nano = nanos,
            (12, Content::Bytes(bytes)) => record.event_name = text(bytes),
            _ => {}
        }
    }
    Ok(record)
}
