//! `skinflint models`: fetching from a hub that misbehaves, and keeping what was fetched. What comes through pip is tested where it is fetched.

use std::path::PathBuf;

use insta::assert_snapshot;
use serde_json::{Value, json};
use skinflint_tests::{Command, FakeHub, HubFault, HubRequest, Origin};
use tempfile::TempDir;

mod broken;
mod kept;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const NEXT: &str = "89abcdef0123456789abcdef0123456789abcdef";
const TOKEN: &str = "hf_canary-token";

/// A user's folder, and the hub that models come from.
struct Bench {
    home: TempDir,
    hub: FakeHub,
    environment: Vec<(String, String)>,
}

impl Bench {
    async fn new() -> Self {
        let hub = FakeHub::start().await;
        let environment = vec![("HF_ENDPOINT".to_owned(), hub.url())];
        Self {
            home: tempfile::tempdir().unwrap(),
            hub,
            environment,
        }
    }

    fn with_token(mut self, token: &str) -> Self {
        self.environment
            .push(("HF_TOKEN".to_owned(), token.to_owned()));
        self
    }

    async fn run(&self, verb: &str, rest: &[&str]) -> Command {
        let arguments = [&["models", "--models", "kept", verb], rest].concat();
        let run = Command::run_in(self.home.path(), &self.environment, &arguments).await;
        for canary in ["canary-signature", TOKEN] {
            let said = format!("{}{}", run.stdout, run.stderr);
            assert!(!said.contains(canary), "{said}");
        }
        run
    }

    async fn pull(&self, name: &str) -> Command {
        self.run("pull", &[name]).await
    }

    /// Pulls, and gives the path that is printed.
    async fn pulled(&self, name: &str) -> PathBuf {
        let pulled = self.pull(name).await;
        assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
        self.home.path().join(pulled.stdout.trim_end())
    }

    /// Code and output without addresses that differ between runs.
    fn told(&self, run: &Command) -> String {
        let said = format!("{:?}\n{}{}", run.code, run.stdout, run.stderr);
        said.replace(&self.hub.url(), "HUB")
            .replace(&self.hub.store_url(), "STORE")
    }

    /// The last line of a run that failed.
    fn error(&self, run: &Command) -> String {
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        let told = self.told(run);
        let at = told.find("error: ").unwrap();
        told[at..].trim_end().to_owned()
    }

    /// Everything that lies in the models folder, by path.
    fn kept(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.home.path().join("kept")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let path = path.strip_prefix(self.home.path()).unwrap();
                    found.push(path.display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    async fn list(&self) -> Vec<Value> {
        let listed = self.run("list", &["--json"]).await;
        assert_eq!(listed.code, Some(0), "{}", listed.stderr);
        serde_json::from_str(&listed.stdout).unwrap()
    }

    /// Name and state of what is here of the hub.
    async fn states(&self) -> Vec<String> {
        let rows = self.list().await.into_iter();
        let of_hub = rows.filter(|row| row["name"].as_str().unwrap().contains('/'));
        of_hub
            .map(|row| format!("{}: {}", row["name"], row["state"]).replace('"', ""))
            .collect()
    }
}

/// Bytes that differ from place to place.
fn bytes(length: usize) -> Vec<u8> {
    let at = |place: usize| {
        let [low, high, higher, ..] = place.to_le_bytes();
        low ^ high.wrapping_mul(31) ^ higher.wrapping_mul(7)
    };
    (0..length).map(at).collect()
}

/// A repository in the safetensors format.
fn encoder() -> Vec<(&'static str, Vec<u8>)> {
    let config = json!({ "architectures": ["BertModel"], "model_type": "bert" });
    vec![
        ("README.md", b"# not needed".to_vec()),
        ("config.json", config.to_string().into()),
        ("tokenizer.json", b"{}".to_vec()),
        ("1_Pooling/config.json", b"{\"pooling\": 1}".to_vec()),
        ("model.safetensors", bytes(100_000)),
        ("pytorch_model.bin", bytes(10)),
    ]
}

/// What was asked for, by origin and range.
fn asked(requests: &[HubRequest]) -> Vec<String> {
    let show = |request: &HubRequest| {
        let name = request.target.rsplit(['/', '=']).next().unwrap();
        let range = request.header("range").unwrap_or("all");
        format!("{:?} {name} {range}", request.origin)
    };
    requests.iter().map(show).collect()
}
