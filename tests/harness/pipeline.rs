//! The whole pipeline as its users start it: `opstream up`, or one process per role, which is the only way on a real Kafka
//! and Postgres.

mod answers;
mod records;
mod topics;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use opstream_schemas::database::{Database, DatabaseUrl};

use super::backends::Backends;
use super::process::{Process, free_port};

/// Partitions of the topic of operations, where a story creates it.
const PARTITIONS: &str = "3";
/// How long a process may take to end, once told or by its own word.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// A running pipeline.
pub(crate) struct Pipeline<'a> {
    backends: &'a Backends,
    processes: Vec<Process>,
    is_one_process: bool,
    api_port: u16,
    broker_port: u16,
    /// Of the ingestor and the aggregator, where they are processes of their own.
    health_ports: [u16; 2],
    settings: Vec<(&'static str, String)>,
    /// Addresses of the database for the ingestor and the aggregator, where they have their own.
    stores_database_urls: Option<[String; 2]>,
    /// Faults of the processes that are started from now on.
    faults: String,
}

impl<'a> Pipeline<'a> {
    /// Starts every role and waits until the front door is ready.
    pub(crate) async fn start(backends: &'a Backends) -> Self {
        Self::start_with(backends, &[]).await
    }

    /// Starts every role with these variables too.
    pub(crate) async fn start_with(backends: &'a Backends, settings: &[(&'static str, &str)]) -> Self {
        let mut pipeline = Self::prepare(backends, settings).await;
        pipeline.start_processes().await;
        pipeline
    }

    /// The variables of the next start.
    pub(crate) fn set(&mut self, settings: &[(&'static str, &str)]) {
        self.settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    }

    /// Starts every role as a process of its own, the embedded broker too.
    pub(crate) async fn start_apart(backends: &'a Backends, settings: &[(&'static str, &str)]) -> Self {
        let mut pipeline = Self::prepare(backends, settings).await;
        pipeline.is_one_process = false;
        pipeline.start_processes().await;
        pipeline
    }

    /// Starts every role as a process of its own; the ingestor and the aggregator reach the database through these addresses.
    pub(crate) async fn start_behind(backends: &'a Backends, database_urls: [String; 2]) -> Self {
        let mut pipeline = Self::prepare(backends, &[]).await;
        pipeline.is_one_process = false;
        pipeline.stores_database_urls = Some(database_urls);
        pipeline.start_processes().await;
        pipeline
    }

    async fn prepare(backends: &'a Backends, settings: &[(&'static str, &str)]) -> Self {
        let pipeline = Self {
            backends,
            processes: Vec::new(),
            is_one_process: backends.kafka_bootstrap.is_none(),
            api_port: free_port(),
            broker_port: free_port(),
            health_ports: [free_port(), free_port()],
            settings: settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            stores_database_urls: None,
            faults: String::new(),
        };
        if backends.kafka_bootstrap.is_some() {
            pipeline.create_topics().await;
        }
        pipeline
    }

    /// Creates the topics that are missing.
    pub(crate) async fn create_topics(&self) {
        let created = self.run(&["topics", "--partitions", PARTITIONS]).await;
        assert!(created.status.success(), "{created:?}");
    }

    /// Starts the processes again, at the same addresses, after they were killed or stopped.
    pub(crate) async fn start_processes(&mut self) {
        let roles: &[&str] = match (self.is_one_process, &self.backends.kafka_bootstrap) {
            (true, _) => &["up"],
            (false, None) => &["broker", "ingestor", "aggregator", "api"],
            (false, Some(_)) => &["ingestor", "aggregator", "api"],
        };
        self.processes = roles.iter().map(|role| self.start_again(role)).collect();
        self.ready().await;
    }

    /// Waits until the front door is ready.
    async fn ready(&mut self) {
        let url = self.url();
        self.processes.last_mut().expect("at least one process was started").ready(&url).await;
    }

    /// `kill -9` of the processes of these roles; then everything that does not run is started with these planned faults. `opstream
    /// up` has every role. Does not wait until they are ready: the faults may come before.
    pub(crate) async fn restart(&mut self, roles: &[&str], faults: &str) {
        faults.clone_into(&mut self.faults);
        for place in 0..self.processes.len() {
            let role = self.processes[place].role().to_owned();
            if is_one_of(&role, roles) {
                self.processes[place].kill().await;
            }
            if self.processes[place].has_ended() {
                self.processes[place] = self.start_again(&role);
            }
        }
    }

    /// Waits until the processes of these roles have ended by themselves.
    pub(crate) async fn ended(&mut self, roles: &[&str]) {
        for process in self.processes.iter_mut().filter(|process| is_one_of(process.role(), roles)) {
            process.ended(ENDS_WITHIN).await;
        }
    }

    /// How many lines of the processes' logs contain this text.
    pub(crate) fn count_in_logs(&self, text: &str) -> usize {
        let lines = |process: &Process| process.log().lines().filter(|line| line.contains(text)).count();
        self.processes.iter().map(lines).sum()
    }

    /// Starts the process that runs this role, at its address.
    fn start_again(&self, role: &str) -> Process {
        let listen = format!("127.0.0.1:{}", self.api_port);
        let broker = format!("127.0.0.1:{}", self.broker_port);
        let [ingestor, aggregator] = self.health_ports.map(|port| format!("127.0.0.1:{port}"));
        let arguments: Vec<&str> = match role {
            "up" => vec!["up", "--listen", &listen, "--broker-listen", &broker],
            "broker" => vec!["broker", "--broker-listen", &broker, "--partitions", PARTITIONS],
            "ingestor" => {
                vec!["ingestor", "--content", "lake", "--instance", "ingestor-1", "--health-listen", &ingestor]
            }
            "aggregator" => vec!["aggregator", "--health-listen", &aggregator],
            "api" => vec!["api", "--content", "lake", "--listen", &listen],
            other => panic!("no process runs the role {other}"),
        };
        let mut more = Vec::new();
        if let ("ingestor", Some([url, _])) | ("aggregator", Some([_, url])) = (role, &self.stores_database_urls) {
            more.push(("OPSTREAM_DATABASE_URL", url.as_str()));
        }
        if !self.faults.is_empty() {
            more.push(("OPSTREAM_FAILPOINTS", self.faults.as_str()));
        }
        self.start_role_with(&arguments, &more)
    }

    /// The running process whose first argument is this.
    pub(crate) fn process(&mut self, role: &str) -> &mut Process {
        let found = self.processes.iter_mut().find(|process| process.role() == role);
        found.unwrap_or_else(|| panic!("no process runs the role {role}"))
    }

    /// Starts the process of a role whose process was stopped or killed.
    pub(crate) fn start_one(&mut self, role: &str) {
        let started = self.start_again(role);
        // In front, since the last one is the front door.
        self.processes.insert(0, started);
    }

    /// Ctrl-C for the process of one role.
    pub(crate) async fn stop_one(&mut self, role: &str) {
        let status = self.take(role).stop(ENDS_WITHIN).await;
        assert!(status.success(), "the {role} ended with {status} after a termination signal");
    }

    /// `kill -9` of the process of one role.
    pub(crate) async fn kill_one(&mut self, role: &str) {
        self.take(role).kill().await;
    }

    fn take(&mut self, role: &str) -> Process {
        let at = self.processes.iter().position(|process| process.role() == role);
        self.processes.remove(at.unwrap_or_else(|| panic!("no process runs the role {role}")))
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
        folder.into_iter().chain(roles).chain(self.settings.clone()).collect()
    }

    /// Starts one more process of this pipeline.
    pub(crate) fn start_role(&self, arguments: &[&str]) -> Process {
        self.start_role_with(arguments, &[])
    }

    /// Starts one more process of this pipeline, with these variables too.
    pub(crate) fn start_role_with(&self, arguments: &[&str], more: &[(&str, &str)]) -> Process {
        let variables = self.variables();
        let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
        let variables: Vec<(&str, &str)> = variables.chain(more.iter().copied()).collect();
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
            let status = process.stop(ENDS_WITHIN).await;
            assert!(status.success(), "a process ended with {status} after a termination signal");
        }
    }

    /// IP and port of the api.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.api_port)
    }

    /// Address of the api.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.api_port)
    }

    /// Where a role answers how it is: `opstream up` answers for all of its roles.
    pub(crate) fn health_url(&self, role: &str) -> String {
        let [ingestor, aggregator] = self.health_ports;
        match (role, self.is_one_process) {
            ("ingestor", false) => format!("http://127.0.0.1:{ingestor}"),
            ("aggregator", false) => format!("http://127.0.0.1:{aggregator}"),
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
}

/// Whether the process with this first argument does the work of one of these roles; `opstream up` does all.
fn is_one_of(process: &str, roles: &[&str]) -> bool {
    process == "up" || roles.contains(&process)
}
