use std::path::PathBuf;

use axum::body::Body;
use futures_util::{FutureExt, future::BoxFuture};
use http_body_util::BodyExt;
use skinflint_budget::BudgetError;
use skinflint_policies::Local;
use skinflint_upstream::InFlight;
use tower::ServiceExt;

use super::*;
use crate::{
    api::{BudgetRow, LiveBudgets},
    metrics::Metrics,
    reconcile::Providers,
    trials::Trials,
};

#[derive(Debug)]
struct NoBudgets;

impl LiveBudgets for NoBudgets {
    fn rows<'a>(
        &'a self,
        _tenant: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<BudgetRow>, BudgetError>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }
}

fn pages(access: AdminAccess) -> Router {
    let api = Api {
        ledger: None,
        budgets: Arc::new(NoBudgets),
        providers: Providers::default(),
        trials: Trials::in_memory(Metrics::new(InFlight::default()).0, Drain::default()),
    };
    let local = LocalModels::start(&Local::Off, PathBuf::new(), &Drain::default());
    Admin::new(Registry::default(), access, Drain::default(), local).router(api)
}

async fn get(pages: &Router, path: &str, token: Option<&str>) -> String {
    let mut request = Request::builder().uri(path).header("host", "localhost");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).unwrap();
    let response = pages.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let challenge = response
        .headers()
        .get("www-authenticate")
        .map(|challenge| format!(" ({})", challenge.to_str().unwrap()));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    format!(
        "{path} {status}{}: {}",
        challenge.unwrap_or_default(),
        body.trim_end()
    )
}

#[tokio::test]
async fn the_api_is_closed_without_a_token_even_on_loopback() {
    let pages = pages(AdminAccess::Loopback);
    let mut answers = Vec::new();
    for path in ["/metrics", "/api/budgets", "/api/elsewhere", "/api"] {
        answers.push(get(&pages, path, Some("guess")).await);
    }
    insta::assert_snapshot!(answers.join("\n"), @r#"
    /metrics 200: # EOF
    /api/budgets 403: {"error":{"message":"the API is closed: name an environment variable with a token in `listen.admin_token_env`","code":"no_admin_token"}}
    /api/elsewhere 403: {"error":{"message":"the API is closed: name an environment variable with a token in `listen.admin_token_env`","code":"no_admin_token"}}
    /api 403: {"error":{"message":"the API is closed: name an environment variable with a token in `listen.admin_token_env`","code":"no_admin_token"}}
    "#);
}

#[tokio::test]
async fn the_token_opens_what_is_guarded_and_no_other_does() {
    let pages = pages(AdminAccess::Token("right".into()));
    let mut answers = Vec::new();
    for (path, token) in [
        ("/healthz", None),
        ("/metrics", None),
        ("/metrics", Some("right")),
        ("/api/budgets", None),
        ("/api/budgets", Some("righ")),
        ("/api/budgets", Some("right")),
        ("/api/elsewhere", None),
        ("/api/elsewhere", Some("right")),
    ] {
        answers.push(get(&pages, path, token).await);
    }
    insta::assert_snapshot!(answers.join("\n"), @r#"
    /healthz 200: ok
    /metrics 401 (Bearer): a token is needed
    /metrics 200: # EOF
    /api/budgets 401 (Bearer): {"error":{"message":"expected `Authorization: Bearer` with the token of the admin side","code":"unauthorized"}}
    /api/budgets 401 (Bearer): {"error":{"message":"expected `Authorization: Bearer` with the token of the admin side","code":"unauthorized"}}
    /api/budgets 200: {"budgets":[]}
    /api/elsewhere 401 (Bearer): {"error":{"message":"expected `Authorization: Bearer` with the token of the admin side","code":"unauthorized"}}
    /api/elsewhere 404: {"error":{"message":"nothing is at `/api/elsewhere`","code":"not_found"}}
    "#);
}
