//! Whether what can change answers does: see [`Trials`].
//!
//! A share of calls is asked both ways, and the answers are compared. What leaves something out is served only while
//! the guard's bound of changed answers is below the policy's limit; what changes no content is served until the
//! comparisons show that it does harm after all.

mod judge;
mod listen;

use std::{
    fs, io,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use serde::Serialize;
use skinflint_policies::Share;
use skinflint_router::guard::{Guard, Guards, Judgement, Key, Mode, Policy, PolicyError, Verdict};

pub(crate) use self::{judge::Judge, listen::listen};
use crate::{
    drain::Drain,
    metrics::{Metrics, TrialLabels},
};

/// What was found about each technique, for each tenant, model and class of calls; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Trials {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    guards: Mutex<Guards>,
    /// Where it is kept; in memory alone without one. Locked while it is written, so that a later state is not overwritten
    /// by an earlier one, and calls that only ask do not wait for a disk.
    file: Option<Mutex<PathBuf>>,
    metrics: Metrics,
    tasks: Drain,
}

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Technique {
    /// Parts of results are left out.
    Omission,
    /// Words of prose are left out.
    Words,
    /// Old results are left out.
    Elision,
    /// Lists are tables.
    Tables,
}

/// What a call is, as far as what was found about others holds for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trial {
    /// What may be found about it at most.
    pub policy: Policy,
    /// How many calls one that is asked both ways stands for.
    pub weight: NonZeroU32,
    /// Whose it is.
    pub tenant: String,
    /// The model and the class of the call.
    pub class: String,
    /// Whether this call is asked both ways.
    pub is_audited: bool,
}

/// Where a technique stands.
#[derive(Debug, Serialize)]
pub(crate) struct TrialRow {
    /// What is tried.
    pub technique: String,
    /// Model and class of calls.
    pub class: String,
    /// Whose calls.
    pub tenant: String,
    /// What was found.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// In the folder of data.
const FILE: &str = "trials.json";
/// Fewer comparisons show nothing.
const FEWEST: u32 = 30;

// === impl Technique ===

impl Technique {
    /// Its name in reports.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Omission => "omission",
            Self::Words => "words",
            Self::Elision => "elision",
            Self::Tables => "tables",
        }
    }

    /// What it has to be tried again for.
    const fn version(self) -> &'static str {
        match self {
            Self::Omission => "omission 1",
            Self::Words => "words 1",
            Self::Elision => "elision 1",
            Self::Tables => "tables 1",
        }
    }

    fn untried(self, policy: Policy) -> Guard {
        match self {
            Self::Omission | Self::Words | Self::Elision => Guard::new(self.version(), policy),
            Self::Tables => Guard::trusted(self.version(), policy),
        }
    }
}

// === impl Trial ===

impl Trial {
    /// What a policy asks to be found.
    pub(crate) fn policy(max_error: Share) -> Result<Policy, PolicyError> {
        Policy::new(max_error.get(), Policy::DEFAULT_DELTA_PPM, FEWEST)
    }

    fn key(&self, technique: Technique) -> Key {
        Key {
            technique: technique.as_str().to_owned(),
            class: self.class.clone(),
            tenant: self.tenant.clone(),
        }
    }
}

// === impl Trials ===

impl Trials {
    /// What was found before, and is kept in this folder.
    pub(crate) fn open(folder: &Path, metrics: Metrics, tasks: Drain) -> Self {
        let file = folder.join(FILE);
        let guards = match read(&file) {
            Ok(guards) => guards,
            Err(error) => {
                tracing::warn!(%error, file = %file.display(), "what was found about compression cannot be read; all is tried anew");
                Guards::default()
            }
        };
        Self::with(guards, Some(file), metrics, tasks)
    }

    /// Nothing was found, and nothing is kept.
    pub(crate) fn in_memory(metrics: Metrics, tasks: Drain) -> Self {
        Self::with(Guards::default(), None, metrics, tasks)
    }

    fn with(guards: Guards, file: Option<PathBuf>, metrics: Metrics, tasks: Drain) -> Self {
        Self {
            inner: Arc::new(Inner {
                guards: Mutex::new(guards),
                file: file.map(Mutex::new),
                metrics,
                tasks,
            }),
        }
    }

