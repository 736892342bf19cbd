//! `GET /v1/openapi.json`: the API's description, made from the handlers, the Avro schema and the list of columns.

mod alert_schema;
mod operation_schema;
mod parameters;

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};

pub(crate) use alert_schema::{Alert, AlertRule};
pub(crate) use operation_schema::{Operation, StoredOperation};
pub(crate) use parameters::{
    AlertParameters, AlertRuleParameters, BreakdownParameters, ContentParameters, DeadLetterParameters,
    DistributionParameters, ExportParameters, FilterParameters, FormatParameters, GroupParameters, ListParameters,
    LiveParameters, MemberParameters, OpenFilterParameters, OrderParameters, OverviewParameters, QueryParameters,
    RangeParameters, SeriesParameters, StepParameters, ViewParameters,
};

use super::{
    alert_rules, alerts, breakdown, dead_letters, distribution, export, health, list_operations, live, lookup,
    percentiles, pipeline, post_logs, post_metrics, post_operations, post_traces, progress, prometheus, query, series,
    sessions, show_operation, sql, totals, traces, views,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "opstream",
        description = "Records LLM operations and answers what they cost and how long they took. Every answer that is not a \
            success has `{\"error\": {\"code\", \"message\"}}`. With a token configured, send `authorization: Bearer TOKEN`. \
            Beside what is described here, `/` is the dashboard, and `/registry` speaks the reading part of the Schema Registry \
            protocol for the schemas of the topics.",
    ),
    paths(
        post_operations::post_operations,
        post_traces::post_traces,
        post_metrics::post_metrics,
        post_logs::post_logs,
        list_operations::list_operations,
        show_operation::show_operation,
        lookup::look_up,
        live::live,
        pipeline::pipeline,
        dead_letters::list_dead_letters,
        dead_letters::show_dead_letter,
        dead_letters::redrive,
        progress::progress,
        totals::totals,
        series::series,
        breakdown::breakdown,
        percentiles::percentiles,
        query::query,
        distribution::distribution,
        sessions::list_sessions,
        sessions::show_session,
        traces::list_traces,
        traces::show_trace,
        sql::run_sql,
        sql::sql_tables,
        export::export_operations,
        alerts::list_alerts,
        alert_rules::list_rules,
        alert_rules::put_alert_rule,
        alert_rules::delete_alert_rule,
        views::list_views,
        views::show_view,
        views::post_view,
        views::put_view,
        views::delete_view,
        health::live,
        health::ready,
        prometheus::metrics,
        document,
    ),
    components(schemas(Operation, StoredOperation, Alert, AlertRule)),
    tags(
        (name = "operations", description = "Record operations and look at single ones"),
        (name = "answers", description = "Sums and distributions over ranges of time"),
        (name = "alerts", description = "Budgets and other limits, and what reached them"),
        (name = "views", description = "Views and dashboards that are kept under a name"),
        (name = "health", description = "For whoever runs the server"),
    ),
    security(("token" = [])),
    modifiers(&BearerToken, &CommonErrors),
)]
struct Description;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// Answers that every route may give, wherever a route says nothing itself.
struct CommonErrors;

const COMMON_ERRORS: [(&str, &str); 5] = [
    ("400", "The request is malformed"),
    ("401", "The token is missing or wrong"),
    ("403", "The request comes from a page of another origin or is for another host"),
    ("500", "Something went wrong inside"),
    ("503", "Try again: the database is away or busy, or the answer takes too long"),
];

impl Modify for CommonErrors {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let body = Ref::from_schema_name("ErrorAnswer");
        for path in description.paths.paths.values_mut() {
            let methods = [&mut path.get, &mut path.post, &mut path.put, &mut path.delete];
            for operation in methods.into_iter().flatten() {
                let is_open = operation.security.is_some();
                for (status, text) in COMMON_ERRORS {
                    if operation.responses.responses.contains_key(status) || (is_open && status == "401") {
                        continue;
                    }
                    let content = ContentBuilder::new().schema(Some(body.clone())).build();
                    let answer = ResponseBuilder::new().description(text).content("application/json", content);
                    operation.responses.responses.insert(status.to_owned(), answer.build().into());
                }
            }
        }
    }
}

/// Written once: it is the same in every answer.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    Description::openapi().to_pretty_json().expect("the description consists of strings, numbers and lists")
});

/// This description, as an `OpenAPI` 3.1 document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "health",
    responses((status = 200, content_type = "application/json")))]
pub(crate) async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str())
}

#[cfg(test)]
mod tests;
