//! The accept loop, and the way of a request from its head to the plan of its answer.

use std::{convert::Infallible, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::{
    Encoding, Exchange, Payload, Script, Shared,
    bill::Meter,
    body::{self, AnswerBody, Plan},
    endpoint::{Endpoint, Rendered},
    output::Output,
    record::Recording,
    socket::{ResetSwitch, Socket},
};

pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            let connection = serve(stream, Arc::clone(&shared));
            shared.tasks.spawn(connection);
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    // Only latency suffers when the option cannot be set.
    let _ = stream.set_nodelay(true);
    let reset = ResetSwitch::default();
    let io = TokioIo::new(Socket::new(stream, reset.clone()));
    let service = service_fn(move |request| handle(request, Arc::clone(&shared), reset.clone()));
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(io, service);
    tokio::select! {
        () = stop.cancelled() => {}
        // A broken connection is what many tests are about; the record tells of it.
        _ = connection => {}
    }
}

/// Dropped by hyper when the peer goes away, and the recording with it.
async fn handle(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    reset: ResetSwitch,
) -> Result<Response<AnswerBody>, Infallible> {
    let (head, body) = request.into_parts();
    let recording = shared.records.open(Exchange {
        method: head.method,
        target: head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str())
            .into(),
        version: head.version,
        headers: head.headers,
        body: Bytes::new(),
        body_complete: false,
        sent: Vec::new(),
        end: None,
    });
    receive(body, &recording).await;
    let exchange = recording.exchange();
    let script = match script(&shared, &exchange) {
        Ok(script) => script,
        Err(fault) => Script {
            status: Some(599),
            body: Some(Payload::Json(json!({ "error": { "message": fault } }))),
            ..Script::default()
        },
    };
    let delay = script.head_delay();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    Ok(respond(&shared, &script, &exchange, recording, reset).await)
}

/// A fault here is the test's own: a script that does not parse, or a log that cannot be written.
fn script(shared: &Shared, exchange: &Exchange) -> Result<Script, String> {
    shared
        .records
        .write_line(exchange)
        .map_err(|error| format!("fake provider: log: {error}"))?;
    shared
        .script_for(exchange)
        .map_err(|error| format!("fake provider: x-fake-script: {error}"))
}

async fn receive(mut body: Incoming, recording: &Recording) {
    let mut received = BytesMut::new();
    let complete = loop {
        match body.frame().await {
            Some(Ok(frame)) => {
                received.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
            }
            Some(Err(_)) => break false,
            None => break true,
        }
    };
    recording.received(received.freeze(), complete);
}

async fn respond(
    shared: &Shared,
    script: &Script,
    exchange: &Exchange,
    mut recording: Recording,
    reset: ResetSwitch,
) -> Response<AnswerBody> {
    let endpoint = Endpoint::of(exchange);
    let status = script
        .status
        .map_or(Ok(endpoint.status()), StatusCode::from_u16);
    let status = status.expect("a script's status");
    let asked = exchange.json();
    let output = Output::new(&asked, &script.answer);
    let is_error = status.as_u16() >= 400;
    let bill = shared.bill.lock().clone();
    if let Some(bill) = bill.filter(|_| endpoint.is_billed() && !is_error) {
        recording.meter(Meter::new(bill, exchange, &asked, endpoint, &output));
    }
    let rendered = render(script, exchange, &asked, &output, status);
    let mut parts = rendered.parts;
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(rendered.content_type),
    );
    if let Some(Encoding::Gzip) = script.encoding {
        parts = body::gzip(parts).await.expect("a vector takes every write");
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    replace(&mut headers, &script.headers);
    let streams = headers[header::CONTENT_TYPE]
        .as_bytes()
        .starts_with(b"text/event-stream");
    if !streams {
        if endpoint.is_generating() && !is_error {
            // A whole answer begins when the model has come to its end.
            body::pace(&mut recording, output.produced.output, script.token_delay()).await;
        }
        recording.charge().await;
    }
    if !streams && !headers.contains_key(header::CONTENT_LENGTH) {
        // The length of the whole body, so that a cut shows as an incomplete one.
        let length = parts.iter().map(Bytes::len).sum::<usize>();
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    let (parts, ending) = body::cut(parts, rendered.terminal, script.cut);
    let plan = Plan {
        parts: parts.into(),
        before_end: rendered.terminal,
        tokens: rendered.tokens.into(),
        ending,
        delay: script.event_delay(),
        token_delay: script.token_delay(),
        gate: script.gate.clone(),
        reset,
    };
    let mut response = Response::new(plan.into_body(recording));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Each name given replaces the usual fields of that name; given twice, both stand.
fn replace(headers: &mut HeaderMap, given: &[(String, String)]) {
    let parsed: Vec<(HeaderName, HeaderValue)> = given
        .iter()
        .map(|(name, value)| {
            let name = name.parse().expect("a script's header name");
            (
                name,
                HeaderValue::from_str(value).expect("a script's header value"),
            )
        })
        .collect();
    for (name, _) in &parsed {
        headers.remove(name);
    }
    for (name, value) in parsed {
        headers.append(name, value);
    }
}

fn render(
    script: &Script,
    exchange: &Exchange,
    asked: &Value,
    output: &Output,
    status: StatusCode,
) -> Rendered {
    let endpoint = Endpoint::of(exchange);
    let mut rendered = if status.as_u16() >= 400 {
        endpoint.error(status)
    } else {
        endpoint.render(exchange, asked, output)
    };
    let Some(payload) = &script.body else {
        return rendered;
    };
    rendered.parts = match payload {
        Payload::Text(text) => vec![text.clone().into()],
        Payload::Parts(parts) => parts.iter().map(|part| part.clone().into()).collect(),
        Payload::Bytes(parts) => parts.clone(),
        Payload::Json(body) => return Rendered::json(body),
    };
    rendered.tokens.clear();
    rendered.terminal = rendered.parts.len();
    rendered
}
