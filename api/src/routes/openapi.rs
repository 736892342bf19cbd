//! `GET /v1/openapi.json`: the API's description, made from the handlers, the Avro schema and the list of columns.

mod operation_schema;
mod parameters;

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

pub(crate) use operation_schema::{Operation, StoredOperation};
pub(crate) use parameters::{
    BreakdownParameters, FilterParameters, GroupParameters, ListParameters, OrderParameters, RangeParameters,
    SeriesParameters, StepParameters,
};

use super::{
    breakdown, health, list_operations, lookup, percentiles, post_operations, progress, prometheus, series,
    show_operation, totals,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "opstream",
        description = "Records LLM operations and answers what they cost and how long they took. Every answer that is not a \
            success has `{\"error\": {\"code\", \"message\"}}`. With a token configured, send `authorization: Bearer TOKEN`.",
    ),
    paths(
        post_operations::post_operations,
        list_operations::list_operations,
        show_operation::show_operation,
        lookup::look_up,
        progress::progress,
        totals::totals,
        series::series,
        breakdown::breakdown,
        percentiles::percentiles,
        health::live,
        health::ready,
        prometheus::metrics,
    ),
    components(schemas(Operation, StoredOperation)),
    tags(
        (name = "operations", description = "Record operations and look at single ones"),
        (name = "answers", description = "Sums and distributions over ranges of time"),
        (name = "health", description = "For whoever runs the server"),
    ),
    modifiers(&BearerToken),
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

/// Written once: it is the same in every answer.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    Description::openapi().to_pretty_json().expect("the description consists of strings, numbers and lists")
});

/// The `OpenAPI` 3.1 document.
pub(crate) async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_names_every_route_and_every_field() {
        let description: serde_json::Value = serde_json::from_str(&TEXT).unwrap();
        assert_eq!(description["openapi"], "3.1.0");
        insta::assert_json_snapshot!(
            "openapi_paths",
            description["paths"].as_object().unwrap().keys().collect::<Vec<_>>()
        );
        insta::assert_json_snapshot!("openapi_operation", description["components"]["schemas"]["Operation"]);
        let stored = description["components"]["schemas"]["StoredOperation"]["properties"].as_object().unwrap();
        assert_eq!(stored.len(), opstream_schemas::lake::OPERATION_COLUMNS.len());
    }

    #[test]
    fn every_reference_points_at_a_schema_that_is_there() {
        let description: serde_json::Value = serde_json::from_str(&TEXT).unwrap();
        for reference in TEXT.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(description["components"]["schemas"].get(reference).is_some(), "{reference}");
        }
    }
}
