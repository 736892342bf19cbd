//! The whole pipeline as its users start it: `opstream up`, or one process per role on a real Kafka and Postgres.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use opstream_schemas::database::{Database, DatabaseUrl};
use serde_json::Value;

use super::backends::Backends;
use super::eventually::eventually;
use super::process::{Process, free_port};

/// How long what was acknowledged may take to be stored and windowed on a busy machine.
const SETTLED_WITHIN: Duration = Duration::from_mins(2);

/// A running pipeline.
pub(crate) struct Pipeline<'a> {
    backends: &'a Backends,
    processes: Vec<Process>,
    api_port: u16,
    broker_port: u16,
    /// Of the ingestor and the aggregator, where they are processes of their own.
    health_ports: [u16; 2],
    settings: &'static [(&'static str, &'static str)],
    /// Faults of the processes that are started from now on.
    faults: String,
}

impl<'a> Pipeline<'a> {
    /// Starts every role and waits until the front door is ready.
    pub(crate) async fn start(backends: &'a Backends) -> Self {
        Self::start_with(backends, &[]).await
    }

    /// Starts every role with these variables too.
    pub(crate) async fn start_with(backends: &'a Backends, settings: &'static [(&'static str, &'static str)]) -> Self {
        let (api_port, broker_port, health_ports) = (free_port(), free_port(), [free_port(), free_port()]);
        let (processes, faults) = (Vec::new(), String::new());
        let mut pipeline = Self { backends, processes, api_port, broker_port, health_ports, settings, faults };
        if backends.kafka_bootstrap.is_some() {
            let created = pipeline.run(&["topics", "--partitions", "3"]).await;
            assert!(created.status.success(), "{created:?}");
        }
        pipeline.start_processes().await;
        pipeline
    }

    /// The variables of the next start.
    pub(crate) fn set(&mut self, settings: &'static [(&'static str, &'static str)]) {
        self.settings = settings;
    }

    /// Starts the processes again, at the same addresses, after they were killed or stopped.
    pub(crate) async fn start_processes(&mut self) {
        self.processes = self.commands().iter().map(|command| self.start_command(command)).collect();
        let url = self.url();
        self.processes.last_mut().expect("at least one process was started").ready(&url).await;
    }

    /// `kill -9` of the processes of these roles; then everything that does not run is started with these planned faults. `opstream
    /// up` has every role. Does not wait until they are ready: the faults may come before.
    pub(crate) async fn restart(&mut self, roles: &[&str], faults: &str) {
        faults.clone_into(&mut self.faults);
        let commands = self.commands();
        for (place, command) in commands.iter().enumerate() {
            let role = command[0].as_str();
            if role == "up" || roles.contains(&role) {
                self.processes[place].kill().await;
            }
            if self.processes[place].has_ended() {
                self.processes[place] = self.start_command(command);
            }
        }
    }

