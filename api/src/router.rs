//! Every route, and what surrounds them, on one screen.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use tower_http::catch_panic::CatchPanicLayer;

use crate::error::ApiError;
use crate::guard::{Guard, guard};
use crate::metrics::measure;
use crate::otlp::unknown_call;
use crate::packing::pack;
use crate::rate::throttle_intake;
use crate::routes::{
    alert_rules, alerts, breakdown, dead_letters, distribution, export, health, list_operations, live, lookup, openapi,
    page, percentiles, pipeline, post_logs, post_metrics, post_operations, post_traces, progress, prometheus, query,
    registry, series, sessions, show_operation, sql, totals, traces, views,
};
use crate::state::{HealthState, Shared};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What the page may load and talk to: its own files and this server. Markup is made by one policy alone, that of Svelte, which
/// puts the page's own templates into elements; what comes with operations is never markup.
const CONTENT_SECURITY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; \
     trusted-types svelte-trusted-html",
);

/// Posted to and listed from.
const OPERATIONS: &str = "/v1/operations";
/// Posted to by exporters.
const TRACES: &str = "/v1/traces";
const METRICS: &str = "/v1/metrics";
const LOGS: &str = "/v1/logs";
/// The same as calls of gRPC.
const EXPORT_LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const EXPORT_METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const EXPORT_TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Routes that `/v1/openapi.json` describes.
fn described_routes() -> Vec<(&'static str, MethodRouter<Shared>)> {
    vec![
        ("/health/live", get(health::live)),
        ("/health/ready", get(health::ready)),
        ("/metrics", get(prometheus::metrics)),
        ("/v1/openapi.json", get(openapi::document)),
        (OPERATIONS, get(list_operations::list_operations)),
        ("/v1/operations/lookup", post(lookup::look_up)),
        ("/v1/operations/{operation_id}", get(show_operation::show_operation)),
        ("/v1/live", get(live::live)),
        ("/v1/pipeline", get(pipeline::pipeline)),
        ("/v1/progress", get(progress::progress)),
        ("/v1/totals", get(totals::totals)),
        ("/v1/series", get(series::series)),
        ("/v1/breakdown", get(breakdown::breakdown)),
        ("/v1/percentiles", get(percentiles::percentiles)),
        ("/v1/query", get(query::query)),
        ("/v1/distribution", get(distribution::distribution)),
        ("/v1/sessions", get(sessions::list_sessions)),
        ("/v1/sessions/{session_id}", get(sessions::show_session)),
        (TRACES, get(traces::list_traces)),
        ("/v1/traces/{trace_id}", get(traces::show_trace)),
        ("/v1/sql", post(sql::run_sql)),
        ("/v1/sql/tables", get(sql::sql_tables)),
        ("/v1/export/operations", get(export::export_operations)),
        ("/v1/alerts", get(alerts::list_alerts)),
        ("/v1/alert-rules", get(alert_rules::list_rules)),
        ("/v1/alert-rules/{name}", put(alert_rules::put_alert_rule).delete(alert_rules::delete_alert_rule)),
        ("/v1/dead-letters", get(dead_letters::list_dead_letters)),
        ("/v1/dead-letters/redrive", post(dead_letters::redrive)),
        ("/v1/dead-letters/{stream}/{partition}/{offset}", get(dead_letters::show_dead_letter)),
        ("/v1/views", get(views::list_views).post(views::post_view)),
        ("/v1/views/{view_id}", get(views::show_view).put(views::put_view).delete(views::delete_view)),
    ]
}

