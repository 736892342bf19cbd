//! What the provider says the call cost, where its usage object says so in US dollars.

use serde_json::{Map, Value};

use super::error::UsageError;
use super::number;
use super::rule::find;
use crate::NanoUsd;

/// Reads xAI's ticks, Perplexity's total, or OpenRouter's cost. A `cost` of anybody else may be in another currency and is
/// not taken.
///
/// # Errors
/// When it is no amount that an operation can cost.
pub(super) fn read(provider: Option<&str>, usage: &Map<String, Value>) -> Result<Option<NanoUsd>, UsageError> {
    if let Some(ticks) = find(usage, "cost_in_usd_ticks") {
        return number::ticks("cost_in_usd_ticks", ticks).map(Some);
    }
    if let Some(total) = find(usage, "cost.total_cost") {
        return number::dollars("cost.total_cost", total).map(Some);
    }
    let is_open_router = provider == Some("openrouter") || find(usage, "cost_details").is_some();
    let Some(cost) = find(usage, "cost").filter(|cost| is_open_router && !cost.is_object()) else {
        return Ok(None);
    };
    let charged = number::dollars("cost", cost)?;
    // With the caller's own key OpenRouter charges its fee, and the provider the call.
    let upstream = match find(usage, "cost_details.upstream_inference_cost") {
        Some(upstream) if find(usage, "is_byok") == Some(&Value::Bool(true)) => {
            number::dollars("cost_details.upstream_inference_cost", upstream)?
        }
        _ => NanoUsd::ZERO,
    };
    Ok(charged.checked_add(upstream))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cost(provider: Option<&str>, usage: &Value) -> Option<String> {
        read(provider, usage.as_object().unwrap()).unwrap().map(|cost| cost.to_string())
    }

    #[test]
    fn costs_in_dollars_are_taken_over() {
        assert_eq!(cost(None, &json!({"cost_in_usd_ticks": 318_319_000})).as_deref(), Some("0.0318319"));
        assert_eq!(cost(None, &json!({"cost": {"total_cost": 0.012}})).as_deref(), Some("0.012"));
        assert_eq!(cost(Some("openrouter"), &json!({"cost": 0.00014})).as_deref(), Some("0.00014"));
        let own_key = json!({"cost": 0.001, "is_byok": true, "cost_details": {"upstream_inference_cost": 0.019}});
        assert_eq!(cost(None, &own_key).as_deref(), Some("0.02"));
        let credits = json!({"cost": 0.02, "is_byok": false, "cost_details": {"upstream_inference_cost": 0.019}});
        assert_eq!(cost(None, &credits).as_deref(), Some("0.02"));
    }

    #[test]
    fn a_cost_in_no_known_currency_is_left() {
        assert_eq!(cost(None, &json!({"cost": 0.7})), None);
        assert_eq!(cost(Some("gateway"), &json!({"cost": "0.7"})), None);
        assert_eq!(cost(Some("openrouter"), &json!({"cost": null})), None);
    }

    #[test]
    fn a_cost_that_is_none_is_refused_by_its_field() {
        for usage in [json!({"cost_in_usd_ticks": -1}), json!({"cost": {"total_cost": "free"}})] {
            assert_eq!(read(None, usage.as_object().unwrap()).unwrap_err().code(), "not_an_amount");
        }
        let dear = json!({"cost": 6000, "is_byok": true, "cost_details": {"upstream_inference_cost": 6000}});
        assert!(read(None, dear.as_object().unwrap()).is_ok());
    }
}