    /// Whether a process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.processes.iter_mut().any(Process::has_ended)
    }

    /// How many lines of the processes' logs contain this text.
    pub(crate) fn count_in_logs(&self, text: &str) -> usize {
        let lines = |process: &Process| process.log().lines().filter(|line| line.contains(text)).count();
        self.processes.iter().map(lines).sum()
    }

    fn commands(&self) -> Vec<Vec<String>> {
        let at = |port: u16| format!("127.0.0.1:{port}");
        let [ingestor, aggregator] = self.health_ports.map(at);
        let (api, broker) = (at(self.api_port), at(self.broker_port));
        let commands: Vec<Vec<&str>> = match self.backends.kafka_bootstrap {
            None => vec![vec!["up", "--listen", &api, "--broker-listen", &broker]],
            Some(_) => vec![
                vec!["ingestor", "--content", "lake", "--instance", "ingestor-1", "--health-listen", &ingestor],
                vec!["aggregator", "--health-listen", &aggregator],
                vec!["api", "--content", "lake", "--listen", &api],
            ],
        };
        commands.into_iter().map(|words| words.into_iter().map(str::to_owned).collect()).collect()
    }

    fn start_command(&self, words: &[String]) -> Process {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let faults = Some(self.faults.clone()).filter(|faults| !faults.is_empty());
        let variables = self.variables().into_iter().chain(faults.map(|faults| ("OPSTREAM_FAILPOINTS", faults)));
        self.spawn(&words, &variables.collect::<Vec<_>>())
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let folder =
            self.backends.kafka_bootstrap.is_none().then(|| ("OPSTREAM_DATA", self.data().display().to_string()));
        let roles = [
            ("OPSTREAM_TOPIC_PREFIX", self.backends.topic_prefix.clone()),
            ("OPSTREAM_BOOTSTRAP", self.bootstrap()),
            ("OPSTREAM_DATABASE_URL", self.database_url()),
            ("OPSTREAM_LAKE", self.lake().display().to_string()),
            ("OPSTREAM_URL", self.url()),
        ];
        let settings = self.settings.iter().map(|(name, value)| (*name, (*value).to_owned()));
        folder.into_iter().chain(roles).chain(settings).collect()
    }

    /// Starts one more process of this pipeline.
    pub(crate) fn start_role(&self, arguments: &[&str]) -> Process {
        self.spawn(arguments, &self.variables())
    }

    fn spawn(&self, arguments: &[&str], variables: &[(&'static str, String)]) -> Process {
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Process::start_with(self.backends.folder.path(), arguments, &variables)
    }

    /// Runs another `opstream` command against this pipeline and waits for its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        tokio::process::Command::new(env!("CARGO_BIN_EXE_opstream"))
            .args(arguments)
            .current_dir(self.backends.folder.path())
            .env_clear()
            .envs(self.variables())
            .kill_on_drop(true)
            .output()
            .await
            .expect("cargo built the binary before this test")
    }

    /// `kill -9` of every process.
    pub(crate) async fn kill(&mut self) {
        for process in &mut self.processes {
            process.kill().await;
        }
    }

    /// Ctrl-C for every process, front door first.
    pub(crate) async fn stop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let status = process.stop(Duration::from_mins(1)).await;
            assert!(status.success(), "a process ended with {status} after a termination signal");
        }
    }

    /// Address of the api.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.api_port)
    }

    /// Where a role answers how it is: `opstream up` answers for all of its roles.
    pub(crate) fn health_url(&self, role: &str) -> String {
        let [ingestor, aggregator] = self.health_ports;
        match (role, self.backends.kafka_bootstrap.is_some()) {
            ("ingestor", true) => format!("http://127.0.0.1:{ingestor}"),
            ("aggregator", true) => format!("http://127.0.0.1:{aggregator}"),
            _ => self.url(),
        }
    }

    /// Address for Kafka clients.
    pub(crate) fn bootstrap(&self) -> String {
        self.backends.kafka_bootstrap.clone().unwrap_or_else(|| format!("127.0.0.1:{}", self.broker_port))
    }

    /// Name of a topic of this pipeline.
    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.backends.topic_prefix)
    }

    /// Folder of `opstream up`.
    pub(crate) fn data(&self) -> PathBuf {
        self.backends.folder.path().join("data")
    }

    /// Root of the lake.
    pub(crate) fn lake(&self) -> PathBuf {
        self.data().join("lake")
    }

    /// First part of the name of each topic.
    pub(crate) fn topic_prefix(&self) -> &str {
        &self.backends.topic_prefix
    }

    /// Folder of the story.
    pub(crate) fn folder(&self) -> &Path {
        self.backends.folder.path()
    }

    /// Address of the database.
    pub(crate) fn database_url(&self) -> String {
        match self.backends.kafka_bootstrap {
            None => format!("sqlite:{}", self.data().join("opstream.db").display()),
            Some(_) => self.backends.database_url.clone(),
        }
    }

    /// Opens the database beside the running pipeline.
    pub(crate) async fn database(&self) -> Database {
        let url = DatabaseUrl::parse(&self.database_url()).expect("the harness writes usable addresses");
        Database::connect(&url).await.expect("the pipeline's database is there")
    }

    /// `GET` of the api as JSON.
    ///
    /// # Errors
    /// What went wrong, as text.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, String> {
        let answer = reqwest::get(format!("{}{path}", self.url())).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(|error| error.to_string())?;
        if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}")) }
    }

    /// Waits until every offset that was acknowledged so far is stored and in windows.
    pub(crate) async fn settle(&self) {
        let ends = self.log_ends().await;
        eventually(SETTLED_WITHIN, async || {
            let progress = self.get("/v1/progress").await?;
            let reached = |(partition, end): &(i64, i64)| {
                let committed = progress["committed"].as_array().into_iter().flatten();
                *end == 0
                    || committed
                        .filter(|entry| entry["partition"].as_i64() == Some(*partition))
                        .any(|entry| entry["windowed_to"].as_i64() >= Some(*end))
            };
            if ends.iter().all(reached) { Ok(()) } else { Err(format!("log ends {ends:?}, progress {progress}")) }
        })
        .await;
    }

    /// Partition and end of its log, as the broker says now.
    async fn log_ends(&self) -> Vec<(i64, i64)> {
        let (bootstrap, topic) = (self.bootstrap(), self.topic("operations"));
        let ask = move || {
            use rdkafka::consumer::{BaseConsumer, Consumer};
            let consumer: BaseConsumer = rdkafka::ClientConfig::new()
                .set("bootstrap.servers", bootstrap)
                .create()
                .expect("the settings are valid");
            let timeout = Duration::from_secs(20);
            let metadata = consumer.fetch_metadata(Some(&topic), timeout).expect("the broker answers");
            let partitions = metadata.topics()[0].partitions().iter().map(rdkafka::metadata::MetadataPartition::id);
            partitions
                .map(|partition| {
                    let (_, end) = consumer.fetch_watermarks(&topic, partition, timeout).expect("the broker answers");
                    (i64::from(partition), end)
                })
                .collect()
        };
        tokio::task::spawn_blocking(ask).await.expect("asking the broker does not panic")
    }

    /// Runs `opstream verify` and fails the story unless it is clean.
    pub(crate) async fn assert_verified(&self) {
        let verified = self
            .run(&["verify", "--database-url", &self.database_url(), "--lake", &self.lake().display().to_string()])
            .await;
        let text = String::from_utf8_lossy(&verified.stdout);
        assert!(
            verified.status.success(),
            "verify found something:\n{text}\n{}",
            String::from_utf8_lossy(&verified.stderr)
        );
    }
}
