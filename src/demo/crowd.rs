//! Many sessions at once: who makes the next call, with which identity.
//!
//! A session goes on only after its last call has ended and a pause for thought has passed, and a call that failed in
//! passing is made again under the same `call_id`. The same seed and the same times give the same operations, ids included.

use std::collections::BTreeMap;

use opstream_schemas::{Operation, OperationId, UtcMicros};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::call::{Played, Turn, play};
use super::fleet::{CREWS, Crew};

/// Sessions that wait for their next call; more than a thousand operations per second would fill without a bound.
const MOST_SESSIONS: usize = 20_000;
/// Part of the calls, one in so many, that begin a session although an older one could go on.
const NEWCOMERS: u32 = 12;

/// Sessions of a fleet.
#[derive(Debug)]
pub(super) struct Crowd {
    rng: StdRng,
    workspaces: Vec<String>,
    /// By the moment from which the session can go on, and its number.
    waiting: BTreeMap<(UtcMicros, u64), Session>,
    n_sessions: u64,
}

/// One session between two calls; its next call is already decided.
#[derive(Debug)]
struct Session {
    crew: &'static Crew,
    workspace: String,
    environment: &'static str,
    name: String,
    user_id: String,
    trace_id: String,
    n_steps: u32,
    /// Steps that have ended.
    n_done: u32,
    attempt: i32,
    call_id: Option<String>,
    next: Operation,
    will_retry: bool,
}

impl Crowd {
    /// A crowd without sessions. `start` keeps two demonstrations with one seed apart.
    ///
    /// # Panics
    /// When there is no workspace.
    pub(super) fn new(seed: u64, start: UtcMicros, workspaces: Vec<String>) -> Self {
        assert!(!workspaces.is_empty(), "a fleet works in at least one workspace");
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        bytes[8..16].copy_from_slice(&start.micros().to_be_bytes());
        Self { rng: StdRng::from_seed(bytes), workspaces, waiting: BTreeMap::new(), n_sessions: 0 }
    }

    /// The operation that ends at `at`; calls come in the order of time.
    pub(super) fn operation_ending_at(&mut self, at: UtcMicros) -> Operation {
        let mut session = self.take_session(at);
        let operation = self.conclude(&mut session, at);
        if let Some(pause_us) = self.prepare_next(&mut session) {
            let ready_at = at.micros() + pause_us + session.next.latency_us.unwrap_or(0);
            self.n_sessions += 1;
            self.waiting.insert((UtcMicros::from_micros(ready_at), self.n_sessions), session);
        }
        operation
    }

    /// A session whose next call can have ended by now, else a new one.
    fn take_session(&mut self, at: UtcMicros) -> Session {
        let is_full = self.waiting.len() >= MOST_SESSIONS;
        if let Some(oldest) = self.waiting.first_entry() {
            let is_ready = oldest.key().0 <= at && !self.rng.random_ratio(1, NEWCOMERS);
            if is_ready || is_full {
                return oldest.remove();
            }
        }
        self.begin_session()
    }

    fn begin_session(&mut self) -> Session {
        let rng = &mut self.rng;
        let crew = CREWS.choose_weighted(rng, |crew| crew.weight).expect("the weights are positive");
        let workspace = self.workspaces.choose(rng).expect("checked by `new`").clone();
        let mut session = Session {
            crew,
            workspace,
            environment: if rng.random_ratio(1, 6) { "staging" } else { "production" },
            name: format!("demo-{:012x}", rng.random::<u64>() >> 16),
            user_id: format!("demo-user-{}", rng.random_range(1..=40)),
            trace_id: format!("{:032x}", rng.random::<u128>().max(1)),
            n_steps: rng.random_range(3..=11),
            n_done: 0,
            attempt: 1,
            call_id: None,
            next: Operation::default(),
            will_retry: false,
        };
        self.decide(&mut session);
        session
    }

    /// Gives the decided call its place in time and its identity.
    fn conclude(&mut self, session: &mut Session, at: UtcMicros) -> Operation {
        let latency_us = session.next.latency_us.unwrap_or(0);
        let started_at = UtcMicros::from_micros(at.micros() - latency_us);
        let span_id = format!("{:016x}", self.rng.random::<u64>().max(1));
        Operation {
            operation_id: OperationId::mint(started_at.to_millis(), self.rng.random()),
            started_at,
            workspace: session.workspace.clone(),
            project: Some(session.crew.project.to_owned()),
            team: Some(session.crew.team.to_owned()),
            service: Some(session.crew.service.to_owned()),
            environment: Some(session.environment.to_owned()),
            session_id: Some(session.name.clone()),
            user_id: Some(session.user_id.clone()),
            trace_id: Some(session.trace_id.clone()),
            span_id: Some(span_id),
            call_id: session.call_id.clone(),
            tags: BTreeMap::from([("demo".to_owned(), "true".to_owned())]),
            ..std::mem::take(&mut session.next)
        }
    }

