//! `skinflint model`

use std::{net::SocketAddr, num::NonZeroUsize};

use clap::{Args, Subcommand};
use skinflint_policies::{Config, LocalServing, ProcessEnvironment};

use super::{Outcome, serve};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve one local model to this machine until told to stop, without a configuration, keys or a ledger
    ///
    /// The three protocols of the gateway, `GET /v1/models`, and `GET /health`, which is a 200 once the model can answer.
    Serve(Serve),
}

#[derive(Debug, Args)]
struct Serve {
    /// A model of `skinflint models list`, or the path of a GGUF file or of a folder with safetensors; the default model if left out
    #[arg(value_name = "MODEL")]
    model: Option<String>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4100")]
    listen: SocketAddr,
    /// Threads that compute; as many as there are cores if left out
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// What makes embeddings: a model, or `off`; the default one if left out and pulled
    #[arg(long, value_name = "MODEL")]
    embedder: Option<String>,
    #[command(flatten)]
    running: serve::Running,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let Verb::Serve(serve) = &arguments.verb;
    let serving = LocalServing {
        model: serve.model.clone(),
        listen: serve.listen,
        threads: serve.threads,
        embedder: serve.embedder.clone(),
    };
    let config = Config::of_local(serving, &ProcessEnvironment)
        .map_err(|invalid| format!("{}: {}", invalid.field, invalid.message))?;
    serve.running.run(config)
}
