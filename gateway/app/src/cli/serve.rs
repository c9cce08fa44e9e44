//! `skinflint serve`

use std::path::PathBuf;

use clap::Args;
use skinflint_policies::Config;
use tracing_subscriber::EnvFilter;

use super::{ConfigFile, Outcome, data_folder, models_folder};
use crate::{
    Gateway,
    gateway::Folders,
    logs::{self, LogFormat},
    tls,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    running: Running,
}

/// How a gateway is run, whatever its configuration.
#[derive(Debug, Args)]
pub(super) struct Running {
    /// Folder of local models' weights
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Auto)]
    log_format: LogFormat,
    /// What is logged, such as `info` or `skinflint=debug,h2=warn`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    arguments.running.run(arguments.config.load()?)
}

// === impl Running ===

impl Running {
    /// Runs a gateway until it is told to stop.
    pub(super) fn run(&self, config: Config) -> Outcome {
        let filter: EnvFilter = self.log.parse()?;
        let folders = Folders {
            models: self.models.clone().unwrap_or_else(models_folder),
            data: data_folder(),
        };
        let (_written_at_exit, calls) = logs::init(self.log_format, filter)?;
        tls::install_provider()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(config.listen.threads.get())
            .build()?;
        runtime.block_on(async {
            let gateway = Gateway::bind(config, folders, calls).await?;
            gateway.drain().stop_on_signals()?;
            gateway.run().await?;
            Ok(())
        })
    }
}
