use super::*;
use crate::{Limits, ModelTarget, secret::Environment};

const ENVIRONMENT: [(&str, &str); 6] = [
    ("OPENAI_KEY", "sk-real"),
    ("BROKEN_KEY", "a\nb"),
    ("LEDGER_URL", "postgres://skinflint:hunter2@db/ledger"),
    ("REDIS_URL", "redis://:hunter2@cache:6379/0"),
    ("WEBHOOK_URL", "https://hooks.example.com/hunter2"),
    ("BROKEN_URL", "hunter2"),
];

/// An environment with a machine that has a name.
struct Host(&'static str);

impl Environment for Host {
    fn secret(&self, name: &str) -> Option<secrecy::SecretString> {
        ENVIRONMENT.secret(name)
    }

    fn host_name(&self) -> Option<String> {
        Some(self.0.to_owned())
    }
}

fn load(text: &str) -> Result<Config, String> {
    load_with(text, &ENVIRONMENT)
}

fn load_with(text: &str, environment: &impl Environment) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("skinflint.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&path, environment).map_err(|error| {
        error
            .to_string()
            .replace(folder.path().to_str().unwrap(), "")
    })
}

fn refusal(text: &str) -> String {
    load(text).unwrap_err()
}

#[test]
fn nothing_written_means_loopback_and_the_local_model() {
    let config = load("").unwrap();
    assert_eq!(config.listen.calls.to_string(), "127.0.0.1:4100");
    assert_eq!(config.listen.admin.to_string(), "127.0.0.1:4101");
    assert_eq!(
        config.models.find("gemma-3-270m"),
        Some(&ModelTarget::Local("gemma-3-270m".into()))
    );
    assert_eq!(config.models.find("gpt-5"), None);
    assert!(config.tenants.keyless().is_some());
}

#[test]
fn the_most_specific_row_wins() {
    let config = load(
        r#"
        [[upstream]]
        name = "big"
        protocol = "openai"
        base_url = "https://api.openai.com"
        api_key_env = "OPENAI_KEY"
        [[model]]
        name = "gpt-*"
        upstream = "big"
        [[model]]
        name = "gpt-5-*"
        upstream = "big"
        rename = "gpt-5.6"
        [[model]]
        name = "gpt-5-nano"
        upstream = "local"
        "#,
    )
    .unwrap();
    let upstream = |rename: Option<&str>| ModelTarget::Upstream {
        index: 0,
        rename: rename.map(str::to_owned),
    };
    assert_eq!(config.models.find("gpt-4o"), Some(&upstream(None)));
    assert_eq!(
        config.models.find("gpt-5-mini"),
        Some(&upstream(Some("gpt-5.6")))
    );
    assert_eq!(
        config.models.find("gpt-5-nano"),
        Some(&ModelTarget::Local("gemma-3-270m".into()))
    );
    assert!(config.upstreams[0].api_key.is_some());
}

