//! The configuration that a test wants. See [`GatewayBuilder`].

use std::{collections::BTreeMap, fmt::Write, path::PathBuf, sync::Once};

use tempfile::TempDir;

use super::{
    Gateway,
    process::{Place, Process},
};
use crate::FakeProvider;

/// Environment variables of the upstreams' keys, and canaries as their values: they must reach the provider and nothing else.
pub(crate) const UPSTREAM_KEYS: [(&str, &str); 2] = [
    ("FAKE_OPENAI_KEY", "canary-openai-upstream-key"),
    ("FAKE_ANTHROPIC_KEY", "canary-anthropic-upstream-key"),
];

/// Dollars per million tokens of input and output for the tests' own models, which no price table knows.
const WORST_PRICE: (&str, &str) = ("1.00", "2.00");

#[derive(Debug)]
struct Upstream {
    name: String,
    protocol: String,
    url: String,
    has_key: bool,
    passthrough: Vec<String>,
}

/// Collects a configuration, writes it to a new folder and starts the gateway on it.
#[derive(Debug, Default)]
pub struct GatewayBuilder {
    /// Section, field, value as TOML.
    fields: BTreeMap<String, BTreeMap<String, String>>,
    upstreams: Vec<Upstream>,
    models: Vec<(String, String, Option<String>)>,
    /// Sections of the test's own.
    appended: String,
    /// Another command than `serve`.
    verb: Option<Vec<String>>,
    arguments: Vec<String>,
    files: Vec<(PathBuf, Vec<u8>)>,
    environment: Vec<(String, String)>,
    /// Nothing is added to requests and answers that only serves accounting.
    plain: bool,
    providers: Vec<FakeProvider>,
    root_certificate: Option<Vec<u8>>,
}

impl GatewayBuilder {
    /// Both listeners on port 0, no local model, no upstream; models without a price cost $1.00 a million tokens of input and
    /// $2.00 of output. The ledger, when nothing else is said, is in the gateway's folder: its home, [`Gateway::ledger`].
    pub fn new() -> Self {
        let (input, output) = WORST_PRICE;
        let mut builder = Self::default()
            .field("listen", "calls", "\"127.0.0.1:0\"")
            .field("listen", "admin", "\"127.0.0.1:0\"")
            .field("local", "enabled", "false")
            .worst_price(input, output);
        builder.environment = UPSTREAM_KEYS
            .map(|(name, key)| (name.into(), key.into()))
            .into();
        builder
    }

    /// Sets a field of a section; `value` is TOML. The empty section is the top of the file.
    pub fn field(mut self, section: &str, name: &str, value: &str) -> Self {
        self.fields
            .entry(section.into())
            .or_default()
            .insert(name.into(), value.into());
        self
    }

    /// Sets a field of `[limits]`; `value` is TOML.
    pub fn limit(self, name: &str, value: &str) -> Self {
        self.field("limits", name, value)
    }

    /// Sets a field of `[timeouts]`, for example to `1s`.
    pub fn timeout(self, name: &str, value: &str) -> Self {
        self.field("timeouts", name, &format!("{value:?}"))
    }

    /// Sets what models without a price cost, in dollars per million tokens.
    pub fn worst_price(self, input: &str, output: &str) -> Self {
        self.field("prices.unknown", "input", &format!("{input:?}"))
            .field("prices.unknown", "output", &format!("{output:?}"))
    }

    /// Leaves models without a price unknown.
    pub fn without_prices(mut self) -> Self {
        self.fields.remove("prices.unknown");
        self
    }

    /// Has nothing added to requests and answers that only serves accounting, so that bytes can be compared.
    pub fn plain(mut self) -> Self {
        self.plain = true;
        self.field("listen", "cost_comments", "false")
    }

    /// Keeps the ledger in the Postgres database at `url`.
    pub fn postgres(self, url: &str) -> Self {
        self.field("ledger", "url_env", "\"LEDGER_URL\"")
            .env("LEDGER_URL", url)
    }

    /// Counts budgets in the Redis at `url`.
    pub fn redis(self, url: &str) -> Self {
        self.field("counters", "redis_url_env", "\"COUNTERS_URL\"")
            .env("COUNTERS_URL", url)
    }

    /// Shares what conversations were made into through the Redis at `url`.
    pub fn decisions(self, url: &str) -> Self {
        self.field("decisions", "redis_url_env", "\"DECISIONS_URL\"")
            .env("DECISIONS_URL", url)
    }

    /// Points the usual upstreams and models at `url`; see [`Gateway::builder`].
    pub fn upstreams_at(mut self, url: &str) -> Self {
        self.upstreams.clear();
        self.models.clear();
        self.upstream("fake-openai", "openai", url)
            .upstream("fake-anthropic", "anthropic", url)
            .model("gpt-*", "fake-openai", None)
            .model("text-embedding-*", "fake-openai", None)
            .model("claude-*", "fake-anthropic", None)
    }

    /// Adds an upstream whose key is in the environment variable of its protocol.
    pub fn upstream(mut self, name: &str, protocol: &str, url: &str) -> Self {
        self.upstreams.push(Upstream {
            name: name.into(),
            protocol: protocol.into(),
            url: url.into(),
            has_key: true,
            passthrough: Vec::new(),
        });
        self
    }

