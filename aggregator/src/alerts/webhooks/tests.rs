//! Webhooks against a server that does what a test says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opstream_schemas::UtcMillis;
use opstream_schemas::time::DAY_MILLIS;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::address::PrivateAddresses;
use super::call::Resolver;
use super::deliver::Deliverer;
use super::sign::signature;
use super::target::{SigningSecret, Target, TargetError, Webhooks};
use crate::alerts::tests::{MADE, spent};
use crate::tests::station::{FIRST_FENCE, Station};
use crate::tests::{NOON, at};

const SECRET: &str = "sixteen bytes or more";
const DAY: &str =
    "[[rule]]\nname = \"day\"\nkind = \"budget\"\namount_usd = \"0.00001\"\nperiod = \"day\"\nper = [\"team\"]\n";

/// Requests as they came, and what each is answered.
struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Gives these answers one after the other, and 204 after the last.
    async fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, answers) =
            (Arc::default(), Arc::new(Mutex::new(answers.iter().map(|a| (*a).to_owned()).collect())));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::clone(&requests), Arc::clone(&answers)));
        Self { address, requests, answers, _tasks: tasks }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    fn answer(&self, answer: &str) {
        self.answers.lock().unwrap().push(answer.to_owned());
    }
}

async fn serve(listener: TcpListener, requests: Arc<Mutex<Vec<String>>>, answers: Arc<Mutex<Vec<String>>>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        requests.lock().unwrap().push(request);
        let answer = {
            let mut answers = answers.lock().unwrap();
            if answers.is_empty() { String::new() } else { answers.remove(0) }
        };
        if answer == "silence" {
            // As long as a call may take, and longer.
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        let answer = if answer.is_empty() { "HTTP/1.1 204 No Content\r\n\r\n".to_owned() } else { answer };
        stream.write_all(answer.as_bytes()).await.ok();
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let mut part = [0; 4096];
        let length = stream.read(&mut part).await.unwrap();
        request.extend_from_slice(&part[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let expected = header(head, "content-length").parse::<usize>().unwrap();
            if body.len() >= expected || length == 0 {
                return text;
            }
        }
        assert!(length > 0, "the request ended early: {text}");
    }
}

fn header(request: &str, name: &str) -> String {
    let found = request.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    found.unwrap_or_else(|| panic!("no {name} in {request}"))
}

fn webhooks(urls: &[String], private: PrivateAddresses) -> Result<Webhooks, TargetError> {
    let targets = urls.iter().map(|url| Target::parse(url)).collect::<Result<Vec<_>, _>>()?;
    let allowed = ["127.0.0.1".to_owned(), "hooks.test".to_owned(), "[::1]".to_owned()];
    Webhooks::new(targets, &allowed, Some(SigningSecret::new(SECRET)?), private)
}

/// One alert that two webhooks are to be told of: `ops` and, in Slack's form, `chat`.
async fn raised(station: &mut Station, targets: &[&str]) {
    station.put_rules(DAY, MADE).await;
    station.count(&[spent(NOON, Some("a <b>"), 10_000)]).await;
    station.look_with(targets, FIRST_FENCE, at(NOON)).await.unwrap();
}

impl Deliverer {
    /// Passes until no call is under way.
    async fn deliver(&mut self, now: UtcMillis) {
        while self.pass_at(FIRST_FENCE, now).await.unwrap() {}
    }
}

fn deliverer(station: &Station, urls: &[String]) -> Deliverer {
    Deliverer::new(station.database.clone(), webhooks(urls, PrivateAddresses::Allowed).unwrap())
}

/// Target, attempts, what became of it, and why.
async fn states(station: &Station) -> Vec<(String, i64, &'static str, Option<String>)> {
    let rows =
        station.database.fetch_all("select * from webhook_deliveries order by revision, target", &[]).await.unwrap();
    let state = |row: &opstream_schemas::database::Row| {
        let is = |column| row.optional_int(column).unwrap().is_some();
        let state = match (is("delivered_at_ms"), is("given_up_at_ms")) {
            (true, false) => "delivered",
            (false, true) => "given up",
            (false, false) => "waiting",
            (true, true) => panic!("delivered and given up"),
        };
        (row.text("target").unwrap(), row.int("attempts").unwrap(), state, row.optional_text("last_error").unwrap())
    };
    rows.iter().map(state).collect()
}

async fn next_attempt(station: &Station) -> UtcMillis {
    UtcMillis::from_millis(station.int("select max(next_attempt_at_ms) as n from webhook_deliveries").await)
}

#[tokio::test]
async fn a_call_is_signed_and_says_what_was_raised_and_that_it_is_over() {
    let server = Server::start(&[]).await;
    let mut station = Station::on_sqlite().await;
    raised(&mut station, &["ops", "chat"]).await;
    let urls =
        [format!("ops=http://{}/hook?key=1", server.address), format!("chat=slack+http://{}/chat", server.address)];
    let mut deliverer = deliverer(&station, &urls);
    deliverer.deliver(at(NOON)).await;
    deliverer.deliver(at(NOON)).await;
    let requests = server.requests();
    assert_eq!(requests.len(), 2, "each once");
    let to = |path: &str| requests.iter().find(|request| request.starts_with(&format!("POST {path} "))).unwrap();

    let request = to("/hook?key=1");
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    let timestamp: i64 = header(request, "opstream-timestamp").parse().unwrap();
    assert_eq!(header(request, "opstream-signature"), signature(SECRET.as_bytes(), timestamp, body.as_bytes()));
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((json["type"].as_str(), json["alert"]["state"].as_str()), (Some("alert.raised"), Some("open")));
    assert_eq!(json["alert"]["alert_id"], header(request, "opstream-alert-id"));
    assert_eq!((json["alert"]["value"].as_str(), json["alert"]["unit"].as_str()), (Some("0.00001"), Some("usd")));

    let request = to("/chat");
    assert!(!request.contains("opstream-signature"));
    let json: serde_json::Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    let text = json["text"].as_str().unwrap();
    assert!(
        text.starts_with(":rotating_light: day: 0.00001 usd for team=a &lt;b&gt; reached 100 % of the budget"),
        "{text}"
    );

    station.look_with(&["ops"], FIRST_FENCE, at(NOON + DAY_MILLIS)).await.unwrap();
    deliverer.deliver(at(NOON + 2 * DAY_MILLIS)).await;
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests[2..].iter().any(|request| request.contains("\"type\":\"alert.resolved\"")));
    assert!(requests[2..].iter().any(|request| request.contains("the period has ended")));
}

