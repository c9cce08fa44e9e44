//! `skinflint keys`: made, used, listed, revoked.

use skinflint_tests::{Command, FakeProvider, Gateway};

use crate::api::Api;

async fn keys(directory: &std::path::Path, arguments: &[&str]) -> Command {
    let all: Vec<&str> = [&["keys"], arguments, &["--policies", "policies"]].concat();
    Command::run(directory, &all).await
}

async fn status_with(key: &str, policy: &str) -> u16 {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .tenant("acme", policy)
        .start()
        .await;
    let request = gateway
        .post("/v1/messages", Api::Messages.text(false))
        .bearer_auth(key);
    let status = request.send().await.unwrap().status().as_u16();
    gateway.finish().await;
    status
}

#[tokio::test]
async fn a_key_works_until_it_is_revoked_and_is_never_stored() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let made = keys(folder, &["new", "--tenant", "acme"]).await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let key = made.stdout.trim().to_owned();
    let (id, secret) = key
        .strip_prefix("sk-skf-")
        .unwrap()
        .split_once('-')
        .unwrap();
    assert!(
        secret.len() >= 32,
        "too little to guess: {} characters",
        secret.len()
    );
    assert!(!made.stderr.contains(secret));

    let other = keys(folder, &["new", "--tenant", "acme"]).await;
    assert_ne!(other.stdout, made.stdout);
    let file = folder.join("policies/acme.toml");
    let policy = std::fs::read_to_string(&file).unwrap();
    assert!(policy.contains(id) && !policy.contains(secret), "{policy}");

    let listed = keys(folder, &["list"]).await.stdout;
    assert!(
        listed.contains(id) && listed.contains("acme") && !listed.contains(secret),
        "{listed}"
    );
    assert_eq!(listed.lines().count(), 2);
    assert_eq!(status_with(&key, &policy).await, 200);

    let revoked = keys(folder, &["revoke", id]).await;
    assert_eq!(revoked.code, Some(0), "{}", revoked.stderr);
    assert!(!keys(folder, &["list"]).await.stdout.contains(id));
    let policy = std::fs::read_to_string(&file).unwrap();
    assert_eq!(status_with(&key, &policy).await, 401);
    assert_eq!(status_with(other.stdout.trim(), &policy).await, 200);
}

#[tokio::test]
async fn what_cannot_be_done_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let bad_name = keys(directory.path(), &["new", "--tenant", "a/../b"]).await;
    assert_eq!(bad_name.code, Some(1));
    assert!(bad_name.stderr.contains("a/../b"), "{}", bad_name.stderr);
    assert!(
        !directory.path().join("policies").exists()
            || std::fs::read_dir(directory.path().join("policies"))
                .unwrap()
                .next()
                .is_none()
    );
    let unknown = keys(directory.path(), &["revoke", "nobody12"]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("nobody12"), "{}", unknown.stderr);
}

/// A hand-written file keeps its comments and order when a key is added.
#[tokio::test]
async fn a_tenant_file_is_edited_and_not_rewritten() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("policies")).unwrap();
    let file = directory.path().join("policies/acme.toml");
    std::fs::write(
        &file,
        "# ours\n[tenant]\nclient_credentials = \"always\" # OAuth\nid = \"acme\"\n",
    )
    .unwrap();
    let made = keys(directory.path(), &["new", "--tenant", "acme"]).await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with(
            "# ours\n[tenant]\nclient_credentials = \"always\" # OAuth\nid = \"acme\"\n"
        ),
        "{text}"
    );
    assert_eq!(status_with(made.stdout.trim(), &text).await, 200);
}
