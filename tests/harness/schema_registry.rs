//! A Schema Registry of the story's own: it speaks Confluent's protocol, and is slow, broken or away when a story wants it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Far from the built-in ids, and not one of the first, which an empty registry would give too.
const FIRST_ID: u32 = 100_001;

/// A running registry. Dropping it takes it away.
pub(crate) struct SchemaRegistry {
    books: Arc<Mutex<Books>>,
    address: SocketAddr,
    server: JoinSet<()>,
}

/// What it knows, and how it behaves.
#[derive(Default)]
struct Books {
    /// By id, from [`FIRST_ID`].
    schemas: BTreeMap<u32, Value>,
    subjects: BTreeMap<String, Vec<u32>>,
    levels: BTreeMap<String, String>,
    /// The `Authorization` that it wants.
    authorization: Option<String>,
    /// How often it has still to deny that there is a schema with the id, as a replica that lags behind does.
    denied: BTreeMap<u32, u32>,
    /// What it shows under an id in place of the schema.
    mistaken: BTreeMap<u32, Value>,
    /// What it answers to everything.
    fault: Option<(StatusCode, String)>,
    delay: Duration,
    /// Method and path of every request.
    asked: Vec<String>,
}

type Shared = State<Arc<Mutex<Books>>>;
type Answer = Result<Response, Response>;

impl SchemaRegistry {
    /// An empty one.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut registry = Self { books: Arc::default(), address, server: JoinSet::new() };
        registry.serve(listener);
        registry
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on nobody listens there.
    pub(crate) async fn go_away(&mut self) {
        self.server.shutdown().await;
    }

    /// Listens again, at the same address and with the same schemas.
    pub(crate) async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("nobody else took the port");
        self.serve(listener);
    }

    /// Answers this to everything; `None` ends it.
    pub(crate) fn break_with(&self, fault: Option<(u16, &str)>) {
        let status = |status| StatusCode::from_u16(status).expect("it is a status");
        self.books().fault = fault.map(|(code, body)| (status(code), body.to_owned()));
    }

    /// Takes this long for every answer.
    pub(crate) fn slow_down(&self, delay: Duration) {
        self.books().delay = delay;
    }

    /// Wants this `Authorization`.
    pub(crate) fn protect(&self, authorization: &str) {
        self.books().authorization = Some(authorization.to_owned());
    }

    /// Registers a schema as another team would, without a look at compatibility, and returns its id.
    pub(crate) fn add(&self, subject: &str, schema: &str) -> u32 {
        self.books().add(subject, json!({ "schema": schema }))
    }

    /// Adds a schema of another kind or with further members.
    pub(crate) fn add_answer(&self, answer: Value) -> u32 {
        self.books().add("other-value", answer)
    }

    /// Denies so many times that there is a schema with this id.
    pub(crate) fn deny(&self, id: u32, times: u32) {
        self.books().denied.insert(id, times);
    }

    /// Shows another schema under this id from now on.
    pub(crate) fn mistake(&self, id: u32, schema: &str) {
        self.books().mistaken.insert(id, json!({ "schema": schema }));
    }

    /// Gives the next schema this id.
    pub(crate) fn continue_at(&self, id: u32) {
        self.books().schemas.insert(id - 1, Value::Null);
    }

    /// The rule of a subject.
    pub(crate) fn level(&self, subject: &str) -> Option<String> {
        self.books().levels.get(subject).cloned()
    }

    /// How often something was asked whose method and path begin so.
    pub(crate) fn count_asked(&self, beginning: &str) -> usize {
        self.books().asked.iter().filter(|asked| asked.starts_with(beginning)).count()
    }

    fn serve(&mut self, listener: TcpListener) {
        let router = router(&self.books);
        let serving = async move { axum::serve(listener, router).await.expect("a listener on loopback does not fail") };
        self.server.spawn(serving);
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("nobody panics with the books open")
    }
}

impl Books {
    fn add(&mut self, subject: &str, answer: Value) -> u32 {
        let known = self.schemas.iter().find(|(_, known)| **known == answer).map(|(id, _)| *id);
        let id = known.unwrap_or_else(|| self.schemas.last_key_value().map_or(FIRST_ID, |(last, _)| last + 1));
        self.schemas.insert(id, answer);
        let versions = self.subjects.entry(subject.to_owned()).or_default();
        if !versions.contains(&id) {
            versions.push(id);
        }
        id
    }

    fn parsed(&self, id: u32) -> Schema {
        let text = self.schemas[&id]["schema"].as_str().expect("only Avro is compared");
        Schema::parse_str(text).expect("it was parsed when it came")
    }

    /// Whether the subject's rule allows the schema: everything is compared with everything, both ways.
    fn allows(&self, subject: &str, schema: &Schema) -> bool {
        let level = self.levels.get(subject).map_or("BACKWARD", String::as_str);
        let versions = self.subjects.get(subject).into_iter().flatten().map(|id| self.parsed(*id));
        versions.into_iter().all(|version| {
            let reads = SchemaCompatibility::can_read(&version, schema).is_ok();
            let is_read = SchemaCompatibility::can_read(schema, &version).is_ok();
            match level {
                "NONE" => true,
                "BACKWARD" => reads,
                _ => reads && is_read,
            }
        })
    }
}

