//! The models in this process: loaded off the request path, waited for by the calls that need them.

mod files;
mod pool;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use skinflint_local_model::{Engine, EngineStats, Prompt, TokenClassifier, locate};
use skinflint_policies::{DEFAULT_EMBEDDER, Local, LocalEmbedder, LocalSettings};
use skinflint_protocol::Endpoint;
use skinflint_tokens::{Encoding, TextTokenizer};

pub(crate) use self::pool::{Bounds, Lease, Loader};
use self::{
    files::{Files, Past},
    pool::{Missing, Pool},
};
use crate::{drain::Drain, error::LocalError, rungs::Embedder};

/// The local models by name; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct LocalModels {
    /// In the order of the pool, the main model first.
    models: Arc<[Known]>,
    pool: Arc<Pool<Loaded>>,
    past: Past,
}

/// A model of the configuration.
#[derive(Debug, Clone)]
struct Known {
    name: Arc<str>,
    kind: Kind,
}

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Generates,
    Embeds,
    Classifies,
}

/// A model that is there.
#[derive(Debug, Clone)]
pub(crate) enum Loaded {
    /// It generates.
    Engine(Engine),
    /// It makes embeddings.
    Embedder(Arc<dyn Embedder>),
    /// It classifies tokens.
    Classifier(TokenClassifier),
}

/// An engine in use.
#[derive(Debug)]
pub(crate) struct EngineLease {
    engine: Engine,
    _lease: Lease<Loaded>,
}

/// An embedder in use.
#[derive(Debug)]
pub(crate) struct EmbedderLease {
    embedder: Arc<dyn Embedder>,
    _lease: Lease<Loaded>,
}

/// A classifier in use.
#[derive(Debug)]
pub(crate) struct ClassifierLease {
    classifier: TokenClassifier,
    _lease: Lease<Loaded>,
}

/// What a model has done and is at, for metrics.
#[derive(Debug)]
pub(crate) struct ModelStats {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is loaded.
    pub is_loaded: bool,
    /// Of models that generate: since the gateway's start, over all times that it was loaded.
    pub engine: Option<EngineStats>,
}

/// What is told of memory is rounded to this.
const MIB: u64 = 1 << 20;
/// The place of the main model.
const MAIN: usize = 0;

// === impl LocalModels ===

impl LocalModels {
    /// Begins to load the main model and the embedder. Weights are looked for in the folder `models`.
    pub(crate) fn start(local: &Local, models: PathBuf, drain: &Drain) -> Self {
        let Local::On(settings) = local else {
            return Self::off();
        };
        let past = Past::default();
        let loads_embedder = match &settings.embedder {
            LocalEmbedder::On { .. } => true,
            LocalEmbedder::IfPulled => has_default_embedder(&models),
            LocalEmbedder::Off => false,
        };
        let loader = Files::new(LocalSettings::clone(settings), models, past.clone());
        let this = Self::over(settings, Arc::new(loader), past);
        let at_start = this.models.iter().enumerate().filter(|(place, known)| {
            *place == MAIN || (known.kind == Kind::Embeds && loads_embedder)
        });
        this.pool.start(at_start.map(|(place, _)| place).collect());
        this.pool.watch_idle(drain);
        this
    }

    /// Models that are loaded by this, none of them yet.
    fn over(settings: &LocalSettings, loader: Arc<dyn Loader<Loaded>>, past: Past) -> Self {
        let known = |name: &str, kind| Known {
            name: name.into(),
            kind,
        };
        let generators = settings
            .generators()
            .map(|model| known(&model.name, Kind::Generates));
        let embedder = settings
            .embedder
            .name()
            .map(|name| known(name, Kind::Embeds));
        let classifier = settings
            .classifier
            .name()
            .map(|name| known(name, Kind::Classifies));
        let models: Arc<[Known]> = generators.chain(embedder).chain(classifier).collect();
        let bounds = Bounds {
            memory: settings.memory.map(|limit| limit.0),
            idle: settings.idle,
        };
        Self {
            pool: Pool::new(models.len(), bounds, loader),
            models,
            past,
        }
    }

    /// None at all.
    fn off() -> Self {
        Self {
            models: Arc::new([]),
            pool: Pool::new(0, Bounds::default(), Arc::new(Nothing)),
            past: Past::default(),
        }
    }

    /// Models that a test loads.
    #[cfg(test)]
    pub(crate) fn of_test(settings: &LocalSettings, loader: Arc<dyn Loader<Loaded>>) -> Self {
        Self::over(settings, loader, Past::default())
    }

    /// Whether the main model is being loaded for the first time.
    pub(crate) fn is_starting(&self) -> bool {
        !self.models.is_empty() && self.pool.is_starting(MAIN)
    }

    /// Whether the main model can answer.
    pub(crate) fn is_ready(&self) -> bool {
        !self.models.is_empty() && !self.pool.is_starting(MAIN) && !self.pool.has_failed(MAIN)
    }

    /// The engine of this name, for a call of this endpoint; waits while it is loaded.
    pub(crate) async fn engine(
        &self,
        name: &str,
        endpoint: Endpoint,
    ) -> Result<EngineLease, LocalError> {
        let lease = self.acquire(name, Kind::Generates, endpoint).await?;
        match &*lease {
            Loaded::Engine(engine) => Ok(EngineLease {
                engine: engine.clone(),
                _lease: lease,
            }),
            Loaded::Embedder(_) | Loaded::Classifier(_) => Err(LocalError::Endpoint(endpoint)),
        }
    }

    /// The main engine, for what is no call to it; waits while it is loaded.
    pub(crate) async fn main_engine(&self) -> Result<EngineLease, LocalError> {
        let main = self.models.first().map(|known| known.name.clone());
        self.engine(
            main.as_deref().unwrap_or_default(),
            Endpoint::ChatCompletions,
        )
        .await
    }

