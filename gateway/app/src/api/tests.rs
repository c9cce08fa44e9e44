use axum::body::Body;
use futures_util::{FutureExt, future::BoxFuture};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use skinflint_budget::BudgetError;
use skinflint_money::NanoUsd;
use tower::ServiceExt;

use super::*;
use crate::sample::{REQUEST, Sample};

/// One budget, half of it spent.
#[derive(Debug)]
struct Fixed;

impl LiveBudgets for Fixed {
    fn rows<'a>(
        &'a self,
        tenant: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<BudgetRow>, BudgetError>> {
        let row = BudgetRow {
            tenant: "acme".to_owned(),
            budget: "month".to_owned(),
            scope: "tenant".to_owned(),
            window: "month".to_owned(),
            limit_usd: NanoUsd::new(10_000_000_000),
            spent_usd: NanoUsd::new(5_000_000_000),
            held_usd: NanoUsd::ZERO,
            exposed_usd: NanoUsd::new(1),
            resets_at: Some("2026-12-01T00:00:00Z".to_owned()),
        };
        let rows = [row]
            .into_iter()
            .filter(|row| tenant.is_none_or(|tenant| tenant == row.tenant));
        std::future::ready(Ok(rows.collect())).boxed()
    }
}

/// `fix/parser #7 é`, escaped.
const PATH: &str = "fix%2Fparser%20%237%20%C3%A9";

fn router(ledger: Option<Ledger>) -> Router {
    let providers = [("openai", "openai"), ("anthropic", "anthropic")];
    let named = |(upstream, provider): (&str, &str)| (upstream.to_owned(), provider.to_owned());
    Api {
        ledger,
        budgets: Arc::new(Fixed),
        providers: providers.into_iter().map(named).collect(),
        trials: no_trials(),
    }
    .router()
}

fn no_trials() -> Trials {
    let (metrics, _) = crate::metrics::Metrics::new(skinflint_upstream::InFlight::default());
    Trials::in_memory(metrics, crate::drain::Drain::default())
}

