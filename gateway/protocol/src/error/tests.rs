use super::*;

const KINDS: [ErrorKind; 11] = [
    ErrorKind::InvalidRequest,
    ErrorKind::Authentication,
    ErrorKind::Permission,
    ErrorKind::NotFound,
    ErrorKind::RequestTooLarge,
    ErrorKind::RateLimit,
    ErrorKind::BudgetExceeded,
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
    {"error":{"message":"not_found","type":"not_found_error","param":null,"code":null}}
    {"error":{"message":"request_too_large","type":"invalid_request_error","param":null,"code":null}}
    {"error":{"message":"rate_limit","type":"rate_limit_error","param":null,"code":null}}
    {"error":{"message":"budget_exceeded","type":"budget_exceeded","param":null,"code":null}}
    {"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}
    {"error":{"message":"timeout","type":"timeout_error","param":null,"code":null}}
    {"error":{"message":"api","type":"server_error","param":null,"code":null}}
    {"error":{"message":"upstream","type":"upstream_error","param":null,"code":null}}
    "#);
    insta::assert_snapshot!(bodies(Dialect::Anthropic), @r#"
    {"type":"error","error":{"type":"invalid_request_error","message":"invalid_request"}}
    {"type":"error","error":{"type":"authentication_error","message":"authentication"}}
    {"type":"error","error":{"type":"permission_error","message":"permission"}}
    {"type":"error","error":{"type":"not_found_error","message":"not_found"}}
    {"type":"error","error":{"type":"request_too_large","message":"request_too_large"}}
    {"type":"error","error":{"type":"rate_limit_error","message":"rate_limit"}}
    {"type":"error","error":{"type":"budget_exceeded","message":"budget_exceeded"}}
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