#[test]
fn errors_name_file_line_field_and_what_was_expected() {
    insta::assert_snapshot!(refusal("[listen\n"), @r"/skinflint.toml:1: unclosed table, expected `]`");
    insta::assert_snapshot!(refusal("\n[listen]\nport = 3\n"), @"/skinflint.toml:3: `listen.port`: unknown field `port`, expected one of `calls`, `admin`, `threads`, `tls`, `admin_token_env`, `cost_comments`");
    insta::assert_snapshot!(refusal("[limits]\nbody = '1 furlong'\n"), @r#"/skinflint.toml:2: `limits.body`: invalid value: string "1 furlong", expected a size such as "32MiB" or a number of bytes"#);
    insta::assert_snapshot!(refusal("[limits]\nin_flight = 0\n"), @"/skinflint.toml:2: `limits.in_flight`: expected at least 1");
    insta::assert_snapshot!(refusal("[timeouts]\nidle = 'soon'\n"), @r#"/skinflint.toml:2: `timeouts.idle`: invalid value: string "soon", expected a duration such as "30s" or "2m""#);
    insta::assert_snapshot!(refusal("[listen]\ncalls = '0.0.0.0:4100'\n"), @"/skinflint.toml:2: `listen.calls`: a public listener needs keys: add a tenant with `skinflint keys new`, or listen on 127.0.0.1");
    insta::assert_snapshot!(refusal("[listen]\nadmin = '0.0.0.0:4101'\n"), @"/skinflint.toml:2: `listen.admin`: a public admin listener needs `admin_token_env`, the name of an environment variable that holds its token");
    insta::assert_snapshot!(refusal("[[model]]\nname = 'x'\nupstream = 'nowhere'\n"), @"/skinflint.toml:3: `model[0].upstream`: no upstream named `nowhere`, expected `local`");
    insta::assert_snapshot!(refusal("[[model]]\nname = 'a*b'\nupstream = 'local'\n"), @"/skinflint.toml:2: `model[0].name`: expected a model's name, or a prefix with one `*` at its end");
    insta::assert_snapshot!(refusal("policies = 'nowhere'\n"), @"/skinflint.toml:1: `policies`: no folder `/nowhere`");
}

#[test]
fn an_upstream_is_checked_field_by_field() {
    let upstream = |rest: &str| {
        refusal(&format!(
            "[[upstream]]\nname = 'a'\nprotocol = 'openai'\n{rest}\n"
        ))
    };
    insta::assert_snapshot!(upstream("base_url = 'api.openai.com'"), @r#"/skinflint.toml:4: `upstream[0].base_url`: expected a URL such as "https://api.openai.com""#);
    insta::assert_snapshot!(upstream("base_url = 'https://api.openai.com/v1'"), @"/skinflint.toml:4: `upstream[0].base_url`: expected the URL without its `/v1`, which request paths begin with");
    insta::assert_snapshot!(upstream("base_url = 'https://u:p@api.openai.com'"), @"/skinflint.toml:4: `upstream[0].base_url`: expected no user name or password; use `api_key_env`");
    insta::assert_snapshot!(upstream("base_url = 'https://x.y'\napi_key_env = 'NOT_SET'"), @"/skinflint.toml:5: `upstream[0].api_key_env`: the environment variable `NOT_SET` is not set");
    insta::assert_snapshot!(upstream("base_url = 'https://x.y'\napi_key_env = 'BROKEN_KEY'"), @"/skinflint.toml:5: `upstream[0].api_key_env`: the value of the environment variable `BROKEN_KEY` cannot be sent as a header");
    insta::assert_snapshot!(upstream("base_url = 'https://x.y'\napi_key = 'sk-1'"), @"/skinflint.toml:5: `upstream[0].api_key`: unknown field `api_key`, expected one of `name`, `protocol`, `base_url`, `api_key_env`, `private_network`, `passthrough`, `provider`, `ask_usage`, `on_disconnect`");
    insta::assert_snapshot!(upstream("base_url = 'https://x.y'\n[[upstream]]\nname = 'a'\nprotocol = 'anthropic'\nbase_url = 'https://x.y'"), @"/skinflint.toml:6: `upstream[1].name`: an upstream named `a` already exists");
}

#[test]
fn a_passed_path_covers_what_is_below_it_and_nothing_beside() {
    let config = load(
        "[[upstream]]\nname = 'a'\nprotocol = 'openai'\nbase_url = 'https://x.y'\npassthrough = ['/v1/files']\n",
    )
    .unwrap();
    let upstream = &config.upstreams[0];
    assert!(upstream.passes("/v1/files"));
    assert!(upstream.passes("/v1/files/f-1/content"));
    assert!(!upstream.passes("/v1/filesystem"));
    assert!(!upstream.passes("/v1/file"));
    assert!(!upstream.passes("/v1/files/../admin"));
    assert!(!upstream.passes("/v1/files/.%2E/admin"));
}

#[test]
fn a_secret_never_shows_in_debug_output() {
    let text = "[[upstream]]\nname = 'a'\nprotocol = 'openai'\nbase_url = 'https://x.y'\napi_key_env = 'OPENAI_KEY'\n\
        [ledger]\nurl_env = 'LEDGER_URL'\nnode = 'a'\n[counters]\nredis_url_env = 'REDIS_URL'\n[alerts]\nwebhook_url_env = 'WEBHOOK_URL'\n";
    let shown = format!("{:?}", load(text).unwrap());
    assert!(!shown.contains("sk-real") && !shown.contains("hunter2"));
    let broken = refusal("[alerts]\nwebhook_url_env = 'BROKEN_URL'\n");
    assert!(!broken.contains("hunter2"), "{broken}");
}

#[test]
fn defaults_and_an_empty_file_agree() {
    let defaults = Config::defaults(&ENVIRONMENT).unwrap();
    let Limits { body, .. } = defaults.limits;
    assert_eq!(body, load("").unwrap().limits.body);
    assert_eq!(defaults.source, Source::Defaults);
}

#[test]
fn a_ledger_is_a_file_unless_a_server_is_named() {
    let ledger = |text: &str, environment: &Host| match load_with(text, environment).unwrap().ledger
    {
        Ledger::On(settings) => settings,
        Ledger::Off => panic!("off"),
    };
    let host = Host("node-7.example");
    let lone = ledger("", &host);
    assert!(matches!(
        lone.store,
        LedgerStore::Sqlite {
            file: LedgerFile::DataFolder,
            durability: Durability::Process
        }
    ));
    assert_eq!(lone.node, "gateway");
    assert_eq!(lone.task_idle, std::time::Duration::from_mins(30));
    let own = ledger("[ledger]\npath = 'l.db'\ndurability = 'power'\n", &host);
    let LedgerStore::Sqlite {
        file: LedgerFile::At(path),
        durability: Durability::Power,
    } = own.store
    else {
        panic!("{:?}", own.store)
    };
    assert!(path.is_absolute() && path.ends_with("l.db"));
    let shared = ledger("[ledger]\nurl_env = 'LEDGER_URL'\n", &host);
    assert!(matches!(shared.store, LedgerStore::Postgres(_)));
    assert_eq!(shared.node, "node-7.example");
    let off = load("[ledger]\nstore = 'off'\n").unwrap();
    assert!(matches!(off.ledger, Ledger::Off));
}

#[test]
fn a_ledger_is_checked_field_by_field() {
    let ledger = |lines: &str| refusal(&format!("[ledger]\n{lines}\n"));
    insta::assert_snapshot!(ledger("store = 'mysql'"), @"/skinflint.toml:2: `ledger.store`: unknown variant `mysql`, expected one of `sqlite`, `postgres`, `off`");
    insta::assert_snapshot!(ledger("store = 'postgres'"), @"/skinflint.toml:2: `ledger.store`: expected `url_env`, the name of an environment variable that holds the server's URL");
    insta::assert_snapshot!(ledger("store = 'sqlite'\nurl_env = 'LEDGER_URL'"), @"/skinflint.toml:3: `ledger.url_env`: a SQLite ledger is a file: use `path`");
    insta::assert_snapshot!(ledger("url_env = 'NOT_SET'"), @"/skinflint.toml:2: `ledger.url_env`: the environment variable `NOT_SET` is not set");
    insta::assert_snapshot!(ledger("url_env = 'REDIS_URL'"), @"/skinflint.toml:2: `ledger.url_env`: the value of the environment variable `REDIS_URL` is no URL that begins with `postgres://` or `postgresql://`");
    insta::assert_snapshot!(ledger("url_env = 'LEDGER_URL'"), @"/skinflint.toml:1: `ledger.node`: expected a name for this gateway: the machine has none that could serve");
    insta::assert_snapshot!(ledger("url_env = 'LEDGER_URL'\npath = 'l.db'"), @"/skinflint.toml:3: `ledger.path`: only a SQLite ledger is a file");
    insta::assert_snapshot!(ledger("url_env = 'LEDGER_URL'\ndurability = 'power'"), @"/skinflint.toml:3: `ledger.durability`: what a row survives in Postgres is the server's setting `synchronous_commit`");
    insta::assert_snapshot!(ledger("path = ''"), @"/skinflint.toml:2: `ledger.path`: expected the path of a file");
    insta::assert_snapshot!(ledger("node = 'a b'"), @"/skinflint.toml:2: `ledger.node`: expected 1 to 64 ASCII letters, digits, `-`, `_` or `.`");
    insta::assert_snapshot!(ledger("task_idle = '0s'"), @r#"/skinflint.toml:2: `ledger.task_idle`: expected more than 0s and at most "30days""#);
    insta::assert_snapshot!(ledger("task_idle = '31days'"), @r#"/skinflint.toml:2: `ledger.task_idle`: expected more than 0s and at most "30days""#);
    insta::assert_snapshot!(ledger("durability = 'maybe'"), @"/skinflint.toml:2: `ledger.durability`: unknown variant `maybe`, expected `process` or `power`");
}

#[test]
fn counters_and_alerts_are_checked_field_by_field() {
    let in_process = load("").unwrap();
    assert!(matches!(in_process.counters, Counters::InProcess));
    assert!(in_process.alerts.webhook.is_none());
    let redis = |lines: &str| {
        load(&format!(
            "[counters]\nredis_url_env = 'REDIS_URL'\n{lines}\n"
        ))
    };
    let when_down = |lines: &str| match redis(lines).unwrap().counters {
        Counters::Redis { when_down, .. } => when_down,
        Counters::InProcess => panic!("in process"),
    };
    assert_eq!(when_down(""), WhenDown::Closed);
    assert_eq!(
        when_down("when_down = 'share'\nshare = 0.25"),
        WhenDown::Share(crate::Share::millionths(250_000))
    );
    insta::assert_snapshot!(redis("when_down = 'open'").unwrap_err(), @"/skinflint.toml:3: `counters.when_down`: unknown variant `open`, expected `closed` or `share`");
    insta::assert_snapshot!(redis("when_down = 'share'").unwrap_err(), @"/skinflint.toml:3: `counters.when_down`: expected `share`, this gateway's part of what was left");
    insta::assert_snapshot!(redis("when_down = 'share'\nshare = 1.5").unwrap_err(), @"/skinflint.toml:4: `counters.share`: expected more than 0 and at most 1");
    insta::assert_snapshot!(redis("share = 0.5").unwrap_err(), @r#"/skinflint.toml:3: `counters.share`: only `when_down = "share"` leaves something to spend"#);
    insta::assert_snapshot!(refusal("[counters]\nwhen_down = 'closed'\n"), @"/skinflint.toml:2: `counters.when_down`: budgets are counted in this process: there is no `redis_url_env`");
    insta::assert_snapshot!(refusal("[counters]\nredis_url_env = 'LEDGER_URL'\n"), @"/skinflint.toml:2: `counters.redis_url_env`: the value of the environment variable `LEDGER_URL` is no URL that begins with `redis://`");
    insta::assert_snapshot!(refusal("[ledger]\nstore = 'off'\n[counters]\nredis_url_env = 'REDIS_URL'\n"), @"/skinflint.toml:2: `ledger.store`: counters in Redis are filled from the ledger, which is off");
    insta::assert_snapshot!(refusal("[alerts]\nwebhook_url_env = 'BROKEN_URL'\n"), @"/skinflint.toml:2: `alerts.webhook_url_env`: the value of the environment variable `BROKEN_URL` is no URL that begins with `https://` or `http://`");
    insta::assert_snapshot!(refusal("[alerts]\nanomaly = { factor = 1 }\n"), @"/skinflint.toml:2: `alerts.anomaly.factor`: expected more than 1 and at most 1000");
    insta::assert_snapshot!(refusal("[alerts]\nanomaly = { min_usd = -1 }\n"), @"/skinflint.toml:2: `alerts.anomaly.min_usd`: expected an amount that is not negative");
}

#[test]
fn an_upstream_says_how_its_usage_is_learnt() {
    let upstream = |rest: &str| {
        let text = format!("[[upstream]]\nname = 'a'\nprotocol = 'openai'\n{rest}\n");
        load(&text).map(|mut config| config.upstreams.remove(0))
    };
    let plain = upstream("base_url = 'https://api.deepseek.com'").unwrap();
    assert_eq!(plain.provider, "deepseek");
    assert!(plain.ask_usage);
    assert_eq!(plain.on_disconnect, OnDisconnect::Cancel);
    let own = upstream("base_url = 'https://x.y'\nprovider = 'openai'\nask_usage = false\non_disconnect = { drain = { usd = 0.25 } }").unwrap();
    assert_eq!(own.provider, "openai");
    assert!(!own.ask_usage);
    let caps = DrainCaps {
        time: std::time::Duration::from_secs(30),
        cost: skinflint_money::NanoUsd::new(250_000_000),
        at_once: std::num::NonZeroUsize::new(64).unwrap(),
    };
    assert_eq!(own.on_disconnect, OnDisconnect::Drain(caps));
    let unknown = upstream("base_url = 'https://x.y'\non_disconnect = 'cancel'").unwrap();
    assert_eq!(unknown.provider, "a");
    let wrong = |rest: &str| upstream(&format!("base_url = 'https://x.y'\n{rest}")).unwrap_err();
    insta::assert_snapshot!(wrong("provider = ''"), @"/skinflint.toml:5: `upstream[0].provider`: expected 1 to 64 ASCII letters, digits, `-`, `_` or `.`");
    insta::assert_snapshot!(wrong("on_disconnect = 'wait'"), @"/skinflint.toml:5: `upstream[0].on_disconnect`: unknown variant `wait`, expected `cancel` or `drain`");
    insta::assert_snapshot!(wrong("on_disconnect = { drain = { for = '0s' } }"), @"/skinflint.toml:5: `upstream[0].on_disconnect.drain.for`: expected more than 0s");
    insta::assert_snapshot!(wrong("on_disconnect = { drain = { usd = 0 } }"), @"/skinflint.toml:5: `upstream[0].on_disconnect.drain.usd`: expected more than 0");
    insta::assert_snapshot!(wrong("on_disconnect = { drain = { at_once = 0 } }"), @"/skinflint.toml:5: `upstream[0].on_disconnect.drain.at_once`: invalid value: integer `0`, expected a nonzero usize");
}

#[test]
fn local_models_are_told_apart_by_name() {
    let config = load(
        r#"
        [local]
        sequences = 4
        activation_bits = 15
        cache = "64MiB"
        memory = "2GiB"
        idle = "10m"
        embedder = "./encoder"
        [[local.models]]
        model = "org/big:big-q4.gguf"
        name = "big"
        queue = 3
        [[model]]
        name = "gpt-*"
        upstream = "local"
        rename = "big"
        [[model]]
        name = "text-embedding-3-small"
        upstream = "local"
        rename = "encoder"
        "#,
    )
    .unwrap();
    let Local::On(settings) = &config.local else {
        panic!("off")
    };
    let names: Vec<_> = settings.names().collect();
    assert_eq!(names, ["gemma-3-270m", "big", "encoder"]);
    assert_eq!(settings.others[0].queue, 3);
    assert_eq!(settings.activations, Some(crate::ActivationBits::Fifteen));
    assert_eq!(settings.cache, Some(crate::ByteSize::mib(64)));
    assert_eq!(settings.idle, Some(std::time::Duration::from_mins(10)));
    for (asked, named) in [
        ("gpt-5", "big"),
        ("big", "big"),
        ("gemma-3-270m", "gemma-3-270m"),
        ("encoder", "encoder"),
        ("text-embedding-3-small", "encoder"),
    ] {
        let target = ModelTarget::Local(named.into());
        assert_eq!(config.models.find(asked), Some(&target), "{asked}");
    }
}

#[test]
fn the_default_embedder_has_no_row_before_it_is_known_to_be_there() {
    let mut config = load("").unwrap();
    assert_eq!(config.models.find(crate::DEFAULT_EMBEDDER), None);
    config.models.add_local(crate::DEFAULT_EMBEDDER);
    assert!(config.models.find(crate::DEFAULT_EMBEDDER).is_some());
    let embedder = |line: &str| match load(&format!("[local]\n{line}\n")).unwrap().local {
        Local::On(settings) => settings.embedder,
        Local::Off => panic!("off"),
    };
    assert_eq!(embedder(""), LocalEmbedder::IfPulled);
    assert_eq!(embedder("embedder = false"), LocalEmbedder::Off);
    assert_eq!(embedder("embedder = 'off'"), LocalEmbedder::Off);
    let on = embedder("embedder = true");
    assert_eq!(on.name(), Some(crate::DEFAULT_EMBEDDER));
    assert_ne!(on, LocalEmbedder::IfPulled);
}

#[test]
fn local_models_are_checked_field_by_field() {
    let local = |lines: &str| refusal(&format!("[local]\n{lines}\n"));
    insta::assert_snapshot!(local("sequences = 0"), @"/skinflint.toml:2: `local.sequences`: invalid value: integer `0`, expected a nonzero usize");
    insta::assert_snapshot!(local("activation_bits = 16"), @"/skinflint.toml:2: `local.activation_bits`: expected 8 or 15");
    insta::assert_snapshot!(local("cache = '0MiB'"), @"/skinflint.toml:2: `local.cache`: expected at least 1");
    insta::assert_snapshot!(local("memory = 'much'"), @r#"/skinflint.toml:2: `local.memory`: invalid value: string "much", expected a size such as "32MiB" or a number of bytes"#);
    insta::assert_snapshot!(local("memory = 0"), @"/skinflint.toml:2: `local.memory`: expected at least 1");
    insta::assert_snapshot!(local("idle = '0s'"), @"/skinflint.toml:2: `local.idle`: expected more than 0s");
    insta::assert_snapshot!(local("name = 'g*'"), @"/skinflint.toml:2: `local.name`: expected a name without `*`");
    insta::assert_snapshot!(local("embedder = 7"), @"/skinflint.toml:2: `local.embedder`: expected the name or path of a model, or `false`");
    insta::assert_snapshot!(local("embedder = 'a b'"), @"/skinflint.toml:2: `local.embedder`: expected a name of `skinflint models list`, a name of Hugging Face such as `org/name`, or a path that begins with `./`, `../` or `/`");
    insta::assert_snapshot!(local("embedder = 'gemma-3-270m'"), @"/skinflint.toml:2: `local.embedder`: another local model is named `gemma-3-270m`");
    insta::assert_snapshot!(local("[[local.models]]\nname = 'x'"), @"/skinflint.toml:2: `local.models[0]`: missing field `model`");
    insta::assert_snapshot!(local("[[local.models]]\nmodel = 'gemma-3-270m'"), @"/skinflint.toml:2: `local.models[0].name`: another local model is named `gemma-3-270m`");
    insta::assert_snapshot!(local("[[local.models]]\nmodel = 'a'\n[[local.models]]\nmodel = './a.gguf'"), @"/skinflint.toml:4: `local.models[1].name`: another local model is named `a`");
    insta::assert_snapshot!(local("[[model]]\nname = 'x'\nupstream = 'local'\nrename = 'y'"), @"/skinflint.toml:5: `model[0].rename`: no local model named `y`, expected `gemma-3-270m` or `all-minilm-l6-v2`");
}

/// Loads a configuration whose folder `policies` has one tenant file.
fn load_beside(text: &str, tenant: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("skinflint.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    std::fs::write(folder.path().join("policies/a.toml"), tenant).unwrap();
    Config::load(&path, &ENVIRONMENT).map_err(|error| {
        error
            .to_string()
            .replace(folder.path().to_str().unwrap(), "")
    })
}

#[test]
fn a_tenant_asks_for_nothing_that_the_gateway_has_not() {
    let tenant = |on_exceed: &str| {
        format!(
            "[tenant]\nid = 'a'\n[[budget]]\nscope = 'task'\nwindow = 'task'\nlimit_usd = 2\non_exceed = '{on_exceed}'\n"
        )
    };
    let refusal = |text: &str, tenant: &str| load_beside(text, tenant).unwrap_err();
    let (no_local, no_ledger) = ("[local]\nenabled = false\n", "\n[ledger]\nstore = 'off'\n");
    insta::assert_snapshot!(refusal(no_local, &tenant("downgrade")), @"/policies/a.toml:7: `budget[0].on_exceed`: there is no local model to answer instead: it is switched off by `local.enabled`");
    insta::assert_snapshot!(refusal(no_ledger, &tenant("reject")), @"/skinflint.toml:3: `ledger.store`: the budget `task/task` of tenant `a` holds calls back, for which there must be a ledger");
    insta::assert_snapshot!(refusal("[listen]\ncalls = '0.0.0.0:4100'\n", "[tenant]\nid = 'a'\nkeyless = true\n"), @"/policies/a.toml:3: `tenant.keyless`: callers without a key must be on this machine, and `listen.calls` is the public 0.0.0.0:4100");
    assert!(load_beside("", &tenant("downgrade")).is_ok());
    assert!(load_beside(no_local, &tenant("reject")).is_ok());
    assert!(load_beside(no_ledger, &tenant("warn")).is_ok());
    assert!(load_beside("[listen]\ncalls = '0.0.0.0:4100'\n", "[tenant]\nid = 'a'\n").is_ok());
}

#[test]
fn the_shipped_examples_are_right() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let config = Config::load(&examples.join("skinflint.toml"), &ENVIRONMENT).unwrap();
    assert_eq!(
        config.models.find("small"),
        Some(&ModelTarget::Local("gemma-3-270m".into()))
    );
    assert!(config.models.find("claude-sonnet-5").is_some());
    assert!(config.tenants.keyless().is_some());
    let tenants = Tenants::load(&examples.join("tenants")).unwrap();
    let names: Vec<&str> = tenants.all().map(|tenant| tenant.id.as_str()).collect();
    assert_eq!(names, ["acme", "ci", "me", "search-team"]);
    assert_eq!(tenants.keyless().unwrap().id.as_str(), "me");
    for tenant in tenants.all() {
        assert!(!tenant.budgets.is_empty(), "{}", tenant.id);
    }
}

#[test]
fn the_example_shows_the_defaults() {
    let text = include_str!("../../examples/skinflint.toml");
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_default(rest) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let shown = load(&uncommented).unwrap();
    let defaults = Config::defaults(&ENVIRONMENT).unwrap();
    assert_eq!(shown.limits, defaults.limits);
    assert_eq!(shown.timeouts, defaults.timeouts);
    assert_eq!(shown.listen.cost_comments, defaults.listen.cost_comments);
    assert_eq!(shown.alerts.anomaly, defaults.alerts.anomaly);
    assert_eq!(
        format!("{:?}", shown.ledger),
        format!("{:?}", defaults.ledger)
    );
    for upstream in &shown.upstreams {
        assert!(upstream.ask_usage && upstream.on_disconnect == OnDisconnect::Cancel);
    }
}

/// Whether a commented line of the example shows a default that the test compares.
fn is_default(line: &str) -> bool {
    const FIELDS: [&str; 21] = [
        "cost_comments",
        "ask_usage",
        "on_disconnect",
        "store",
        "durability",
        "node",
        "task_idle",
        "anomaly",
        "body",
        "decompressed",
        "headers",
        "json_depth",
        "connections",
        "in_flight",
        "header",
        "body_idle",
        "connect",
        "first_byte",
        "idle",
        "keep_alive",
        "drain",
    ];
    line.split_once(" = ")
        .is_some_and(|(field, _)| FIELDS.contains(&field))
}
