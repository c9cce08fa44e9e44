//! `skinflint check` and the refusal to start: file, line, field, and what was expected.

use insta::assert_snapshot;
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
        all += &format!("--- {config}\n{}", check(config, &[]).await);
    }
    all
}

#[tokio::test]
async fn a_sound_configuration() {
    let config = "[listen]\ncalls = \"127.0.0.1:0\"\n\n[local]\nenabled = false\n\n\
                  [[upstream]]\nname = \"a\"\nprotocol = \"openai\"\nbase_url = \"https://api.example.com\"\n\n\
                  [[model]]\nname = \"gpt-*\"\nupstream = \"a\"\n";
    assert_snapshot!(check(config, &[]).await, @"");
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
    assert_snapshot!(complaints(&configs).await, @"");
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
    assert_snapshot!(complaints(&configs).await, @"");
}

#[tokio::test]
async fn wrong_upstreams_and_models() {
    let upstream = |field: &str, value: &str| {
        let mut fields = [
            ("name", "\"a\""),
            ("protocol", "\"openai\""),
            ("base_url", "\"https://a.example\""),
        ];
        for one in &mut fields {
            if one.0 == field {
                one.1 = value;
            }
        }
        let lines = fields
            .map(|(name, value)| format!("{name} = {value}\n"))
            .concat();
        let extra = if fields.iter().any(|one| one.0 == field) {
            String::new()
        } else {
            format!("{field} = {value}\n")
        };
        format!("[[upstream]]\n{lines}{extra}")
    };
    let sound = upstream("name", "\"a\"");
    let configs = [
        upstream("protocol", "\"gemini\""),
        upstream("base_url", "\"a.example\""),
        upstream("base_url", "\"ftp://a.example\""),
        upstream("base_url", "\"https://user:pass@a.example\""),
        upstream("base_url", "\"http://169.254.169.254\""),
        upstream("api_key_env", "\"NOT_SET_ANYWHERE\""),
        format!("{sound}{sound}"),
        "[[model]]\nname = \"gpt-*\"\nupstream = \"nobody\"\n".into(),
        format!("{sound}[[model]]\nname = \"g*t\"\nupstream = \"a\"\n"),
        format!(
            "{sound}[[model]]\nname = \"x\"\nupstream = \"a\"\n[[model]]\nname = \"x\"\nupstream = \"a\"\n"
        ),
    ];
    let configs: Vec<&str> = configs.iter().map(String::as_str).collect();
    assert_snapshot!(complaints(&configs).await, @"");
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
        all += &format!(
            "--- {file}{}",
            check(config, &[("policies/acme.toml", &file)]).await
        );
    }
    let twice = [
        ("policies/a.toml", "[tenant]\nid = \"acme\"\n"),
        ("policies/b.toml", "[tenant]\nid = \"acme\"\n"),
    ];
    all += &check(config, &twice).await;
    assert_snapshot!(all, @"");
}

#[tokio::test]
async fn a_folder_that_is_named_and_missing() {
    assert_snapshot!(check("policies = \"polices\"\n", &[]).await, @"");
}

#[tokio::test]
async fn a_public_listener_without_a_credential_is_refused() {
    let configs = [
        "[listen]\ncalls = \"0.0.0.0:0\"\n",
        "[listen]\ncalls = \"[::]:0\"\n",
        "[listen]\nadmin = \"0.0.0.0:0\"\n",
    ];
    assert_snapshot!(complaints(&configs).await, @"");
}

#[tokio::test]
async fn a_certificate_that_is_none() {
    let config =
        "[listen]\ncalls = \"127.0.0.1:0\"\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    assert_snapshot!(check(config, &[]).await, @"");
    let files = [("cert.pem", "not a certificate"), ("key.pem", "not a key")];
    assert_snapshot!(check(config, &files).await, @"");
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
