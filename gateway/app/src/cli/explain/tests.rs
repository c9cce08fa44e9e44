use super::*;
use crate::sample::{REQUEST, Sample};

#[tokio::test]
async fn a_request_is_told_from_its_decisions_to_its_receipt() {
    let sample = Sample::new().await;
    let found = inquiry::request(sample.ledger.reader(), REQUEST)
        .await
        .unwrap();
    insta::assert_snapshot!(text(&found), @r"
    request     req_00000000000000000000000000000001
    came        2026-11-21 10:00:00
    tenant      acme
    key         k1
    task        fix/parser #7 é
    session     s1
    agent       main
    class       chat
    tags        ci
    endpoint    /v1/chat/completions
    model       gpt-5
    route       upstream:openai
    answer      200 ok
    prompt      1000 tokens, sent as 1000
    prices      2026-11
    policies    generation 3
    decision    routed: to upstream
    decision    reserved: metered yes, held 0.002 USD, exposed 0.004 USD, input tokens 1100
    decision    cut short

    attempt 1   gpt-5-2025-08-07 at openai
    answered by gpt-5-2025-08-07
    response    resp_1
    answer      200 after 900 ms, the first byte after 120 ms
    reserved    0.0015 USD likely, 0.003 USD at most
    settled     by what the provider says was used
    prices      2026-11, tier standard

    LINE         COUNT     USD
    fresh input    700  0.0000
    cache read     300  0.0000
    output          50  0.0015
    reasoning       10       -

    cost        0.0015 USD
    as asked    0.001501 USD
    saved       0.000001 USD by us
    harm        0.00 USD by us
    cache       0.0000027 USD saved by the provider's cache

    total       0.0015 USD
    ");
}
