//! Sessions, users, tags, traces and SQL are read from the lake's files, by processes with limits: with the same numbers that windows
//! give where both can answer, and never with anything but what the manifest lists.

use std::collections::BTreeMap;

use opstream_schemas::NanoUsd;
use serde_json::{Value, json};

use crate::harness::backends::{Backends, each_combination};
use crate::harness::pipeline::Pipeline;

/// So many operations, from 08:00 on, seven seconds apart.
const OPERATIONS: i64 = 1200;
const RANGE: &str = "from=2026-11-23T08:00:00Z&to=2026-11-23T11:00:00Z";

fn operation(number: i64) -> Value {
    let seconds = number * 7;
    let models = [("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("openai", "nobody-knows")];
    let (provider, model) = models[usize::try_from(number % 3).unwrap()];
    let failed = number % 7 == 0;
    json!({
        "started_at": format!("2026-11-23T{:02}:{:02}:{:02}Z", 8 + seconds / 3600, seconds / 60 % 60, seconds % 60),
        "workspace": format!("w{}", number % 2), "operation_type": "chat", "provider": provider, "model": model,
        "team": (number % 4 != 0).then(|| format!("team {}", number % 4)), "environment": "prod",
        "session_id": (number % 5 != 0).then(|| format!("s-{}", number % 38)), "user_id": format!("u {}", number % 11),
        "trace_id": format!("{:032x}", number % 60 + 1), "span_id": format!("{:016x}", number + 1),
        "call_id": format!("call {}", number / 2), "attempt": 1 + number % 2,
        "agent_id": "planner", "action_id": format!("step {}", number % 3),
        "tags": { "tier": if number % 3 == 0 { "gold" } else { "silver" }, "=n": "-1" },
        "input_tokens": 100 + number, "output_tokens": number % 90, "latency_us": 1_000 * (number % 400) + 17,
        "ttft_us": (number % 2 == 0).then_some(300 + number), "queue_us": number % 50, "generation_us": 7 * number,
        "success": !failed, "error_type": failed.then_some("rate_limit"), "http_status": if failed { 429 } else { 200 },
        "reported_cost_usd": (number % 6 == 0).then_some("0.0123"),
    })
}

#[tokio::test]
async fn files_and_windows_answer_alike_and_files_answer_more() {
    each_combination(async |backends: &Backends| {
        let limits = [("OPSTREAM_SCAN_MEMORY_MIB", "192"), ("OPSTREAM_SCAN_TIMEOUT_S", "10")];
        let mut pipeline = Pipeline::start_with(backends, &limits).await;
        for first in (0..OPERATIONS).step_by(400) {
            let operations: Vec<Value> = (first..first + 400).map(operation).collect();
            let url = format!("{}/v1/operations", pipeline.url());
            let answer = reqwest::Client::new().post(url).json(&operations).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        }
        pipeline.settle().await;
        assert_alike(&pipeline).await;
        assert_open_axes(&pipeline).await;
        assert_sessions_and_traces(&pipeline).await;
        assert_sql(&pipeline).await;
        assert_files(&pipeline).await;
        assert_lists(&pipeline).await;
        assert_orders(&pipeline).await;
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

/// Every measure that windows keep, as totals, by dimensions and in steps, beside the period before, filtered.
async fn assert_alike(pipeline: &Pipeline<'_>) {
    let measures = "operations,failures,failure_rate,unpriced,compared,input_tokens,cache_read_tokens,output_tokens,total_tokens,\
                    tokens_per_operation,cost_usd,reported_cost_usd,input_cost_usd,output_cost_usd,cache_savings_usd,\
                    reported_difference_usd,reported_as_cost_usd,cost_per_operation_usd,latency_count,latency_mean_us,\
                    latency_p50_us,latency_p99_us,latency_max_us,ttft_mean_us,ttft_p95_us";
    for question in [
        RANGE.to_owned(),
        format!("{RANGE}&by=model,team&limit=4"),
        format!("{RANGE}&by=workspace&resolution=minute"),
        format!("{RANGE}&by=model&resolution=hour&zone=Asia/Kathmandu&order=latency_p99_us&limit=2"),
        format!("{RANGE}&by=provider&resolution=day&zone=America/New_York"),
        "from=2026-11-23T09:00:00Z&to=2026-11-23T10:00:00Z&compare=previous&by=team&limit=2".to_owned(),
        format!("{RANGE}&workspace=w1&team=&team=team%201&by=action_id&order=cost_usd"),
        format!("{RANGE}&model=none-has-this&by=team"),
    ] {
        let path = format!("/v1/query?measures={measures}&{question}");
        let windows = pipeline.get(&path).await.unwrap();
        let files = pipeline.get(&format!("{path}&source=files")).await.unwrap();
        assert_eq!((&windows["source"], &files["source"]), (&json!("windows"), &json!("files")));
        for part in ["steps", "groups", "others", "left_out", "previous", "percentile_error", "from", "to"] {
            assert_eq!(windows[part], files[part], "{part} of {question}");
        }
    }
    for question in [RANGE.to_owned(), format!("{RANGE}&by=model&team=team%201&duration=ttft")] {
        let path = format!("/v1/distribution?{question}");
        let windows = pipeline.get(&path).await.unwrap();
        assert_eq!(windows["source"], "windows");
        let files = pipeline.get(&format!("{path}&environment=prod&outcome=success&outcome=failure")).await.unwrap();
        assert_eq!((&files["source"], &windows["groups"]), (&json!("files"), &files["groups"]), "{question}");
    }
}

async fn assert_open_axes(pipeline: &Pipeline<'_>) {
    let groups = async |question: &str| {
        let path = format!("/v1/query?measures=operations,retries,input_tokens&{RANGE}&limit=1000&{question}");
        let answer = pipeline.get(&path).await.unwrap();
        assert_eq!(answer["source"], "files", "{question}");
        let row = |group: &Value| {
            let key = group["dimensions"].as_object().unwrap().values().map(|value| value.as_str().map(str::to_owned));
            let number = |name: &str| group["totals"][name].as_i64().unwrap();
            (key.collect::<Vec<_>>(), [number("operations"), number("retries"), number("input_tokens")])
        };
        answer["groups"].as_array().unwrap().iter().map(row).collect::<BTreeMap<_, _>>()
    };
    let expected = |is_meant: &dyn Fn(i64) -> bool, key: &dyn Fn(i64) -> Vec<Option<String>>| {
        let mut groups: BTreeMap<Vec<Option<String>>, [i64; 3]> = BTreeMap::new();
        for number in (0..OPERATIONS).filter(|number| is_meant(*number)) {
            let [operations, retries, tokens] = groups.entry(key(number)).or_default();
            *operations += 1;
            *retries += number % 2;
            *tokens += 100 + number;
        }
        groups
    };
    let all = |_| true;
    let session = |number: i64| (number % 5 != 0).then(|| format!("s-{}", number % 38));
    assert_eq!(groups("by=session_id").await, expected(&all, &|number| vec![session(number)]));
    assert_eq!(
        groups("by=outcome,user_id&http_status=429").await,
        expected(&|number| number % 7 == 0, &|number| vec![
            Some("failure".to_owned()),
            Some(format!("u {}", number % 11))
        ])
    );
    let tier = |number: i64| Some(if number % 3 == 0 { "gold" } else { "silver" }.to_owned());
    assert_eq!(
        groups("by=tag:tier&session_id=&session_id=s-3&workspace=w1").await,
        expected(&|n| n % 2 == 1 && session(n).is_none_or(|name| name == "s-3"), &|number| vec![tier(number)])
    );
    assert_eq!(
        groups("by=error_type&tag=tier:gold&tag=none:&tag=%3Dn:-1").await,
        expected(&|number| number % 3 == 0, &|number| vec![(number % 7 == 0).then(|| "rate_limit".to_owned())])
    );
}

async fn assert_sessions_and_traces(pipeline: &Pipeline<'_>) {
    let answer = pipeline.get(&format!("/v1/sessions?{RANGE}&order=operations&limit=3&workspace=w1")).await.unwrap();
    let sessions = answer["sessions"].as_array().unwrap();
    assert_eq!((sessions.len(), &answer["source"]), (3, &json!("files")));
    let name = sessions[0]["session_id"].as_str().unwrap();
    let session = pipeline.get(&format!("/v1/sessions/{name}?limit=10")).await.unwrap();
    let mut operations = session["operations"].as_array().unwrap().clone();
    let after = session["next_after"].as_str().unwrap();
    let rest = pipeline.get(&format!("/v1/sessions/{name}?limit=1000&after={after}")).await.unwrap();
    operations.extend(rest["operations"].as_array().unwrap().iter().cloned());
    assert_eq!(rest["next_after"], Value::Null);
    assert_eq!(sessions[0]["operations"], operations.len());
    let nanos: i64 = operations.iter().filter_map(|row| row["cost_usd"].as_str()).map(nanos_of).sum();
    assert_eq!(sessions[0]["cost_usd"], NanoUsd::from_nanos(nanos).to_string());
    assert_eq!(sessions[0]["first_at"], operations[0]["started_at"]);
    assert!(operations.is_sorted_by_key(|row| row["started_at"].as_str().unwrap().to_owned()));
    let missing = pipeline.get("/v1/sessions/nobody").await.unwrap_err();
    assert!(missing.contains("404") && missing.contains("nobody"), "{missing}");

    let traces = pipeline.get(&format!("/v1/traces?{RANGE}&limit=1000")).await.unwrap();
    let all = traces["traces"].as_array().unwrap();
    assert_eq!((all.len(), &traces["next_cursor"]), (60, &Value::Null));
    let first = pipeline.get(&format!("/v1/traces?{RANGE}&limit=41")).await.unwrap();
    let cursor = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("cursor", first["next_cursor"].as_str().unwrap())
        .finish();
    let rest = pipeline.get(&format!("/v1/traces?{RANGE}&limit=41&{cursor}")).await.unwrap();
    assert_eq!([&first, &rest].map(|page| page["left_out"].as_u64().unwrap()), [19, 0]);
    let paged = [&first, &rest].into_iter().flat_map(|page| page["traces"].as_array().unwrap());
    assert!(paged.eq(all), "{first} {rest}");
    for elsewhere in ["traces?order=operations&", "sessions?"] {
        let refused = pipeline.get(&format!("/v1/{elsewhere}{RANGE}&{cursor}")).await.unwrap_err();
        assert!(refused.contains("another list, or of one in another order"), "{refused}");
    }
    let trace = pipeline.get(&format!("/v1/traces/{:032x}", 7)).await.unwrap();
    let spans = trace["operations"].as_array().unwrap();
    assert_eq!(spans.len(), usize::try_from(OPERATIONS / 60).unwrap());
    assert!(spans.iter().all(|span| span["span_id"].is_string()));
}

fn nanos_of(usd: &str) -> i64 {
    NanoUsd::parse(usd).unwrap().nanos()
}

async fn sql(pipeline: &Pipeline<'_>, sql: &str) -> (u16, Value) {
    let url = format!("{}/v1/sql", pipeline.url());
    let answer = reqwest::Client::new().post(url).json(&json!({ "sql": sql })).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn assert_sql(pipeline: &Pipeline<'_>) {
    let (status, answer) =
        sql(pipeline, "select count(*) as n, sum(cost_nano_usd) as nanos, min(operation_id) as id from operations")
            .await;
    assert_eq!(status, 200, "{answer}");
    let totals = pipeline.get("/v1/totals").await.unwrap();
    let nanos = nanos_of(totals["cost_usd"].as_str().unwrap());
    assert_eq!((&answer["rows"][0][0], &answer["rows"][0][1]), (&json!(OPERATIONS), &json!(nanos)));
    assert_eq!(answer["rows"][0][2].as_str().unwrap().len(), 36);
    let tables = pipeline.get("/v1/sql/tables").await.unwrap();
    for example in tables["examples"].as_array().unwrap() {
        let (status, answer) = sql(pipeline, example["sql"].as_str().unwrap()).await;
        assert_eq!(status, 200, "{example}: {answer}");
    }
    let (status, all) = sql(pipeline, "select * from operations").await;
    assert_eq!((status, &all["truncated"], all["rows"].as_array().unwrap().len()), (200, &json!(true), 1000));
    for (refused, code) in [
        ("select * from read_parquet('/etc/passwd')", "sql_refused"),
        ("drop table operations", "sql_refused"),
        ("select * from streams", "sql_failed"),
        ("select no_such_column from operations", "sql_failed"),
    ] {
        let (status, answer) = sql(pipeline, refused).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (422, Some(code)), "{refused}: {answer}");
    }
    // More than the limit of memory of one process.
    let pairs = "select count(distinct a.operation_id || b.operation_id || c.operation_id) from operations a \
                 cross join operations b cross join operations c";
    let (status, answer) = sql(pipeline, pairs).await;
    let code = answer["error"]["code"].as_str().unwrap().to_owned();
    assert!(status == 422 && ["too_much_memory", "too_slow"].contains(&code.as_str()), "{answer}");
    assert_eq!(sql(pipeline, "select 1 as one").await.1["rows"], json!([[1]]));
    assert_hostile_sql(pipeline).await;
}

/// Statements that take a stack or a processor down when they are parsed; nobody else notices.
async fn assert_hostile_sql(pipeline: &Pipeline<'_>) {
    let sum = |terms: usize| format!("select 1{}", "+1".repeat(terms));
    let (status, answer) = sql(pipeline, &sum(32_000)).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (422, Some("sql_refused")), "{answer}");
    let (status, answer) = sql(pipeline, &sum(1_900)).await;
    assert!(status == 200 || answer["error"]["code"] == "sql_failed", "{answer}");
    let alternatives: Vec<String> = (0..200).map(|number| format!("model = 'm{number}'")).collect();
    let (status, answer) =
        sql(pipeline, &format!("select count(*) from operations where {}", alternatives.join(" or "))).await;
    assert_eq!((status, &answer["rows"]), (200, &json!([[0]])), "{answer}");
    let endless = format!("select {}1", "not(".repeat(30));
    let asked = async {
        let (status, answer) = sql(pipeline, &endless).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (422, Some("too_slow")), "{answer}");
    };
    let others = async {
        for _ in 0..20 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            pipeline.get("/v1/totals").await.unwrap();
            pipeline.get("/v1/operations?order=latency_us&limit=1").await.unwrap();
        }
    };
    tokio::join!(asked, others);
}

async fn assert_files(pipeline: &Pipeline<'_>) {
    let file = async |path: &str| {
        let answer = reqwest::get(format!("{}{path}", pipeline.url())).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"), "{path}");
        answer.bytes().await.unwrap()
    };
    let export = format!("/v1/export/operations?{RANGE}&columns=operation_id,tags,cost_nano_usd,session_id");
    let csv = file(&export).await;
    let mut reader = csv::Reader::from_reader(&csv[..]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), usize::try_from(OPERATIONS).unwrap());
    let nanos: i64 = rows.iter().filter_map(|row| row[2].parse::<i64>().ok()).sum();
    let totals = pipeline.get("/v1/totals").await.unwrap();
    assert_eq!(totals["cost_usd"], NanoUsd::from_nanos(nanos).to_string());
    let lines = file(&format!("{export}&format=json&session_id=s-3")).await;
    let lines: Vec<Value> =
        lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(lines.len(), (0..OPERATIONS).filter(|n| n % 5 != 0 && n % 38 == 3).count());
    assert!(lines.iter().all(|line| line["session_id"] == "s-3"));
    for path in [
        format!("{export}&format=parquet"),
        format!("/v1/query?measures=cost_usd,operations&by=model&{RANGE}&format=parquet"),
    ] {
        let bytes = file(&path).await;
        assert_eq!((&bytes[..4], &bytes[bytes.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]), "{path}");
    }
    assert!(file(&format!("{export}&format=arrow")).await.len() > 1000);
    let groups = file(&format!("/v1/query?measures=cost_usd,operations&by=user_id&{RANGE}&format=csv&limit=1")).await;
    assert!(groups.starts_with(b"user_id,cost_usd,operations\n"), "{groups:?}");
    assert!(String::from_utf8_lossy(&groups).contains("\n(others),"));
}

/// The same filters hold for rows, and the pipeline says that everything is in windows.
async fn assert_lists(pipeline: &Pipeline<'_>) {
    for (question, is_meant) in [
        ("tag=tier:gold&outcome=failure", &(|n: i64| n % 3 == 0 && n % 7 == 0) as &dyn Fn(i64) -> bool),
        ("http_status=429&tag=none:&tag=%3Dn:-1&user_id=u%203", &|n| n % 7 == 0 && n % 11 == 3),
        ("tag=tier:&outcome=success", &|_| false),
    ] {
        let page = pipeline.get(&format!("/v1/operations?limit=1000&{question}")).await.unwrap();
        let expected = (0..OPERATIONS).filter(|number| is_meant(*number)).count();
        assert_eq!(page["operations"].as_array().unwrap().len(), expected, "{question}");
    }
    let answer = pipeline.get("/v1/pipeline").await.unwrap();
    let partitions = answer["partitions"].as_array().unwrap();
    assert!(!partitions.is_empty() && partitions.iter().all(|partition| partition["windowed_lag"] == 0), "{answer}");
    assert_eq!(answer["files"]["operations"]["rows"], OPERATIONS);
    assert_eq!(pipeline.get("/v1/dead-letters?redriven=false").await.unwrap()["letters"], json!([]));
}

/// Pages in the order of a number have every operation that has it once, in that order.
async fn assert_orders(pipeline: &Pipeline<'_>) {
    for (question, column, is_meant) in [
        ("order=latency_us&outcome=failure", "latency_us", &(|n: i64| n % 7 == 0) as &dyn Fn(i64) -> bool),
        ("order=ttft_us&user_id=u%203", "ttft_us", &|n| n % 2 == 0 && n % 11 == 3),
        ("order=output_tokens", "output_tokens", &|_| true),
    ] {
        let mut found: Vec<(i64, String)> = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = pipeline.get(&format!("/v1/operations?limit=500&{question}{cursor}")).await.unwrap();
            assert!(page["scanned"]["files"].as_u64().unwrap() > 0, "{page}");
            let of = |operation: &Value| {
                (operation[column].as_i64().unwrap(), operation["operation_id"].as_str().unwrap().to_owned())
            };
            found.extend(page["operations"].as_array().unwrap().iter().map(of));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert!(found.is_sorted_by(|a, b| a > b), "{question}");
        assert_eq!(found.len(), (0..OPERATIONS).filter(|number| is_meant(*number)).count(), "{question}");
    }
}
