//! One task: its agents, its models.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::columns::attempt_sums;
use super::{Reader, TaskRow};
use crate::error::LedgerError;
use crate::sums::Sums;

/// A task with what its agents and its models cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskTree {
    /// The task.
    #[serde(flatten)]
    pub task: TaskRow,
    /// Its agents, each before those below it.
    pub agents: Vec<AgentRow>,
    /// Its models, the costliest first.
    pub models: Vec<ModelRow>,
}

/// What an agent of a task cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentRow {
    /// Its name; none for calls that named no agent.
    pub agent: Option<String>,
    /// The agent above it.
    pub parent: Option<String>,
    /// Agents above it.
    pub depth: usize,
    /// What its own calls add up to.
    pub own: Sums,
    /// The same with all agents below it.
    pub subtree: Sums,
}

/// What a model cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelRow {
    /// Where it is.
    pub upstream: String,
    /// The model that answered, or was asked.
    pub model: String,
    /// What its calls add up to.
    pub sums: Sums,
}

const AGENTS: &str = concat!(
    "SELECT agent, ancestors, ",
    attempt_sums!(),
    " FROM attempts WHERE task = $1 GROUP BY agent, ancestors ORDER BY MIN(reserved_ms), agent"
);
const MODELS: &str = concat!(
    "SELECT upstream, COALESCE(answered_by, upstream_model), ",
    attempt_sums!(),
    " FROM attempts WHERE task = $1 GROUP BY upstream, COALESCE(answered_by, upstream_model)"
);

impl Reader {
    /// A task with its agents and models: one of this tenant, or those of all tenants that have one of this name.
    pub async fn task(
        &self,
        tenant: Option<&str>,
        task: &str,
    ) -> Result<Vec<TaskTree>, LedgerError> {
        let mut trees = Vec::new();
        for task in self.named(tenant, task).await? {
            let mut agents = Agents::default();
            for mut row in self.fetch(AGENTS, vec![task.id.into()]).await? {
                let agent = row.text_if()?;
                let ancestors = row.list()?;
                agents.add(agent, ancestors, Sums::read(&mut row)?);
            }
            let mut models = Vec::new();
            for mut row in self.fetch(MODELS, vec![task.id.into()]).await? {
                models.push(ModelRow {
                    upstream: row.text()?,
                    model: row.text()?,
                    sums: Sums::read(&mut row)?,
                });
            }
            models.sort_by_key(|row| std::cmp::Reverse((row.sums.cost, row.sums.notional)));
            trees.push(TaskTree {
                task,
                agents: agents.rows(),
                models,
            });
        }
        Ok(trees)
    }
}

/// The agents of a task while they are read.
#[derive(Default)]
struct Agents {
    unnamed: Option<Sums>,
    own: BTreeMap<String, Sums>,
    /// The first thing that was said of an agent's place stands.
    parents: BTreeMap<String, Option<String>>,
    /// In the order in which they were first seen.
    order: Vec<String>,
}

impl Agents {
    fn add(&mut self, agent: Option<String>, ancestors: Vec<String>, sums: Sums) {
        let Some(agent) = agent else {
            self.unnamed.get_or_insert_default().add(&sums);
            return;
        };
        self.own.entry(agent.clone()).or_default().add(&sums);
        let mut parent = None;
        for name in ancestors.into_iter().chain([agent]) {
            self.place(&name, parent.replace(name.clone()));
        }
    }

    fn place(&mut self, agent: &str, parent: Option<String>) {
        if self.parents.contains_key(agent) {
            return;
        }
        // A client can say anything, also that an agent is above itself.
        let looped = parent
            .as_deref()
            .is_some_and(|parent| self.chain(parent).any(|above| above == agent));
        self.parents
            .insert(agent.to_owned(), parent.filter(|_| !looped));
        self.order.push(agent.to_owned());
    }

    /// An agent and those above it. Ends, because no agent is placed below itself.
    fn chain<'a>(&'a self, agent: &'a str) -> impl Iterator<Item = &'a str> {
        std::iter::successors(Some(agent), |agent| {
            self.parents.get(*agent).and_then(Option::as_deref)
        })
    }

    fn rows(self) -> Vec<AgentRow> {
        let mut subtrees: BTreeMap<&str, Sums> = BTreeMap::new();
        for (agent, own) in &self.own {
            for above in self.chain(agent) {
                subtrees.entry(above).or_default().add(own);
            }
        }
        let mut below: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
        for agent in self.order.iter().rev() {
            let parent = self.parents.get(agent).and_then(Option::as_deref);
            below.entry(parent).or_default().push(agent);
        }
        let mut rows: Vec<AgentRow> = self
            .unnamed
            .map(|own| AgentRow {
                agent: None,
                parent: None,
                depth: 0,
                own,
                subtree: own,
            })
            .into_iter()
            .collect();
        let mut next = below.remove(&None).unwrap_or_default();
        let mut placed = BTreeSet::new();
        while let Some(agent) = next.pop() {
            if !placed.insert(agent) {
                continue;
            }
            rows.push(AgentRow {
                agent: Some(agent.to_owned()),
                parent: self.parents.get(agent).cloned().flatten(),
                depth: self.chain(agent).count().saturating_sub(1),
                own: self.own.get(agent).copied().unwrap_or_default(),
                subtree: subtrees.get(agent).copied().unwrap_or_default(),
            });
            next.extend(below.remove(&Some(agent)).unwrap_or_default());
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skinflint_money::NanoUsd;

    fn cost(nano: u64) -> Sums {
        Sums {
            calls: 1,
            cost: NanoUsd::new(nano),
            ..Sums::default()
        }
    }

    fn names(of: &[&str]) -> Vec<String> {
        of.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_subtree_counts_all_below_it() {
        let mut agents = Agents::default();
        agents.add(None, Vec::new(), cost(1));
        agents.add(Some("main".into()), Vec::new(), cost(10));
        agents.add(Some("deep".into()), names(&["main", "sub"]), cost(100));
        agents.add(Some("other".into()), names(&["main"]), cost(1_000));
        let rows = agents.rows();
        let seen: Vec<_> = rows
            .iter()
            .map(|row| {
                let name = row.agent.as_deref().unwrap_or("-");
                (name, row.depth, row.own.cost.get(), row.subtree.cost.get())
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("-", 0, 1, 1),
                ("main", 0, 10, 1_110),
                ("sub", 1, 0, 100),
                ("deep", 2, 100, 100),
                ("other", 1, 1_000, 1_000),
            ]
        );
    }

    #[test]
    fn agents_that_claim_to_be_above_each_other_are_each_shown_once() {
        let mut agents = Agents::default();
        agents.add(Some("a".into()), names(&["b"]), cost(1));
        agents.add(Some("b".into()), names(&["a"]), cost(2));
        agents.add(Some("c".into()), names(&["c"]), cost(4));
        let rows = agents.rows();
        let shown: u64 = rows.iter().map(|row| row.own.cost.get()).sum();
        assert_eq!((rows.len(), shown), (3, 7));
        assert!(rows.iter().all(|row| row.depth <= 1));
    }
}
