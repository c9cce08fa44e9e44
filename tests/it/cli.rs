//! `skinflint check` and the refusal to start: file, line, field, and what was expected.

use std::fmt::Write;

use insta::assert_snapshot;
use rcgen::generate_simple_self_signed;
use skinflint_tests::{Command, FakeProvider, Gateway, GatewayBuilder};

/// What `skinflint check` says of this configuration.
async fn check(config: &str, files: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("skinflint.toml"), config).unwrap();
    for (path, content) in files {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let checked = Command::run(directory.path(), &["check", "--config", "skinflint.toml"]).await;
    // What cannot be checked cannot be served.
    let served = if checked.code == Some(0) {
        checked.code
    } else {
        Command::run(directory.path(), &["serve", "--config", "skinflint.toml"])
            .await
            .code
    };
    assert_eq!(
        served, checked.code,
        "`serve` and `check` differ on\n{config}"
    );
    format!("{:?}\n{}{}", checked.code, checked.stdout, checked.stderr)
}

async fn complaints(configs: &[&str]) -> String {
    let mut all = String::new();
    for config in configs {
        writeln!(all, "--- {config}\n{}", check(config, &[]).await).unwrap();
    }
    all
}

#[tokio::test]
async fn a_sound_configuration() {
    let config = "[listen]\ncalls = \"127.0.0.1:0\"\n\n[local]\nenabled = false\n\n\
                  [[upstream]]\nname = \"a\"\nprotocol = \"openai\"\nbase_url = \"https://api.example.com\"\n\n\
                  [[model]]\nname = \"gpt-*\"\nupstream = \"a\"\n";
    assert_snapshot!(check(config, &[]).await, @r#"
Some(0)
skinflint.toml: ok
calls     127.0.0.1:0
admin     127.0.0.1:4101
upstream  a  https://api.example.com/  no key of its own
local     off
model     gpt-*
tenants   none: callers on this machine need no key
"#);
}

#[tokio::test]
async fn what_is_no_toml_and_what_is_unknown() {
    let configs = [
        "[listen\n",
        "[listen]\ncalls = 1\n\n[listen]\n",
        "\n\n[listen]\ncals = \"127.0.0.1:0\"\n",
        "[lisen]\n",
        "[[upstream]]\nname = \"a\"\nprotocol = \"openai\"\nbase_url = \"https://a.example\"\nkey = \"sk-secret\"\n",
    ];
    assert_snapshot!(complaints(&configs).await, @r#"
    --- [listen

    Some(1)
    error: skinflint.toml:1: unclosed table, expected `]`

    --- [listen]
    calls = 1

    [listen]

    Some(1)
    error: skinflint.toml:4: duplicate key

    --- 

    [listen]
    cals = "127.0.0.1:0"

    Some(1)
    error: skinflint.toml:4: `listen.cals`: unknown field `cals`, expected one of `calls`, `admin`, `threads`, `tls`, `admin_token_env`, `cost_comments`

    --- [lisen]

    Some(1)
    error: skinflint.toml:1: `lisen`: unknown field `lisen`, expected one of `policies`, `listen`, `limits`, `timeouts`, `upstream`, `model`, `local`, `ledger`, `counters`, `decisions`, `alerts`, `price`, `prices`

    --- [[upstream]]
    name = "a"
    protocol = "openai"
    base_url = "https://a.example"
    key = "sk-secret"

    Some(1)
    error: skinflint.toml:5: `upstream[0].key`: unknown field `key`, expected one of `name`, `protocol`, `base_url`, `api_key_env`, `private_network`, `passthrough`, `provider`, `ask_usage`, `on_disconnect`
    "#);
}

#[tokio::test]
async fn wrong_values() {
    let configs = [
        "[listen]\ncalls = \"localhost\"\n",
        "[listen]\ncalls = \"127.0.0.1:99999\"\n",
        "[limits]\nbody = \"32 apples\"\n",
        "[limits]\nbody = -1\n",
        "[limits]\nin_flight = 0\n",
        "[limits]\njson_depth = 0\n",
        "[timeouts]\nidle = \"soon\"\n",
        "[timeouts]\nidle = 30\n",
        "[timeouts]\nidle = \"0s\"\n",
    ];
    assert_snapshot!(complaints(&configs).await, @r#"
--- [listen]
calls = "localhost"

Some(1)
error: skinflint.toml:2: `listen.calls`: invalid socket address syntax

--- [listen]
calls = "127.0.0.1:99999"

Some(1)
error: skinflint.toml:2: `listen.calls`: invalid socket address syntax

--- [limits]
body = "32 apples"

Some(1)
error: skinflint.toml:2: `limits.body`: invalid value: string "32 apples", expected a size such as "32MiB" or a number of bytes

--- [limits]
body = -1

Some(1)
error: skinflint.toml:2: `limits.body`: invalid value: integer `-1`, expected a size such as "32MiB" or a number of bytes

--- [limits]
in_flight = 0

Some(1)
error: skinflint.toml:2: `limits.in_flight`: expected at least 1

--- [limits]
json_depth = 0

Some(1)
error: skinflint.toml:2: `limits.json_depth`: expected at least 1

--- [timeouts]
idle = "soon"

Some(1)
error: skinflint.toml:2: `timeouts.idle`: invalid value: string "soon", expected a duration such as "30s" or "2m"

--- [timeouts]
idle = 30

Some(1)
error: skinflint.toml:2: `timeouts.idle`: invalid type: integer `30`, expected a duration such as "30s" or "2m"

--- [timeouts]
idle = "0s"

Some(1)
error: skinflint.toml:2: `timeouts.idle`: expected more than 0s
"#);
}

/// A sound upstream, but for the field given.
fn upstream(field: &str, value: &str) -> String {
    let sound = [
        ("name", "\"a\""),
        ("protocol", "\"openai\""),
        ("base_url", "\"https://a.example\""),
    ];
    let other = sound.into_iter().filter(|(name, _)| *name != field);
    let lines: Vec<String> = other
        .chain([(field, value)])
        .map(|(name, value)| format!("{name} = {value}\n"))
        .collect();
    format!("[[upstream]]\n{}", lines.concat())
}

#[tokio::test]
async fn wrong_upstreams() {
    let sound = upstream("name", "\"a\"");
    let configs = [
        upstream("protocol", "\"gemini\""),
        upstream("base_url", "\"a.example\""),
        upstream("base_url", "\"ftp://a.example\""),
        upstream("base_url", "\"https://user:pass@a.example\""),
        upstream("api_key_env", "\"NOT_SET_ANYWHERE\""),
        format!("{sound}{sound}"),
    ];
    let configs: Vec<&str> = configs.iter().map(String::as_str).collect();
    assert_snapshot!(complaints(&configs).await, @r#"
--- [[upstream]]
name = "a"
base_url = "https://a.example"
protocol = "gemini"

Some(1)
error: skinflint.toml:4: `upstream[0].protocol`: unknown variant `gemini`, expected `openai` or `anthropic`

--- [[upstream]]
name = "a"
protocol = "openai"
base_url = "a.example"

Some(1)
error: skinflint.toml:4: `upstream[0].base_url`: expected a URL such as "https://api.openai.com"

--- [[upstream]]
name = "a"
protocol = "openai"
base_url = "ftp://a.example"

Some(1)
error: skinflint.toml:4: `upstream[0].base_url`: expected a URL such as "https://api.openai.com"

--- [[upstream]]
name = "a"
protocol = "openai"
base_url = "https://user:pass@a.example"

Some(1)
error: skinflint.toml:4: `upstream[0].base_url`: expected no user name or password; use `api_key_env`

--- [[upstream]]
name = "a"
protocol = "openai"
base_url = "https://a.example"
api_key_env = "NOT_SET_ANYWHERE"

Some(1)
error: skinflint.toml:5: `upstream[0].api_key_env`: the environment variable `NOT_SET_ANYWHERE` is not set

--- [[upstream]]
protocol = "openai"
base_url = "https://a.example"
name = "a"
[[upstream]]
protocol = "openai"
base_url = "https://a.example"
name = "a"

Some(1)
error: skinflint.toml:8: `upstream[1].name`: an upstream named `a` already exists
"#);
}

#[tokio::test]
async fn wrong_models() {
    let upstream = upstream("name", "\"a\"");
    let model = |name: &str| format!("[[model]]\nname = \"{name}\"\nupstream = \"a\"\n");
    let configs = [
        model("gpt-*"),
        format!("{upstream}{}", model("g*t")),
        format!("{upstream}{}", model("")),
        format!("{upstream}{}{}", model("x"), model("x")),
    ];
    let configs: Vec<&str> = configs.iter().map(String::as_str).collect();
    assert_snapshot!(complaints(&configs).await, @r#"
--- [[model]]
name = "gpt-*"
upstream = "a"

Some(1)
error: skinflint.toml:3: `model[0].upstream`: no upstream named `a`, expected `local`

--- [[upstream]]
protocol = "openai"
base_url = "https://a.example"
name = "a"
[[model]]
name = "g*t"
upstream = "a"

Some(1)
error: skinflint.toml:6: `model[0].name`: expected a model's name, or a prefix with one `*` at its end

--- [[upstream]]
protocol = "openai"
base_url = "https://a.example"
name = "a"
[[model]]
name = ""
upstream = "a"

Some(1)
error: skinflint.toml:6: `model[0].name`: expected a model's name, or a prefix with one `*` at its end

--- [[upstream]]
protocol = "openai"
base_url = "https://a.example"
name = "a"
[[model]]
name = "x"
upstream = "a"
[[model]]
name = "x"
upstream = "a"

Some(1)
error: skinflint.toml:9: `model[1].name`: `x` is already routed
"#);
}

#[tokio::test]
async fn wrong_tenant_files() {
    let config = "policies = \"policies\"\n";
    let hash = format!("sha256:{}", "0".repeat(64));
    let key = format!("{{ id = \"k1234567\", hash = \"{hash}\" }}");
    let files = [
        "[tenant]\n".to_owned(),
        "[tenant]\nid = \"a b\"\n".to_owned(),
        "[tenant]\nid = \"acme\"\nbudget = 1\n".to_owned(),
        "[tenant]\nid = \"acme\"\nkeys = [{ id = \"k1234567\", hash = \"md5:00\" }]\n".to_owned(),
        "[tenant]\nid = \"acme\"\nkeys = [{ id = \"k1234567\", key = \"sk-skf-k1234567-secret\" }]\n".to_owned(),
        format!("[tenant]\nid = \"acme\"\nkeys = [{key}, {key}]\n"),
        "[tenant]\nid = \"acme\"\nclient_credentials = \"sometimes\"\n".to_owned(),
    ];
    let mut all = String::new();
    for file in files {
        let told = check(config, &[("policies/acme.toml", &file)]).await;
        writeln!(all, "--- {file}{told}").unwrap();
    }
    let twice = [
        ("policies/a.toml", "[tenant]\nid = \"acme\"\n"),
        ("policies/b.toml", "[tenant]\nid = \"acme\"\n"),
    ];
    all += &check(config, &twice).await;
    assert_snapshot!(all, @r#"
    --- [tenant]
    Some(1)
    error: policies/acme.toml:1: `tenant`: missing field `id`

    --- [tenant]
    id = "a b"
    Some(1)
    error: policies/acme.toml:2: `tenant.id`: expected 1 to 64 ASCII letters, digits, `-`, `_` or `.`, not starting with `.`

    --- [tenant]
    id = "acme"
    budget = 1
    Some(1)
    error: policies/acme.toml:3: `tenant.budget`: unknown field `budget`, expected one of `id`, `keys`, `keyless`, `client_credentials`, `models`, `rate_limit`, `key_rate_limit`, `holdout`

    --- [tenant]
    id = "acme"
    keys = [{ id = "k1234567", hash = "md5:00" }]
    Some(1)
    error: policies/acme.toml:3: `tenant.keys[0].hash`: expected `sha256:` and 64 hexadecimal digits

    --- [tenant]
    id = "acme"
    keys = [{ id = "k1234567", key = "sk-skf-k1234567-secret" }]
    Some(1)
    error: policies/acme.toml:3: `tenant.keys[0].key`: unknown field `key`, expected `id` or `hash`

    --- [tenant]
    id = "acme"
    keys = [{ id = "k1234567", hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000" }, { id = "k1234567", hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000" }]
    Some(1)
    error: policies/acme.toml:3: `tenant.keys[1].id`: key id `k1234567` is already used by `acme`

    --- [tenant]
    id = "acme"
    client_credentials = "sometimes"
    Some(1)
    error: policies/acme.toml:3: `tenant.client_credentials`: unknown variant `sometimes`, expected one of `never`, `when-unset`, `always`

    Some(1)
    error: policies/b.toml:2: `tenant.id`: tenant `acme` is already described by policies/a.toml
    "#);
}

#[tokio::test]
async fn a_folder_that_is_named_and_missing() {
    let told = check("\npolicies = \"polices\"\n", &[]).await;
    assert!(told.starts_with("Some(1)"), "{told}");
    assert!(told.contains("skinflint.toml:2: `policies`"), "{told}");
    assert!(told.contains("polices"), "{told}");
}

/// Where clouds keep their metadata services, no provider is.
#[tokio::test]
async fn an_address_that_no_provider_has() {
    let config = "[[upstream]]\nname = \"a\"\nprotocol = \"openai\"\nbase_url = \"http://169.254.169.254\"\n";
    let told = check(config, &[]).await;
    assert!(told.starts_with("Some(1)"), "{told}");
    assert!(told.contains("169.254.169.254"), "{told}");
}

#[tokio::test]
async fn a_public_listener_without_a_credential_is_refused() {
    let configs = [
        "[listen]\ncalls = \"0.0.0.0:0\"\n",
        "[listen]\ncalls = \"[::]:0\"\n",
        "[listen]\nadmin = \"0.0.0.0:0\"\n",
    ];
    assert_snapshot!(complaints(&configs).await, @r#"
--- [listen]
calls = "0.0.0.0:0"

Some(1)
error: skinflint.toml:2: `listen.calls`: a public listener needs keys: add a tenant with `skinflint keys new`, or listen on 127.0.0.1

--- [listen]
calls = "[::]:0"

Some(1)
error: skinflint.toml:2: `listen.calls`: a public listener needs keys: add a tenant with `skinflint keys new`, or listen on 127.0.0.1

--- [listen]
admin = "0.0.0.0:0"

Some(1)
error: skinflint.toml:2: `listen.admin`: a public admin listener needs `admin_token_env`, the name of an environment variable that holds its token
"#);
}

#[tokio::test]
async fn a_certificate_that_is_none() {
    let config =
        "[listen]\ncalls = \"127.0.0.1:0\"\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    let told = check(config, &[]).await;
    assert!(
        told.contains("skinflint.toml:3: `listen.tls.cert`"),
        "{told}"
    );
    let sound = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (sound.cert.pem(), sound.signing_key.serialize_pem());
    let other = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cases = [
        ("not a certificate", key.as_str(), "`listen.tls.cert`"),
        (&certificate, "not a key", "`listen.tls.key`"),
        (
            &certificate,
            &other.signing_key.serialize_pem(),
            "`listen.tls",
        ),
    ];
    for (certificate, key, field) in cases {
        let told = check(config, &[("cert.pem", certificate), ("key.pem", key)]).await;
        assert!(told.starts_with("Some(1)"), "{told}");
        assert!(
            told.contains("skinflint.toml:3: ") && told.contains(field),
            "{told}"
        );
    }
}

#[tokio::test]
async fn an_address_that_is_taken() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let taken = GatewayBuilder::new().field(
        "listen",
        "calls",
        &format!("{:?}", gateway.calls().to_string()),
    );
    let directory = taken.write();
    let second = Command::run(directory.path(), &["serve", "--config", "skinflint.toml"]).await;
    assert_eq!(second.code, Some(1));
    assert!(
        second.stderr.contains(&gateway.calls().to_string()),
        "{}",
        second.stderr
    );
    assert!(second.stderr.contains("in use"), "{}", second.stderr);
    gateway.finish().await;
}

#[tokio::test]
async fn local_models_are_names_or_paths() {
    let configs = [
        "[local]\nmodel = \"org/name\"\n",
        "[local]\nmodel = \"org/name@v1:q4.gguf\"\n",
        "[local]\nmodel = \"./models/own\"\n",
        "[local]\nmodel = \"models/own.gguf\"\n",
        "[local]\nmodel = \"models/of/mine\"\n",
        "[local]\nmodel = \"org/name@\"\n",
        "[local]\nmodel = \"name:q4.gguf\"\n",
        "[local]\nmodel = \"\"\n",
    ];
    let mut all = String::new();
    for config in configs {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("skinflint.toml"), config).unwrap();
        let checked = Command::run(directory.path(), &["check"]).await;
        let lines = checked.stdout.lines().chain(checked.stderr.lines());
        let told = lines.filter(|line| line.starts_with("local") || line.starts_with("error"));
        let told: Vec<_> = told.collect();
        writeln!(
            all,
            "{}  {}",
            config.trim_end().replace('\n', " "),
            told.join("; ")
        )
        .unwrap();
    }
    assert_snapshot!(all, @r#"
    [local] model = "org/name"  local     org/name
    [local] model = "org/name@v1:q4.gguf"  local     org/name@v1:q4.gguf
    [local] model = "./models/own"  local     own
    [local] model = "models/own.gguf"  local     own
    [local] model = "models/of/mine"  error: skinflint.toml:2: `local.model`: `models/of/mine` is no name of Hugging Face, expected `org/name`, `org/name@revision` or `org/name:file.gguf`; a path begins with `./`, `../` or `/`
    [local] model = "org/name@"  error: skinflint.toml:2: `local.model`: `org/name@` is no name of Hugging Face, expected `org/name`, `org/name@revision` or `org/name:file.gguf`; a path begins with `./`, `../` or `/`
    [local] model = "name:q4.gguf"  error: skinflint.toml:2: `local.model`: `name:q4.gguf` is no name of Hugging Face, expected `org/name`, `org/name@revision` or `org/name:file.gguf`; a path begins with `./`, `../` or `/`
    [local] model = ""  error: skinflint.toml:2: `local.model`: expected a name of `skinflint models list`, a name of Hugging Face such as `org/name`, or a path that begins with `./`, `../` or `/`
    "#);
}
