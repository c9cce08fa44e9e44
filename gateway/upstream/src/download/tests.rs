use super::*;

/// Fails so, try after try, then works. Gives the outcome, the tries and the waits.
async fn tries(failures: Vec<Broken>) -> (Result<(), String>, usize, Vec<Duration>) {
    let (mut failures, mut tried, mut waits) = (failures.into_iter(), 0, Vec::new());
    let mut note = |transfer| {
        if let Transfer::Again { wait, .. } = transfer {
            waits.push(wait);
        }
    };
    let done = retrying(&WAITS, &mut note, async |_| {
        tried += 1;
        failures.next().map_or(Ok(()), Err)
    });
    let done = done.await.map_err(|error| error.to_string());
    (done, tried, waits)
}

fn passing() -> Broken {
    Broken::passing("it broke".to_owned())
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_some_times() {
    let (done, tried, waits) = tries(vec![passing(), passing()]).await;
    assert_eq!((done, tried, &*waits), (Ok(()), 3, &WAITS[..2]));
    let many = (0..9).map(|_| passing()).collect();
    let (done, tried, waits) = tries(many).await;
    assert_eq!((done, tried), (Err("it broke".to_owned()), 5));
    assert_eq!(waits, WAITS);
}

#[tokio::test(start_paused = true)]
async fn a_try_that_brought_something_counts_for_none() {
    let mut failures: Vec<_> = (0..20).map(|_| passing().after(PROGRESS)).collect();
    failures.push(passing());
    let (done, tried, _) = tries(failures).await;
    assert_eq!((done, tried), (Ok(()), 22));
    let dribble = (0..20).map(|_| passing().after(PROGRESS - 1)).collect();
    assert_eq!(tries(dribble).await.1, 5);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_is_tried_once_and_a_server_is_left_alone_for_as_long_as_it_asks() {
    let url = String::new();
    let for_good = Broken::from(DownloadError::TooLong { url, limit: 1 });
    assert_eq!(tries(vec![for_good]).await.1, 1);
    let asks = |seconds| Broken {
        wait: Some(Duration::from_secs(seconds)),
        ..passing()
    };
    let (done, _, waits) = tries(vec![asks(7), asks(7200)]).await;
    assert_eq!(
        (done, &*waits),
        (Ok(()), &[Duration::from_secs(7), MAX_WAIT][..])
    );
}
