use super::*;
use crate::{Limits, ModelTarget, secret::Environment};

const ENVIRONMENT: [(&str, &str); 2] = [("OPENAI_KEY", "sk-real"), ("BROKEN_KEY", "a\nb")];

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
        Some(&ModelTarget::Local)
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
    assert_eq!(config.models.find("gpt-5-nano"), Some(&ModelTarget::Local));
    assert!(config.upstreams[0].api_key.is_some());
}

#[test]
fn errors_name_file_line_field_and_what_was_expected() {
    insta::assert_snapshot!(refusal("[listen\n"), @r"/skinflint.toml:1: unclosed table, expected `]`");
    insta::assert_snapshot!(refusal("\n[listen]\nport = 3\n"), @"/skinflint.toml:3: `listen.port`: unknown field `port`, expected one of `calls`, `admin`, `threads`, `tls`, `admin_token_env`");
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
    insta::assert_snapshot!(upstream("base_url = 'https://x.y'\napi_key = 'sk-1'"), @"/skinflint.toml:5: `upstream[0].api_key`: unknown field `api_key`, expected one of `name`, `protocol`, `base_url`, `api_key_env`, `private_network`, `passthrough`");
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
    let config = load("[[upstream]]\nname = 'a'\nprotocol = 'openai'\nbase_url = 'https://x.y'\napi_key_env = 'OPENAI_KEY'\n").unwrap();
    assert!(!format!("{config:?}").contains("sk-real"));
}

#[test]
fn defaults_and_an_empty_file_agree() {
    let defaults = Config::defaults(&ENVIRONMENT).unwrap();
    let Limits { body, .. } = defaults.limits;
    assert_eq!(body, load("").unwrap().limits.body);
    assert_eq!(defaults.source, Source::Defaults);
}

#[test]
fn the_shipped_examples_are_right() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let config = Config::load(&examples.join("skinflint.toml"), &ENVIRONMENT).unwrap();
    assert_eq!(config.models.find("small"), Some(&ModelTarget::Local));
    assert!(config.models.find("claude-sonnet-5").is_some());
    assert!(config.tenants.keyless().is_some());
    let tenants = crate::Tenants::load(&examples.join("tenants")).unwrap();
    assert!(tenants.keyless().is_none());
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
}

/// Whether a commented line of the example sets a limit or a timeout.
fn is_default(line: &str) -> bool {
    const FIELDS: [&str; 13] = [
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
