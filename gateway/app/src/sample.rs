//! A small ledger for tests: a task of three agents, one of another tenant, a refusal, all at known times and ids.

use skinflint_ledger::{
    Config, Durability, Ledger, LedgerError, Money, RequestRow, Reservation, Settlement, Source,
    Spared, Store, Writer,
};
use skinflint_money::{NanoUsd, NanoUsdDelta};
use skinflint_protocol::Usage;
use tempfile::TempDir;
use tokio::task::JoinSet;
use uuid::Uuid;

/// 2026-11-21 10:00 UTC, a Saturday.
pub(crate) const NOW: i64 = 1_795_255_200_000;
/// A name that needs escaping in a path, with all that is allowed in one.
pub(crate) const TASK: &str = "fix/parser #7 é";
/// The first request, as clients see it.
pub(crate) const REQUEST: &str = "req_00000000000000000000000000000001";

/// A ledger with its writer, in a folder of its own.
pub(crate) struct Sample {
    pub(crate) ledger: Ledger,
    _folder: TempDir,
    _writer: JoinSet<Result<(), LedgerError>>,
}

/// What a call was.
struct Call {
    id: u128,
    tenant: &'static str,
    task: &'static str,
    agents: &'static [&'static str],
    upstream: &'static str,
    model: &'static str,
    minutes: i64,
    cost: u64,
    source: Source,
}

const CALLS: [Call; 4] = [
    Call {
        id: 1,
        tenant: "acme",
        task: TASK,
        agents: &["main"],
        upstream: "openai",
        model: "gpt-5-2025-08-07",
        minutes: 0,
        cost: 1_500_000,
        source: Source::Provider,
    },
    Call {
        id: 2,
        tenant: "acme",
        task: TASK,
        agents: &["main", "search"],
        upstream: "openai",
        model: "gpt-5-2025-08-07",
        minutes: 1,
        cost: 250_001,
        source: Source::Counted,
    },
    Call {
        id: 3,
        tenant: "acme",
        task: TASK,
        agents: &["main", "search", "read"],
        upstream: "anthropic",
        model: "claude-sonnet-4-5-20250929",
        minutes: 2,
        cost: 40_000_000,
        source: Source::Provider,
    },
    Call {
        id: 4,
        tenant: "globex",
        task: "nightly",
        agents: &[],
        upstream: "openai",
        model: "gpt-5-mini-2025-08-07",
        minutes: 3 - 24 * 60,
        cost: 10_000,
        source: Source::UpperBound,
    },
];

impl Sample {
    /// Writes it.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            store: Store::Sqlite {
                path: folder.path().join("ledger.db"),
            },
            durability: Durability::Process,
            node: "test".to_owned(),
        };
        let (ledger, running, _) = Ledger::open(config, NOW).await.unwrap();
        let mut writer = JoinSet::new();
        writer.spawn(Writer::run(running));
        for call in &CALLS {
            ledger.reserve(call.reservation()).await.unwrap();
            ledger.settle(call.settlement());
            ledger.record(call.request());
        }
        ledger.flush().await.unwrap();
        Self {
            ledger,
            _folder: folder,
            _writer: writer,
        }
    }
}

impl Call {
    fn at_ms(&self) -> i64 {
        NOW + self.minutes * 60_000
    }

    fn agent(&self) -> Option<String> {
        self.agents.last().map(|agent| (*agent).to_owned())
    }

    fn above(&self) -> Vec<String> {
        let above = self.agents.split_last().map(|(_, above)| above);
        above
            .unwrap_or_default()
            .iter()
            .map(|agent| (*agent).to_owned())
            .collect()
    }

    fn reservation(&self) -> Reservation {
        Reservation {
            reservation: None,
            spared: Spared::default(),
            attempt: Uuid::from_u128(self.id + 100),
            request: Uuid::from_u128(self.id),
            number: 1,
            tenant: self.tenant.to_owned(),
            key: Some("k1".to_owned()),
            task: self.task.to_owned(),
            agent: self.agent(),
            ancestors: self.above(),
            class: Some("chat".to_owned()),
            tags: Vec::new(),
            model: "gpt-5".to_owned(),
            upstream: self.upstream.to_owned(),
            upstream_model: self.model.to_owned(),
            held: NanoUsd::new(self.cost),
            upper: NanoUsd::new(self.cost * 2),
            price_version: "2026-11".to_owned(),
            at_ms: self.at_ms(),
            notional: false,
            holdout: false,
            scopes: ["tenant", "key:k1", "model:gpt-5", "class:chat"]
                .map(str::to_owned)
                .to_vec(),
        }
    }

    fn settlement(&self) -> Settlement {
        Settlement {
            attempt: Uuid::from_u128(self.id + 100),
            at_ms: self.at_ms() + 900,
            source: self.source,
            usage: Usage {
                fresh_input: 700,
                cache_read: 300,
                output: 50,
                reasoning: 10,
                ..Usage::default()
            },
            money: Money {
                cost: NanoUsd::new(self.cost),
                counterfactual: NanoUsd::new(self.cost + 1_000),
                saved_provider_cache: NanoUsdDelta::new(2_700),
                saved_ours: NanoUsdDelta::new(1_000),
                harm: NanoUsdDelta::default(),
            },
            lines: format!(
                r#"{{"fresh_input":"0.00","cache_read":"0.00","output":"{}","tools":"0.00"}}"#,
                NanoUsd::new(self.cost)
            ),
            tier: "standard".to_owned(),
            response: Some(format!("resp_{}", self.id)),
            referable: false,
            answered_by: Some(self.model.to_owned()),
            status: 200,
            latency_ms: 900,
            ttft_ms: Some(120),
        }
    }

    fn request(&self) -> RequestRow {
        RequestRow {
            request: Uuid::from_u128(self.id),
            at_ms: self.at_ms(),
            tenant: self.tenant.to_owned(),
            key: Some("k1".to_owned()),
            task: Some(self.task.to_owned()),
            session: Some("s1".to_owned()),
            agent: self.agent(),
            parent: self.above().pop(),
            class: Some("chat".to_owned()),
            tags: vec!["ci".to_owned()],
            endpoint: "/v1/chat/completions".to_owned(),
            model: Some("gpt-5".to_owned()),
            route: Some(format!("upstream:{}", self.upstream)),
            status: 200,
            outcome: "ok".to_owned(),
            error: None,
            tokens_before: Some(1_000),
            tokens_after: Some(1_000),
            holdout: false,
            decisions: r#"[{"decision":"routed","to":"upstream"},{"decision":"reserved","held_usd":"0.002","exposed_usd":"0.004","input_tokens":1100,"metered":true},{"decision":"cut_short"}]"#.to_owned(),
            price_version: Some("2026-11".to_owned()),
            generation: 3,
        }
    }
}