#[tokio::test]
async fn what_fails_is_tried_again_and_what_is_refused_is_given_up() {
    let server = Server::start(&["HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"]).await;
    let mut station = Station::on_sqlite().await;
    raised(&mut station, &["ops"]).await;
    let mut deliverer = deliverer(&station, &[format!("ops=http://{}/", server.address)]);
    let now = at(NOON);
    deliverer.deliver(now).await;
    assert_eq!(states(&station).await, [("ops".to_owned(), 1, "waiting", Some("answered 500".to_owned()))]);
    let next = next_attempt(&station).await;
    assert!((2_000..15_000).contains(&(next.millis() - now.millis())), "{next}");
    deliverer.deliver(next.plus_millis(-1)).await;
    assert_eq!(server.requests().len(), 1, "not before its time");

    server.answer("HTTP/1.1 429 Slow\r\nretry-after: 100\r\ncontent-length: 0\r\n\r\n");
    deliverer.deliver(next).await;
    let after = next_attempt(&station).await;
    assert!(after.millis() - next.millis() >= 100_000, "the receiver asked for it");
    // That the alert is over waits for that it was raised.
    station.look_with(&["ops"], FIRST_FENCE, at(NOON + DAY_MILLIS)).await.unwrap();
    server.answer("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n");
    deliverer.pass_at(FIRST_FENCE, after.max(at(NOON + DAY_MILLIS))).await.unwrap();
    let gone = ("ops".to_owned(), 3, "given up", Some("answered 410".to_owned()));
    let states_now = states(&station).await;
    assert_eq!((&states_now[0], states_now[1].2), (&gone, "waiting"));
    let requests = server.requests();
    assert!(requests.len() == 3 && requests.iter().all(|request| request.contains("alert.raised")));
    let ids: std::collections::BTreeSet<String> =
        requests.iter().map(|request| header(request, "opstream-alert-id")).collect();
    assert_eq!(ids.len(), 1, "a repetition is recognised by its id");

    deliverer.deliver(after.max(at(NOON + DAY_MILLIS))).await;
    assert_eq!(states(&station).await[1].2, "delivered");
}

