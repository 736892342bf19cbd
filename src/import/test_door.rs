//! A front door for tests: answers HTTP on a loopback port and remembers the ids that it took.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What the door took and how it behaves.
#[derive(Debug, Default)]
pub(super) struct Behaviour {
    /// Ids that are committed.
    pub(super) ids: BTreeSet<String>,
    /// Posts that were answered with 200.
    pub(super) n_posts: usize,
    /// So many posts are answered with 503 first.
    pub(super) n_busy: usize,
    /// Longer bodies are answered with 413; 0 takes any.
    pub(super) longest_body: usize,
    /// Operations of this model are refused.
    pub(super) refused_model: Option<String>,
    /// Operations of this model are acknowledged and become dead letters.
    pub(super) buried_model: Option<String>,
    /// Records of the topic, dead letters included.
    pub(super) n_records: usize,
    /// Looks at the progress that find windows behind.
    pub(super) n_behind: usize,
    /// Requests must carry this token.
    pub(super) token: Option<String>,
}

/// A running door; it closes when it is dropped.
pub(super) struct TestDoor {
    /// Its address.
    pub(super) url: String,
    behaviour: Arc<Mutex<Behaviour>>,
    _listening: JoinSet<()>,
}

impl TestDoor {
    /// Opens a door on a free port.
    pub(super) async fn open(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Arc::new(Mutex::new(behaviour));
        let mut listening = JoinSet::new();
        let shared = Arc::clone(&behaviour);
        listening.spawn(async move {
            let mut answering = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                answering.spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        Self { url, behaviour, _listening: listening }
    }

    /// The behaviour, to look at or to change.
    pub(super) fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap()
    }
}

async fn answer(stream: TcpStream, behaviour: Arc<Mutex<Behaviour>>) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.unwrap() == 0 {
            return;
        }
    }
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let token = header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
    let (status, json) = behaviour.lock().unwrap().answer(&path, token.as_deref(), &String::from_utf8(body).unwrap());
    let text = json.to_string();
    let length = text.len();
    let head = format!("HTTP/1.1 {status}\r\nretry-after: 0\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{text}").as_bytes()).await.unwrap();
}

impl Behaviour {
    fn answer(&mut self, path: &str, token: Option<&str>, body: &str) -> (&'static str, Value) {
        if token != self.token.as_deref() {
            return ("401 Unauthorized", json!({}));
        }
        match path {
            "/v1/progress" => {
                let next_offset = self.n_records;
                let windowed_to = if self.n_behind > 0 { 0 } else { next_offset };
                self.n_behind = self.n_behind.saturating_sub(1);
                let committed = json!([{"partition": 0, "next_offset": next_offset, "windowed_to": windowed_to}]);
                ("200 OK", json!({"committed": committed, "complete_to": null}))
            }
            "/v1/operations/lookup" => {
                let question: Value = serde_json::from_str(body).unwrap();
                let asked = question["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
                let existing: Vec<String> = asked.filter(|id| self.ids.contains(id)).collect();
                ("200 OK", json!({"existing": existing}))
            }
            "/v1/operations" if self.n_busy > 0 => {
                self.n_busy -= 1;
                ("503 Service Unavailable", json!({"error": "the broker is away"}))
            }
            "/v1/operations" if self.longest_body > 0 && body.len() > self.longest_body => {
                ("413 Payload Too Large", json!({}))
            }
            "/v1/operations" => ("200 OK", self.take(body)),
            _ => ("404 Not Found", json!({"error": "no such path"})),
        }
    }

    fn take(&mut self, body: &str) -> Value {
        self.n_posts += 1;
        let (mut accepted, mut refused) = (0, Vec::new());
        for (index, line) in body.lines().enumerate() {
            let operation: Value = serde_json::from_str(line).unwrap();
            if self.refused_model.is_some() && operation["model"].as_str() == self.refused_model.as_deref() {
                refused.push(json!({"index": index, "field": "model", "reason": "it is out of fashion"}));
                continue;
            }
            accepted += 1;
            self.n_records += 1;
            if self.buried_model.is_none() || operation["model"].as_str() != self.buried_model.as_deref() {
                self.ids.insert(operation["operation_id"].as_str().unwrap().to_owned());
            }
        }
        let offsets = json!([{"partition": 0, "next_offset": self.n_records}]);
        json!({"accepted": accepted, "refused": refused, "offsets": offsets})
    }
}
