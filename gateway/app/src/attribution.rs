//! What a call belongs to: task, session, agent, parent agent, tags.
//!
//! Clients say it in headers and body members of their own; the conventions are read in a fixed order and the first
//! that says something about a field decides it. A client that says nothing gets a fingerprint of its
//! conversation's beginning, which stays the same from turn to turn.

mod baggage;
mod conventions;
mod label;

use std::collections::BTreeSet;

use http::HeaderMap;
use skinflint_policies::{Share, TenantId};
use skinflint_protocol::{Block, RequestView, Role, Source};

pub(crate) use self::label::Label;

/// What a call belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribution {
    /// The unit of work whose cost is of interest: named by the client, else its session, else a fingerprint.
    pub task: Label,
    /// The client's session.
    pub session: Option<Label>,
    /// The agent within the session; none is the main one.
    pub agent: Option<Label>,
    /// The agent that started this one.
    pub parent: Option<Label>,
    /// The kind of call, such as `main`, `subagent`, `compaction`, `auxiliary`.
    pub class: Option<Label>,
    /// Free labels.
    pub tags: BTreeSet<Label>,
}

/// What one convention says; anything that it does not say is left to the next.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    task: Option<Label>,
    session: Option<Label>,
    agent: Option<Label>,
    parent: Option<Label>,
    class: Option<Label>,
    tags: BTreeSet<Label>,
}

/// Tags of one call: more is a mistake of the client, not a label.
const MAX_TAGS: usize = 32;

// === impl Attribution ===

impl Attribution {
    /// Reads the conventions in their order.
    pub(crate) fn of(
        tenant: &TenantId,
        headers: &HeaderMap,
        request: Option<(&RequestView, &[u8])>,
    ) -> Self {
        let view = request.map(|(view, _)| view);
        let mut said = Said::default();
        for convention in conventions::IN_ORDER {
            said.fill(convention(headers, view));
        }
        let task = said
            .task
            .or_else(|| said.session.clone())
            .unwrap_or_else(|| fingerprint(tenant, request));
        // Some clients name the main agent, by its session, and some do not: it has no name here, and so no parent.
        let sub = |label: &Label| Some(label) != said.session.as_ref() && *label != task;
        let agent = said.agent.filter(sub);
        let parent = said.parent.filter(sub).filter(|_| agent.is_some());
        Self {
            agent,
            parent,
            task,
            session: said.session,
            class: said.class,
            tags: said.tags.into_iter().take(MAX_TAGS).collect(),
        }
    }

    /// Whether the task is among the share that runs unoptimised: a matter of its name alone, so that all its calls are, on
    /// every gateway.
    pub(crate) fn is_held_out(&self, tenant: &TenantId, share: Share) -> bool {
        let name = format!("holdout\0{tenant}\0{}", self.task);
        let hash = blake3::hash(name.as_bytes());
        let [a, b, c, d, ..] = *hash.as_bytes();
        share.covers(u32::from_le_bytes([a, b, c, d]))
    }
}

// === impl Said ===

impl Said {
    /// Takes from a later convention what no earlier one has said. Tags add up.
    fn fill(&mut self, later: Self) {
        let Self {
            task,
            session,
            agent,
            parent,
            class,
            tags,
        } = later;
        self.task = self.task.take().or(task);
        self.session = self.session.take().or(session);
        self.agent = self.agent.take().or(agent);
        self.parent = self.parent.take().or(parent);
        self.class = self.class.take().or(class);
        self.tags.extend(tags);
    }
}

/// Tenant, system prompt and first user message: what stays the same through a conversation that names nothing.
fn fingerprint(tenant: &TenantId, request: Option<(&RequestView, &[u8])>) -> Label {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(tenant.as_str().as_bytes());
    if let Some((view, body)) = request {
        let first_user = view
            .blocks
            .iter()
            .find(|block| block.role == Role::User)
            .map(|block| block.message);
        // Some clients add system messages along the way; those are not the beginning.
        let opens = |block: &Block| match block.role {
            Role::System => {
                matches!(block.source, Source::System | Source::Instructions)
                    || first_user.is_none_or(|first| block.message < first)
            }
            Role::User => Some(block.message) == first_user,
            _ => false,
        };
        for block in view.blocks.iter().filter(|block| opens(block)) {
            // The text and not the block: a cache mark moves from turn to turn.
            part(&body[block.text.clone().unwrap_or_else(|| block.span.clone())]);
        }
    }
    Label::fingerprint(&hasher.finalize().to_hex()[..16])
}

#[cfg(test)]
mod tests;
