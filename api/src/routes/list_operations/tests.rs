//! Pages of stored operations.

use opstream_schemas::database::Value;
use opstream_schemas::{OperationId, UtcMillis};
use serde_json::json;

use super::Listing;
use crate::fixture::Fixture;
use crate::query::parameters_of;

/// Operations 0 to 9; even ones of session `../..`, 3 and 6 failed.
async fn filled() -> Fixture {
    let api = Fixture::new().await;
    for number in 0..10_u8 {
        let session: Option<&str> = (number % 2 == 0).then_some("../..");
        let columns = [
            ("session_id", session.into()),
            ("provider", "gcp.gemini".into()),
            ("success", (number % 3 != 0 || number == 0 || number == 9).into()),
            ("cost_nano_usd", (number != 5).then_some(i64::from(number) * 1_000_000_000).into()),
            ("tags", (number > 7).then(|| format!("{{\"tier\":\"{number}\",\"$.x\":\"y\"}}")).into()),
            ("http_status", (number == 6).then_some(429_i64).into()),
            ("metadata", "{\"a\":1}".into()),
            ("finish_reasons", "[\"stop\"]".into()),
            ("error_message", "e".repeat(2000).into()),
        ];
        api.store(number, &columns).await;
    }
    api
}

/// Numbers of the operations of a page, and its cursor.
async fn page(api: &Fixture, query: &str) -> (Vec<i64>, Option<String>) {
    let answer = api.get(&format!("/v1/operations?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let answer = answer.json();
    let number = |id: &str| i64::from_str_radix(&id[id.len() - 2..], 16).unwrap();
    let operations = answer["operations"].as_array().unwrap();
    let numbers = operations.iter().map(|operation| number(operation["operation_id"].as_str().unwrap())).collect();
    (numbers, answer["next_cursor"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let api = filled().await;
    for (query, expected) in [
        ("limit=4", &[9, 8, 7, 6, 5, 4, 3, 2, 1, 0][..]),
        ("limit=4&direction=ascending", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("limit=2&direction=ascending&success=true&from=2026-11-23T08:00:00.001Z", &[1, 2, 4, 5, 7, 8, 9]),
    ] {
        let (mut numbers, mut cursor) = page(&api, query).await;
        while let Some(after) = cursor {
            let (more, next) = page(&api, &format!("{query}&cursor={after}")).await;
            numbers.extend(more);
            cursor = next;
        }
        assert_eq!(numbers, expected, "{query}");
    }
}

#[test]
fn a_cursor_narrows_the_range_and_never_widens_it() {
    // Milliseconds behind 2026-11-23T08:00:00Z.
    let id = |millis: i64| OperationId::lowest_at(UtcMillis::from_millis(1_795_420_800_000 + millis));
    let bounds = |direction: &str, cursor: i64| {
        let query = format!("from=2026-11-23T08:00:01Z&to=2026-11-23T08:00:02Z&direction={direction}");
        let mut listing = Listing::read(&mut parameters_of(&query)).unwrap();
        listing.after = Some(id(cursor));
        let mut values = Vec::new();
        (listing.range(&mut values), values)
    };
    let two = |is: &str, lowest: i64, below: i64| {
        (format!("operation_id < $1 and operation_id {is} $2"), vec![Value::from(id(below)), Value::from(id(lowest))])
    };
    assert_eq!(bounds("descending", 1_500), two(">=", 1_000, 1_500));
    assert_eq!(bounds("descending", 3_000), two(">=", 1_000, 2_000));
    assert_eq!(bounds("ascending", 1_500), two(">", 1_500, 2_000));
    assert_eq!(bounds("ascending", 1_000), two(">", 1_000, 2_000));
    assert_eq!(bounds("ascending", 500), two(">=", 1_000, 2_000));
}

#[tokio::test]
async fn filters_are_exact_and_bound_as_values() {
    let api = filled().await;
    for (query, numbers) in [
        ("session_id=../..", &[8, 6, 4, 2, 0][..]),
        ("session_id=&success=false", &[3]),
        ("success=false", &[6, 3]),
        ("outcome=failure", &[6, 3]),
        ("http_status=429&outcome=failure", &[6]),
        ("tag=tier:8&tag=tier:9", &[9, 8]),
        ("tag=tier:9&tag=$.x:y", &[9]),
        ("tag=tier:&session_id=", &[7, 5, 3, 1]),
        ("tag=tier:9&tag=tier:&outcome=failure", &[6, 3]),
        ("provider=Gemini&success=false", &[6, 3]),
        ("session_id=..%2F..%27%20or%201=1", &[]),
        ("from=2026-11-23T08:00:00.003Z&to=2026-11-23T08:00:00.006Z", &[5, 4, 3]),
        ("from=2026-11-23T08:00:00.0035Z&to=2026-11-23T08:00:00.0055Z", &[5, 4]),
    ] {
        let (found, cursor) = page(&api, query).await;
        assert_eq!((found.as_slice(), cursor), (numbers, None), "{query}");
    }
}

#[tokio::test]
async fn a_listed_operation_has_names_of_the_front_door_and_bounded_length() {
    let api = filled().await;
    let mut listed = api.get("/v1/operations?limit=1").await.json()["operations"][0].clone();
    assert_eq!(listed["error_message"].as_str().unwrap().len(), 500);
    listed["error_message"] = json!("[500 characters]");
    insta::assert_json_snapshot!("listed", listed);
    let unpriced = api.get("/v1/operations?limit=5").await.json()["operations"][4].clone();
    assert_eq!(unpriced["cost_usd"], json!(null));
    assert!(unpriced.as_object().unwrap().contains_key("cost_usd"));
}

#[tokio::test]
async fn a_wrong_question_is_refused_by_name() {
    let api = filled().await;
    for (query, reason) in [
        ("cursor=abc", "next_cursor"),
        ("limit=1001", "1 to 1000"),
        ("direction=up", "descending, ascending"),
        ("success=yes", "true, false"),
        ("tag=a", "tag=name:value"),
        ("tags=a", "not known here"),
    ] {
        let answer = api.get(&format!("/v1/operations?{query}")).await;
        assert!(answer.status == 400 && answer.text.contains(reason), "{query}: {}", answer.text);
    }
}

/// Puts 60,000 operations that are not searched for between the newest ones and an old one of session `needle`.
async fn bury_needle(api: &Fixture) {
    let columns: Vec<&str> =
        opstream_schemas::lake::OPERATION_COLUMNS.iter().skip(1).map(|column| column.name).collect();
    let columns = columns.join(", ");
    let copies = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000) \
                insert into operations select \
                unhex(format('01900000%04x7000800000000000%04x', i / 65536, i % 65536)), ";
    api.execute(&format!("{copies}{columns} from n, operations where substr(hex(operation_id), 31) = '00'"), &[]).await;
    let old = "insert into operations select unhex('018f00000000700080000000000000ff'), ";
    api.execute(&format!("{old}{columns} from operations order by operation_id desc limit 1"), &[]).await;
    let mark =
        "update operations set session_id = 'needle' where operation_id = unhex('018f00000000700080000000000000ff')";
    api.execute(mark, &[]).await;
}

#[tokio::test]
async fn a_rare_value_is_searched_page_by_page() {
    let api = filled().await;
    bury_needle(&api).await;
    let (found, cursor) = page(&api, "session_id=needle").await;
    assert_eq!(found, Vec::<i64>::new());
    let (found, cursor) = page(&api, &format!("session_id=needle&cursor={}", cursor.unwrap())).await;
    assert_eq!((found.as_slice(), cursor), (&[255][..], None));
}

#[tokio::test]
async fn a_page_continues_where_it_ended_although_operations_arrive() {
    let api = filled().await;
    bury_needle(&api).await;
    let mut parameters = crate::query::parameters_of("session_id=needle");
    let listing = Listing::read(&mut parameters).unwrap();
    let mut reading = api.database.begin_snapshot().await.unwrap();
    let found = listing.page(&mut reading).await.unwrap();
    let before = listing.last_examined(&mut reading).await.unwrap().unwrap();
    for number in 100..120 {
        api.store(number, &[]).await;
    }
    assert_eq!(listing.next_cursor(&mut reading, &found).await.unwrap(), Some(before));
    let mut later = api.database.begin_snapshot().await.unwrap();
    let moved = listing.next_cursor(&mut later, &found).await.unwrap().unwrap();
    assert!(moved > before, "another state of the database would list {before} to {moved} again");
}
