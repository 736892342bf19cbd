//! SQL of people and programs over the lake's files: only queries, only over the tables that are given.

use std::ops::ControlFlow;

use opstream_schemas::OperationId;
use polars::prelude::*;
use polars::sql::SQLContext;
use serde_json::Value as Json;
use sqlparser::ast::{Expr as SqlExpr, Query, SetExpr, Statement, TableFactor, Visit as _, Visitor};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserOptions};
use sqlparser::tokenizer::{Token, Tokenizer};

use super::table::{each_row, json_cell, type_name};
use super::task::Refusal;
use crate::error::ApiError;
use crate::routes::sql::SqlColumn;

/// Most bytes of a statement.
pub(crate) const MAX_SQL_BYTES: usize = 64 << 10;
/// Most words and signs of a statement. Parsing, planning and running all descend into it, and none of them counts how far.
const MAX_TOKENS: usize = 4_000;

/// A statement that may be run, as a plan over tables.
///
/// # Errors
/// When it is no single query, reads anything else than the tables, or Polars does not understand it.
pub(super) fn plan(sql: &str, tables: Vec<(&str, LazyFrame)>) -> Result<LazyFrame, ApiError> {
    check(sql)?;
    let mut context = SQLContext::new();
    for (name, table) in tables {
        context.register(name, table);
    }
    context.execute(sql).map_err(failed)
}

/// Refuses a statement that is too long to be looked at.
///
/// # Errors
/// Says how long it may be.
pub(crate) fn check_length(sql: &str) -> Result<(), ApiError> {
    if sql.len() > MAX_SQL_BYTES {
        return Err(refused(format!("the statement is longer than {} KiB", MAX_SQL_BYTES >> 10)));
    }
    Ok(())
}

/// Refuses whatever is not one query over tables by their names. Polars itself could read any file that a function such as
/// `read_parquet` names. Only to be called where a limit of time holds: some short statements take for ever to parse.
fn check(sql: &str) -> Result<(), ApiError> {
    check_length(sql)?;
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize();
    let tokens = tokens.map_err(|error| refused(format!("this is no SQL: {error}")))?;
    let tokens = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).count();
    if tokens > MAX_TOKENS {
        return Err(refused(format!("the statement has {tokens} words and signs, more than {MAX_TOKENS}")));
    }
    // As Polars parses it, so that both see the same.
    let options = ParserOptions { trailing_commas: true, ..ParserOptions::default() };
    let parser = Parser::new(&GenericDialect {}).with_options(options);
    let statements = parser.try_with_sql(sql).and_then(|mut parser| parser.parse_statements());
    let statements = statements.map_err(|error| refused(format!("this is no SQL: {error}")))?;
    let [statement] = statements.as_slice() else {
        return Err(refused(format!("{} statements are given; one may be", statements.len())));
    };
    match statement.visit(&mut OnlyTables) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(what) => Err(refused(what)),
    }
}

/// Stops at the first thing that does more than read a table.
struct OnlyTables;

