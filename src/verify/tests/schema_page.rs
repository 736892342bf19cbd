//! docs/sql.md describes the tables that there are, and its queries run.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::fixture::Fixture;

const PAGE: &str = include_str!("../../../docs/sql.md");
const POSTGRES: [&str; 16] = [
    include_str!("../../../schemas/migrations/postgres/0001_create_tables.sql"),
    include_str!("../../../schemas/migrations/postgres/0002_create_windows.sql"),
    include_str!("../../../schemas/migrations/postgres/0003_extend_windows.sql"),
    include_str!("../../../schemas/migrations/postgres/0004_add_stream_partitions_count.sql"),
    include_str!("../../../schemas/migrations/postgres/0005_compact_files.sql"),
    include_str!("../../../schemas/migrations/postgres/0006_mark_redriven_letters.sql"),
    include_str!("../../../schemas/migrations/postgres/0007_prepare_retention.sql"),
    include_str!("../../../schemas/migrations/postgres/0008_mark_checkpoints.sql"),
    include_str!("../../../schemas/migrations/postgres/0009_create_span_contents.sql"),
    include_str!("../../../schemas/migrations/postgres/0010_split_costs.sql"),
    include_str!("../../../schemas/migrations/postgres/0011_compare_costs.sql"),
    include_str!("../../../schemas/migrations/postgres/0012_reprice_operations.sql"),
    include_str!("../../../schemas/migrations/postgres/0013_create_alerts.sql"),
    include_str!("../../../schemas/migrations/postgres/0014_create_saved_views.sql"),
    include_str!("../../../schemas/migrations/postgres/0015_order_windows.sql"),
    include_str!("../../../schemas/migrations/postgres/0016_index_sums.sql"),
];

/// Type in Postgres and whether null is allowed, by table and column.
type Columns = BTreeMap<(String, String), (String, bool)>;

/// The tables of the page: below a heading of the third level with a table's name, rows `| column | type | null | … |`.
fn described() -> Columns {
    let mut columns = Columns::new();
    let mut table = "";
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            table = heading;
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", name, kind, null, meaning, ..] = cells[..]
            && let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'))
            && (null.is_empty() || null == "yes")
        {
            assert!(meaning.len() > 3, "{table}.{name} has no meaning");
            columns.insert((table.to_owned(), name.to_owned()), (kind.to_owned(), null == "yes"));
        }
    }
    columns
}

/// The columns of the `create table` statements, one per line: `name type …,`; and of `alter table … add column`.
fn created_in_postgres() -> Columns {
    let mut columns = Columns::new();
    let mut table = None;
    for line in POSTGRES.iter().flat_map(|file| file.lines()) {
        if let Some(rest) = line.strip_prefix("create table ") {
            table = rest.split_whitespace().next();
        } else if line.starts_with(')') {
            table = None;
        } else if let Some((altered, column)) =
            line.strip_prefix("alter table ").and_then(|rest| rest.split_once(" add column "))
        {
            add_column(&mut columns, altered, column);
        } else if let Some(table) = table {
            add_column(&mut columns, table, line.trim());
        }
    }
    columns
}

/// Adds the column that the line declares, if it declares one.
fn add_column(columns: &mut Columns, table: &str, line: &str) {
    let Some((name, rest)) = line.split_once(' ') else { return };
    if ["primary", "unique", "check", "--"].contains(&name) {
        return;
    }
    let kind = if rest.starts_with("double precision") { "double precision" } else { rest };
    let kind = if kind == rest { rest.split([' ', ',', ';']).next().unwrap() } else { kind };
    let nullable = !rest.contains("not null") && !rest.contains("primary key");
    columns.insert((table.to_owned(), name.to_owned()), (kind.to_owned(), nullable));
}

/// What the same column is in SQLite.
fn in_sqlite(postgres: &str) -> &'static str {
    match postgres {
        "uuid" | "bytea" => "blob",
        "bigint" | "integer" | "smallint" | "boolean" => "integer",
        "double precision" => "real",
        "text" => "text",
        other => panic!("{other} is not described among the types"),
    }
}

#[test]
fn every_column_is_described_with_its_type() {
    let (described, created) = (described(), created_in_postgres());
    assert!(created.len() > 150, "only {} columns were found in the migrations", created.len());
    let missing: Vec<_> = created.iter().filter(|(name, column)| described.get(name) != Some(column)).collect();
    assert!(missing.is_empty(), "not in docs/sql.md as they are in the tables: {missing:#?}");
    let extra: Vec<_> = described.keys().filter(|name| !created.contains_key(name)).collect();
    assert!(extra.is_empty(), "in docs/sql.md, but not in the tables: {extra:#?}");
}

#[tokio::test]
async fn sqlite_has_the_same_columns() {
    let fixture = Fixture::empty().await;
    let sql = "select t.name as table_name, c.name as column_name, lower(c.type) as kind, c.\"notnull\" as not_null, c.pk as key \
               from sqlite_master t join pragma_table_xinfo(t.name) c \
               where t.type = 'table' and t.name not like 'sqlite_%' and t.name not like '\\_sqlx%' escape '\\'";
    let mut sqlite = Columns::new();
    for row in fixture.database().fetch_all(sql, &[]).await.unwrap() {
        let name = (row.text("table_name").unwrap(), row.text("column_name").unwrap());
        let nullable = row.int("not_null").unwrap() == 0 && row.int("key").unwrap() == 0;
        sqlite.insert(name, (row.text("kind").unwrap(), nullable));
    }
    let described = described().into_iter();
    let expected: Columns =
        described.map(|(name, (kind, nullable))| (name, (in_sqlite(&kind).to_owned(), nullable))).collect();
    assert_eq!(sqlite, expected);
}

/// The queries of the page.
pub(super) fn queries() -> Vec<&'static str> {
    let blocks = PAGE.split("```sql\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

#[tokio::test]
async fn the_queries_answer() {
    let fixture = Fixture::filled().await;
    fixture.run("update operations set reported_cost_nano_usd = 1 where source_offset = 2", &[]).await;
    let queries = queries();
    assert_eq!(queries.len(), 10);
    for query in &queries {
        let rows = fixture.database().fetch_all(AssertSqlSafe((*query).to_owned()), &[]).await.unwrap();
        assert!(!rows.is_empty(), "no row answers {query}");
    }
}

#[tokio::test]
async fn the_cost_of_a_day_is_that_of_its_operations() {
    let fixture = Fixture::filled().await;
    let query = AssertSqlSafe(queries()[0].to_owned());
    let rows = fixture.database().fetch_all(query, &[]).await.unwrap();
    let operations: i64 = rows.iter().map(|row| row.int("operations").unwrap()).sum();
    let unpriced: i64 = rows.iter().map(|row| row.int("unpriced").unwrap()).sum();
    let cost: f64 = rows.iter().map(|row| row.float("cost_usd").unwrap()).sum();
    let sql = "select count(*) as n, sum(cost_nano_usd) / 1e9 as cost, count(*) - count(cost_nano_usd) as unpriced from operations";
    let all = fixture.database().fetch_optional(sql, &[]).await.unwrap().unwrap();
    assert_eq!((operations, unpriced), (all.int("n").unwrap(), all.int("unpriced").unwrap()));
    assert!((cost - all.float("cost").unwrap()).abs() < 1e-12);
}