    /// Whether a technique may be served.
    pub(crate) fn serves(&self, technique: Technique, trial: &Trial) -> bool {
        let guards = self.inner.guards.lock();
        match guards.get(&trial.key(technique)) {
            Some(guard) if guard.fingerprint() == technique.version() => {
                guard.serves(technique.version(), &trial.policy)
            }
            _ => technique
                .untried(trial.policy)
                .serves(technique.version(), &trial.policy),
        }
    }

    /// Takes in what a comparison has found.
    pub(crate) fn found(&self, technique: Technique, trial: &Trial, wrong: bool, by: Judge) {
        let judgement = Judgement {
            fingerprint: technique.version().to_owned(),
            wrong,
            weight: trial.weight,
        };
        let verdict = {
            let mut guards = self.inner.guards.lock();
            let untried = || technique.untried(trial.policy);
            let guard = guards.guard_or(trial.key(technique), untried);
            if guard.fingerprint() != technique.version() {
                *guard = untried();
            }
            guard.apply(&judgement, &trial.policy)
        };
        tracing::info!(
            technique = technique.as_str(),
            tenant = trial.tenant,
            class = trial.class,
            wrong,
            by = by.as_str(),
            mode = ?verdict.mode,
            bound_ppm = verdict.upper_bound_ppm,
            "a call was asked both ways"
        );
        self.inner
            .metrics
            .trials
            .get_or_create(&TrialLabels {
                technique: technique.as_str(),
                judge: by.as_str(),
                outcome: if wrong { "differs" } else { "same" },
            })
            .inc();
        self.keep();
    }

    /// Where everything stands, of one tenant or of all.
    pub(crate) fn rows(&self, tenant: Option<&str>) -> Vec<TrialRow> {
        let guards = self.inner.guards.lock();
        guards
            .iter()
            .filter(|(key, _)| tenant.is_none_or(|tenant| key.tenant == tenant))
            .map(|(key, guard)| TrialRow::of(key, guard))
            .collect()
    }

    /// Runs something that stopping waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner.tasks.spawn(task);
    }

    /// Comparisons are few: the whole file is written after each.
    fn keep(&self) {
        if self.inner.file.is_none() {
            return;
        }
        let inner = self.inner.clone();
        let write = move || {
            let Some(file) = &inner.file else { return };
            let file = file.lock();
            let json = {
                let guards = inner.guards.lock();
                serde_json::to_vec(&guards.iter().collect::<Vec<_>>())
            };
            let written = json.map_err(io::Error::other).and_then(|json| {
                let new = file.with_extension("new");
                fs::write(&new, json)?;
                fs::rename(new, &*file)
            });
            if let Err(error) = written {
                tracing::warn!(%error, file = %file.display(), "what was found about compression cannot be kept");
            }
        };
        self.inner.tasks.spawn(async move {
            let _done = tokio::task::spawn_blocking(write).await;
        });
    }
}

// === impl TrialRow ===

impl TrialRow {
    fn of(key: &Key, guard: &Guard) -> Self {
        Self {
            technique: key.technique.clone(),
            class: key.class.clone(),
            tenant: key.tenant.clone(),
            verdict: guard.verdict(),
        }
    }

    /// Whether the technique is served.
    pub(crate) const fn mode(&self) -> &'static str {
        match self.verdict.mode {
            Mode::Shadow => "shadow",
            Mode::Serving => "serving",
        }
    }
}

/// What a gateway that keeps its data in this folder has found.
pub(crate) fn kept(folder: &Path) -> io::Result<Vec<TrialRow>> {
    let guards = read(&folder.join(FILE))?;
    Ok(guards
        .iter()
        .map(|(key, guard)| TrialRow::of(key, guard))
        .collect())
}

fn read(file: &Path) -> io::Result<Guards> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Guards::default()),
        Err(error) => return Err(error),
    };
    let rows: Vec<(Key, Guard)> = serde_json::from_slice(&text).map_err(io::Error::other)?;
    Ok(rows.into_iter().collect())
}

#[cfg(test)]
mod tests;