impl Visitor for OnlyTables {
    type Break = String;

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<String> {
        match statement {
            Statement::Query(_) => ControlFlow::Continue(()),
            _ => ControlFlow::Break("only queries are answered: SELECT … or WITH … SELECT".to_owned()),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        if is_reading(&query.body) && query.locks.is_empty() {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break("only what reads is answered".to_owned())
    }

    /// A function by such a name does nothing for a query; whoever writes one tries to have it taken for a table.
    fn pre_visit_expr(&mut self, expression: &SqlExpr) -> ControlFlow<String> {
        match expression {
            // Polars takes such a condition for one row, and the count would be wrong without a word.
            SqlExpr::Function(function) if function.filter.as_deref().is_some_and(|filter| !names_a_column(filter)) => {
                ControlFlow::Break("the condition of a FILTER must name a column".to_owned())
            }
            SqlExpr::Function(function) if function.name.to_string().to_lowercase().contains("read_") => {
                ControlFlow::Break(
                    "there are only the tables operations and contents, and no functions that read others".to_owned(),
                )
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<String> {
        match table {
            TableFactor::Table { args: None, name, .. } if name.0.len() == 1 => ControlFlow::Continue(()),
            TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => ControlFlow::Continue(()),
            TableFactor::Table { name, .. } => {
                let name: String = name.to_string().chars().take(60).collect();
                ControlFlow::Break(format!(
                    "{name} is no table; there are operations and contents, and no functions that read others"
                ))
            }
            _ => ControlFlow::Break("only tables and queries may stand in FROM: operations and contents".to_owned()),
        }
    }
}

fn names_a_column(expression: &SqlExpr) -> bool {
    struct Columns;
    impl Visitor for Columns {
        type Break = ();
        fn pre_visit_expr(&mut self, expression: &SqlExpr) -> ControlFlow<()> {
            match expression {
                SqlExpr::Identifier(_) | SqlExpr::CompoundIdentifier(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expression.visit(&mut Columns).is_break()
}

fn is_reading(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.is_none(),
        SetExpr::Query(query) => is_reading(&query.body),
        SetExpr::SetOperation { left, right, .. } => is_reading(left) && is_reading(right),
        SetExpr::Values(_) => true,
        _ => false,
    }
}

fn refused(message: String) -> ApiError {
    ApiError::Refused(Refusal { status: 422, code: "sql_refused".to_owned(), message, cause: None })
}

/// What Polars says about a statement is for whoever wrote it; what it says about files is for the log.
pub(super) fn failed(mut error: PolarsError) -> ApiError {
    // What went wrong, without where in the plan.
    while let PolarsError::Context { error: inner, .. } = error {
        error = *inner;
    }
    if matches!(error, PolarsError::IO { .. }) {
        return ApiError::Internal(error.into());
    }
    let message = format!("the statement cannot be run: {}", error.to_string().chars().take(1000).collect::<String>());
    ApiError::Refused(Refusal { status: 422, code: "sql_failed".to_owned(), message, cause: None })
}

/// A column of ids as text, under its own name.
pub(super) fn id_as_text(name: &str) -> Expr {
    let read = |column: Column| {
        let text = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).ok().map(|id| OperationId::from_bytes(id).to_string());
        let ids: StringChunked = column.binary()?.iter().map(|id| id.and_then(text)).collect();
        Ok(ids.with_name(column.name().clone()).into_column())
    };
    col(name).map(read, |_, field| Ok(Field::new(field.name().clone(), DataType::String)))
}

/// The table of operations as SQL and exports have it: ids as text, and the time as a timestamp beside its milliseconds.
pub(super) fn readable(operations: LazyFrame) -> LazyFrame {
    let time = col("time_ms").cast(DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC)));
    operations.with_columns([id_as_text("operation_id"), time.alias("time")])
}

/// A result, at most `limit` rows of it.
pub(super) struct SqlRows {
    pub(super) columns: Vec<SqlColumn>,
    pub(super) rows: Vec<Vec<Json>>,
    /// Whether there are more rows.
    pub(super) truncated: bool,
}

/// Runs a plan.
pub(super) fn read_rows(plan: LazyFrame, limit: u32) -> Result<SqlRows, ApiError> {
    let frame = super::groups::collect(plan.limit(limit.saturating_add(1))).map_err(failed)?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let truncated = frame.height() > most;
    let column = |column: &Column| SqlColumn { name: column.name().to_string(), kind: type_name(column.dtype()) };
    let columns = frame.columns().iter().map(column).collect();
    let mut rows = Vec::with_capacity(frame.height().min(most));
    each_row(&frame.head(Some(most)), |cells| {
        rows.push(cells.iter().map(json_cell).collect());
        Ok(())
    })
    .map_err(|error| ApiError::Internal(error.into()))?;
    Ok(SqlRows { columns, rows, truncated })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(sql: &str) -> String {
        check(sql).unwrap_err().to_string()
    }

    #[test]
    fn queries_over_the_tables_pass() {
        for sql in [
            "select 1",
            "select model, count(*) from operations group by model order by 2 desc limit 5",
            "with m as (select * from operations where model = 'a') select * from m join contents c using (operation_id)",
            "select * from (select model from operations) x union all select model from operations;",
            "select * from operations where model in (select model from operations)",
            "select model, from operations",
            "select count(*) filter (where success) as a, count(*) filter (where operations.model = 'a') from operations",
        ] {
            assert!(check(sql).is_ok(), "{sql}: {:?}", check(sql));
        }
    }

    #[test]
    fn nothing_else_is_read_or_written() {
        for sql in [
            "select * from read_parquet('/etc/passwd')",
            "select * from READ_CSV('/etc/passwd')",
            "select * from operations where model in (select a from read_parquet('x'))",
            "with x as (select * from read_parquet('x')) select * from x",
            "select * from operations union all select * from read_parquet('x')",
            "select * from operations o join read_parquet('x') p on true",
            "select (select max(a) from read_parquet('x'))",
            "select * from operations order by (select 1 from read_parquet('x'))",
            "select * from table(read_parquet('x'))",
            "select * from lateral read_parquet('x')",
            "from read_parquet('x')",
            "with a as (select 1 as z), from (select 1 as k) values (k), (read_parquet('x'))",
            "values (read_parquet('x'))",
            "select a, from read_parquet('x')",
            "select * from operations where exists (from read_parquet('x'))",
            "select * from unnest([1,2])",
            "select * from information_schema.tables",
        ] {
            let reason = reason(sql);
            assert!(reason.contains("operations and contents"), "{sql}: {reason}");
        }
        for sql in [
            "drop table operations",
            "create table x as select 1",
            "delete from operations",
            "insert into operations select 1",
            "explain select 1",
            "show tables",
            "copy operations to 'x'",
            "select * into x from operations",
            "truncate operations",
        ] {
            assert!(check(sql).is_err(), "{sql}");
        }
        assert!(reason("select 1; select 2").contains("2 statements"));
        assert!(reason("selec 1").contains("no SQL"));
        assert!(reason(&format!("select '{}'", "x".repeat(MAX_SQL_BYTES))).contains("64 KiB"));
        assert!(check(&format!("select {}1{}", "(".repeat(5000), ")".repeat(5000))).is_err());
        assert!(reason(&format!("select 1{}", "+1".repeat(2_000))).contains("words and signs"));
        assert!(reason("select count(*) filter (where 1 = 1) from operations").contains("must name a column"));
    }

    #[test]
    fn polars_runs_what_passes_and_says_what_it_does_not_know() {
        let table = || df!("model" => ["a", "b", "a"], "cost" => [1_i64, 2, 3]).unwrap().lazy();
        let sql = "select model, sum(cost) as cost from operations group by model order by model";
        let frame = super::super::groups::collect(plan(sql, vec![("operations", table())]).unwrap()).unwrap();
        assert!(frame.equals(&df!("model" => ["a", "b"], "cost" => [4_i64, 2]).unwrap()), "{frame:?}");
        let unknown = plan("select * from windows", vec![("operations", table())]).err().unwrap();
        assert!(unknown.to_string().contains("windows"), "{unknown}");
    }
}
