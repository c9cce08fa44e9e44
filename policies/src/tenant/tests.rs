use std::time::Duration;

use skinflint_money::NanoUsd;

use super::*;

const KEYS: &str = "keys = [{ id = 'k1', hash = 'sha256:0000000000000000000000000000000000000000000000000000000000000000' }]";

fn load(text: &str) -> Result<PolicyFile, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, text).unwrap();
    PolicyFile::load(&path).map_err(|error| {
        error
            .to_string()
            .replace(folder.path().to_str().unwrap(), "")
    })
}

/// Why a tenant with these lines is refused; the lines begin at the file's third.
fn refused(tenant: &str) -> String {
    load(&format!("[tenant]\nid = 'a'\n{tenant}\n")).unwrap_err()
}

/// Why a budget with these lines is refused; the lines begin at the file's fifth.
fn budget(lines: &str) -> String {
    load(&format!(
        "[tenant]\nid = 'a'\n{KEYS}\n[[budget]]\n{lines}\n"
    ))
    .unwrap_err()
}

/// Why a tenant's budget of this limit is refused.
fn limit(usd: &str) -> String {
    budget(&format!(
        "scope = 'tenant'\nwindow = 'day'\nlimit_usd = {usd}"
    ))
}

#[test]
fn what_is_left_out_has_its_default() {
    let file = load(
        "[tenant]\nid = 'a'\n[[budget]]\nscope = 'tenant'\nwindow = 'month'\nlimit_usd = 500.00\n",
    )
    .unwrap();
    assert!(!file.keyless);
    let tenant = &file.tenant;
    assert_eq!(tenant.models, AllowedModels::All);
    assert_eq!((tenant.rate_limit, tenant.key_rate_limit), (None, None));
    assert_eq!(tenant.holdout, Share::NONE);
    let expected = Budget {
        name: "tenant/month".into(),
        scope: BudgetScope::Tenant,
        window: Window::Month,
        limit: NanoUsd::new(500_000_000_000),
        on_exceed: OnExceed::Reject,
        alert_at: vec![
            Share::millionths(500_000),
            Share::millionths(800_000),
            Share::WHOLE,
        ],
    };
    assert_eq!(tenant.budgets, [expected]);
}

#[test]
fn everything_that_is_written_is_read() {
    let text = format!(
        r#"
        [tenant]
        id = "acme"
        {KEYS}
        keyless = true
        models = ["claude-*", "gemma-3-270m"]
        rate_limit = {{ requests_per_minute = 600, tokens_per_minute = 2000000, burst = "10s" }}
        key_rate_limit = {{ requests_per_minute = 60 }}
        holdout = 0.05
        [[budget]]
        name = "one-key"
        scope = "key:k1"
        window = "rolling:24h"
        limit_usd = "0.000000001"
        on_exceed = "queue"
        queue_for = "1m"
        alert_at = [0.5, 2]
        [[budget]]
        scope = "task"
        window = "task"
        limit_usd = 2
        on_exceed = "warn"
        alert_at = []
        "#
    );
    let file = load(&text).unwrap();
    assert!(file.keyless);
    let tenant = &file.tenant;
    assert!(tenant.allows("claude-opus-5") && tenant.allows("gemma-3-270m"));
    assert!(!tenant.allows("gpt-5"));
    let fast = tenant.rate_limit.unwrap();
    assert_eq!(fast.requests_per_minute.unwrap().get(), 600);
    assert_eq!(fast.tokens_per_minute.unwrap().get(), 2_000_000);
    assert_eq!(fast.burst, Duration::from_secs(10));
    assert_eq!(tenant.key_rate_limit.unwrap().burst, Duration::from_mins(1));
    assert_eq!(tenant.holdout, Share::millionths(50_000));
    let [key, task] = tenant.budgets.as_slice() else {
        panic!("{:?}", tenant.budgets)
    };
    assert_eq!(&*key.name, "one-key");
    assert_eq!(key.scope, BudgetScope::Key(KeyId::parse("k1").unwrap()));
    assert_eq!(key.window, Window::Rolling(Duration::from_hours(24)));
    assert_eq!(key.limit, NanoUsd::new(1));
    let up_to = Duration::from_mins(1);
    assert_eq!(key.on_exceed, OnExceed::Queue { up_to });
    assert!(key.is_hard());
    assert_eq!(&*task.name, "task/task");
    assert!(!task.is_hard());
    assert!(task.alert_at.is_empty());
}

