//! What goes wrong on the way.

use std::time::Duration;

use super::*;

/// The name under which the file is asked for at either origin.
const FILE: &str = "q4.gguf";
const NAME: &str = "org/small:q4.gguf";

async fn small(length: usize) -> Bench {
    let bench = Bench::new().await;
    bench
        .hub
        .publish("org/small", COMMIT, &["main"], &[(FILE, bytes(length))]);
    bench
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_anew_for_the_rest() {
    let bench = small(10_000).await;
    bench
        .hub
        .fault(Origin::Store, FILE, HubFault::BreakAfter(4000));
    bench
        .hub
        .fault(Origin::Hub, FILE, HubFault::Status(503, None));
    bench
        .hub
        .fault(Origin::Hub, "blobs=true", HubFault::Status(502, None));
    let path = bench.pulled(NAME).await;
    assert_eq!(std::fs::read(path).unwrap(), bytes(10_000));
    let requests = bench.hub.take_requests();
    assert_eq!(
        asked(&requests),
        [
            "Hub true all",
            "Hub true all",
            "Hub q4.gguf all",
            "Hub q4.gguf all",
            "Store q4.gguf all",
            "Hub q4.gguf bytes=4000-",
            "Store q4.gguf bytes=4000-",
        ]
    );
    // So that bytes of another file are never joined.
    assert!(
        requests
            .last()
            .unwrap()
            .header("if-range")
            .unwrap()
            .starts_with('"')
    );
    assert_eq!(bench.kept().len(), 2, "{:?}", bench.kept());
}

/// Large enough that some of it is written before all has come.
const LARGE: usize = 5 << 20;

/// Interrupts a download of [`LARGE`] bytes before the last one has come. Gives what is there.
async fn interrupt(bench: &Bench) -> PathBuf {
    bench
        .hub
        .fault(Origin::Store, FILE, HubFault::StallAfter(LARGE - 1));
    let part = format!("kept/hub/org--small/{COMMIT}/{FILE}.part");
    let part = bench.home.path().join(part);
    let much_is_there = async {
        while part.metadata().map_or(0, |part| part.len()) < 3 << 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let arguments = ["models", "--models", "kept", "pull", NAME];
    let environment = &bench.environment;
    let interrupted = Command::run_until(bench.home.path(), environment, &arguments, much_is_there);
    let interrupted = interrupted.await;
    assert_eq!((interrupted.code, &*interrupted.stdout), (None, ""));
    let states = bench.states().await;
    assert_eq!(states, [format!("org/small@{COMMIT}: partly here")]);
    bench.hub.take_requests();
    part
}

#[tokio::test]
async fn an_interrupted_download_goes_on_where_it_was() {
    let bench = small(LARGE).await;
    let part = interrupt(&bench).await;
    let there = part.metadata().unwrap().len();
    let path = bench.pulled(NAME).await;
    assert_eq!(std::fs::read(path).unwrap(), bytes(LARGE));
    let requests = asked(&bench.hub.take_requests());
    assert_eq!(
        requests.last(),
        Some(&format!("Store q4.gguf bytes={there}-"))
    );
    assert_eq!(bench.kept().len(), 2, "{:?}", bench.kept());
}

#[tokio::test]
async fn a_file_that_changed_meanwhile_is_not_joined_from_two() {
    let bench = small(LARGE).await;
    interrupt(&bench).await;
    let mut other = bytes(LARGE);
    other[0] ^= 1;
    bench
        .hub
        .publish("org/small", COMMIT, &["main"], &[(FILE, other.clone())]);
    let path = bench.pulled(NAME).await;
    assert_eq!(std::fs::read(path).unwrap(), other);
}

#[tokio::test]
async fn what_is_left_of_a_download_is_removed_by_name() {
    let bench = small(LARGE).await;
    interrupt(&bench).await;
    let removed = bench.run("rm", &[&format!("org/small@{COMMIT}")]).await;
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert_eq!(bench.kept(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_knows_no_ranges_sends_it_all_again() {
    for fault in [HubFault::IgnoreRange, HubFault::OtherRange] {
        let bench = small(10_000).await;
        bench
            .hub
            .fault(Origin::Store, FILE, HubFault::BreakAfter(4000));
        bench.hub.fault(Origin::Store, FILE, fault);
        let path = bench.pulled(NAME).await;
        assert_eq!(std::fs::read(path).unwrap(), bytes(10_000));
        bench.hub.wait_faults_used().await;
    }
}

#[tokio::test]
async fn content_that_is_not_what_the_hub_states_is_thrown_away() {
    let bench = small(10_000).await;
    bench.hub.fault(Origin::Store, FILE, HubFault::Lie);
    let lied = bench.pull(NAME).await;
    assert_snapshot!(bench.error(&lied), @"error: kept/hub/org--small/0123456789abcdef0123456789abcdef01234567/q4.gguf was fetched with 10000 bytes and SHA-256 8c042e9704c96cd00b3b8952eaa020ede61e9a1489ace62f35e1f827c56bee82, expected 10000 bytes with f0d292834459e1e69f4e9728bf7f0c554c2ad8f4174eb936f28d527acebeb378: it is thrown away");
    assert_eq!(bench.kept(), [""; 0]);
    bench.hub.fault(Origin::Store, FILE, HubFault::Longer);
    let longer = bench.pull(NAME).await;
    let error = bench.error(&longer);
    assert!(
        error.ends_with(" has 10001 bytes, but the hub has stated 10000"),
        "{error}"
    );
    bench.pulled(NAME).await;
}

#[tokio::test]
async fn redirects_are_followed_so_far() {
    let bench = small(10).await;
    for (to, told) in [
        (
            "ftp://127.0.0.1/x",
            "leads to ftp://127.0.0.1/x, which is not followed: only HTTPS is",
        ),
        (
            "file:///etc/passwd",
            "leads to file:///etc/passwd, which is not followed: only HTTPS is",
        ),
        (
            "http://[",
            "leads to no address, which is not followed: it cannot be read",
        ),
    ] {
        bench
            .hub
            .fault(Origin::Hub, FILE, HubFault::Redirect(to.to_owned()));
        let error = bench.error(&bench.pull(NAME).await);
        assert!(error.ends_with(told), "{error}");
    }
    for _ in 0..6 {
        bench.hub.fault(
            Origin::Hub,
            FILE,
            HubFault::Redirect(format!("/loop/{FILE}")),
        );
    }
    let error = bench.error(&bench.pull(NAME).await);
    assert_eq!(
        error,
        format!("error: too many redirects, the last to HUB/loop/{FILE}")
    );
    bench.hub.wait_faults_used().await;
}

#[tokio::test]
async fn the_token_goes_to_the_hub_and_to_nobody_else() {
    let bench = small(10_000).await.with_token(TOKEN);
    bench.hub.require_token("org/small", TOKEN);
    bench.pulled(NAME).await;
    let requests = bench.hub.take_requests();
    for request in &requests {
        let token = request.header("authorization");
        let meant = (request.origin == Origin::Hub).then_some("Bearer hf_canary-token");
        assert_eq!(token, meant, "{}", request.target);
    }
    assert!(
        requests
            .iter()
            .any(|request| request.origin == Origin::Store)
    );
}

#[tokio::test]
async fn a_refusal_says_what_can_be_done() {
    let bench = small(10).await;
    let mut told = String::new();
    let mut tell = async |bench: &Bench, name: &str| {
        told += &bench.error(&bench.pull(name).await);
        told += "\n";
    };
    tell(&bench, "org/nothing").await;
    tell(&bench, "org/small@v9:q4.gguf").await;
    bench.hub.fault(
        Origin::Hub,
        "blobs=true",
        HubFault::Status(404, Some("RepoNotFound")),
    );
    tell(&bench, NAME).await;
    bench
        .hub
        .fault(Origin::Hub, "blobs=true", HubFault::Status(418, None));
    tell(&bench, NAME).await;
    bench.hub.require_token("org/small", "another");
    tell(&bench, NAME).await;
    let bench = bench.with_token(TOKEN);
    tell(&bench, NAME).await;
    bench
        .hub
        .fault(Origin::Hub, "blobs=true", HubFault::Status(401, None));
    tell(&bench, NAME).await;
    assert_snapshot!(told, @"
    error: `org/nothing` is gated or private, or does not exist: accept its terms at HUB/org/nothing if it has some, and set HF_TOKEN to a token of your account
    error: `org/small` has no revision `v9`
    error: there is no `org/small` at HUB, or no revision `main` of it
    error: HUB/api/models/org/small/revision/main answers 418 I'm a teapot
    error: `org/small` is gated or private, or does not exist: accept its terms at HUB/org/small if it has some, and set HF_TOKEN to a token of your account
    error: `org/small` is gated: accept its terms at HUB/org/small, with the account to which the token in HF_TOKEN belongs
    error: the hub does not accept the token in HF_TOKEN for `org/small`
    ");
    assert_eq!(bench.kept(), [""; 0]);
}

#[tokio::test]
async fn what_is_in_the_environment_is_checked() {
    let mut bench = small(10).await;
    bench.environment = vec![(
        "HF_ENDPOINT".to_owned(),
        "https://me:canary-signature@hub.example".to_owned(),
    )];
    assert_snapshot!(bench.error(&bench.pull(NAME).await), @"error: HF_ENDPOINT: the environment variable is no URL such as `https://huggingface.co`, without user, password and query");
    bench.environment = vec![("HF_ENDPOINT".to_owned(), "http://127.0.0.1:1".to_owned())];
    let error = bench.error(&bench.pull(NAME).await);
    assert!(
        error.starts_with("error: cannot connect to 127.0.0.1"),
        "{error}"
    );
}
