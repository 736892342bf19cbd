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
                $($(#[$field_doc])* $field: $type,)*
            }
        )*
    };
}

described! {
    /// A half-open range of whole UTC minutes.
    RangeParameters {
        /// First minute, RFC 3339, such as 2026-11-23T08:00:00Z; without it everything before.
        from: Option<String>,
        /// First minute after the range; without it everything after.
        to: Option<String>,
    }

    /// A half-open range of whole UTC minutes, cut into steps.
    SeriesParameters {
        /// First minute, RFC 3339, such as 2026-11-23T08:00:00Z.
        from: String,
        /// First minute after the range; without it everything after.
        to: Option<String>,
        /// `minute`, `quarter_hour`, `hour` or `day`, in UTC; without it the narrowest that gives at most 300 steps. Minutes
        /// are kept for seven days.
        resolution: Option<String>,
    }

    /// Steps of time.
    StepParameters {
        /// `minute`, `quarter_hour`, `hour` or `day`, in UTC; steps need `from`. Without it the whole range at once. Minutes
        /// are kept for seven days.
        resolution: Option<String>,
    }

    /// Groups.
    GroupParameters {
        /// Dimensions separated by commas: workspace, project, team, environment, provider, model, `operation_type`,
        /// `agent_id`, `action_id`. Without it all operations together.
        by: Option<String>,
    }

    /// Groups of a breakdown.
    BreakdownParameters {
        /// Dimensions separated by commas: workspace, project, team, environment, provider, model, `operation_type`,
        /// `agent_id`, `action_id`.
        by: String,
    }

    /// Order and length of a breakdown.
    OrderParameters {
        /// `cost_usd` (default), `operations`, `failures`, `input_tokens`, `output_tokens` or `latency_mean_us`;
        /// descending.
        order: Option<String>,
        /// Most rows, 1 to 1000; 100 by default.
        limit: Option<u32>,
    }

    /// One value per dimension; an empty value asks for operations without one.
    FilterParameters {
        /// The tenant.
        workspace: Option<String>,
        /// Chosen by the caller.
        project: Option<String>,
        /// Chosen by the caller.
        team: Option<String>,
        /// Deployment environment.
        environment: Option<String>,
        /// Provider; aliases such as gemini are understood.
        provider: Option<String>,
        /// Model as requested.
        model: Option<String>,
        /// OpenTelemetry operation name, such as chat or embeddings.
        operation_type: Option<String>,
        /// Agent that made the call.
        agent_id: Option<String>,
        /// Step of the agent.
        action_id: Option<String>,
    }

    /// What else a list can be filtered by, and its pages.
    ListParameters {
        /// First moment, RFC 3339.
        from: Option<String>,
        /// First moment after the range.
        to: Option<String>,
        /// `next_cursor` of the page before.
        cursor: Option<String>,
        /// Most operations of the page, 1 to 1000; 100 by default.
        limit: Option<u32>,
        /// `true` or `false`.
        success: Option<String>,
        /// Service that made the call.
        service: Option<String>,
        /// Conversation or session.
        session_id: Option<String>,
        /// End user.
        user_id: Option<String>,
        /// Name of the agent.
        agent_name: Option<String>,
        /// Call whose attempts are asked for.
        call_id: Option<String>,
        /// W3C trace id.
        trace_id: Option<String>,
        /// Id of the provider's answer.
        response_id: Option<String>,
        /// Model as the answer names it.
        response_model: Option<String>,
        /// Type as the source named it.
        source_type: Option<String>,
        /// Service tier of the answer.
        service_tier: Option<String>,
        /// Provider error code or exception class.
        error_type: Option<String>,
        /// How the cost came about, such as priced or unpriced.
        cost_status: Option<String>,
    }
}
