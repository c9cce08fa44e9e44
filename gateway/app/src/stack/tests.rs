//! The order of the layers, as a client can tell it.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use secrecy::ExposeSecret;
use skinflint_decisions::DecisionStore;
use skinflint_policies::{Config, Environment, Local, PolicyFolder, TenantId, VirtualKey};
use skinflint_protocol::Embeddings;
use skinflint_upstream::InFlight;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::{
    accounting::Foundations,
    drain::Drain,
    error::LocalError,
    local::{Loaded, Loader, LocalModels},
    prose::Prose,
    relay::Relay,
    rungs::{Embedder, LocalRung, ModelList, UpstreamRung},
    trials::Trials,
};

struct NoEnvironment;

impl Environment for NoEnvironment {
    fn secret(&self, _: &str) -> Option<secrecy::SecretString> {
        None
    }
}

/// A stack without providers and without a local model, for one tenant with one key.
struct Fixture {
    service: CallService<Full<Bytes>>,
    metrics: Metrics,
    key: VirtualKey,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn new(limits: &str) -> Self {
        Self::with(&format!("{limits}\n[local]\nenabled = false\n"), None).await
    }

    async fn with(config: &str, embedder: Option<Arc<dyn Embedder>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = VirtualKey::generate().unwrap();
        PolicyFolder::new(&folder.path().join("policies"))
            .add_key(&TenantId::parse("acme").unwrap(), &key)
            .unwrap();
        let file = folder.path().join("skinflint.toml");
        std::fs::write(&file, format!("{config}\n[ledger]\nstore = \"off\"\n")).unwrap();
        let config = Config::load(&file, &NoEnvironment).unwrap();
        let (metrics, _) = Metrics::new(InFlight::default());
        let relay = Relay::new(&config.timeouts, true, CancellationToken::new());
        let local = match (&config.local, embedder) {
            (Local::On(settings), Some(embedder)) => {
                LocalModels::of_test(settings, Arc::new(Only(embedder)))
            }
            (local, _) => LocalModels::start(local, folder.path().to_owned(), &Drain::default()),
        };
        let policies = LivePolicies::new(
            config.tenants,
            config.prices,
            config.policies,
            metrics.clone(),
        );
        let accounting = Accounting::open(Foundations {
            ledger: &config.ledger,
            counters: &config.counters,
            alerts: config.alerts,
            data: folder.path(),
            policies: policies.clone(),
            metrics: metrics.clone(),
            local: local.clone(),
            tasks: Drain::default(),
        });
        let accounting = accounting.await.unwrap();
        let service = stack(Parts {
            limits: config.limits,
            timeouts: config.timeouts,
            policies,
            accounting,
            compression: Compression::new(
                DecisionStore::in_memory(1 << 20),
                Trials::in_memory(metrics.clone(), Drain::default()),
            ),
            metrics: metrics.clone(),
            log: CallLog::Events,
            rungs: Rungs::new(
                LocalRung::new(local.clone(), relay.clone()),
                UpstreamRung::new(Vec::new(), relay),
                ModelList::new(&config.models, &config.upstreams),
                Prose::new(local, Drain::default()),
            ),
            map: Arc::new(RouteMap::new(
                config.models,
                config.upstreams,
                &config.local,
            )),
        });
        Self {
            service,
            metrics,
            key,
            _folder: folder,
        }
    }

    async fn ask(&self, key: Option<&str>, body: &str) -> Response<Body> {
        self.post("/v1/messages", key, body).await
    }

    async fn post(&self, path: &str, key: Option<&str>, body: &str) -> Response<Body> {
        let mut request = Request::post(path)
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        if let Some(key) = key {
            request
                .headers_mut()
                .insert("x-api-key", key.parse().unwrap());
        }
        self.service.clone().oneshot(request).await.unwrap()
    }

    fn key(&self) -> &str {
        self.key.text.expose_secret()
    }
}

#[tokio::test]
async fn who_calls_is_asked_before_the_body_is_read() {
    let fixture = Fixture::new("[limits]\nbody = 10\n").await;
    let long = "x".repeat(100);
    assert_eq!(fixture.ask(None, &long).await.status(), 401);
    assert_eq!(fixture.ask(Some(fixture.key()), &long).await.status(), 413);
}

#[tokio::test]
async fn the_body_is_understood_before_a_route_is_chosen() {
    let fixture = Fixture::new("").await;
    assert_eq!(fixture.ask(Some(fixture.key()), "{").await.status(), 400);
    let unknown =
        r#"{"model":"nowhere","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}"#;
    let refused = fixture.ask(Some(fixture.key()), unknown).await;
    assert_eq!(refused.status(), 404);
    assert!(
        refused.headers().contains_key("x-skinflint-task"),
        "attributed before it is routed"
    );
}

