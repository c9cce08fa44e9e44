//! Which model goes where.

use std::sync::Arc;

use serde::Deserialize;

use crate::{
    config::{
        local::{Local, LocalEmbedder, LocalSettings},
        upstream::{LOCAL, Upstream},
    },
    file::Invalid,
    pattern::{self, ModelPattern},
};

/// The static routing table: the most specific pattern that matches wins.
#[derive(Debug)]
pub struct ModelTable {
    /// Most specific first.
    entries: Vec<ModelEntry>,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEntry {
    /// The names that it covers.
    pub pattern: ModelPattern,
    /// Where calls for them go.
    pub target: ModelTarget,
}

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelTarget {
    /// To the model of this name in this process.
    Local(Arc<str>),
    /// To a provider.
    Upstream {
        /// Its place in the list of upstreams.
        index: usize,
        /// The name that the provider knows the model by, if it is another than the client's.
        rename: Option<String>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    name: String,
    upstream: String,
    rename: Option<String>,
}

// === impl ModelTable ===

impl ModelTable {
    pub(super) fn validate(
        raw: Vec<Raw>,
        upstreams: &[Upstream],
        local: &Local,
    ) -> Result<Self, Invalid> {
        let mut entries: Vec<ModelEntry> = Vec::with_capacity(raw.len() + 1);
        for (index, raw) in raw.into_iter().enumerate() {
            let entry = ModelEntry::validate(raw, upstreams, local)
                .and_then(|entry| {
                    if entries.iter().any(|other| other.pattern == entry.pattern) {
                        let message = format!("`{}` is already routed", entry.pattern);
                        return Err(Invalid::new("name", message));
                    }
                    Ok(entry)
                })
                .map_err(|invalid| invalid.under(format_args!("model[{index}]")))?;
            entries.push(entry);
        }
        if let Local::On(settings) = local {
            let generators = settings.generators().map(|model| model.name.as_str());
            let embedder = match &settings.embedder {
                LocalEmbedder::On { name, .. } => Some(name.as_str()),
                // Whether it has been pulled is not known here.
                LocalEmbedder::IfPulled | LocalEmbedder::Off => None,
            };
            entries.extend(generators.chain(embedder).filter_map(ModelEntry::of_local));
        }
        let mut table = Self { entries };
        table.sort();
        Ok(table)
    }

    /// Stable: of two rows that say as much, the one written first wins, and local models' own names come last.
    fn sort(&mut self) {
        self.entries
            .sort_by_key(|entry| std::cmp::Reverse(entry.pattern.specificity()));
    }

    /// Has a local model answer to its own name too.
    pub fn add_local(&mut self, name: &str) {
        self.entries.extend(ModelEntry::of_local(name));
        self.sort();
    }

    /// Where a call for `model` goes; `None` if no row covers it.
    pub fn find(&self, model: &str) -> Option<&ModelTarget> {
        self.entries
            .iter()
            .find(|entry| entry.pattern.matches(model))
            .map(|entry| &entry.target)
    }

    /// The rows, most specific first.
    pub fn entries(&self) -> &[ModelEntry] {
        &self.entries
    }
}

// === impl ModelEntry ===

impl ModelEntry {
    fn validate(raw: Raw, upstreams: &[Upstream], local: &Local) -> Result<Self, Invalid> {
        let pattern = ModelPattern::parse(&raw.name)
            .ok_or_else(|| Invalid::new("name", pattern::EXPECTED))?;
        if raw.upstream == LOCAL {
            let Local::On(settings) = local else {
                return Err(Invalid::new(
                    "upstream",
                    "the local model is switched off by `local.enabled`",
                ));
            };
            let name = raw.rename.as_deref().unwrap_or(&settings.main.name);
            if !settings.names().any(|known| known == name) {
                return Err(unknown_local(name, settings));
            }
            return Ok(Self {
                pattern,
                target: ModelTarget::Local(name.into()),
            });
        }
        let index = upstreams
            .iter()
            .position(|upstream| upstream.name == raw.upstream)
            .ok_or_else(|| unknown_upstream(&raw.upstream, upstreams))?;
        if raw.rename.as_deref() == Some("") {
            return Err(Invalid::new("rename", "expected a model's name"));
        }
        Ok(Self {
            pattern,
            target: ModelTarget::Upstream {
                index,
                rename: raw.rename,
            },
        })
    }

    /// `None` for what cannot be asked for, which names of local models have been checked not to be.
    fn of_local(name: &str) -> Option<Self> {
        let pattern = ModelPattern::parse(name).filter(|pattern| pattern.exact().is_some())?;
        Some(Self {
            pattern,
            target: ModelTarget::Local(name.into()),
        })
    }
}

fn unknown_local(name: &str, settings: &LocalSettings) -> Invalid {
    let known: Vec<_> = settings.names().map(|known| format!("`{known}`")).collect();
    Invalid::new(
        "rename",
        format!(
            "no local model named `{name}`, expected {}",
            known.join(" or ")
        ),
    )
}

fn unknown_upstream(name: &str, upstreams: &[Upstream]) -> Invalid {
    let mut known: Vec<_> = upstreams
        .iter()
        .map(|upstream| format!("`{}`", upstream.name))
        .collect();
    known.push(format!("`{LOCAL}`"));
    Invalid::new(
        "upstream",
        format!(
            "no upstream named `{name}`, expected {}",
            known.join(" or ")
        ),
    )
}