/// All routes behind all middleware.
pub(crate) fn router(state: Shared, rules: Guard) -> Router {
    let routes =
        described_routes().into_iter().fold(Router::new(), |routes, (path, methods)| routes.route(path, methods));
    let routes = routes
        .route("/", get(page::index))
        .route("/favicon.svg", get(page::favicon))
        .route("/assets/{name}", get(page::asset))
        .nest("/registry", registry::router())
        .route("/registry/", get(registry::root))
        .fallback(not_found)
        .layer(from_fn_with_state(state.clone(), limit_time))
        .layer(from_fn(pack))
        // Keeps the time itself, so that its answer can say what was accepted until then.
        .merge(intake());
    surround(routes, rules.with_meter(state.meter.clone())).with_state(state)
}

/// The ways in for operations.
fn intake() -> Router<Shared> {
    Router::new()
        .route(OPERATIONS, post(post_operations::post_operations))
        .layer(from_fn(throttle_intake))
        .merge(otlp())
}

/// The ways in for exporters of OpenTelemetry.
fn otlp() -> Router<Shared> {
    Router::new()
        .route(TRACES, post(post_traces::post_traces))
        .route(METRICS, post(post_metrics::post_metrics))
        .route(LOGS, post(post_logs::post_logs))
        .route(EXPORT_TRACES, post(post_traces::export_traces))
        .route(EXPORT_METRICS, post(post_metrics::export_metrics))
        .route(EXPORT_LOGS, post(post_logs::export_logs))
        .layer(from_fn(throttle_intake))
}

/// What exporters of OpenTelemetry need and health, for the addresses that they try by themselves.
pub(crate) fn otlp_router(state: Shared, rules: Guard) -> Router {
    let routes = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .merge(otlp())
        .fallback(not_found_for_exporters);
    surround(routes, rules.with_meter(state.meter.clone())).with_state(state)
}

/// Health and metrics alone, for a process that has no other door.
pub(crate) fn health_router(state: HealthState, rules: Guard) -> Router {
    let routes = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(prometheus::metrics))
        .fallback(not_found_beside_health);
    surround(routes, rules).with_state(state)
}

/// What every request passes, the outermost last.
fn surround<S: Clone + Send + Sync + 'static>(routes: Router<S>, rules: Guard) -> Router<S> {
    routes
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::new(rules), guard))
        .layer(from_fn(secure))
        .layer(from_fn(measure))
}

async fn not_found(uri: Uri, headers: HeaderMap) -> Response {
    if let Some(response) = unknown_call(uri.path(), &headers) {
        return response;
    }
    let path: String = uri.path().chars().take(200).collect();
    ApiError::NotFound { message: format!("nothing is at {path}; /v1/openapi.json lists the routes") }.into_response()
}

async fn not_found_for_exporters(uri: Uri, headers: HeaderMap) -> Response {
    if let Some(response) = unknown_call(uri.path(), &headers) {
        return response;
    }
    let message = format!(
        "here are only POST {TRACES}, {METRICS}, {LOGS}, the same over gRPC, and /health; the page and the api are at another port"
    );
    ApiError::NotFound { message }.into_response()
}

async fn not_found_beside_health() -> ApiError {
    ApiError::NotFound { message: "here are only /health/live, /health/ready and /metrics".to_owned() }
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::MethodNotAllowed { method: method.to_string(), path: uri.path().to_owned() }
}

async fn limit_time(State(state): State<Shared>, request: Request, next: Next) -> Result<Response, ApiError> {
    let limit = state.limits.timeout;
    tokio::time::timeout(limit, next.run(request)).await.map_err(|_| ApiError::TimedOut { seconds: limit.as_secs() })
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    // The panic itself went to the log by the panic hook.
    ApiError::Internal("a handler panicked".into()).into_response()
}

/// Headers that keep browsers from doing more with an answer than showing it.
async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, CONTENT_SECURITY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    // Prompts and costs do not belong on the disk of a browser or proxy; the page's own files say otherwise themselves.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Paths that `/v1/openapi.json` must describe.
#[cfg(test)]
pub(crate) fn described_paths() -> Vec<&'static str> {
    described_routes().into_iter().map(|(path, _)| path).chain([METRICS, LOGS]).collect()
}

#[cfg(test)]
mod tests;
