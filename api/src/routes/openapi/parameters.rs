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
    /// A half-open range of whole UTC minutes, or of days of a time zone.
    RangeParameters {
        /// First minute, RFC 3339, such as 2026-11-23T08:00:00Z, or with `zone` a date such as 2026-11-23, which begins at local
        /// midnight; without it everything before.
        from: Option<String>,
        /// First minute after the range, or with `zone` the first date after it; without it everything after.
        to: Option<String>,
        /// In place of `from` and `to`, whole days of `zone`: `today`, `yesterday`, `last_7_days` or `last_30_days` (today is the
        /// last of them), `this_week` or `last_week` (from Monday), `this_month`, `last_month`, `this_quarter`, `last_quarter`,
        /// `this_year` or `last_year`.
        range: Option<String>,
        /// IANA time zone in which days, weeks and months begin, such as Europe/Berlin; UTC by default. With it, the answer has
        /// local times beside those of UTC.
        zone: Option<String>,
    }

    /// Steps of a series, which need `from` or `range`.
    SeriesParameters {
        /// `minute`, `quarter_hour`, `hour`, `day`, `week` (from Monday) or `month`, of the time zone; without it the narrowest up
        /// to a day that gives at most 300 steps. Minutes are kept for seven days.
        resolution: Option<String>,
    }

    /// Steps of time.
    StepParameters {
        /// `minute`, `quarter_hour`, `hour`, `day`, `week` (from Monday) or `month`, of the time zone; steps need `from` or `range`.
        /// Without it the whole range at once. Minutes are kept for seven days.
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

    /// What of a question about measures is its own.
    QueryParameters {
        /// Measures separated by commas. Operations: `operations`, `failures`, `failure_rate`, `unpriced`, `compared`. Tokens:
        /// `input_tokens`, `cache_read_tokens`, `cache_write_tokens`, `cache_read_share` of the input, `output_tokens`,
        /// `reasoning_tokens`, `total_tokens`, `tokens_per_operation`; `web_searches`. Money: `cost_usd`, its parts `input_cost_usd`,
        /// `cache_read_cost_usd`, `cache_write_cost_usd`, `output_cost_usd`, `unit_cost_usd` and `reported_as_cost_usd`,
        /// `cache_savings_usd`, `reported_cost_usd`, `reported_difference_usd`, `cost_per_operation_usd` of those that have a price,
        /// `cost_per_1k_tokens_usd`. Durations, and the same of `ttft`: `latency_mean_us`, `latency_p50_us`, `latency_p90_us`,
        /// `latency_p95_us`, `latency_p99_us`, `latency_max_us`; `latency_count`. From the lake's files: `retries`, `retry_rate`;
        /// `queue_mean_us`, `queue_p50_us`, `queue_p95_us` and the same of `generation`; `output_tokens_per_second`.
        measures: String,
        /// `minute`, `quarter_hour`, `hour`, `day`, `week` (from Monday) or `month`, of the time zone, or `auto`, the narrowest up to a
        /// day that gives at most 300 steps; steps need `from` or `range`. Without it the whole range at once.
        resolution: Option<String>,
        /// The measure by which groups are compared, descending; the first one unless said.
        order: Option<String>,
        /// Most groups, 1 to 1000; 20 by default.
        limit: Option<u32>,
        /// `previous`: every group has its numbers of the period before too, which is as long, in days or months of the calendar if it
        /// is whole ones. Of a range that still runs it is as long as what has passed of it.
        compare: Option<String>,
        /// `csv`, `json` (an object a line), `parquet` or `arrow`: the groups as a file, a row for each or for each of its steps. Money
        /// is dollars as text in the first two, whole nano-dollars in the others.
        format: Option<String>,
        /// `files`: read from the lake's files also where windows would do; `windows`: an error where they do not.
        source: Option<String>,
    }

    /// Values of dimensions, each as often as there are values any of which is meant; an empty value asks for operations without one.
    FilterParameters {
        /// The tenant.
        workspace: Option<Vec<String>>,
        /// Chosen by the caller.
        project: Option<Vec<String>>,
        /// Chosen by the caller.
        team: Option<Vec<String>>,
        /// Deployment environment.
        environment: Option<Vec<String>>,
        /// Provider; aliases such as gemini are understood.
        provider: Option<Vec<String>>,
        /// Model as requested.
        model: Option<Vec<String>>,
        /// OpenTelemetry operation name, such as chat or embeddings.
        operation_type: Option<Vec<String>>,
        /// Agent that made the call.
        agent_id: Option<Vec<String>>,
        /// Step of the agent.
        action_id: Option<Vec<String>>,
    }

    /// Values of what windows do not keep, as often as there are values any of which is meant; an empty value asks for operations
    /// without one. In `/v1/query`, each has the answer read from the lake's files.
    OpenFilterParameters {
        /// Conversation or session.
        session_id: Option<Vec<String>>,
        /// End user.
        user_id: Option<Vec<String>>,
        /// Service that made the call.
        service: Option<Vec<String>>,
        /// Name of the agent.
        agent_name: Option<Vec<String>>,
        /// Model as the answer names it.
        response_model: Option<Vec<String>>,
        /// Type as the source named it.
        source_type: Option<Vec<String>>,
        /// Service tier of the answer.
        service_tier: Option<Vec<String>>,
        /// `batch` or `realtime`.
        processing: Option<Vec<String>>,
        /// Provider error code or exception class.
        error_type: Option<Vec<String>>,
        /// How the cost came about, such as priced or unpriced.
        cost_status: Option<Vec<String>>,
        /// Model of the catalogue by which it was priced.
        price_model: Option<Vec<String>>,
        /// Call whose attempts are asked for.
        call_id: Option<Vec<String>>,
        /// W3C trace id.
        trace_id: Option<Vec<String>>,
        /// Id of the provider's answer.
        response_id: Option<Vec<String>>,
        /// Status of the provider's HTTP answer.
        http_status: Option<Vec<String>>,
        /// `success` or `failure`.
        outcome: Option<Vec<String>>,
        /// `name:value`. Values of one tag are alternatives, different tags must all be there.
        tag: Option<Vec<String>>,
    }

    /// What of a distribution is its own.
    DistributionParameters {
        /// `latency` (default), `ttft`, `queue` or `generation`.
        duration: Option<String>,
        /// One dimension, as `by` of `/v1/query` names them.
        by: Option<String>,
        /// Most bins of each group, 1 to 400; 60 by default.
        bins: Option<u32>,
        /// Most groups, 1 to 100; 8 by default.
        limit: Option<u32>,
    }

    /// What of a list of sessions or traces is its own.
    OverviewParameters {
        /// `last` (default), `first`, `cost_usd`, `operations`, `failures` or `duration`; descending.
        order: Option<String>,
        /// Most lines, 1 to 10000, of a file 1 to 100000; 100 by default.
        limit: Option<u32>,
        /// `next_cursor` of the answer before.
        cursor: Option<String>,
        /// `csv`, `json` (an object a line), `parquet` or `arrow`: the lines as a file.
        format: Option<String>,
    }

    /// Which part of a session or trace.
    MemberParameters {
        /// The tenant, where several have one of this name.
        workspace: Option<String>,
        /// `next_after` of the part before.
        after: Option<String>,
        /// Most operations, 1 to 5000; 1000 by default.
        limit: Option<u32>,
    }

    /// Which columns, in which format.
    ExportParameters {
        /// `csv` (default), `json` (an object a line), `parquet` or `arrow`.
        format: Option<String>,
        /// Columns separated by commas; all unless named.
        columns: Option<String>,
    }

    /// In which format.
    FormatParameters {
        /// `csv`, `json` (an object a line), `parquet` or `arrow`: every row, as a file.
        format: Option<String>,
    }

    /// Which alerts, and their pages.
    AlertParameters {
        /// `open` or `resolved`.
        state: Option<String>,
        /// Name of the rule.
        rule: Option<String>,
        /// `budget`, `failure_rate`, `latency`, `unpriced` or `anomaly`.
        kind: Option<String>,
        /// The tenant; an empty value asks for alerts of all workspaces together.
        workspace: Option<String>,
        /// First moment at which they were raised, RFC 3339.
        from: Option<String>,
        /// First moment after that.
        to: Option<String>,
        /// `next_cursor` of the page before.
        cursor: Option<String>,
        /// Most alerts of the page, 1 to 1000; 100 by default.
        limit: Option<u32>,
    }

    /// Which rules.
    AlertRuleParameters {
        /// The tenant; an empty value asks for rules of all workspaces together.
        workspace: Option<String>,
    }

    /// How many live operations.
    LiveParameters {
        /// Most operations a second that are told, 1 to 200; 200 unless said. `rates` count all.
        sample: Option<u32>,
    }

    /// Which dead letters, and their pages.
    DeadLetterParameters {
        /// Stable code of the reason, such as `negative_count`.
        reason_code: Option<Vec<String>>,
        /// `true` for letters that were sent again, `false` for the others.
        redriven: Option<String>,
        /// `next_cursor` of the page before.
        cursor: Option<String>,
        /// Most letters of the page, 1 to 1000; 100 by default.
        limit: Option<u32>,
    }

    /// Whether prompts are shown.
    ContentParameters {
        /// `true` shows prompts, messages and tool definitions, and whatever cannot be told from them.
        content: Option<String>,
    }

    /// Which saved views.
    ViewParameters {
        /// `view` or `dashboard`; both unless said.
        kind: Option<String>,
    }

    /// Which part of a list.
    ListParameters {
        /// First moment, RFC 3339.
        from: Option<String>,
        /// First moment after the range.
        to: Option<String>,
        /// `next_cursor` of the page before.
        cursor: Option<String>,
        /// Most operations of the page, 1 to 1000; 100 by default.
        limit: Option<u32>,
        /// `time`, the default, or a number: any of the tokens (`input_tokens` …), costs (`cost_usd`, `reported_cost_usd`,
        /// `output_cost_usd` …) and durations (`latency_us`, `ttft_us`, `queue_us`, `generation_us`) of an operation, `web_searches`,
        /// `max_tokens`, `attempt` or `http_status`.
        order: Option<String>,
        /// `descending`, the default, from the newest or largest on, or `ascending`.
        direction: Option<String>,
        /// `true` or `false`; the same as `outcome`.
        success: Option<String>,
    }
}
