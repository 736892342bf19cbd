//! How the spans of one request belong together: who is whose parent, what is inherited, and which calls are told twice.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::dialects::{Meaning, Series};
use super::kind::{Kind, kind_of};
use super::model::{Scope, Span};
use super::said::Said;
use super::same_call::is_same_call;

/// A span with all that its operation is made of.
pub(super) struct Member<'s, 'a> {
    pub(super) span: &'s Span<'a>,
    pub(super) scope: &'s Scope<'a>,
    /// Place of its resource.
    pub(super) resource: usize,
    pub(super) said: Said<'s, 'a>,
    pub(super) kind: Kind,
    pub(super) operation_type: std::borrow::Cow<'static, str>,
    parent: Option<usize>,
    /// A span within it tells the same call: a framework's around the client library's.
    pub(super) is_told_within: bool,
}

/// All spans of a request.
pub(super) struct Family<'s, 'a> {
    pub(super) members: Vec<Member<'s, 'a>>,
    /// What each resource says.
    pub(super) resources: Vec<Said<'s, 'a>>,
}

/// Names that hold for everything within the span that says them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Inherited {
    pub(super) session_id: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) agent_id: Option<String>,
    pub(super) agent_name: Option<String>,
    pub(super) action_id: Option<String>,
}

/// More ancestors than this have no meaning.
const MOST_ANCESTORS: usize = 100;

impl<'s, 'a> Family<'s, 'a> {
    /// Sorts the spans of a request.
    pub(super) fn of(traces: &'s super::model::Traces<'a>) -> Self {
        let mut family = Self { members: Vec::new(), resources: Vec::new() };
        for resource_spans in &traces.resource_spans {
            let resource = family.resources.len();
            family.resources.push(Said::of(&resource_spans.resource.attributes));
            for scope_spans in &resource_spans.scope_spans {
                for span in &scope_spans.spans {
                    let said = Said::of(&span.attributes);
                    let (kind, operation_type) = kind_of(&said);
                    let scope = &scope_spans.scope;
                    family.members.push(Member {
                        span,
                        scope,
                        resource,
                        said,
                        kind,
                        operation_type,
                        parent: None,
                        is_told_within: false,
                    });
                }
            }
        }
        family.find_parents();
        family.open_circles();
        family.find_calls_told_twice();
        family
    }

    fn find_parents(&mut self) {
        let places: HashMap<(&[u8], &[u8]), usize> = (self.members.iter().enumerate())
            .map(|(place, member)| ((&*member.span.trace_id, &*member.span.span_id), place))
            .collect();
        let parents: Vec<Option<usize>> = (self.members.iter().enumerate())
            .map(|(place, Member { span, .. })| {
                let parent = places.get(&(&*span.trace_id, &*span.parent_span_id)).copied();
                parent.filter(|parent| *parent != place)
            })
            .collect();
        for (member, parent) in self.members.iter_mut().zip(parents) {
            member.parent = parent;
        }
    }

    /// Parents in a circle have no order: one link of each is cut.
    fn open_circles(&mut self) {
        const UNSEEN: usize = usize::MAX;
        // The walk that came by first.
        let mut seen_by = vec![UNSEEN; self.members.len()];
        for start in 0..self.members.len() {
            let mut place = start;
            while seen_by[place] == UNSEEN {
                seen_by[place] = start;
                match self.members[place].parent {
                    Some(parent) if seen_by[parent] == start => self.members[place].parent = None,
                    Some(parent) => place = parent,
                    None => {}
                }
            }
        }
    }

    /// A call that is instrumented by a framework and by the client library has two spans, one within the other: the inner one is
    /// nearer to the provider, and each attempt of a retry has its own. A call of another model within is none of its attempts.
    fn find_calls_told_twice(&mut self) {
        let mut places: Vec<usize> =
            (0..self.members.len()).filter(|place| self.members[*place].kind.is_billed()).collect();
        // The innermost first: what each of them says stands for all that tell the same around it.
        places.sort_by_cached_key(|place| Reverse(self.ancestors(*place).count()));
        for place in places {
            if self.members[place].is_told_within {
                continue;
            }
            let outer: Vec<usize> = self
                .ancestors(place)
                .take_while(|ancestor| {
                    !matches!(self.members[*ancestor].kind, Kind::Tool | Kind::Agent | Kind::Retrieval)
                })
                .filter(|ancestor| self.members[*ancestor].kind == self.members[place].kind)
                .take_while(|ancestor| is_same_call(&self.members[*ancestor].said, &self.members[place].said))
                .collect();
            for ancestor in outer {
                self.members[ancestor].is_told_within = true;
            }
        }
    }

    /// The span's parent, its parent and so on, as far as they are in the request.
    fn ancestors(&self, place: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.members[place].parent, |place| self.members[*place].parent).take(MOST_ANCESTORS)
    }

    /// What holds for a span: what it says itself, else the nearest span around it, else its resource.
    pub(super) fn inherited(&self, place: usize) -> Inherited {
        let mut inherited = Inherited::default();
        for member in std::iter::once(place).chain(self.ancestors(place)).map(|place| &self.members[place]) {
            inherited.add(&member.said, member.kind);
        }
        inherited.add(&self.resources[self.members[place].resource], Kind::Surroundings);
        inherited
    }
}

impl Inherited {
    fn add(&mut self, said: &Said<'_, '_>, kind: Kind) {
        let fill = |field: &mut Option<String>, meaning| {
            if field.is_none() {
                *field = said.text(meaning);
            }
        };
        fill(&mut self.session_id, Meaning::Session);
        fill(&mut self.user_id, Meaning::User);
        // An id of one agent and the name of another would be nobody's.
        if self.agent_id.is_none() && self.agent_name.is_none() {
            fill(&mut self.agent_id, Meaning::AgentId);
            fill(&mut self.agent_name, Meaning::AgentName);
            if kind == Kind::Agent && self.agent_name.is_none() {
                fill(&mut self.agent_name, Meaning::EntityName);
            }
        }
        fill(&mut self.action_id, Meaning::Action);
        if matches!(kind, Kind::Surroundings | Kind::Tool) {
            fill(&mut self.action_id, Meaning::EntityName);
        }
    }
}

/// `traceloop.association.properties.*` of a span: what its application tagged it with.
pub(super) fn associations<'m>(said: &'m Said<'_, '_>) -> impl Iterator<Item = (&'m str, String)> {
    let tags = said.series.iter().filter(|(series, ..)| *series == Series::Association);
    tags.map(|(_, name, value)| (*name, value.to_text().into_owned()))
}
