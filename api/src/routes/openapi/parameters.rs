//! Query parameters as the description names them; the handlers read them by `query::Parameters`.

use utoipa::IntoParams;

macro_rules! described {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(IntoParams)]
            #[into_params(parameter_in = Query)]
            #[expect(dead_code, reason = "described only: the handlers read parameters by name")]
            pub(crate) struct $name {
                $($(#[$field_doc])* $field: Option<$type>,)*
            }
        )*
    };
}

described! {
    /// A half-open range of whole UTC minutes.
    RangeParameters {
        /// First minute, RFC 3339, such as 2026-11-23T08:00:00Z; without it everything before.
        from: String,
        /// First minute after the range; without it everything after.
        to: String,
    }

    /// Steps of time.
    StepParameters {
        /// `minute`, `quarter_hour`, `hour` or `day`, in UTC. Minutes are kept for seven days.
        resolution: String,
    }

    /// Groups.
    GroupParameters {
        /// Dimensions separated by commas: workspace, project, team, environment, provider, model, `operation_type`,
        /// `agent_id`, `action_id`.
        by: String,
    }

    /// Order and length of a breakdown.
    OrderParameters {
        /// `cost_usd` (default), `operations`, `failures`, `input_tokens`, `output_tokens` or `latency_mean_us`;
        /// descending.
        order: String,
        /// Most rows, 1 to 1000; 100 by default.
        limit: u32,
    }

    /// One value per dimension; an empty value asks for operations without one.
    FilterParameters {
        /// The tenant.
        workspace: String,
        /// Chosen by the caller.
        project: String,
        /// Chosen by the caller.
        team: String,
        /// Deployment environment.
        environment: String,
        /// Provider; aliases such as gemini are understood.
        provider: String,
        /// Model as requested.
        model: String,
        /// OpenTelemetry operation name, such as chat or embeddings.
        operation_type: String,
        /// Agent that made the call.
        agent_id: String,
        /// Step of the agent.
        action_id: String,
    }

    /// What else a list can be filtered by, and its pages.
    ListParameters {
        /// First moment, RFC 3339.
        from: String,
        /// First moment after the range.
        to: String,
        /// `next_cursor` of the page before.
        cursor: String,
        /// Most operations of the page, 1 to 1000; 100 by default.
        limit: u32,
        /// `true` or `false`.
        success: String,
        /// Service that made the call.
        service: String,
        /// Conversation or session.
        session_id: String,
        /// End user.
        user_id: String,
        /// Name of the agent.
        agent_name: String,
        /// Call whose attempts are asked for.
        call_id: String,
        /// W3C trace id.
        trace_id: String,
        /// Id of the provider's answer.
        response_id: String,
        /// Model as the answer names it.
        response_model: String,
        /// Type as the source named it.
        source_type: String,
        /// Service tier of the answer.
        service_tier: String,
        /// Provider error code or exception class.
        error_type: String,
        /// How the cost came about, such as priced or unpriced.
        cost_status: String,
    }
}
