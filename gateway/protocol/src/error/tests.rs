use super::*;

const KINDS: [ErrorKind; 14] = [
    ErrorKind::InvalidRequest,
    ErrorKind::Authentication,
    ErrorKind::Permission,
    ErrorKind::ModelNotAllowed,
    ErrorKind::NotFound,
    ErrorKind::RequestTooLarge,
    ErrorKind::RateLimit,
    ErrorKind::BudgetExceeded,
    ErrorKind::BudgetStoreUnavailable,
    ErrorKind::UnknownPrice,
    ErrorKind::Overloaded,
    ErrorKind::Timeout,
    ErrorKind::Api,
    ErrorKind::Upstream,
];

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn full() -> ErrorBody {
    ErrorBody {
        param: Some("messages[0].role".to_owned()),
        code: Some("missing".to_owned()),
        request_id: Some("req_1".to_owned()),
        ..ErrorBody::new(ErrorKind::InvalidRequest, "a \"role\" is missing\n")
    }
}

#[test]
fn bodies_of_every_kind() {
    let bodies = |dialect| {
        let lines: Vec<_> = KINDS
            .iter()
            .map(|kind| text(&ErrorBody::new(*kind, kind.as_str()).to_body(dialect)))
            .collect();
        lines.join("\n")
    };
    insta::assert_snapshot!(bodies(Dialect::OpenAi), @r#"
    {"error":{"message":"invalid_request","type":"invalid_request_error","param":null,"code":null}}
    {"error":{"message":"authentication","type":"authentication_error","param":null,"code":null}}
    {"error":{"message":"permission","type":"permission_error","param":null,"code":null}}
    {"error":{"message":"model_not_allowed","type":"permission_error","param":null,"code":"model_not_allowed"}}
    {"error":{"message":"not_found","type":"not_found_error","param":null,"code":null}}
    {"error":{"message":"request_too_large","type":"invalid_request_error","param":null,"code":null}}
    {"error":{"message":"rate_limit","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}
    {"error":{"message":"budget_exceeded","type":"budget_exceeded","param":null,"code":"budget_exceeded"}}
    {"error":{"message":"budget_store_unavailable","type":"budget_store_unavailable","param":null,"code":"budget_store_unavailable"}}
    {"error":{"message":"unknown_price","type":"invalid_request_error","param":null,"code":"unknown_price"}}
    {"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}
    {"error":{"message":"timeout","type":"timeout_error","param":null,"code":null}}
    {"error":{"message":"api","type":"server_error","param":null,"code":null}}
    {"error":{"message":"upstream","type":"upstream_error","param":null,"code":null}}
    "#);
    insta::assert_snapshot!(bodies(Dialect::Anthropic), @r#"
    {"type":"error","error":{"type":"invalid_request_error","message":"invalid_request"}}
    {"type":"error","error":{"type":"authentication_error","message":"authentication"}}
    {"type":"error","error":{"type":"permission_error","message":"permission"}}
    {"type":"error","error":{"type":"permission_error","message":"model_not_allowed"}}
    {"type":"error","error":{"type":"not_found_error","message":"not_found"}}
    {"type":"error","error":{"type":"request_too_large","message":"request_too_large"}}
    {"type":"error","error":{"type":"rate_limit_error","message":"rate_limit"}}
    {"type":"error","error":{"type":"budget_exceeded","message":"budget_exceeded"}}
    {"type":"error","error":{"type":"budget_store_unavailable","message":"budget_store_unavailable"}}
    {"type":"error","error":{"type":"invalid_request_error","message":"unknown_price"}}
    {"type":"error","error":{"type":"overloaded_error","message":"overloaded"}}
    {"type":"error","error":{"type":"timeout_error","message":"timeout"}}
    {"type":"error","error":{"type":"api_error","message":"api"}}
    {"type":"error","error":{"type":"api_error","message":"upstream"}}
    "#);
}

#[test]
fn bodies_with_every_member() {
    insta::assert_snapshot!(text(&full().to_body(Dialect::OpenAi)), @r#"{"error":{"message":"a \"role\" is missing\n","type":"invalid_request_error","param":"messages[0].role","code":"missing"}}"#);
    insta::assert_snapshot!(text(&full().to_body(Dialect::Anthropic)), @r#"{"type":"error","error":{"type":"invalid_request_error","message":"a \"role\" is missing\n"},"request_id":"req_1"}"#);
}

#[test]
fn events_in_every_protocol() {
    let event = |endpoint| text(&full().to_event_at(endpoint, 7));
    insta::assert_snapshot!(event(Endpoint::ChatCompletions), @r#"data: {"error":{"message":"a \"role\" is missing\n","type":"invalid_request_error","param":"messages[0].role","code":"missing"}}"#);
    insta::assert_snapshot!(event(Endpoint::Responses), @r#"
    event: error
    data: {"type":"error","code":"missing","message":"a \"role\" is missing\n","param":"messages[0].role","sequence_number":7}
    "#);
    insta::assert_snapshot!(event(Endpoint::Messages), @r#"
    event: error
    data: {"type":"error","error":{"type":"invalid_request_error","message":"a \"role\" is missing\n"},"request_id":"req_1"}
    "#);
    let bare = ErrorBody::new(ErrorKind::Upstream, "cut off");
    insta::assert_snapshot!(text(&bare.to_event(Endpoint::Responses)), @r#"
    event: error
    data: {"type":"error","code":"upstream_error","message":"cut off","param":null,"sequence_number":0}
    "#);
}

#[test]
fn a_budget_without_room_says_which_and_how_much() {
    let error = ErrorBody {
        request_id: Some("req_1".to_owned()),
        budget: Some(Box::new(BudgetFacts {
            scope: "task:fix \"login\"".to_owned(),
            window: "month".to_owned(),
            limit_usd: "2.00".to_owned(),
            spent_usd: "1.984210033".to_owned(),
            reserved_usd: "0.01".to_owned(),
            estimate_usd: "0.0312".to_owned(),
            resets_at: Some("2026-12-01T00:00:00Z".to_owned()),
        })),
        ..ErrorBody::new(ErrorKind::BudgetExceeded, "no room")
    };
    insta::assert_snapshot!(text(&error.to_body(Dialect::OpenAi)), @r#"{"error":{"message":"no room","type":"budget_exceeded","param":null,"code":"budget_exceeded","budget":{"scope":"task:fix \"login\"","window":"month","limit_usd":"2.00","spent_usd":"1.984210033","reserved_usd":"0.01","estimate_usd":"0.0312","resets_at":"2026-12-01T00:00:00Z"}}}"#);
    insta::assert_snapshot!(text(&error.to_body(Dialect::Anthropic)), @r#"{"type":"error","error":{"type":"budget_exceeded","message":"no room","budget":{"scope":"task:fix \"login\"","window":"month","limit_usd":"2.00","spent_usd":"1.984210033","reserved_usd":"0.01","estimate_usd":"0.0312","resets_at":"2026-12-01T00:00:00Z"}},"request_id":"req_1"}"#);
    insta::assert_snapshot!(text(&error.to_event_at(Endpoint::Responses, 9)), @r#"
    event: error
    data: {"type":"error","code":"budget_exceeded","message":"no room","param":null,"sequence_number":9,"budget":{"scope":"task:fix \"login\"","window":"month","limit_usd":"2.00","spent_usd":"1.984210033","reserved_usd":"0.01","estimate_usd":"0.0312","resets_at":"2026-12-01T00:00:00Z"}}
    "#);
}

#[test]
fn labels_of_kinds_are_their_own() {
    let labels: std::collections::HashSet<_> = KINDS.map(ErrorKind::as_str).into();
    assert_eq!(labels.len(), KINDS.len());
}

#[test]
fn a_comment_stays_one_line_and_no_event() {
    for (said, expected) in [
        ("cost_usd=0.01", ": cost_usd=0.01\n\n"),
        ("a\n\ndata: b\r\nc\rd", ": a  data: b  c d\n\n"),
        ("", ": \n\n"),
    ] {
        let bytes = comment(said);
        assert_eq!(bytes, expected);
        let mut decoder = crate::sse::Decoder::new();
        decoder.push(bytes.clone());
        let frame = decoder.next_frame().unwrap();
        assert_eq!((frame.raw, frame.event), (bytes, None));
        assert_eq!(decoder.partial_len(), 0);
    }
}

#[test]
fn keep_alives_say_nothing() {
    for endpoint in Endpoint::ALL {
        let mut decoder = crate::sse::Decoder::new();
        decoder.push(Bytes::from_static(keep_alive(endpoint)));
        let frame = decoder.next_frame().unwrap();
        assert_eq!(decoder.partial_len(), 0);
        match endpoint.dialect() {
            Dialect::OpenAi => assert_eq!(frame.event, None),
            Dialect::Anthropic => {
                let event = frame.event.unwrap();
                assert_eq!(event.name.as_deref(), Some(&b"ping"[..]));
                assert_eq!(event.data, r#"{"type": "ping"}"#);
            }
        }
    }
}