    /// What classifies tokens; waits while it is loaded.
    pub(crate) async fn classifier(&self) -> Result<ClassifierLease, LocalError> {
        let mut known = self.models.iter();
        let name = known.find(|known| known.kind == Kind::Classifies);
        let name = name.map(|known| known.name.clone()).unwrap_or_default();
        let endpoint = Endpoint::ChatCompletions;
        let lease = self.acquire(&name, Kind::Classifies, endpoint).await?;
        match &*lease {
            Loaded::Classifier(classifier) => Ok(ClassifierLease {
                classifier: classifier.clone(),
                _lease: lease,
            }),
            Loaded::Engine(_) | Loaded::Embedder(_) => Err(LocalError::Endpoint(endpoint)),
        }
    }

    /// The embedder of this name; waits while it is loaded.
    pub(crate) async fn embedder(&self, name: &str) -> Result<EmbedderLease, LocalError> {
        let endpoint = Endpoint::Embeddings;
        let lease = self.acquire(name, Kind::Embeds, endpoint).await?;
        match &*lease {
            Loaded::Embedder(embedder) => Ok(EmbedderLease {
                embedder: embedder.clone(),
                _lease: lease,
            }),
            Loaded::Engine(_) | Loaded::Classifier(_) => Err(LocalError::Endpoint(endpoint)),
        }
    }

    /// Refuses what this model does not do, whether it is loaded or not.
    pub(crate) fn check_embeds(&self, name: &str) -> Result<(), LocalError> {
        self.place(name, Kind::Embeds, Endpoint::Embeddings)
            .map(|_| ())
    }

    async fn acquire(
        &self,
        name: &str,
        kind: Kind,
        endpoint: Endpoint,
    ) -> Result<Lease<Loaded>, LocalError> {
        let place = self.place(name, kind, endpoint)?;
        self.pool
            .acquire(place)
            .await
            .map_err(|missing| match missing {
                Missing::Failed(reason) => LocalError::Unavailable { reason },
                Missing::NoRoom { need, limit } => LocalError::NoRoom {
                    model: name.to_owned(),
                    need: need.div_ceil(MIB).saturating_mul(MIB),
                    limit,
                },
            })
    }

    fn place(&self, name: &str, kind: Kind, endpoint: Endpoint) -> Result<usize, LocalError> {
        let place = self.models.iter().position(|known| &*known.name == name);
        let place = place.ok_or_else(|| LocalError::Unavailable {
            reason: "it is switched off".to_owned(),
        })?;
        if self.models[place].kind != kind {
            return Err(LocalError::Endpoint(endpoint));
        }
        Ok(place)
    }

    /// A model's own way of counting, if it is loaded.
    pub(crate) fn encoding(&self, name: &str) -> Option<Encoding> {
        let place = self.models.iter().position(|known| &*known.name == name)?;
        self.pool.look(place, |loaded| match loaded? {
            Loaded::Engine(engine) => Some(Encoding::Own(Arc::new(OwnTokenizer(engine.clone())))),
            Loaded::Embedder(_) | Loaded::Classifier(_) => None,
        })
    }

    /// What each model has done.
    pub(crate) fn stats(&self) -> Vec<ModelStats> {
        let stats = |(place, known): (usize, &Known)| {
            self.pool.look(place, |loaded| ModelStats {
                name: known.name.clone(),
                is_loaded: loaded.is_some(),
                engine: (known.kind == Kind::Generates).then(|| {
                    let now = match loaded {
                        Some(Loaded::Engine(engine)) => engine.stats(),
                        _ => EngineStats::default(),
                    };
                    self.past.and(place, now)
                }),
            })
        };
        self.models.iter().enumerate().map(stats).collect()
    }

    /// Lets waiting calls go.
    pub(crate) fn stop(&self) {
        self.pool.stop();
    }
}

/// The name that is to be in the table of models if the default embedder has been pulled into this folder.
pub(crate) fn default_embedder(local: &Local, models: &Path) -> Option<&'static str> {
    let Local::On(settings) = local else {
        return None;
    };
    let is_there = settings.embedder == LocalEmbedder::IfPulled && has_default_embedder(models);
    is_there.then_some(DEFAULT_EMBEDDER)
}

fn has_default_embedder(models: &Path) -> bool {
    locate(DEFAULT_EMBEDDER, models).is_ok()
}

// === impl EngineLease ===

impl std::ops::Deref for EngineLease {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

// === impl ClassifierLease ===

impl std::ops::Deref for ClassifierLease {
    type Target = TokenClassifier;

    fn deref(&self) -> &TokenClassifier {
        &self.classifier
    }
}

// === impl EmbedderLease ===

impl std::ops::Deref for EmbedderLease {
    type Target = Arc<dyn Embedder>;

    fn deref(&self) -> &Arc<dyn Embedder> {
        &self.embedder
    }
}

/// Loads nothing, since there is nothing.
struct Nothing;

impl Loader<Loaded> for Nothing {
    fn need(&self, _: usize) -> Result<u64, String> {
        Ok(0)
    }

    fn load(&self, _: usize) -> Result<Loaded, String> {
        Err("it is switched off".to_owned())
    }

    fn retire(&self, _: usize, _: &Loaded) {}

    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

/// The tokenizer of the model's file.
#[derive(Debug)]
struct OwnTokenizer(Engine);

impl TextTokenizer for OwnTokenizer {
    fn count(&self, text: &str) -> u64 {
        let prompt = Prompt::Text(text.to_owned());
        // What cannot be tokenized is taken at a token a byte.
        self.0.count_tokens(&prompt).unwrap_or(text.len()) as u64
    }

    fn id(&self) -> &str {
        &self.0.info().name
    }
}