    /// Decides the session's next call; the pause before it, or none when the session is over.
    fn prepare_next(&mut self, session: &mut Session) -> Option<i64> {
        let pause_us = if session.will_retry {
            session.attempt += 1;
            // Back-off of the client: a second, then two.
            1_000_000 * i64::from(session.attempt - 1)
        } else {
            session.n_done += 1;
            session.attempt = 1;
            session.call_id = None;
            self.rng.random_range(300_000..8_000_000)
        };
        if session.n_done >= session.n_steps {
            return None;
        }
        self.decide(session);
        Some(pause_us)
    }

    fn decide(&mut self, session: &mut Session) {
        let steps = session.crew.steps;
        let index = usize::try_from(session.n_done).unwrap_or(0) % steps.len();
        let turn = Turn { step: &steps[index], n_before: session.n_done, attempt: session.attempt };
        let Played { operation, will_retry } = play(turn, &mut self.rng);
        if will_retry && session.call_id.is_none() {
            session.call_id = Some(format!("demo-call-{:012x}", self.rng.random::<u64>() >> 16));
        }
        session.next = operation;
        session.will_retry = will_retry;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use super::*;

    const START: UtcMicros = UtcMicros::from_micros(1_790_000_000_000_000);

    fn play_for(seed: u64, n_operations: i64, every_us: i64) -> Vec<Operation> {
        let mut crowd = Crowd::new(seed, START, vec!["acme".to_owned(), "globex".to_owned()]);
        let end = |index: i64| UtcMicros::from_micros(START.micros() + index * every_us);
        (0..n_operations).map(|index| crowd.operation_ending_at(end(index))).collect()
    }

    #[test]
    fn a_seed_and_a_start_give_the_same_operations_and_another_seed_others() {
        assert_eq!(play_for(1, 500, 200_000), play_for(1, 500, 200_000));
        let ids =
            |seed| play_for(seed, 500, 200_000).iter().map(|operation| operation.operation_id).collect::<BTreeSet<_>>();
        assert_eq!(ids(1).len(), 500);
        assert!(ids(1).is_disjoint(&ids(2)));
    }

    #[test]
    fn calls_of_a_session_follow_one_another() {
        let mut ends: HashMap<String, i64> = HashMap::new();
        let mut n_followed = 0;
        for operation in play_for(3, 20_000, 20_000) {
            let end = operation.started_at.micros() + operation.latency_us.unwrap();
            if let Some(last_end) = ends.insert(operation.session_id.unwrap(), end) {
                assert!(operation.started_at.micros() > last_end);
                n_followed += 1;
            }
        }
        assert!(n_followed > 10_000, "{n_followed}");
    }

    #[test]
    fn a_retry_is_an_operation_of_its_own_under_the_same_call() {
        let operations = play_for(4, 20_000, 20_000);
        let retries: Vec<&Operation> = operations.iter().filter(|operation| operation.attempt > 1).collect();
        assert!(retries.len() > 100, "{}", retries.len());
        for retry in retries {
            let first =
                operations.iter().find(|other| other.call_id == retry.call_id && other.attempt == retry.attempt - 1);
            let first = first.expect("an attempt before this one");
            assert!(!first.success && first.session_id == retry.session_id && first.operation_id != retry.operation_id);
        }
    }

    #[test]
    fn the_fleet_shows_every_kind_of_operation() {
        let operations = play_for(5, 5_000, 200_000);
        let distinct =
            |of: fn(&Operation) -> Option<String>| operations.iter().filter_map(of).collect::<BTreeSet<_>>().len();
        assert_eq!(distinct(|operation| Some(operation.operation_type.clone())), 3);
        assert_eq!(distinct(|operation| operation.provider.clone()), 6);
        assert_eq!(distinct(|operation| operation.error_type.clone()), 5);
        assert_eq!(distinct(|operation| operation.project.clone()), 3);
        assert_eq!(distinct(|operation| Some(operation.workspace.clone())), 2);
    }
}
