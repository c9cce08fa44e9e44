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

#[tokio::test]
async fn an_interrupted_download_goes_on_where_it_was() {
    const LENGTH: usize = 5 << 20;
    let bench = small(LENGTH).await;
    bench
        .hub
        .fault(Origin::Store, FILE, HubFault::StallAfter(LENGTH - 1));
    let part = bench
        .home
        .path()
        .join(format!("kept/hub/org--small/{COMMIT}/{FILE}.part"));
    let much_is_there = async {
        while part.metadata().map_or(0, |part| part.len()) < 3 << 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let arguments = ["models", "--models", "kept", "pull", NAME];
    let interrupted = Command::run_until(
        bench.home.path(),
        &bench.environment,
        &arguments,
        much_is_there,
    )
    .await;
    assert_eq!((interrupted.code, &*interrupted.stdout), (None, ""));
    let there = part.metadata().unwrap().len();
    let states = bench.states().await;
    assert_eq!(states, [format!("org/small@{COMMIT}: partly here")]);
    bench.hub.take_requests();
    let path = bench.pulled(NAME).await;
    assert_eq!(std::fs::read(path).unwrap(), bytes(LENGTH));
    assert_eq!(
        asked(&bench.hub.take_requests()).last().unwrap(),
        &format!("Store q4.gguf bytes={there}-")
    );
    assert!(!part.exists());
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
async fn a_file_that_changed_meanwhile_is_not_joined_from_two() {
    let bench = small(10_000).await;
    // Four tries and no more.
    for bytes in [4000, 100, 100, 100, 100] {
        bench
            .hub
            .fault(Origin::Store, FILE, HubFault::BreakAfter(bytes));
    }
    let given_up = bench.pull(NAME).await;
    assert!(
        bench
            .error(&given_up)
            .contains("the connection to 127.0.0.1 broke"),
        "{}",
        given_up.stderr
    );
    let mut other = bytes(10_000);
    other[0] ^= 1;
    bench
        .hub
        .publish("org/small", COMMIT, &["main"], &[(FILE, other.clone())]);
    let path = bench.pulled(NAME).await;
    assert_eq!(std::fs::read(path).unwrap(), other);
}

#[tokio::test]
async fn content_that_is_not_what_the_hub_states_is_thrown_away() {
    let bench = small(10_000).await;
    bench.hub.fault(Origin::Store, FILE, HubFault::Lie);
    let lied = bench.pull(NAME).await;
    assert_snapshot!(bench.error(&lied), @"");
    assert_eq!(bench.kept(), [""; 0]);
    bench.hub.fault(Origin::Store, FILE, HubFault::Longer);
    let longer = bench.pull(NAME).await;
    assert_snapshot!(bench.error(&longer), @"");
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
    assert_snapshot!(told, @"");
    assert_eq!(bench.kept(), [""; 0]);
}

#[tokio::test]
async fn what_is_in_the_environment_is_checked() {
    let mut bench = small(10).await;
    bench.environment = vec![(
        "HF_ENDPOINT".to_owned(),
        "https://me:canary-signature@hub.example".to_owned(),
    )];
    assert_snapshot!(bench.error(&bench.pull(NAME).await), @"");
    bench.environment = vec![("HF_ENDPOINT".to_owned(), "http://127.0.0.1:1".to_owned())];
    assert_snapshot!(bench.error(&bench.pull(NAME).await), @"");
}
