//! `skinflint check`

use skinflint_policies::{Local, LocalEmbedder, Source};

use super::{ConfigFile, Outcome, out};
use crate::tls;

pub(super) fn run(file: &ConfigFile) -> Outcome {
    let config = file.load()?;
    tls::install_provider()?;
    tls::of(&config.listen, &config.source)?;
    match &config.source {
        Source::Defaults => out::line("no configuration file: the defaults in the binary"),
        Source::File(path) => out::line(format_args!("{}: ok", path.display())),
    }
    out::line(format_args!("calls     {}", config.listen.calls));
    out::line(format_args!("admin     {}", config.listen.admin));
    for upstream in &config.upstreams {
        let key = if upstream.api_key.is_some() {
            "own key"
        } else {
            "no key of its own"
        };
        out::line(format_args!(
            "upstream  {}  {}  {key}",
            upstream.name, upstream.base_url
        ));
    }
    match &config.local {
        Local::Off => out::line("local     off"),
        Local::On(settings) => {
            // Whether the default embedder has been pulled is not looked up.
            let embedder = match &settings.embedder {
                LocalEmbedder::On { name, .. } => Some(name),
                LocalEmbedder::IfPulled | LocalEmbedder::Off => None,
            };
            let generators = settings.generators().map(|model| &model.name);
            for name in generators.chain(embedder) {
                out::line(format_args!("local     {name}"));
            }
        }
    }
    for entry in config.models.entries() {
        out::line(format_args!("model     {}", entry.pattern));
    }
    if config.tenants.are_described() {
        let folder = config.policies.folder().display();
        out::line(format_args!("tenants   {folder}"));
        if let Some(keyless) = config.tenants.keyless() {
            out::line(format_args!(
                "keyless   {}: callers on this machine without a key",
                keyless.id
            ));
        }
    } else {
        out::line("tenants   none: callers on this machine need no key");
    }
    Ok(())
}
