//! Several budgets count a call: all of them have room, or nothing happens.

use skinflint_tests::{FakeProvider, Gateway, Script};

use crate::{
    api::Api,
    auth::{KEY, tenant},
    money::{self, OUTPUT_ONLY, Told, budget},
};

/// Scope and window of a budget, and the account of it in which [`call`] counts.
const BUDGETS: [(&str, &str, &str); 8] = [
    ("tenant", "month", "tenant"),
    ("key", "week", "key:acmekey1"),
    ("key:acmekey1", "day", "key:acmekey1"),
    ("task", "task", "task:fix-login"),
    ("agent", "task", "agent:fix-login/coder"),
    ("model:gpt-*", "hour", "model:gpt-*"),
    ("tag:night", "rolling:24h", "tag:night"),
    ("class:auxiliary", "day", "class:auxiliary"),
];

/// A call for a cent that every one of the budgets counts, but for what `other` says instead.
async fn call(gateway: &Gateway, other: &[(&str, &str)]) -> Told {
    let usual = [
        ("x-skinflint-key", KEY),
        ("x-skinflint-task", "fix-login"),
        ("x-skinflint-agent", "coder"),
        ("x-skinflint-tags", "night"),
        ("x-skinflint-class", "auxiliary"),
    ];
    let replaced = |name: &str| other.iter().any(|(given, _)| *given == name);
    let mut headers: Vec<(&str, &str)> = usual
        .into_iter()
        .filter(|(name, _)| !replaced(name))
        .collect();
    headers.extend(other);
    let body = money::ask(Api::Chat, 10, false);
    money::call(gateway, Api::Chat, &body, &headers).await
}

/// A gateway on which the tightest of all budgets has this scope: it has room for two cents, the others for four.
async fn tightest(provider: &FakeProvider, scope: &str) -> Gateway {
    let budgets = BUDGETS.iter().map(|(of, window, _)| {
        let limit = if *of == scope { "0.02" } else { "0.04" };
        budget(of, window, limit, "")
    });
    let file = tenant("never") + &budgets.collect::<String>();
    Gateway::builder(provider)
        .tenant("acme", &file)
        .append(OUTPUT_ONLY)
        .start()
        .await
}

/// What is not counted by a budget of this scope.
fn elsewhere(scope: &str) -> &'static [(&'static str, &'static str)] {
    match scope {
        "task" => &[("x-skinflint-task", "other")],
        "agent" => &[("x-skinflint-agent", "other")],
        "tag:night" => &[("x-skinflint-tags", "other")],
        "class:auxiliary" => &[("x-skinflint-class", "other")],
        _ => &[],
    }
}

#[tokio::test]
async fn the_tightest_refuses_and_takes_nothing_from_the_others() {
    for (scope, window, account) in BUDGETS {
        let provider = FakeProvider::start().await;
        provider.script_by(|_| Some(Script::tokens(10)));
        let gateway = tightest(&provider, scope).await;
        for _ in 0..2 {
            call(&gateway, &[]).await.assert_answered();
        }
        for _ in 0..3 {
            let refused = call(&gateway, &[]).await;
            refused.assert_refused();
            assert_eq!(refused.budget(), format!("{account}: 0.02 + 0.00 of 0.02"));
            let json = refused.json();
            let facts = &json["error"]["budget"];
            assert_eq!(facts["estimate_usd"], "0.01", "{facts}");
            let told = facts["window"].as_str().unwrap();
            assert!(
                window.starts_with(told) || told.starts_with("rolling"),
                "{facts}"
            );
        }
        assert_eq!(provider.exchanges().len(), 2, "{scope}");
        // Had the refused calls taken anything from the others, these would find them full.
        if !elsewhere(scope).is_empty() {
            for _ in 0..2 {
                call(&gateway, elsewhere(scope)).await.assert_answered();
            }
            let refused = call(&gateway, elsewhere(scope)).await;
            refused.assert_refused();
            assert!(!refused.budget().starts_with(account), "{refused:?}");
            assert!(
                refused.budget().ends_with(": 0.04 + 0.00 of 0.04"),
                "{refused:?}"
            );
        }
        gateway.finish().await;
    }
}

/// A call of Claude Code, by an agent under another.
async fn agent(gateway: &Gateway, agent: &str, parent: Option<&str>) -> Told {
    let mut headers = vec![
        ("x-claude-code-session-id", "s1"),
        ("x-claude-code-agent-id", agent),
    ];
    headers.extend(parent.map(|parent| ("x-claude-code-parent-agent-id", parent)));
    let body = money::ask(Api::Messages, 10, false);
    money::call(gateway, Api::Messages, &body, &headers).await
}

#[tokio::test]
async fn an_agent_pays_for_those_below_it() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(10)));
    let budgets = budget("agent", "task", "0.03", "");
    let gateway = money::gateway(&provider, &budgets).start().await;
    agent(&gateway, "root", None).await.assert_answered();
    agent(&gateway, "child", Some("root"))
        .await
        .assert_answered();
    agent(&gateway, "grandchild", Some("child"))
        .await
        .assert_answered();
    for (name, parent) in [
        ("grandchild", Some("child")),
        ("child", Some("root")),
        ("root", None),
        ("another-child", Some("root")),
    ] {
        let refused = agent(&gateway, name, parent).await;
        refused.assert_refused();
        assert_eq!(
            refused.budget(),
            "agent:s1/root: 0.03 + 0.00 of 0.03",
            "{name}"
        );
    }
    agent(&gateway, "another-root", None)
        .await
        .assert_answered();
    gateway.finish().await;
}
