//! `GET /v1/export/operations`: the operations of a range as a file.

use axum::extract::State;
use axum::response::Response;
use opstream_schemas::UtcMillis;
use opstream_schemas::lake::OPERATION_COLUMNS;

use crate::error::ApiError;
use crate::query::{Parameters, Period, Selection, invalid};
use crate::routes::openapi::{ExportParameters, FilterParameters, OpenFilterParameters, RangeParameters};
use crate::scan::{Format, Task};
use crate::state::Shared;

/// The time as a timestamp, beside `time_ms`.
const TIME: &str = "time";

/// What is asked for.
pub(crate) struct AskedExport {
    pub(crate) period: Period,
    pub(crate) selection: Selection,
    pub(crate) format: Format,
    /// The columns, in their order.
    pub(crate) columns: Vec<&'static str>,
}

impl AskedExport {
    pub(crate) fn read(mut parameters: Parameters, now: UtcMillis) -> Result<Self, ApiError> {
        let period = Period::read(&mut parameters, now)?;
        let format = parameters.take_format()?.unwrap_or(Format::Csv);
        let known = || [TIME].into_iter().chain(OPERATION_COLUMNS.iter().map(|column| column.name));
        let columns = match parameters.take("columns")? {
            None => known().collect(),
            Some(names) => {
                let mut columns = Vec::new();
                for name in names.split(',').map(str::trim) {
                    let Some(column) = known().find(|known| *known == name) else {
                        let name: String = name.chars().take(60).collect();
                        let names: Vec<&str> = known().collect();
                        return Err(invalid("columns", &format!("names {name:?}; there are {}", names.join(", "))));
                    };
                    if columns.contains(&column) {
                        return Err(invalid("columns", &format!("names {column} twice")));
                    }
                    columns.push(column);
                }
                columns
            }
        };
        let selection = Selection::read(&mut parameters)?;
        parameters.finish()?;
        Ok(Self { period, selection, format, columns })
    }
}

/// The operations of a range as CSV, JSON lines, Parquet or Arrow, as they are read: any number, in bounded memory.
///
/// The columns are those of the table `operations` under the same names, money in whole nano-dollars; ids are text, and `time` is
/// `time_ms` as a timestamp. Rows come roughly in order of time. In CSV, text that begins like a formula has an apostrophe before
/// it. An answer that breaks off is not whole: it ends without the last chunk of HTTP, which clients report.
#[utoipa::path(get, path = "/v1/export/operations", tag = "operations",
    params(ExportParameters, RangeParameters, FilterParameters, OpenFilterParameters),
    responses((status = 200, content_type = "text/csv")))]
pub(crate) async fn export_operations(
    State(state): State<Shared>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let (given, now) = (parameters.pairs(), UtcMillis::now());
    let asked = AskedExport::read(parameters, now)?;
    state.scan_file(Task::Export { parameters: given, now: now.into() }, asked.period.range).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parameters_of;

    fn read(query: &str) -> Result<AskedExport, ApiError> {
        AskedExport::read(parameters_of(query), UtcMillis::from_millis(0))
    }

    #[test]
    fn columns_are_all_or_those_that_are_named() {
        assert_eq!(read("").unwrap().columns.len(), OPERATION_COLUMNS.len() + 1);
        let few = read("columns=model,%20cost_nano_usd&format=parquet&session_id=s").unwrap();
        assert_eq!((few.columns, few.format), (vec!["model", "cost_nano_usd"], Format::Parquet));
        assert!(read("columns=modle").err().unwrap().to_string().contains("there are time, operation_id"));
        assert!(read("columns=model,model").err().unwrap().to_string().contains("twice"));
        assert!(read("format=xls").err().unwrap().to_string().contains("csv, json, parquet, arrow"));
    }
}