    /// Takes the upstreams' own keys away.
    pub fn without_upstream_keys(mut self) -> Self {
        for upstream in &mut self.upstreams {
            upstream.has_key = false;
        }
        self
    }

    /// Lets these paths through to an upstream unread.
    pub fn pass_through(mut self, upstream: &str, paths: &[&str]) -> Self {
        for one in self.upstreams.iter_mut().filter(|one| one.name == upstream) {
            one.passthrough = paths.iter().map(ToString::to_string).collect();
        }
        self
    }

    /// Adds a model, sent upstream as `rename` when that is given.
    pub fn model(mut self, name: &str, upstream: &str, rename: Option<&str>) -> Self {
        self.models
            .push((name.into(), upstream.into(), rename.map(Into::into)));
        self
    }

    /// Adds sections at the end of `skinflint.toml` as they are.
    pub fn append(mut self, toml: &str) -> Self {
        self.appended.push_str(toml);
        self.appended.push('\n');
        self
    }

    /// Adds a tenant file `NAME.toml`.
    pub fn tenant(self, name: &str, text: &str) -> Self {
        let path = format!("policies/{name}.toml");
        self.field("", "policies", "\"policies\"").file(&path, text)
    }

    /// Adds a file beside the configuration.
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.into(), content.into()));
        self
    }

    /// Serves TLS with this certificate and key (PEM); the harness's client trusts the certificate.
    pub fn tls(mut self, certificate: &str, key: &str) -> Self {
        self.root_certificate = Some(certificate.into());
        self.field("listen", "tls", r#"{ cert = "cert.pem", key = "key.pem" }"#)
            .file("cert.pem", certificate)
            .file("key.pem", key)
    }

    /// Runs this command that serves, without the configuration.
    pub fn command(mut self, verb: &[&str]) -> Self {
        self.verb = Some(verb.iter().map(ToString::to_string).collect());
        self
    }

    /// Adds arguments to `skinflint serve`.
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// Sets an environment variable of the gateway.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Has [`Gateway::finish`] look for open streams at `provider`.
    pub fn watch(mut self, provider: &FakeProvider) -> Self {
        self.providers.push(provider.clone());
        self
    }

    /// The file `skinflint.toml`.
    pub fn toml(&self) -> String {
        let mut text = String::new();
        for (section, fields) in &self.fields {
            if !section.is_empty() {
                let _ = writeln!(text, "[{section}]");
            }
            for (name, value) in fields {
                let _ = writeln!(text, "{name} = {value}");
            }
        }
        for upstream in &self.upstreams {
            let Upstream {
                name,
                protocol,
                url,
                passthrough,
                ..
            } = upstream;
            let _ = writeln!(
                text,
                "[[upstream]]\nname = {name:?}\nprotocol = {protocol:?}\nbase_url = {url:?}\npassthrough = {passthrough:?}"
            );
            if self.plain {
                text.push_str("ask_usage = false\n");
            }
            if upstream.has_key {
                let _ = writeln!(
                    text,
                    "api_key_env = \"FAKE_{}_KEY\"",
                    protocol.to_uppercase()
                );
            }
        }
        for (name, upstream, rename) in &self.models {
            let _ = writeln!(text, "[[model]]\nname = {name:?}\nupstream = {upstream:?}");
            if let Some(rename) = rename {
                let _ = writeln!(text, "rename = {rename:?}");
            }
        }
        text.push_str(&self.appended);
        text
    }

    /// Writes the configuration and its files to a new folder.
    ///
    /// # Panics
    /// If the folder cannot be written.
    pub fn write(&self) -> TempDir {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &PathBuf, content: &[u8]| {
            let path = directory.path().join(path);
            let parent = path.parent().expect("a file has a folder");
            std::fs::create_dir_all(parent).expect("make the folder");
            std::fs::write(path, content).expect("write the file");
        };
        write(&"skinflint.toml".into(), self.toml().as_bytes());
        for (path, content) in &self.files {
            write(path, content);
        }
        directory
    }

    /// Starts the gateway, and waits until both listeners are up.
    ///
    /// # Panics
    /// If it does not come up; its log is in the text.
    pub async fn start(self) -> Gateway {
        let scheme = if self.root_certificate.is_some() {
            "https"
        } else {
            "http"
        };
        let serve = || ["serve", "--config", "skinflint.toml"].map(Into::into);
        let place = Place {
            directory: self.write(),
            verb: self.verb.unwrap_or_else(|| serve().into()),
            arguments: self.arguments,
            environment: self.environment,
        };
        let process = Process::start(&place).await;
        let client = client(self.root_certificate.as_deref());
        Gateway::new(process, place, scheme, self.providers, client)
    }
}

/// A client that shows what the gateway sent: no redirects, no proxies, no content decoding.
pub(crate) fn client(root_certificate: Option<&[u8]>) -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error means that the test has installed one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let roots =
        root_certificate.map(|pem| reqwest::Certificate::from_pem(pem).expect("a PEM certificate"));
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only(roots)
        .build()
        .expect("a client")
}
