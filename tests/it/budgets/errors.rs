//! What an error of the provider costs.

use http::StatusCode;
use skinflint_tests::{FakeProvider, Script};

use crate::money::{self, CENT};

/// A refusal costs nothing; where somebody between has given up waiting, the provider may have answered, and billed.
#[tokio::test]
async fn an_error_costs_nothing_unless_it_may_have_been_billed() {
    for (status, source, cost) in [
        (StatusCode::BAD_REQUEST, "declined", 0),
        (StatusCode::INTERNAL_SERVER_ERROR, "declined", 0),
        (StatusCode::BAD_GATEWAY, "upper_bound", CENT),
        (StatusCode::GATEWAY_TIMEOUT, "upper_bound", CENT),
    ] {
        let provider = FakeProvider::start().await;
        provider.script_by(move |_| Some(Script::status(status)));
        let builder = money::gateway(&provider, &money::monthly("1"));
        let gateway = builder.start().await;
        let told = money::chat(&gateway, 10).await;
        assert_eq!(told.status, status.as_u16());
        let attempts = money::settled(&gateway).await;
        assert_eq!(attempts.len(), 1, "{status}");
        assert_eq!(attempts[0].source, source, "{status}");
        assert_eq!(attempts[0].cost, cost, "{status}");
        gateway.finish().await;
    }
}
