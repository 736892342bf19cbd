//! Saved views through the api.

use axum::body::Body;
use axum::http::Request;
use opstream_schemas::database::{Database, DatabaseUrl};
use serde_json::{Value, json};

use crate::Secret;
use crate::fixture::{Answer, Fixture, Setup};
use crate::views::{Kind, find, list};

fn view(name: &str) -> Value {
    json!({ "kind": "view", "name": name, "definition": { "address": "#/cost?range=last_7_days" } })
}

async fn post(api: &Fixture, body: &Value) -> Answer {
    api.post("/v1/views", "application/json", body.to_string()).await
}

async fn put(api: &Fixture, id: &Value, body: &Value) -> Answer {
    let request = Request::put(format!("/v1/views/{}", id.as_str().unwrap())).body(Body::from(body.to_string()));
    api.send(request.unwrap()).await
}

async fn delete(api: &Fixture, id: &Value) -> Answer {
    let request = Request::delete(format!("/v1/views/{}", id.as_str().unwrap())).body(Body::empty());
    api.send(request.unwrap()).await
}

#[tokio::test]
async fn a_dashboard_is_made_changed_listed_and_deleted() {
    let api = Fixture::new().await;
    let panel = json!({ "title": "Spend", "chart": "lines", "measures": ["cost_usd"], "by": ["model"] });
    let definition = json!({ "panels": [panel] });
    let new =
        json!({ "kind": "dashboard", "name": "Ops", "description": "for the\nmorning", "definition": definition });
    let made = post(&api, &new).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    let id = &made["view_id"];
    let expected = json!({
        "view_id": id, "kind": "dashboard", "name": "Ops", "description": "for the\nmorning", "version": 1,
        "definition": definition, "created_at": made["created_at"], "updated_at": made["created_at"],
    });
    assert_eq!(made, expected);
    assert_eq!(api.get(&format!("/v1/views/{}", id.as_str().unwrap())).await.json(), expected);

    let changed = json!({ "version": 1, "name": "Operations", "definition": { "panels": [] } });
    let changed = put(&api, id, &changed).await.json();
    assert_eq!(
        (&changed["name"], &changed["version"], &changed["kind"]),
        (&json!("Operations"), &json!(2), &json!("dashboard"))
    );
    assert_eq!((&changed["description"], &changed["created_at"]), (&json!(""), &made["created_at"]));

    post(&api, &view("Cost")).await;
    let names = async |query: &str| {
        let answer = api.get(&format!("/v1/views{query}")).await.json();
        let views = answer["views"].as_array().unwrap().clone();
        assert!(views.iter().all(|view| view.get("definition").is_none()));
        views.into_iter().map(|view| view["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["Cost", "Operations"]);
    assert_eq!(
        (names("?kind=view").await, names("?kind=dashboard").await),
        (vec!["Cost".to_owned()], vec!["Operations".to_owned()])
    );
    assert_eq!(delete(&api, id).await.status, 204);
    assert_eq!((delete(&api, id).await.status.as_u16(), names("").await), (404, vec!["Cost".to_owned()]));
    assert_eq!(put(&api, id, &json!({ "version": 2, "name": "x", "definition": {} })).await.status, 404);
}

#[tokio::test]
async fn of_two_who_change_the_same_the_second_is_told() {
    let api = Fixture::new().await;
    let id = post(&api, &view("Cost")).await.json()["view_id"].clone();
    let change = |version: i64, name: &str| json!({ "version": version, "name": name, "definition": { "address": "#/cost?range=today" } });
    assert_eq!(put(&api, &id, &change(1, "first")).await.status, 200);
    let second = put(&api, &id, &change(1, "second")).await;
    assert_eq!((second.status.as_u16(), &second.json()["error"]["code"]), (409, &json!("changed_meanwhile")));
    assert!(second.text.contains("version 2"), "{}", second.text);
    let kept = find(&api.database, id.as_str().unwrap().parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((kept.name.as_str(), kept.version), ("first", 2));
    assert_eq!(put(&api, &id, &change(2, "second")).await.status, 200);
}

#[tokio::test]
async fn a_name_is_one_for_each_kind() {
    let api = Fixture::new().await;
    post(&api, &view("Cost")).await;
    let id = post(&api, &view("Other")).await.json()["view_id"].clone();
    let again = post(&api, &view("Cost")).await;
    assert_eq!((again.status.as_u16(), &again.json()["error"]["code"]), (409, &json!("name_taken")));
    let renamed = json!({ "version": 1, "name": "Cost", "definition": { "address": "#/cost" } });
    assert_eq!(put(&api, &id, &renamed).await.json()["error"]["code"], "name_taken");
    let dashboard = json!({ "kind": "dashboard", "name": "Cost", "definition": { "panels": [] } });
    assert_eq!(post(&api, &dashboard).await.status, 201);
}

#[tokio::test]
async fn views_are_there_again_after_a_restart() {
    let api = Fixture::new().await;
    post(&api, &view("Cost")).await;
    api.database.close().await;
    let url = DatabaseUrl::Sqlite(api.folder.path().join("opstream.db"));
    let database = Database::connect(&url).await.unwrap();
    // What every process does that starts.
    opstream_schemas::migrations::migrate(&database).await.unwrap();
    let kept = list(&database, Some(Kind::View)).await.unwrap();
    assert_eq!(kept.iter().map(|view| view.name.as_str()).collect::<Vec<_>>(), ["Cost"]);
    database.close().await;
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_field() {
    let api = Fixture::new().await;
    let with = |name: &str, value: Value| {
        let mut view = view("Cost");
        view[name] = value;
        view
    };
    let panel = json!({ "title": "Spend", "chart": "lines", "measures": ["dollars"] });
    let dashboard = json!({ "kind": "dashboard", "name": "x", "definition": { "panels": [panel] } });
    for (body, words) in [
        (with("name", json!(" ")), "field name has 1 to 200"),
        (with("name", json!("a\u{0}b")), "field name"),
        (with("name", json!("x".repeat(201))), "field name"),
        (with("description", json!("x".repeat(2001))), "field description"),
        (with("kind", json!("folder")), "kind: unknown variant `folder`"),
        (with("definition", json!({ "address": "https://evil.example" })), "begins with #/"),
        (with("definition", json!("x")), "definition: "),
        (with("colour", json!("red")), "unknown field `colour`"),
        (dashboard, "panel 1 (\\\"Spend\\\"): field measures names \\\"dollars\\\""),
    ] {
        let answer = post(&api, &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text.contains("invalid_view") && answer.text.contains(words), "{body}: {}", answer.text);
    }
    let long = with("description", json!("x".repeat(300_000)));
    assert_eq!(post(&api, &long).await.status, 413);
    assert!(api.get("/v1/views").await.json()["views"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn saved_views_ask_for_the_token_and_for_the_same_origin() {
    let token = Secret::new("0123456789abcdef").unwrap();
    let api = Fixture::with(Setup { token: Some(token), ..Setup::default() }).await;
    assert_eq!(post(&api, &view("Cost")).await.status, 401);
    assert_eq!(api.get("/v1/views").await.status, 401);
    let foreign = Request::post("/v1/views")
        .header("authorization", "Bearer 0123456789abcdef")
        .header("host", "127.0.0.1:8080")
        .header("origin", "https://evil.example");
    assert_eq!(api.send(foreign.body(Body::from(view("Cost").to_string())).unwrap()).await.status, 403);
}