#[tokio::test]
async fn after_a_day_a_delivery_is_given_up_and_so_is_one_to_nobody() {
    let server = Server::start(&["HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"]).await;
    let mut station = Station::on_sqlite().await;
    raised(&mut station, &["ops", "unknown"]).await;
    let mut deliverer = deliverer(&station, &[format!("ops=http://{}/", server.address)]);
    deliverer.deliver(at(NOON + DAY_MILLIS + 1)).await;
    let nobody = Some("this aggregator has no webhook of this name".to_owned());
    let expected = [
        ("ops".to_owned(), 1, "given up", Some("answered 503".to_owned())),
        ("unknown".to_owned(), 1, "given up", nobody),
    ];
    assert_eq!(states(&station).await, expected);
    deliverer.deliver(at(NOON + 9 * DAY_MILLIS)).await;
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_name_is_resolved_once_and_only_these_addresses_are_connected_to() {
    let server = Server::start(&[]).await;
    let mut station = Station::on_sqlite().await;
    raised(&mut station, &["ops"]).await;
    let mut deliverer = deliverer(&station, &[format!("ops=http://hooks.test:{}/", server.address.port())]);
    let asked = Arc::new(AtomicUsize::new(0));
    let (counter, address) = (Arc::clone(&asked), server.address);
    // A second question would be answered with an address of somebody else.
    deliverer.resolver = Resolver::Test(Arc::new(move |name| {
        assert_eq!(name, "hooks.test");
        let first = counter.fetch_add(1, Ordering::Relaxed) == 0;
        if first { vec![address] } else { vec!["169.254.169.254:80".parse().unwrap()] }
    }));
    deliverer.deliver(at(NOON)).await;
    assert_eq!((asked.load(Ordering::Relaxed), states(&station).await[0].2), (1, "delivered"));
    assert_eq!(header(&server.requests()[0], "host"), format!("hooks.test:{}", address.port()));
}

#[tokio::test]
async fn an_address_that_may_not_be_called_is_not_connected_to() {
    let server = Server::start(&[]).await;
    let port = server.address.port();
    for (url, private, resolved) in [
        // One of two is enough to refuse.
        (format!("ops=https://hooks.test:{port}/"), PrivateAddresses::Refused, vec!["1.1.1.1:1", "127.0.0.1:1"]),
        (format!("ops=https://127.0.0.1:{port}/"), PrivateAddresses::Refused, vec![]),
        (format!("ops=https://2130706433:{port}/"), PrivateAddresses::Refused, vec![]),
        (format!("ops=https://0x7f.1:{port}/"), PrivateAddresses::Refused, vec![]),
        (format!("ops=https://[::1]:{port}/"), PrivateAddresses::Refused, vec![]),
        (format!("ops=http://hooks.test:{port}/"), PrivateAddresses::Allowed, vec!["169.254.169.254:80"]),
        (format!("ops=http://hooks.test:{port}/"), PrivateAddresses::Allowed, vec!["[::ffff:169.254.169.254]:80"]),
    ] {
        let mut station = Station::on_sqlite().await;
        raised(&mut station, &["ops"]).await;
        let webhooks = webhooks(std::slice::from_ref(&url), private).unwrap();
        let mut deliverer = Deliverer::new(station.database.clone(), webhooks);
        let resolved: Vec<SocketAddr> = resolved.iter().map(|text| text.parse().unwrap()).collect();
        deliverer.resolver = Resolver::Test(Arc::new(move |_| resolved.clone()));
        deliverer.deliver(at(NOON)).await;
        let error = states(&station).await.swap_remove(0);
        assert_eq!(error.3.as_deref(), Some("its host has an address that may not be called"), "{url}");
        assert_eq!(error.2, "waiting", "names change");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let inside = Server::start(&[]).await;
    let redirect =
        format!("HTTP/1.1 307 Go\r\nlocation: http://{}/inside\r\ncontent-length: 0\r\n\r\n", inside.address);
    let server = Server::start(&[&redirect]).await;
    let mut station = Station::on_sqlite().await;
    raised(&mut station, &["ops"]).await;
    deliverer(&station, &[format!("ops=http://{}/", server.address)]).deliver(at(NOON)).await;
    let reason = "answered 307, and redirects are not followed".to_owned();
    assert_eq!(states(&station).await, [("ops".to_owned(), 1, "given up", Some(reason))]);
    assert!(inside.requests().is_empty());
}

#[tokio::test]
async fn a_receiver_that_is_slow_or_never_ends_holds_nobody_up() {
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n{}", "x".repeat(100_000));
    let (silent, talking) = (Server::start(&["silence"]).await, Server::start(&[&endless]).await);
    let mut station = Station::on_sqlite().await;
    raised(&mut station, &["silent", "talking"]).await;
    let urls = [format!("silent=http://{}/", silent.address), format!("talking=http://{}/", talking.address)];
    let began = Instant::now();
    deliverer(&station, &urls).deliver(at(NOON)).await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let states = states(&station).await;
    assert_eq!((states[0].2, states[0].3.as_deref()), ("waiting", Some("did not answer within 10 s")));
    assert_eq!(states[1].2, "delivered");
}

#[tokio::test]
async fn one_that_never_answers_takes_no_turn_of_another() {
    let (silent, quick) = (Server::start(&["silence"; 50]).await, Server::start(&[]).await);
    let mut station = Station::on_sqlite().await;
    station.put_rules(DAY, MADE).await;
    let teams: Vec<String> = (0..30).map(|team| format!("team-{team}")).collect();
    station.count(&teams.iter().map(|team| spent(NOON, Some(team), 10_000)).collect::<Vec<_>>()).await;
    station.look_with(&["silent", "quick"], FIRST_FENCE, at(NOON)).await.unwrap();
    // Its calls are due first.
    station
        .execute("update webhook_deliveries set next_attempt_at_ms = $1 where target = 'silent'", &[(NOON - 1).into()])
        .await;
    let urls = [format!("silent=http://{}/", silent.address), format!("quick=http://{}/", quick.address)];
    let mut deliverer = deliverer(&station, &urls);
    // No call of the silent one has ended by then.
    let began = Instant::now();
    while quick.requests().len() < 30 && began.elapsed() < Duration::from_secs(8) {
        assert!(deliverer.pass_at(FIRST_FENCE, at(NOON)).await.unwrap(), "calls are under way");
    }
    deliverer.pass_at(FIRST_FENCE, at(NOON)).await.unwrap();
    let states = states(&station).await;
    let told = states.iter().filter(|state| state.0 == "quick" && state.2 == "delivered" && state.1 == 1);
    assert_eq!((told.count(), quick.requests().len()), (30, 30));
    assert!(silent.requests().len() <= 4, "{}", silent.requests().len());
}

#[tokio::test]
async fn without_encryption_only_addresses_inside_are_called() {
    let server = Server::start(&[]).await;
    let mut station = Station::on_sqlite().await;
    raised(&mut station, &["ops"]).await;
    let mut deliverer = deliverer(&station, &[format!("ops=http://hooks.test:{}/", server.address.port())]);
    let inside = server.address;
    deliverer.resolver = Resolver::Test(Arc::new(move |_| vec![inside, "1.1.1.1:80".parse().unwrap()]));
    deliverer.deliver(at(NOON)).await;
    let reason = "its host has an address outside of private networks, where only https:// is called";
    assert_eq!(states(&station).await[0].3.as_deref(), Some(reason));
    assert!(server.requests().is_empty());
}

#[test]
fn no_address_and_no_secret_is_shown() {
    let urls = ["ops=https://hooks.test/hunter2".to_owned()];
    let shown = format!("{:?}", webhooks(&urls, PrivateAddresses::Refused).unwrap());
    assert!(shown.contains("ops") && !shown.contains("hunter2") && !shown.contains(SECRET), "{shown}");
}
