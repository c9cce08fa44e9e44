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
    insta::assert_snapshot!(bodies(Dialect::OpenAi), @"");
    insta::assert_snapshot!(bodies(Dialect::Anthropic), @"");
}

#[test]
fn bodies_with_every_member() {
    insta::assert_snapshot!(text(&full().to_body(Dialect::OpenAi)), @"");
    insta::assert_snapshot!(text(&full().to_body(Dialect::Anthropic)), @"");
}

#[test]
fn events_in_every_protocol() {
    let event = |endpoint| text(&full().to_event_at(endpoint, 7));
    insta::assert_snapshot!(event(Endpoint::ChatCompletions), @"");
    insta::assert_snapshot!(event(Endpoint::Responses), @"");
    insta::assert_snapshot!(event(Endpoint::Messages), @"");
    let bare = ErrorBody::new(ErrorKind::Upstream, "cut off");
    insta::assert_snapshot!(text(&bare.to_event(Endpoint::Responses)), @"");
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