fn router(books: &Arc<Mutex<Books>>) -> Router {
    Router::new()
        .route("/schemas/ids/{id}", get(schema))
        .route("/subjects/{subject}", post(look_up))
        .route("/subjects/{subject}/versions", post(register))
        .route("/subjects/{subject}/versions/latest", get(latest))
        .route("/config/{subject}", get(level).put(set_level))
        .layer(from_fn_with_state(Arc::clone(books), behave))
        .with_state(Arc::clone(books))
}

/// Notes the request, and answers it in place of the handlers when the story wants that.
async fn behave(State(books): Shared, request: Request, next: Next) -> Response {
    let (delay, fault, is_allowed) = {
        let mut books = books.lock().expect("nobody panics with the books open");
        books.asked.push(format!("{} {}", request.method(), request.uri().path()));
        let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let is_allowed = books.authorization.is_none() || books.authorization.as_deref() == given;
        (books.delay, books.fault.clone(), is_allowed)
    };
    tokio::time::sleep(delay).await;
    match fault {
        Some(fault) => fault.into_response(),
        None if is_allowed => next.run(request).await,
        None => error(401, 40101, "User cannot access the resource."),
    }
}

async fn schema(State(books): Shared, Path(id): Path<u32>) -> Answer {
    let mut books = books.lock().expect("nobody panics with the books open");
    if let Some(times) = books.denied.get_mut(&id).filter(|times| **times > 0) {
        *times -= 1;
        return Err(error(404, 40403, "Schema not found"));
    }
    let found = books.mistaken.get(&id).or_else(|| books.schemas.get(&id)).filter(|schema| !schema.is_null());
    found.map(answer).ok_or_else(|| error(404, 40403, "Schema not found"))
}

async fn look_up(State(books): Shared, Path(subject): Path<String>, body: Bytes) -> Answer {
    let (body, _) = read(&body).map_err(|cause| error(422, 42201, &cause))?;
    let books = books.lock().expect("nobody panics with the books open");
    let versions = books.subjects.get(&subject).ok_or_else(|| error(404, 40401, "Subject not found."))?;
    let place = versions.iter().position(|id| books.schemas[id] == body);
    let place = place.ok_or_else(|| error(404, 40403, "Schema not found"))?;
    Ok(answer(&json!({ "subject": subject, "id": versions[place], "version": place + 1, "schema": body["schema"] })))
}

async fn register(State(books): Shared, Path(subject): Path<String>, body: Bytes) -> Answer {
    let (body, schema) = read(&body).map_err(|cause| error(422, 42201, &cause))?;
    let mut books = books.lock().expect("nobody panics with the books open");
    if !books.allows(&subject, &schema) {
        return Err(error(409, 409, "Schema being registered is incompatible with an earlier schema"));
    }
    Ok(answer(&json!({ "id": books.add(&subject, body) })))
}

async fn latest(State(books): Shared, Path(subject): Path<String>) -> Answer {
    let books = books.lock().expect("nobody panics with the books open");
    let versions = books.subjects.get(&subject).ok_or_else(|| error(404, 40401, "Subject not found."))?;
    let id = versions.last().ok_or_else(|| error(404, 40402, "Version not found."))?;
    let schema = &books.schemas[id]["schema"];
    Ok(answer(&json!({ "subject": subject, "id": id, "version": versions.len(), "schema": schema })))
}

async fn level(State(books): Shared, Path(subject): Path<String>) -> Answer {
    let books = books.lock().expect("nobody panics with the books open");
    let level = books.levels.get(&subject);
    let level =
        level.ok_or_else(|| error(404, 40408, "Subject does not have subject-level compatibility configured"))?;
    Ok(answer(&json!({ "compatibilityLevel": level })))
}

async fn set_level(State(books): Shared, Path(subject): Path<String>, body: Bytes) -> Answer {
    let body: Value = serde_json::from_slice(&body).map_err(|cause| error(422, 42203, &cause.to_string()))?;
    let level = body["compatibility"].as_str().ok_or_else(|| error(422, 42203, "Invalid compatibility level"))?;
    books.lock().expect("nobody panics with the books open").levels.insert(subject, level.to_owned());
    Ok(answer(&body))
}

fn read(body: &[u8]) -> Result<(Value, Schema), String> {
    let body: Value = serde_json::from_slice(body).map_err(|cause| cause.to_string())?;
    let text = body["schema"].as_str().ok_or("Empty schema")?;
    let schema = Schema::parse_str(text).map_err(|cause| cause.to_string())?;
    Ok((json!({ "schema": text }), schema))
}

fn answer(body: &Value) -> Response {
    ([(CONTENT_TYPE, "application/vnd.schemaregistry.v1+json")], body.to_string()).into_response()
}

fn error(status: u16, code: u32, message: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("it is a status");
    (status, json!({ "error_code": code, "message": message }).to_string()).into_response()
}
