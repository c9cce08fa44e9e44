use skinflint_ledger::TaskFilter;

use super::*;
use crate::{
    inquiry,
    sample::{NOW, Sample, TASK},
};

#[tokio::test]
async fn tasks_are_listed_with_the_costliest_first() {
    let sample = Sample::new().await;
    let ledger = &sample.ledger;
    let outcome = Some(Outcome::Success);
    let closed = inquiry::close(ledger, None, "nightly", outcome, "cli", NOW);
    assert_eq!(closed.await.unwrap().outcome, Outcome::Success);
    let filter = TaskFilter {
        top: 10,
        ..TaskFilter::default()
    };
    let tasks = ledger.reader().tasks(&filter).await.unwrap();
    insta::assert_snapshot!(list(&tasks), @r"
    TASK             TENANT  CLASS  CALLS    IN  CACHED  OUT         COST     SAVED  OUTCOME  LAST ACTIVE
    fix/parser #7 é  acme    chat       3  3000   30.0%  150  0.041750001  0.000003  open     2026-11-21 10:02:00
    nightly          globex  chat       1  1000   30.0%   50  0.000010000  0.000001  success  2026-11-20 10:03:00
    ");
    assert_eq!(list(&[]), "no tasks");
}

#[tokio::test]
async fn a_task_is_shown_with_its_agents_below_each_other() {
    let sample = Sample::new().await;
    let shown = inquiry::task(sample.ledger.reader(), None, TASK)
        .await
        .unwrap();
    insta::assert_snapshot!(tree(&shown), @r"
    task      fix/parser #7 é
    tenant    acme
    session   s1
    class     chat
    state     open, outcome unknown
    active    2026-11-21 10:00:00 to 2026-11-21 10:02:00
    calls     3 of the client, 3 sent on
    tokens    3000 in (30.0% from the provider's cache, 0 written to it), 150 out (30 of reasoning)
    cost      0.041750001 USD
    as asked  0.041753001 USD
    saved     0.000003 USD by us
    harm      0.00 USD by us
    cache     0.0000081 USD saved by the provider's cache

    AGENT     CALLS    IN  OUT     OWN COST  WITH AGENTS BELOW
    main          1  1000   50  0.001500000        0.041750001
      search      1  1000   50  0.000250001        0.040250001
        read      1  1000   50  0.040000000        0.040000000

    MODEL                       AT         CALLS    IN  CACHED  OUT         COST
    claude-sonnet-4-5-20250929  anthropic      1  1000   30.0%   50  0.040000000
    gpt-5-2025-08-07            openai         2  2000   30.0%  100  0.001750001
    ");
}
