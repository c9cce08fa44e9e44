//! Models in files: [`Files`].

use std::{
    io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use skinflint_local_model::{
    DEFAULT_CACHE_LIMIT_BYTES, DEFAULT_MAX_SEQUENCES, DEFAULT_MEMO_BYTES, Embedder, EncodeFault,
    EncoderOptions, Engine, EngineFault, EngineOptions, EngineStats, Event, GenerateRequest,
    LoadError, Precision, Prompt, StoreError, Team, TokenClassifier, locate, locate_path,
};
use skinflint_policies::{
    ActivationBits, ByteSize, DEFAULT_EMBEDDER, LocalClassifier, LocalEmbedder, LocalModel,
    LocalSettings, TRAINED_CLASSIFIER, Weights,
};
use tokio::runtime::Handle;

use super::{Loaded, pool::Loader};

/// Loads models from files; their computations share the threads of one team.
pub(super) struct Files {
    settings: LocalSettings,
    /// The folder of what has been pulled.
    models: PathBuf,
    /// Made for the first model.
    team: Mutex<Option<Arc<Team>>>,
    past: Past,
}

/// What models did that have been unloaded since, by their place.
#[derive(Debug, Clone, Default)]
pub(super) struct Past(Arc<Mutex<Vec<(usize, EngineStats)>>>);

/// Why a model is not loaded.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}: {fault}", fault = .0.fault())]
    Load(#[from] LoadError),
    #[error("cannot start the threads that compute: {0}")]
    Team(#[source] io::Error),
    #[error("cannot read {}: {source}", path.display())]
    Size {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("it fails on its first text: {0}")]
    Embed(#[from] EncodeFault),
    #[error("it fails on its first text: {0}")]
    Generate(#[from] EngineFault),
}

/// What there is to load.
enum Wanted<'a> {
    Generator(&'a LocalModel),
    Embedder(&'a str, Weights),
    Classifier(&'a str, PathBuf),
}

/// What models read to be warm: weights, buffers and code are then in memory.
const WARM_UP: &str = "Hello";

// === impl Files ===

impl Files {
    pub(super) fn new(settings: LocalSettings, models: PathBuf, past: Past) -> Self {
        Self {
            settings,
            models,
            team: Mutex::new(None),
            past,
        }
    }

    fn wanted(&self, place: usize) -> Wanted<'_> {
        if let Some(model) = self.settings.generators().nth(place) {
            return Wanted::Generator(model);
        }
        let generators = self.settings.generators().count();
        let embedders = usize::from(self.settings.embedder != LocalEmbedder::Off);
        if place >= generators + embedders {
            return match &self.settings.classifier {
                LocalClassifier::On { name, path } => Wanted::Classifier(name, path.clone()),
                LocalClassifier::IfTrained | LocalClassifier::Off => {
                    Wanted::Classifier(TRAINED_CLASSIFIER, self.models.join(TRAINED_CLASSIFIER))
                }
            };
        }
        match &self.settings.embedder {
            LocalEmbedder::On { name, weights } => Wanted::Embedder(name, weights.clone()),
            LocalEmbedder::IfPulled | LocalEmbedder::Off => Wanted::Embedder(
                DEFAULT_EMBEDDER,
                Weights::Named(DEFAULT_EMBEDDER.to_owned()),
            ),
        }
    }

    fn cache(&self) -> usize {
        self.settings
            .cache
            .map_or(DEFAULT_CACHE_LIMIT_BYTES, ByteSize::as_len)
    }

    fn precision(&self) -> Precision {
        match self.settings.activations {
            None | Some(ActivationBits::Eight) => Precision::Bits8,
            Some(ActivationBits::Fifteen) => Precision::Bits15,
        }
    }

    fn locate(&self, weights: &Weights) -> Result<PathBuf, StoreError> {
        match weights {
            Weights::Named(name) => locate(name, &self.models),
            Weights::Path(path) => locate_path(path),
        }
    }

    fn team(&self) -> Result<Arc<Team>, StartError> {
        let mut team = self.team.lock();
        if let Some(team) = &*team {
            return Ok(team.clone());
        }
        let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let threads = self.settings.threads.unwrap_or(cores);
        let made = Arc::new(Team::new(threads).map_err(StartError::Team)?);
        *team = Some(made.clone());
        Ok(made)
    }

    fn try_need(&self, place: usize) -> Result<u64, StartError> {
        let (path, besides) = match self.wanted(place) {
            Wanted::Generator(model) => (self.locate(&model.weights)?, self.cache() as u64),
            Wanted::Embedder(_, weights) => (self.locate(&weights)?, DEFAULT_MEMO_BYTES),
            Wanted::Classifier(_, path) => (path, 0),
        };
        let bytes = weight_bytes(&path).map_err(|source| StartError::Size { path, source })?;
        Ok(bytes.saturating_add(besides))
    }

    fn try_load(&self, place: usize) -> Result<Loaded, StartError> {
        match self.wanted(place) {
            Wanted::Generator(model) => {
                let options = EngineOptions {
                    team: self.team()?,
                    precision: self.precision(),
                    max_sequences: self.settings.sequences.unwrap_or(DEFAULT_MAX_SEQUENCES),
                    max_queue: model.queue,
                    cache_limit_bytes: self.cache(),
                    context_limit: model.context,
                    name: model.name.clone(),
                };
                let engine = Engine::load(&self.locate(&model.weights)?, options)?;
                warm_up(&engine)?;
                let info = engine.info();
                tracing::info!(
                    model = info.name,
                    architecture = info.architecture,
                    context = info.context_length,
                    "local model loaded"
                );
                Ok(Loaded::Engine(engine))
            }
            Wanted::Embedder(name, weights) => {
                let options = EncoderOptions::new(self.team()?, name);
                let embedder = Embedder::load(&self.locate(&weights)?, options)?;
                Handle::current().block_on(embedder.embed(&[WARM_UP]))?;
                tracing::info!(
                    model = name,
                    dimensions = embedder.dimensions(),
                    "local embedder loaded"
                );
                Ok(Loaded::Embedder(Arc::new(embedder)))
            }
            Wanted::Classifier(name, path) => {
                let options = EncoderOptions::new(self.team()?, name);
                let classifier = TokenClassifier::load(&path, options)?;
                Handle::current().block_on(classifier.classify(&[WARM_UP]))?;
                tracing::info!(model = name, "local classifier loaded");
                Ok(Loaded::Classifier(classifier))
            }
        }
    }

    fn told(&self, place: usize, error: &StartError) -> String {
        let name = match self.wanted(place) {
            Wanted::Generator(model) => &model.name,
            Wanted::Embedder(name, _) | Wanted::Classifier(name, _) => name,
        };
        tracing::warn!(model = name, %error, "no local model; `skinflint models pull` fetches those of the catalogue");
        error.to_string()
    }
}

impl Loader<Loaded> for Files {
    fn need(&self, place: usize) -> Result<u64, String> {
        self.try_need(place)
            .map_err(|error| self.told(place, &error))
    }

    fn load(&self, place: usize) -> Result<Loaded, String> {
        self.try_load(place)
            .map_err(|error| self.told(place, &error))
    }

    fn retire(&self, place: usize, model: &Loaded) {
        match model {
            Loaded::Engine(engine) => {
                engine.stop();
                self.past.add(place, engine.stats());
                tracing::info!(model = engine.info().name, "local model unloaded");
            }
            Loaded::Classifier(classifier) => {
                classifier.stop();
                tracing::info!(model = classifier.name(), "local model unloaded");
            }
            Loaded::Embedder(embedder) => {
                embedder.stop();
                tracing::info!(model = embedder.name(), "local model unloaded");
            }
        }
    }

    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        // Warming up waits for the engine's threads, with the runtime's timers.
        let runtime = Handle::current();
        let started = thread::Builder::new()
            .name("load-model".to_owned())
            .spawn(move || {
                let _entered = runtime.enter();
                work();
            });
        if let Err(error) = started {
            tracing::error!(%error, "cannot start the thread that loads local models");
        }
    }
}

/// Generates a token. What the engine refuses, such as a text beyond a very small context, shows nothing about its health.
fn warm_up(engine: &Engine) -> Result<(), EngineFault> {
    let request = GenerateRequest {
        max_tokens: Some(1),
        ..GenerateRequest::new(Prompt::Text(WARM_UP.to_owned()))
    };
    let Ok(mut generation) = engine.generate(request) else {
        return Ok(());
    };
    Handle::current().block_on(async {
        while let Some(event) = generation.next().await {
            if let Event::Failed(fault) = event {
                return Err(fault);
            }
        }
        Ok(())
    })
}

/// Bytes of a file, or of a folder's tensors.
fn weight_bytes(path: &Path) -> io::Result<u64> {
    let metadata = path.metadata()?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut bytes = 0;
    for entry in path.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "safetensors") {
            bytes += path.metadata()?.len();
        }
    }
    Ok(bytes)
}

// === impl Past ===

impl Past {
    fn add(&self, place: usize, stats: EngineStats) {
        let mut past = self.0.lock();
        match past.iter_mut().find(|(of, _)| *of == place) {
            Some((_, sum)) => *sum = added(sum, &stats),
            None => past.push((place, stats)),
        }
    }

    /// What a model did before, and since it was loaded.
    pub(super) fn and(&self, place: usize, now: EngineStats) -> EngineStats {
        let past = self.0.lock();
        match past.iter().find(|(of, _)| *of == place) {
            Some((_, sum)) => added(sum, &now),
            None => now,
        }
    }
}

/// Counters add up; the rest is as it is now.
fn added(past: &EngineStats, now: &EngineStats) -> EngineStats {
    let mut ttft = now.ttft.clone();
    for (bucket, before) in ttft.buckets.iter_mut().zip(past.ttft.buckets) {
        *bucket += before;
    }
    ttft.count += past.ttft.count;
    ttft.sum += past.ttft.sum;
    EngineStats {
        served: past.served + now.served,
        failed: past.failed + now.failed,
        expired: past.expired + now.expired,
        cancelled: past.cancelled + now.cancelled,
        refused: past.refused + now.refused,
        prompt_tokens: past.prompt_tokens + now.prompt_tokens,
        generated_tokens: past.generated_tokens + now.generated_tokens,
        waiting: now.waiting,
        running: now.running,
        cache_bytes: now.cache_bytes,
        steps: past.steps + now.steps,
        step_sequences: past.step_sequences + now.step_sequences,
        last_batch: now.last_batch,
        busy: past.busy + now.busy,
        ttft,
        load: if now.load == Duration::ZERO {
            past.load
        } else {
            now.load
        },
    }
}
