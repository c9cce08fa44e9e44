//! The policies in force, read again when their files change.
//!
//! A call takes them once, when it is authenticated, and sees no other until its end. A file that is wrong changes nothing: the
//! last good policies hold on, and the log says what is wrong with it and where.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{CreateKind, ModifyKind, RemoveKind},
};
use skinflint_policies::{Policies, PolicySource, Prices, Tenants};
use tokio::{sync::mpsc, time::timeout};

use crate::{drain::Drain, metrics::Metrics};

/// The policies in force; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct LivePolicies(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    current: ArcSwap<Policies>,
    source: PolicySource,
    metrics: Metrics,
}

/// Editors write a file in several steps; what is read is what stands there after so much quiet.
const QUIET: Duration = Duration::from_millis(50);

// === impl LivePolicies ===

impl LivePolicies {
    /// Begins with the policies that the gateway started with.
    pub(crate) fn new(
        tenants: Tenants,
        prices: Prices,
        source: PolicySource,
        metrics: Metrics,
    ) -> Self {
        let first = Policies {
            tenants,
            prices,
            generation: 1,
        };
        Self(Arc::new(Inner {
            current: ArcSwap::from_pointee(first),
            source,
            metrics,
        }))
    }

    /// The policies in force now.
    pub(crate) fn current(&self) -> Arc<Policies> {
        self.0.current.load_full()
    }

    /// Reads the files again whenever they change, until the gateway stops.
    pub(crate) fn watch(&self, drain: &Drain) {
        let (sender, changes) = mpsc::unbounded_channel();
        match self.watcher(sender) {
            Ok(Some(watcher)) => {
                let (this, stop) = (self.clone(), drain.clone());
                drain.spawn(async move { this.follow(changes, watcher, stop).await });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "policy files are not watched: a change needs a restart");
            }
        }
    }

    /// Watches the folders of the files: a file that is replaced is another file.
    fn watcher(
        &self,
        changed: mpsc::UnboundedSender<()>,
    ) -> notify::Result<Option<RecommendedWatcher>> {
        let folders = self.folders();
        if folders.is_empty() {
            return Ok(None);
        }
        let tenants = self.0.source.folder().to_owned();
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                if event
                    .as_ref()
                    .map_or(true, |event| may_matter(event, &tenants))
                {
                    // Without a receiver the gateway is stopping.
                    let _stopping = changed.send(());
                }
            })?;
        for folder in folders {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        Ok(Some(watcher))
    }

    /// The folders that the policies' files stand in, as far as they exist.
    fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self
            .0
            .source
            .watched()
            .filter_map(|path| {
                if path.is_dir() {
                    return Some(path.to_owned());
                }
                let parent = path.parent()?;
                let here = parent.as_os_str().is_empty();
                Some(if here {
                    PathBuf::from(".")
                } else {
                    parent.to_owned()
                })
            })
            .filter(|folder| folder.is_dir())
            .collect();
        folders.sort();
        folders.dedup();
        folders
    }

    async fn follow(
        &self,
        mut changes: mpsc::UnboundedReceiver<()>,
        mut watcher: RecommendedWatcher,
        stop: Drain,
    ) {
        loop {
            tokio::select! {
                () = stop.draining() => return,
                change = changes.recv() => if change.is_none() { return },
            }
            while let Ok(Some(())) = timeout(QUIET, changes.recv()).await {}
            let this = self.clone();
            // Given up only when the runtime is.
            let _reloaded = tokio::task::spawn_blocking(move || this.reload()).await;
            // The folder of tenant files may have come into being.
            for folder in self.folders() {
                if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                    tracing::warn!(%error, folder = %folder.display(), "a folder of policy files cannot be watched");
                }
            }
        }
    }

    fn reload(&self) {
        let inner = &*self.0;
        let last = inner.current.load_full();
        match inner.source.reload(&last) {
            Ok(reload) => {
                for section in reload.needs_restart {
                    tracing::warn!(
                        section,
                        "a change of the configuration takes effect after a restart"
                    );
                }
                tracing::info!(generation = reload.policies.generation, "policies reloaded");
                inner.current.store(Arc::new(reload.policies));
                inner.metrics.policy_reloads.inc();
                inner.metrics.policy_stale.set(0);
            }
            Err(error) => {
                tracing::error!(%error, "the policies' files are wrong: the last good ones hold on");
                inner.metrics.policy_stale.set(1);
            }
        }
    }
}

/// Whether policies may read differently now. What else stands in their folders, such as a ledger, is written all the
/// time.
fn may_matter(event: &notify::Event, tenants: &Path) -> bool {
    let any = |holds: &dyn Fn(&Path) -> bool| event.paths.iter().any(|path| holds(path));
    match event.kind {
        EventKind::Access(_) => false,
        EventKind::Create(CreateKind::Folder) => {
            any(&|path| path.file_name() == tenants.file_name())
        }
        EventKind::Create(CreateKind::File)
        | EventKind::Remove(RemoveKind::File)
        | EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => any(&|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        }),
        // Among them links that are put in the place of others, as Kubernetes does with a whole folder.
        _ => true,
    }
}
