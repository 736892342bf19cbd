//! Context: what the operations of one piece of work have in common, such as session, user, agent, trace and tags.
//!
//! A context is given to a future or a closure and holds for everything that is begun within it, however deep:
//! [`Producer::begin`](crate::Producer::begin) picks it up. Scopes nest, and the inner one wins. A context holds for a task; a
//! task or thread that is spawned starts without one, unless [`Context::current`] is taken along.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use opstream_schemas::Operation;
use serde_json::{Map, Value};

use crate::trace;

tokio::task_local! {
    static CURRENT: Context;
}

/// What operations have in common. Clones are cheap.
///
/// ```
/// use opstream_producer::Context;
///
/// let request = Context::new().session_id("session-7").user_id("user-42").tag("release", "2026.11.3");
/// request.clone().sync_scope(|| {
///     Context::new().agent_name("triage").sync_scope(|| {
///         // An operation that begins here is of session-7 and of the agent.
///         assert_eq!(Context::current(), request.agent_name("triage"));
///     });
/// });
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    facts: Arc<Facts>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Facts {
    workspace: Option<String>,
    project: Option<String>,
    team: Option<String>,
    environment: Option<String>,
    service: Option<String>,
    session_id: Option<String>,
    user_id: Option<String>,
    action_id: Option<String>,
    agent_id: Option<String>,
    agent_name: Option<String>,
    trace_id: Option<String>,
    parent_span_id: Option<String>,
    tags: BTreeMap<String, String>,
    metadata: Map<String, Value>,
}

impl Context {
    /// A context that says nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The context of the scope that the caller is in; outside of every scope one that says nothing.
    ///
    /// Take it along where a task or a thread begins: `tasks.spawn(Context::current().scope(work()))`.
    pub fn current() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_default()
    }

    /// Runs a future in this context, laid over the one that is current when `scope` is called.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self.over(&Self::current()), work)
    }

    /// Runs a closure in this context, laid over the current one. Wants no runtime.
    pub fn sync_scope<T>(self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.over(&Self::current()), work)
    }

    /// This context, and of `outer` whatever it leaves open.
    ///
    /// An agent's id and name are one statement, and so are a trace and the parent within it: whoever names one of them
    /// does not inherit the other. Tags and metadata are joined by key.
    #[must_use]
    pub fn over(&self, outer: &Self) -> Self {
        let mut facts = Facts::clone(&outer.facts);
        self.facts.lay(&mut facts);
        Self { facts: Arc::new(facts) }
    }

    /// Sets the tenant, 1 to 255 bytes; without it operations are of the workspace `default`.
    #[must_use]
    pub fn workspace(self, workspace: impl Into<String>) -> Self {
        self.with(|facts| facts.workspace = Some(workspace.into()))
    }

    /// Sets the project, a dimension of the caller's own.
    #[must_use]
    pub fn project(self, project: impl Into<String>) -> Self {
        self.with(|facts| facts.project = Some(project.into()))
    }

    /// Sets the team, a dimension of the caller's own.
    #[must_use]
    pub fn team(self, team: impl Into<String>) -> Self {
        self.with(|facts| facts.team = Some(team.into()))
    }

    /// Sets the deployment environment, such as `production`.
    #[must_use]
    pub fn environment(self, environment: impl Into<String>) -> Self {
        self.with(|facts| facts.environment = Some(environment.into()))
    }

    /// Sets the name of the service that makes the calls.
    #[must_use]
    pub fn service(self, service: impl Into<String>) -> Self {
        self.with(|facts| facts.service = Some(service.into()))
    }

    /// Sets the conversation or session. It is also the key on the topic: a session keeps its order.
    #[must_use]
    pub fn session_id(self, session_id: impl Into<String>) -> Self {
        self.with(|facts| facts.session_id = Some(session_id.into()))
    }

    /// Sets the end user on whose behalf calls are made.
    #[must_use]
    pub fn user_id(self, user_id: impl Into<String>) -> Self {
        self.with(|facts| facts.user_id = Some(user_id.into()))
    }

    /// Sets the agent that makes the calls.
    #[must_use]
    pub fn agent_id(self, agent_id: impl Into<String>) -> Self {
        self.with(|facts| facts.agent_id = Some(agent_id.into()))
    }

    /// Sets the name of the agent for people.
    #[must_use]
    pub fn agent_name(self, agent_name: impl Into<String>) -> Self {
        self.with(|facts| facts.agent_name = Some(agent_name.into()))
    }

    /// Sets the step or action of the agent.
    #[must_use]
    pub fn action_id(self, action_id: impl Into<String>) -> Self {
        self.with(|facts| facts.action_id = Some(action_id.into()))
    }

    /// Sets the W3C trace id, 32 lower-case hex digits.
    #[must_use]
    pub fn trace_id(self, trace_id: impl Into<String>) -> Self {
        self.with(|facts| facts.trace_id = Some(trace_id.into()))
    }

    /// Sets the W3C id of the span that the calls are children of, 16 lower-case hex digits.
    #[must_use]
    pub fn parent_span_id(self, parent_span_id: impl Into<String>) -> Self {
        self.with(|facts| facts.parent_span_id = Some(parent_span_id.into()))
    }

    /// Sets trace and parent by the `traceparent` header of a request. As W3C Trace Context asks, a header that is not
    /// valid is ignored.
    #[must_use]
    pub fn traceparent(self, header: &str) -> Self {
        match trace::parse_traceparent(header) {
            Some((trace_id, span_id)) => self.trace_id(trace_id).parent_span_id(span_id),
            None => self,
        }
    }

    /// Adds a tag, or replaces the one of this name.
    #[must_use]
    pub fn tag(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(|facts| drop(facts.tags.insert(name.into(), value.into())))
    }

    /// Adds an entry of the metadata, or replaces the one of this name.
    #[must_use]
    pub fn metadata(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.with(|facts| drop(facts.metadata.insert(name.into(), value.into())))
    }

    /// What an operation was begun with or given since.
    pub(crate) fn of(operation: &Operation) -> Self {
        let metadata = operation.metadata.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let facts = Facts {
            workspace: Some(operation.workspace.clone()),
            project: operation.project.clone(),
            team: operation.team.clone(),
            environment: operation.environment.clone(),
            service: operation.service.clone(),
            session_id: operation.session_id.clone(),
            user_id: operation.user_id.clone(),
            action_id: operation.action_id.clone(),
            agent_id: operation.agent_id.clone(),
            agent_name: operation.agent_name.clone(),
            trace_id: operation.trace_id.clone(),
            parent_span_id: operation.parent_span_id.clone(),
            tags: operation.tags.clone(),
            metadata: metadata.unwrap_or_default(),
        };
        Self { facts: Arc::new(facts) }
    }

    /// Whether the context says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        *self.facts == Facts::default()
    }

    fn with(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(Arc::make_mut(&mut self.facts));
        self
    }

    /// Writes what the context says into an operation that has just begun.
    pub(crate) fn fill(&self, operation: &mut Operation) {
        let facts = &*self.facts;
        if let Some(workspace) = &facts.workspace {
            operation.workspace.clone_from(workspace);
        }
        facts.lay_texts([
            &mut operation.project,
            &mut operation.team,
            &mut operation.environment,
            &mut operation.service,
            &mut operation.session_id,
            &mut operation.user_id,
            &mut operation.action_id,
            &mut operation.agent_id,
            &mut operation.agent_name,
            &mut operation.trace_id,
            &mut operation.parent_span_id,
        ]);
        operation.tags.extend(facts.tags.iter().map(|(name, value)| (name.clone(), value.clone())));
        if !facts.metadata.is_empty() {
            operation.metadata = Some(Value::Object(facts.metadata.clone()).to_string());
        }
    }
}

