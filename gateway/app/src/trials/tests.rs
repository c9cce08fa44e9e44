use super::*;

fn trial(tenant: &str) -> Trial {
    Trial {
        policy: Trial::policy(Share::millionths(50_000)).unwrap(),
        weight: NonZeroU32::MIN,
        tenant: tenant.to_owned(),
        class: "gpt-4o/main".to_owned(),
        is_audited: true,
    }
}

fn metrics() -> Metrics {
    Metrics::new(skinflint_upstream::InFlight::default()).0
}

#[tokio::test]
async fn what_leaves_something_out_is_served_once_it_is_shown_to_be_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let drain = Drain::default();
    let trials = Trials::open(folder.path(), metrics(), drain.clone());
    let (own, other) = (trial("acme"), trial("globex"));
    let mut judged = 0;
    while !trials.serves(Technique::Omission, &own) {
        trials.found(Technique::Omission, &own, false, Judge::Calls);
        judged += 1;
        assert!(judged < 1000);
    }
    assert!(judged >= FEWEST);
    assert!(!trials.serves(Technique::Omission, &other));

    // Also by the next process.
    drain.start();
    drain
        .finished(std::time::Duration::from_secs(5), std::time::Duration::ZERO)
        .await;
    let again = Trials::open(folder.path(), metrics(), Drain::default());
    assert!(again.serves(Technique::Omission, &own));
    assert_eq!(
        serde_json::to_value(again.rows(Some("acme"))).unwrap()[0]["mode"],
        "serving"
    );
    let kept = kept(folder.path()).unwrap();
    assert_eq!((kept.len(), kept[0].mode()), (1, "serving"));
    for _ in 0..30 {
        again.found(Technique::Omission, &own, true, Judge::Calls);
    }
    assert!(!again.serves(Technique::Omission, &own));
    std::fs::write(folder.path().join(FILE), "{").unwrap();
    let none = Trials::open(folder.path(), metrics(), Drain::default());
    assert!(none.rows(None).is_empty());
}

#[tokio::test]
async fn tables_are_served_until_they_are_shown_to_do_harm() {
    let trials = Trials::in_memory(metrics(), Drain::default());
    let own = trial("acme");
    assert!(trials.serves(Technique::Tables, &own));
    for _ in 0..30 {
        trials.found(Technique::Tables, &own, true, Judge::Words);
    }
    assert!(!trials.serves(Technique::Tables, &own));
}