#[tokio::test]
async fn too_many_calls_are_turned_away_before_anything_is_asked() {
    let fixture = Fixture::new("[limits]\nin_flight = 1\n").await;
    let held = fixture.ask(Some(fixture.key()), "{").await;
    assert_eq!(fixture.ask(None, "{").await.status(), 503);
    held.into_body().collect().await.unwrap();
    assert_eq!(fixture.ask(None, "{").await.status(), 401);
    assert_eq!(fixture.metrics.overloaded.get(), 1);
}

#[tokio::test]
async fn refusals_have_an_id_and_a_count_too() {
    let fixture = Fixture::new("").await;
    let refused = fixture.ask(None, "{").await;
    let id = refused.headers()["x-skinflint-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let body = refused.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["request_id"], id.as_str(), "rescued within telemetry");
    let labels = crate::metrics::CallLabels {
        endpoint: "messages",
        route: "none".to_owned(),
        status: 401,
        outcome: "refused",
    };
    assert_eq!(fixture.metrics.calls.get_or_create(&labels).get(), 1);
    assert_eq!(fixture.metrics.in_flight.get(), 0);
}

/// Embeds a text as its length.
#[derive(Debug)]
struct Lengths;

impl Embedder for Lengths {
    fn name(&self) -> &'static str {
        "lengths"
    }

    fn dimensions(&self) -> usize {
        1
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Embeddings, LocalError>> {
        let lengths: Vec<u8> = texts
            .iter()
            .map(|text| u8::try_from(text.len()).unwrap())
            .collect();
        Box::pin(async move {
            Ok(Embeddings {
                vectors: lengths
                    .iter()
                    .map(|length| vec![f32::from(*length)])
                    .collect(),
                prompt_tokens: lengths.iter().copied().map(u64::from).sum(),
            })
        })
    }

    fn stop(&self) {}
}

/// Has this embedder and nothing else.
struct Only(Arc<dyn Embedder>);

impl Loader<Loaded> for Only {
    fn need(&self, _: usize) -> Result<u64, String> {
        Ok(1)
    }

    fn load(&self, place: usize) -> Result<Loaded, String> {
        match place {
            1 => Ok(Loaded::Embedder(self.0.clone())),
            _ => Err("not there".to_owned()),
        }
    }

    fn retire(&self, _: usize, _: &Loaded) {}

    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

#[tokio::test]
async fn embeddings_are_made_by_the_model_that_is_asked_for() {
    let config = "[local]\nenabled = true\nmodel = \"none.gguf\"\nname = \"main\"\nembedder = \"lengths\"\n[[model]]\nname = \"other\"\nupstream = \"local\"\n[[model]]\nname = \"alias\"\nupstream = \"local\"\nrename = \"lengths\"\n";
    let fixture = Fixture::with(config, Some(Arc::new(Lengths))).await;
    let ask = async |body: &str| {
        let key = Some(fixture.key());
        let response = fixture.post("/v1/embeddings", key, body).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        (status, body)
    };
    let (status, body) = ask(r#"{"model":"lengths","input":["a","bcd"]}"#).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["data"][1]["embedding"][0], 3.0);
    assert_eq!(body["usage"]["prompt_tokens"], 4);
    assert_eq!(body["model"], "lengths");
    let encoded = r#"{"model":"lengths","input":"a","encoding_format":"base64","dimensions":1}"#;
    assert_eq!(ask(encoded).await.1["data"][0]["embedding"], "AACAPw==");
    let longer = r#"{"model":"lengths","input":"a","dimensions":2}"#;
    let (status, body) = ask(longer).await;
    assert_eq!(status, 400);
    assert_eq!(body["error"]["param"], "dimensions");
    let (status, body) = ask(r#"{"model":"lengths","input":["a",[1,2]]}"#).await;
    assert_eq!(status, 400);
    assert_eq!(body["error"]["param"], "input[1]");
    let (status, body) = ask(r#"{"model":"alias","input":"a"}"#).await;
    assert_eq!((status, body["model"].as_str()), (200, Some("lengths")));
    let (status, body) = ask(r#"{"model":"other","input":"a"}"#).await;
    assert_eq!(status, 400);
    assert_eq!(body["error"]["code"], "wrong_endpoint");
    let chat = r#"{"model":"lengths","max_tokens":1,"messages":[{"role":"user","content":"a"}]}"#;
    assert_eq!(fixture.ask(Some(fixture.key()), chat).await.status(), 400);
}
