//! Which agent started which: known from the headers of each one's own calls, kept for the calls of those below.

use moka::sync::Cache;
use skinflint_policies::TenantId;

use crate::attribution::{Attribution, Label};

/// The trees of agents of all tasks; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct AgentTree {
    parents: Cache<Agent, Option<Label>>,
}

/// One agent of one task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Agent {
    tenant: TenantId,
    task: Label,
    name: Label,
}

/// Agents that are kept; the ones not heard of for longest go first.
const MAX_AGENTS: u64 = 100_000;
/// Deeper trees are a mistake of the client, or a circle.
const MAX_DEPTH: usize = 32;

// === impl AgentTree ===

impl AgentTree {
    /// No agent is known yet.
    pub(crate) fn new() -> Self {
        Self {
            parents: Cache::new(MAX_AGENTS),
        }
    }

    /// The agents above the one that calls, nearest first, without the main one, which has no name.
    ///
    /// What the call says of its parent is remembered. An agent that names itself as its own forebear has none.
    pub(crate) fn ancestors(&self, tenant: &TenantId, of: &Attribution) -> Vec<Label> {
        let Some(agent) = &of.agent else {
            return Vec::new();
        };
        let place = |agent: &Label| Agent {
            tenant: tenant.clone(),
            task: of.task.clone(),
            name: agent.clone(),
        };
        let known = self.parents.get(&place(agent));
        if known.as_ref() != Some(&of.parent) && (of.parent.is_some() || known.is_none()) {
            self.parents.insert(place(agent), of.parent.clone());
        }
        let mut ancestors: Vec<Label> = Vec::new();
        let mut above = of.parent.clone().or_else(|| known.flatten());
        while let Some(next) = above {
            if ancestors.len() == MAX_DEPTH || next == *agent || ancestors.contains(&next) {
                break;
            }
            above = self.parents.get(&place(&next)).flatten();
            ancestors.push(next);
        }
        ancestors
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn call(agent: &str, parent: Option<&str>) -> Attribution {
        Attribution {
            task: Label::new("t").unwrap(),
            session: None,
            agent: Label::new(agent),
            parent: parent.and_then(Label::new),
            class: None,
            tags: BTreeSet::new(),
        }
    }

    fn ancestors(tree: &AgentTree, agent: &str, parent: Option<&str>) -> String {
        let tenant = TenantId::parse("acme").unwrap();
        let found = tree.ancestors(&tenant, &call(agent, parent));
        let names: Vec<_> = found.iter().map(Label::as_str).collect();
        names.join(" ")
    }

    #[test]
    fn a_chain_is_known_from_the_calls_of_its_links() {
        let tree = AgentTree::new();
        assert_eq!(ancestors(&tree, "a", None), "");
        assert_eq!(ancestors(&tree, "b", Some("a")), "a");
        assert_eq!(ancestors(&tree, "c", Some("b")), "b a");
        // A later call that leaves its parent out has not lost it.
        assert_eq!(ancestors(&tree, "c", None), "b a");
        let tenant = TenantId::parse("other").unwrap();
        assert!(tree.ancestors(&tenant, &call("c", None)).is_empty());
    }

    #[test]
    fn a_circle_ends() {
        let tree = AgentTree::new();
        ancestors(&tree, "a", Some("b"));
        assert_eq!(ancestors(&tree, "b", Some("a")), "a");
        assert_eq!(ancestors(&tree, "a", Some("b")), "b");
        assert_eq!(ancestors(&tree, "x", Some("x")), "");
    }
}