#[test]
fn a_tenant_is_checked_field_by_field() {
    insta::assert_snapshot!(load("[tenant]\nid = 'a b'\n").unwrap_err(), @"/a.toml:2: `tenant.id`: expected 1 to 64 ASCII letters, digits, `-`, `_` or `.`, not starting with `.`");
    insta::assert_snapshot!(refused("budgets = 3"), @"/a.toml:3: `tenant.budgets`: unknown field `budgets`, expected one of `id`, `keys`, `keyless`, `client_credentials`, `models`, `rate_limit`, `key_rate_limit`, `holdout`");
    insta::assert_snapshot!(refused("client_credentials = 'maybe'"), @"/a.toml:3: `tenant.client_credentials`: unknown variant `maybe`, expected one of `never`, `when-unset`, `always`");
    insta::assert_snapshot!(refused("keys = [\n  { id = 'k1', hash = 'sk-skf-k1-secret' },\n]"), @"/a.toml:4: `tenant.keys[0].hash`: this is a key in clear text: revoke it, and store the hash that `skinflint keys new` writes");
    insta::assert_snapshot!(refused("keyless = 'yes'"), @r#"/a.toml:3: `tenant.keyless`: invalid type: string "yes", expected a boolean"#);
    insta::assert_snapshot!(refused("models = []"), @"/a.toml:3: `tenant.models`: expected at least one model; leave it out to allow them all");
    insta::assert_snapshot!(refused("models = ['a', 'b*c']"), @"/a.toml:3: `tenant.models[1]`: expected a model's name, or a prefix with one `*` at its end");
    insta::assert_snapshot!(refused("holdout = 0.6"), @"/a.toml:3: `tenant.holdout`: expected a share of at most 0.5");
    insta::assert_snapshot!(refused("holdout = -0.1"), @"/a.toml:3: `tenant.holdout`: expected a number such as 0.05, not negative, with at most 6 decimals");
    insta::assert_snapshot!(refused("holdout = 'half'"), @"/a.toml:3: `tenant.holdout`: expected a number such as 0.05, not negative, with at most 6 decimals");
}

#[test]
fn a_rate_limit_is_checked_field_by_field() {
    insta::assert_snapshot!(refused("rate_limit = {}"), @"/a.toml:3: `tenant.rate_limit`: expected `requests_per_minute`, `tokens_per_minute`, or both");
    insta::assert_snapshot!(refused("rate_limit = { requests_per_minute = 0 }"), @"/a.toml:3: `tenant.rate_limit.requests_per_minute`: invalid value: integer `0`, expected a nonzero u32");
    insta::assert_snapshot!(refused("rate_limit = { requests_per_minute = -5 }"), @"/a.toml:3: `tenant.rate_limit.requests_per_minute`: invalid value: integer `-5`, expected a nonzero u32");
    insta::assert_snapshot!(refused("key_rate_limit = { tokens_per_minute = 0 }"), @"/a.toml:3: `tenant.key_rate_limit.tokens_per_minute`: invalid value: integer `0`, expected a nonzero u64");
    insta::assert_snapshot!(refused("key_rate_limit = { tokens_per_minute = 10000000001 }"), @"/a.toml:3: `tenant.key_rate_limit.tokens_per_minute`: expected at most 10000000000");
    insta::assert_snapshot!(refused("rate_limit = { requests_per_minute = 5, burst = '0s' }"), @r#"/a.toml:3: `tenant.rate_limit.burst`: expected from "1s" to "1h""#);
    insta::assert_snapshot!(refused("rate_limit = { requests_per_hour = 5 }"), @"/a.toml:3: `tenant.rate_limit.requests_per_hour`: unknown field `requests_per_hour`, expected one of `requests_per_minute`, `tokens_per_minute`, `burst`");
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    insta::assert_snapshot!(limit("-1"), @"/a.toml:7: `budget[0].limit_usd`: expected an amount that is not negative");
    insta::assert_snapshot!(limit("-0.5"), @"/a.toml:7: `budget[0].limit_usd`: expected an amount that is not negative");
    insta::assert_snapshot!(limit("0"), @"/a.toml:7: `budget[0].limit_usd`: expected more than 0 and at most 100000000.00 dollars");
    insta::assert_snapshot!(limit("0.0"), @"/a.toml:7: `budget[0].limit_usd`: expected more than 0 and at most 100000000.00 dollars");
    insta::assert_snapshot!(limit("100000000.01"), @"/a.toml:7: `budget[0].limit_usd`: expected more than 0 and at most 100000000.00 dollars");
    insta::assert_snapshot!(limit("1e300"), @"/a.toml:7: `budget[0].limit_usd`: a number of more than 15 digits: write it as a string");
    insta::assert_snapshot!(limit("99999999999999999999"), @"/a.toml:7: `budget[0].limit_usd`: invalid type: integer `99999999999999999999` as i128, expected an amount of dollars such as 12.50");
    insta::assert_snapshot!(limit("nan"), @"/a.toml:7: `budget[0].limit_usd`: expected dollars as a decimal number such as `12.50`");
    insta::assert_snapshot!(limit("inf"), @"/a.toml:7: `budget[0].limit_usd`: expected dollars as a decimal number such as `12.50`");
    insta::assert_snapshot!(limit("0.0000000001"), @"/a.toml:7: `budget[0].limit_usd`: expected at most 9 decimals");
    insta::assert_snapshot!(limit("'a lot'"), @"/a.toml:7: `budget[0].limit_usd`: expected dollars as a decimal number such as `12.50`");
    assert!(
        load("[tenant]\nid = 'a'\n[[budget]]\nscope = 'tenant'\nwindow = 'day'\nlimit_usd = 100000000\n").is_ok()
    );
}

#[test]
fn a_budget_counts_known_calls_over_a_known_time() {
    let of = |scope: &str, window: &str| {
        budget(&format!(
            "scope = '{scope}'\nwindow = '{window}'\nlimit_usd = 1"
        ))
    };
    insta::assert_snapshot!(of("session", "day"), @"/a.toml:5: `budget[0].scope`: expected `tenant`, `key`, `key:ID`, `task`, `agent`, `model`, `model:PATTERN`, `tag:NAME` or `class:NAME`");
    insta::assert_snapshot!(of("team:search", "day"), @"/a.toml:5: `budget[0].scope`: expected `tenant`, `key`, `key:ID`, `task`, `agent`, `model`, `model:PATTERN`, `tag:NAME` or `class:NAME`");
    insta::assert_snapshot!(of("key:k2", "day"), @"/a.toml:5: `budget[0].scope`: the tenant has no key `k2`");
    insta::assert_snapshot!(of("key:k 2", "day"), @"/a.toml:5: `budget[0].scope`: a key id is made of ASCII letters and digits");
    insta::assert_snapshot!(of("model:a*b", "day"), @"/a.toml:5: `budget[0].scope`: expected `model:` and a model's name, or a prefix with one `*` at its end");
    insta::assert_snapshot!(of("tag:", "day"), @"/a.toml:5: `budget[0].scope`: expected `tag:` and 1 to 128 characters without control characters or blanks around them");
    insta::assert_snapshot!(of("class: main", "day"), @"/a.toml:5: `budget[0].scope`: expected `class:` and 1 to 128 characters without control characters or blanks around them");
    insta::assert_snapshot!(of("tenant", "year"), @"/a.toml:6: `budget[0].window`: expected `hour`, `day`, `week`, `month`, `task`, or a length such as `rolling:24h`");
    insta::assert_snapshot!(of("tenant", "rolling:soon"), @"/a.toml:6: `budget[0].window`: expected a length such as `rolling:24h`");
    insta::assert_snapshot!(of("tenant", "rolling:59s"), @"/a.toml:6: `budget[0].window`: expected a length of 1m to 366days in whole seconds");
    insta::assert_snapshot!(of("tenant", "rolling:367days"), @"/a.toml:6: `budget[0].window`: expected a length of 1m to 366days in whole seconds");
    insta::assert_snapshot!(of("tenant", "task"), @"/a.toml:6: `budget[0].window`: only a budget of scope `task` or `agent` lasts as long as a task");
    insta::assert_snapshot!(budget("scope = 'tenant'\nlimit_usd = 1"), @"/a.toml:4: `budget[0]`: missing field `window`");
}

#[test]
fn two_budgets_of_a_tenant_are_not_the_same() {
    let two = |first: &str, second: &str| {
        load(&format!(
            "[tenant]\nid = 'a'\n[[budget]]\nlimit_usd = 1\n{first}\n[[budget]]\nlimit_usd = 2\n{second}\n"
        ))
        .map(|_| ())
    };
    insta::assert_snapshot!(two("scope = 'task'\nwindow = 'day'", "scope = 'task'\nwindow = 'day'").unwrap_err(), @"/a.toml:10: `budget[1].window`: `task/day` already limits `task` for the window `day`");
    insta::assert_snapshot!(two("scope = 'tenant'\nwindow = 'rolling:1h'\nname = 'x'", "scope = 'tenant'\nwindow = 'rolling:60m'").unwrap_err(), @"/a.toml:11: `budget[1].window`: `x` already limits `tenant` for the window `rolling:1h`");
    insta::assert_snapshot!(two("scope = 'tenant'\nwindow = 'day'\nname = 'x'", "scope = 'task'\nwindow = 'day'\nname = 'x'").unwrap_err(), @"/a.toml:12: `budget[1].name`: another budget is called `x`");
    for (first, second) in [
        (
            "scope = 'tenant'\nwindow = 'day'",
            "scope = 'tenant'\nwindow = 'month'",
        ),
        (
            "scope = 'model:a'\nwindow = 'day'",
            "scope = 'model:a*'\nwindow = 'day'",
        ),
        (
            "scope = 'tag:a'\nwindow = 'day'",
            "scope = 'class:a'\nwindow = 'day'",
        ),
    ] {
        assert_eq!(two(first, second), Ok(()));
    }
}

#[test]
fn more_budgets_than_a_call_can_look_at_are_refused() {
    let many = |count: usize| {
        let budget =
            |n: usize| format!("[[budget]]\nscope = 'tag:{n}'\nwindow = 'day'\nlimit_usd = 1\n");
        let budgets: Vec<String> = (0..count).map(budget).collect();
        load(&format!("[tenant]\nid = 'a'\n{}", budgets.concat()))
            .map(|file| file.tenant.budgets.len())
    };
    assert_eq!(many(64), Ok(64));
    insta::assert_snapshot!(many(65).unwrap_err(), @"/a.toml:259: `budget[64]`: expected at most 64 budgets");
}

#[test]
fn what_a_full_budget_does_is_checked() {
    let with = |rest: &str| {
        budget(&format!(
            "scope = 'tenant'\nwindow = 'day'\nlimit_usd = 1\n{rest}"
        ))
    };
    insta::assert_snapshot!(with("on_exceed = 'explode'"), @"/a.toml:8: `budget[0].on_exceed`: unknown variant `explode`, expected one of `reject`, `downgrade`, `queue`, `warn`");
    insta::assert_snapshot!(with("queue_for = '10s'"), @r#"/a.toml:8: `budget[0].queue_for`: only `on_exceed = "queue"` waits"#);
    insta::assert_snapshot!(with("on_exceed = 'queue'\nqueue_for = '11m'"), @r#"/a.toml:9: `budget[0].queue_for`: expected more than 0s and at most "10m""#);
    insta::assert_snapshot!(with("on_exceed = 'queue'\nqueue_for = '0s'"), @r#"/a.toml:9: `budget[0].queue_for`: expected more than 0s and at most "10m""#);
    insta::assert_snapshot!(with("alert_at = [0]"), @"/a.toml:8: `budget[0].alert_at[0]`: expected more than 0 and at most 10; 1 is the limit itself");
    insta::assert_snapshot!(with("alert_at = [0.5, 10.1]"), @"/a.toml:8: `budget[0].alert_at[1]`: expected more than 0 and at most 10; 1 is the limit itself");
    insta::assert_snapshot!(with("alert_at = [0.8, 0.5]"), @"/a.toml:8: `budget[0].alert_at[1]`: expected more than the 0.8 before it");
    insta::assert_snapshot!(with("alert_at = [0.5, 0.5]"), @"/a.toml:8: `budget[0].alert_at[1]`: expected more than the 0.5 before it");
    insta::assert_snapshot!(with("alert_at = [nan]"), @"/a.toml:8: `budget[0].alert_at[0]`: expected a number such as 0.05, not negative, with at most 6 decimals");
    insta::assert_snapshot!(with("name = 'a/b'"), @"/a.toml:8: `budget[0].name`: expected 1 to 64 ASCII letters, digits, `-`, `_` or `.`");
    insta::assert_snapshot!(with("currency = 'EUR'"), @"/a.toml:8: `budget[0].currency`: unknown field `currency`, expected one of `name`, `scope`, `window`, `limit_usd`, `on_exceed`, `queue_for`, `alert_at`");
}

/// Why a tenant's rules of compression are refused; the lines begin at the file's fourth.
fn compress(lines: &str) -> String {
    load(&format!("[tenant]\nid = 'a'\n[compress]\n{lines}\n")).unwrap_err()
}

#[test]
fn lossy_compression_asks_for_evidence() {
    let load = |lines: &str| {
        let file = load(&format!("[tenant]\nid = 'a'\n[compress]\n{lines}\n")).unwrap();
        file.tenant.compress.clone()
    };
    let safe = load("");
    assert_eq!((safe.mode, safe.audit), (CompressMode::Safe, Share::NONE));
    let balanced = load("mode = 'balanced'");
    assert!(balanced.guard && balanced.audit > Share::NONE);
    let prose = load("mode = 'aggressive'\n[compress.prose]\nmethod = 'longllmlingua'\nrate = 0.4\nallowance = '2s'").prose;
    assert_eq!(
        (prose.method, prose.rate.get(), prose.allowance),
        (ProseMethod::Longllmlingua, 400_000, Duration::from_secs(2))
    );
    insta::assert_snapshot!(compress("mode = 'all'"), @"/a.toml:4: `compress.mode`: unknown variant `all`, expected one of `off`, `safe`, `balanced`, `aggressive`");
    insta::assert_snapshot!(compress("max_error = 0.5"), @"/a.toml:4: `compress.max_error`: expected a share from 0.0001 to 0.25");
    insta::assert_snapshot!(compress("mode = 'balanced'\naudit = 0"), @"/a.toml:5: `compress.audit`: without audits the guard never lets anything be left out; `guard = false` does so without evidence");
    insta::assert_snapshot!(compress("audit = 2"), @"/a.toml:4: `compress.audit`: expected a share of at most 1");
    insta::assert_snapshot!(compress("[compress.prose]\nrate = 0"), @"/a.toml:5: `compress.prose.rate`: expected more than 0 and at most 1");
    insta::assert_snapshot!(compress("[compress.prose]\nallowance = '5m'"), @"/a.toml:5: `compress.prose.allowance`: expected at most 30s");
}
