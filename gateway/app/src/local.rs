//! The model in this process: loaded in the background, waited for by the calls that need it.

use std::{
    io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use skinflint_local_model::{
    DEFAULT_CACHE_LIMIT_BYTES, DEFAULT_MAX_SEQUENCES, Engine, EngineOptions, LoadError, Prompt,
    StoreError, Team, locate, locate_path,
};
use skinflint_policies::{Local, LocalModel, Weights};
use skinflint_tokens::{Encoding, TextTokenizer};
use tokio::sync::watch;

use crate::error::LocalError;

/// The engine, once it is there; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct LocalEngine {
    state: watch::Receiver<State>,
}

#[derive(Debug, Clone)]
enum State {
    /// No local model is configured.
    Off,
    /// The weights are being read.
    Loading,
    /// Ready to answer.
    Ready(Engine),
    /// The weights are not there or not usable.
    Failed {
        /// Why.
        reason: String,
    },
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}: {fault}", fault = .0.fault())]
    Load(#[from] LoadError),
    #[error("cannot start the threads that compute: {0}")]
    Team(#[source] io::Error),
}

// === impl LocalEngine ===

impl LocalEngine {
    /// Begins to load the configured model on a thread of its own.
    pub(crate) fn start(local: &Local, models: PathBuf) -> Self {
        let Local::On(model) = local else {
            return Self::fixed(State::Off);
        };
        let model = model.clone();
        let (sender, state) = watch::channel(State::Loading);
        let loading = thread::Builder::new()
            .name("load-model".to_owned())
            .spawn(move || {
                let state = match load(&model, &models) {
                    Ok(engine) => {
                        let info = engine.info();
                        tracing::info!(model = info.name, architecture = info.architecture, context = info.context_length, "local model loaded");
                        State::Ready(engine)
                    }
                    Err(error) => {
                        tracing::warn!(model = model.name, %error, "no local model; `skinflint models pull` fetches the default one");
                        State::Failed {
                            reason: error.to_string(),
                        }
                    }
                };
                sender.send_replace(state);
            });
        match loading {
            Ok(_) => Self { state },
            Err(error) => Self::fixed(State::Failed {
                reason: error.to_string(),
            }),
        }
    }

    fn fixed(state: State) -> Self {
        Self {
            state: watch::channel(state).1,
        }
    }

    /// Whether the weights are still being read.
    pub(crate) fn is_loading(&self) -> bool {
        matches!(*self.state.borrow(), State::Loading)
    }

    /// The engine; waits while it is loading.
    pub(crate) async fn engine(&self) -> Result<Engine, LocalError> {
        let mut state = self.state.clone();
        let unavailable = |reason: &str| LocalError::Unavailable {
            reason: reason.to_owned(),
        };
        let settled = state
            .wait_for(|state| !matches!(state, State::Loading))
            .await
            .map_err(|_| unavailable("loading was given up"))?;
        match &*settled {
            State::Ready(engine) => Ok(engine.clone()),
            State::Failed { reason } => Err(unavailable(reason)),
            State::Off | State::Loading => Err(unavailable("it is switched off")),
        }
    }

    /// The model's own way of counting, once it is loaded.
    pub(crate) fn encoding(&self) -> Option<Encoding> {
        match &*self.state.borrow() {
            State::Ready(engine) => Some(Encoding::Own(Arc::new(OwnTokenizer(engine.clone())))),
            _ => None,
        }
    }

    /// Lets waiting calls go.
    pub(crate) fn stop(&self) {
        if let State::Ready(engine) = &*self.state.borrow() {
            engine.stop();
        }
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

fn load(model: &LocalModel, models: &Path) -> Result<Engine, StartError> {
    let path = match &model.weights {
        Weights::Named(name) => locate(name, models)?,
        Weights::Path(path) => locate_path(path)?,
    };
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let team = Team::new(model.threads.unwrap_or(cores)).map_err(StartError::Team)?;
    let options = EngineOptions {
        team: Arc::new(team),
        max_sequences: DEFAULT_MAX_SEQUENCES,
        max_queue: model.queue,
        cache_limit_bytes: DEFAULT_CACHE_LIMIT_BYTES,
        context_limit: model.context,
        name: model.name.clone(),
    };
    Ok(Engine::load(&path, options)?)
}