impl Facts {
    fn lay(&self, onto: &mut Self) {
        if self.workspace.is_some() {
            onto.workspace.clone_from(&self.workspace);
        }
        self.lay_texts([
            &mut onto.project,
            &mut onto.team,
            &mut onto.environment,
            &mut onto.service,
            &mut onto.session_id,
            &mut onto.user_id,
            &mut onto.action_id,
            &mut onto.agent_id,
            &mut onto.agent_name,
            &mut onto.trace_id,
            &mut onto.parent_span_id,
        ]);
        onto.tags.extend(self.tags.iter().map(|(name, value)| (name.clone(), value.clone())));
        onto.metadata.extend(self.metadata.iter().map(|(name, value)| (name.clone(), value.clone())));
    }

    /// Writes the texts that are set, in the order of the fields of [`Facts`], the workspace left out.
    fn lay_texts(
        &self,
        [project, team, environment, service, session, user, action, rest @ ..]: [&mut Option<String>; 11],
    ) {
        let alone = [
            (&self.project, project),
            (&self.team, team),
            (&self.environment, environment),
            (&self.service, service),
            (&self.session_id, session),
            (&self.user_id, user),
            (&self.action_id, action),
        ];
        for (text, place) in alone {
            if text.is_some() {
                place.clone_from(text);
            }
        }
        let [agent_id, agent_name, trace_id, parent_span_id] = rest;
        if self.agent_id.is_some() || self.agent_name.is_some() {
            agent_id.clone_from(&self.agent_id);
            agent_name.clone_from(&self.agent_name);
        }
        if self.trace_id.is_some() {
            trace_id.clone_from(&self.trace_id);
            parent_span_id.clone_from(&self.parent_span_id);
        } else if self.parent_span_id.is_some() {
            parent_span_id.clone_from(&self.parent_span_id);
        }
    }
}

#[cfg(test)]
mod tests;