async fn ask(router: &Router, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn get(router: &Router, path: &str) -> (StatusCode, Value) {
    ask(router, "GET", path, "").await
}

fn error((status, body): &(StatusCode, Value)) -> String {
    let error = &body["error"];
    format!(
        "{} {}: {}",
        status.as_u16(),
        error["code"].as_str().unwrap(),
        error["message"].as_str().unwrap()
    )
}

#[tokio::test]
async fn tasks_are_listed_shown_and_closed() {
    let sample = Sample::new().await;
    let api = router(Some(sample.ledger.clone()));
    let (status, listed) = get(&api, "/tasks?since=2026-11-20&tenant=acme&top=5").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(listed["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(listed["tasks"][0]["cost"], "0.041750001");

    let (status, tree) = get(&api, &format!("/tasks/{PATH}")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(tree["task"], "fix/parser #7 é");
    let agents: Vec<_> = tree["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {}", row["agent"], row["subtree"]["cost"]))
        .collect();
    insta::assert_snapshot!(agents.join("\n"), @r#"
    "main" "0.041750001"
    "search" "0.040250001"
    "read" "0.04"
    "#);

    let body = r#"{"outcome":"success","tenant":"acme"}"#;
    let (status, closed) = ask(&api, "POST", &format!("/tasks/{PATH}/close"), body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&closed["outcome"], &closed["closed_by"]),
        (&"success".into(), &"api".into())
    );
    let body = r#"{"outcome":"failure"}"#;
    let (status, told) = ask(&api, "POST", &format!("/tasks/{PATH}/outcome"), body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(told["outcome"], "failure");
    assert!(told["closed_ms"].is_i64(), "it stays closed: {told}");
}

#[tokio::test]
async fn requests_reports_and_budgets_are_told() {
    let sample = Sample::new().await;
    let api = router(Some(sample.ledger.clone()));
    let (status, explained) = get(&api, &format!("/requests/{REQUEST}")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(explained["request"]["decisions"][1]["held_usd"], "0.002");
    assert_eq!(explained["attempts"][0]["lines"]["output"], "0.0015");

    let path = "/report?period=month&by=model&since=2026-11-01&until=2026-12-01";
    let (status, report) = get(&api, path).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(report["report"][0]["group"], "gpt-5");
    assert_eq!(report["report"][0]["cost"], "0.041760001");

    let (_, budgets) = get(&api, "/budgets").await;
    assert_eq!(budgets["budgets"][0]["spent_usd"], "5.00");
    let (_, budgets) = get(&api, "/budgets?tenant=globex").await;
    assert_eq!(budgets["budgets"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn an_export_is_compared() {
    let sample = Sample::new().await;
    let api = router(Some(sample.ledger.clone()));
    let csv = "date,model,output_tokens,cost_usd\n2026-11-21,gpt-5-2025-08-07,100,0.002\n";
    let (status, found) = ask(&api, "POST", "/reconcile?upstream=openai", csv).await;
    assert_eq!(status, StatusCode::OK);
    insta::assert_snapshot!(serde_json::to_string_pretty(&found).unwrap(), @r#"
    {
      "export": "plain",
      "upstreams": [
        "openai"
      ],
      "first_day": "2026-11-21",
      "last_day": "2026-11-21",
      "lines": [
        {
          "day": "2026-11-21",
          "model": "gpt-5-2025-08-07",
          "in_ledger": true,
          "in_export": true,
          "calls": 2,
          "estimated_calls": 1,
          "output_tokens": {
            "ledger": 100,
            "export": 100,
            "difference": 0
          },
          "cost_usd": {
            "ledger": "0.001750001",
            "export": "0.002",
            "difference": "-0.000249999"
          }
        }
      ],
      "total": {
        "calls": 2,
        "estimated_calls": 1,
        "output_tokens": {
          "ledger": 100,
          "export": 100,
          "difference": 0
        },
        "cost_usd": {
          "ledger": "0.001750001",
          "export": "0.002",
          "difference": "-0.000249999"
        }
      },
      "drift_percent": {
        "cost_usd": "-12.50",
        "output_tokens": "0.00"
      }
    }
    "#);
    let wrong = ask(&api, "POST", "/reconcile?upstream=azure", csv).await;
    insta::assert_snapshot!(error(&wrong), @"400 bad_parameter: no upstream `azure` is configured; there are: anthropic, openai");
    let wrong = ask(&api, "POST", "/reconcile", "a,b\n1,2\n").await;
    insta::assert_snapshot!(error(&wrong), @"400 bad_export: the export's columns are of no kind that is known: a, b; expected those of OpenAI's or Anthropic's usage or costs, or `date`, `model` and any of `input_tokens`, `cached_input_tokens`, `cache_write_5m_tokens`, `cache_write_1h_tokens`, `output_tokens`, `cost_usd`");
    let wrong = csv.replace("0.002", "2 dollars");
    let wrong = ask(&api, "POST", "/reconcile", &wrong).await;
    insta::assert_snapshot!(error(&wrong), @"400 bad_export: line 2, column `cost_usd`: `2 dollars`: expected dollars as a decimal number such as 12.50");
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let sample = Sample::new().await;
    let api = router(Some(sample.ledger.clone()));
    let mut errors = Vec::new();
    for path in [
        "/tasks?since=soon",
        "/tasks?top=0",
        "/tasks?limit=5",
        "/tasks?top=5&top=6",
        "/tasks/none",
        "/tasks/none?tenant=acme",
        "/tasks/nightly?tenant=acme",
        "/tasks/%FF",
        "/requests/req_1",
        "/requests/req_000000000000000000000000000000ff",
        "/report?period=year",
        "/report?since=2026-11-02&until=2026-11-01",
        "/elsewhere",
        "/reconcile",
    ] {
        errors.push(format!("{path}\n  {}", error(&get(&api, path).await)));
    }
    for body in ["", r#"{"outcome":"won"}"#, r#"{"result":"success"}"#] {
        let answer = ask(&api, "POST", "/tasks/nightly/outcome", body).await;
        errors.push(format!("{body}\n  {}", error(&answer)));
    }
    let off = router(None);
    errors.push(error(&get(&off, "/tasks").await));
    insta::assert_snapshot!(errors.join("\n"), @r#"
    /tasks?since=soon
      400 bad_parameter: `soon` is no time: expected a length such as `24h` or `7d`, which is counted back from now, or a date such as `2026-11-01` (UTC)
    /tasks?top=0
      400 bad_parameter: `top`: `0`: expected a number from 1 to 10000
    /tasks?limit=5
      400 unknown_parameter: unknown query parameter `limit`; there are `since`, `tenant`, `top`
    /tasks?top=5&top=6
      400 bad_parameter: query parameter `top` is given twice
    /tasks/none
      404 not_found: the ledger knows no task `none`
    /tasks/none?tenant=acme
      404 not_found: the ledger knows no task `none` of tenant `acme`
    /tasks/nightly?tenant=acme
      404 not_found: the ledger knows no task `nightly` of tenant `acme`
    /tasks/%FF
      400 bad_path: Invalid URL: Invalid UTF-8 in `id`
    /requests/req_1
      400 bad_request_id: `req_1` is no request id: expected `req_` and 32 hexadecimal digits
    /requests/req_000000000000000000000000000000ff
      404 not_found: the ledger knows no request `req_000000000000000000000000000000ff`
    /report?period=year
      400 bad_parameter: `period`: unknown variant `year`, expected one of `day`, `week`, `month`
    /report?since=2026-11-02&until=2026-11-01
      400 bad_parameter: `until` is not after `since`
    /elsewhere
      404 not_found: nothing is at `/api/elsewhere`
    /reconcile
      405 method_not_allowed: `GET` is not offered here

      400 bad_body: the body: EOF while parsing a value at line 1 column 0
    {"outcome":"won"}
      400 bad_body: the body: unknown variant `won`, expected one of `success`, `failure`, `unknown` at line 1 column 16
    {"result":"success"}
      400 bad_body: the body: unknown field `result`, expected `outcome` or `tenant` at line 1 column 9
    404 no_ledger: no ledger is kept: `ledger.store` is `off`
    "#);
}

#[tokio::test]
async fn trials_are_told_and_unknown_parameters_refused() {
    let router = router(None);
    let (status, told) = ask(&router, "GET", "/trials?tenant=acme", "").await;
    assert_eq!(
        (status, told),
        (StatusCode::OK, serde_json::json!({ "trials": [] }))
    );
    let (status, _) = ask(&router, "GET", "/trials?tenants=acme", "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}
