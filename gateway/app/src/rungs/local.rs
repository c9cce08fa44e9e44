//! Calls that the model in this process answers.

mod answer;
mod embed;
mod request;
mod stream;

use futures_util::StreamExt;
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt, StreamBody};
use skinflint_local_model::{Engine, GenerateError};
use skinflint_protocol::{
    Conversation, Emitter, Endpoint, Meta, RequestView, StopReason, Usage, count_tokens_body,
};
use tokio::time::Instant;

pub(crate) use self::embed::Embedder;
use self::{
    answer::{CallLimit, whole},
    stream::LocalStream,
};
use crate::{
    accounting::Spending,
    body::{Body, full},
    call::ModelCall,
    clock,
    error::{CallError, LocalError},
    local::LocalModels,
    receipt::Receipt,
    relay::Relay,
};

/// The local models as answerers of calls.
#[derive(Debug)]
pub(crate) struct LocalRung {
    local: LocalModels,
    relay: Relay,
}

// === impl LocalRung ===

impl LocalRung {
    /// Answers by these models; streams follow the same rules as relayed ones.
    pub(crate) fn new(local: LocalModels, relay: Relay) -> Self {
        Self { local, relay }
    }

    /// Answers a call in its own protocol.
    pub(super) async fn answer(
        &self,
        model_call: ModelCall,
        name: &str,
        spending: Spending,
    ) -> Result<Response<Body>, CallError> {
        if model_call.endpoint == Endpoint::Embeddings {
            return self.embed(&model_call, name, spending).await;
        }
        let ModelCall {
            call,
            endpoint,
            view,
            attribution: _,
            offer: _,
            reservation: _,
            spared: _,
        } = model_call;
        let conversation = Conversation::from_view(&view, &call.body)?;
        // A stream shows that it lives; of an answer in one piece nothing is seen until it is whole.
        let patience = (!view.stream).then_some(self.relay.first_byte);
        let deadline = patience.map(|patience| Instant::now() + patience);
        let engine = self.local.engine(name, endpoint);
        let lease = self.in_time(deadline, engine).await?;
        let engine = lease.clone();
        check_left_out(&conversation, &view, &engine)?;
        if endpoint == Endpoint::CountTokens {
            let prompt = request::prompt(conversation);
            let count = off_the_runtime(move || engine.count_tokens(&prompt)).await?;
            let body = full(count_tokens_body(count as u64));
            return Ok(response("application/json", body));
        }
        let receipt = call.receipt;
        let emitter = emitter(endpoint, &view, &engine, &receipt)?.repeating(&view, &call.body);
        let limit = CallLimit::new(conversation.parallel_calls);
        let mut request = request::request(conversation);
        request.tenant = Some(call.caller.tenant.id.to_string());
        request.deadline = deadline;
        let placed = off_the_runtime(move || engine.generate(request));
        let generation = self.in_time(deadline, placed).await?;
        if view.stream {
            let stream = LocalStream::new(
                generation,
                emitter,
                limit,
                endpoint,
                receipt,
                &self.relay,
                spending,
            );
            // The model stays loaded while the answer is told.
            let frames = stream.frames().inspect(move |_| {
                let _held = &lease;
            });
            let body = StreamBody::new(frames).boxed_unsync();
            return Ok(response("text/event-stream", body));
        }
        let answer = whole(generation, &emitter, limit, &receipt, spending);
        let answer = self.in_time(deadline, answer).await?;
        Ok(response("application/json", full(answer)))
    }

    /// Waits until the deadline, or until the gateway can wait no longer.
    async fn in_time<T>(
        &self,
        deadline: Option<Instant>,
        answer: impl Future<Output = Result<T, LocalError>>,
    ) -> Result<T, LocalError> {
        let patience = self.relay.first_byte;
        let deadline = deadline.unwrap_or_else(|| Instant::now() + patience);
        tokio::select! {
            answer = answer => match answer {
                // The engine knows the deadline too, and may be the first to tell.
                Err(LocalError::Fault(_) | LocalError::Refused(_))
                    if Instant::now() >= deadline =>
                {
                    Err(LocalError::TooLate(patience))
                }
                answer => answer,
            },
            () = tokio::time::sleep_until(deadline) => Err(LocalError::TooLate(patience)),
            () = self.relay.deadline.cancelled() => Err(LocalError::Stopping),
        }
    }
}

/// Refuses a call for this model that asks for what it would have to leave out. A call for another model, which this one stands
/// in for, is answered without: better than not at all.
fn check_left_out(
    conversation: &Conversation,
    view: &RequestView,
    engine: &Engine,
) -> Result<(), LocalError> {
    match conversation.left_out.first() {
        Some(what) if view.model.value == engine.info().name => Err(what.clone().into()),
        _ => Ok(()),
    }
}

/// Runs what tokenizes a prompt, which takes up to two milliseconds for each kilobyte, or compiles a grammar.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GenerateError> + Send + 'static,
) -> Result<T, LocalError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        // The runtime gives blocking work up only when it is shut down; a panic goes on here.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(LocalError::Stopping),
        },
    }
}

fn emitter(
    endpoint: Endpoint,
    view: &RequestView,
    engine: &Engine,
    receipt: &Receipt,
) -> Result<Emitter, LocalError> {
    let meta = Meta {
        id: receipt.id().bare(),
        model: engine.info().name.clone(),
        created_unix: clock::unix_seconds(),
        include_usage: view.include_usage,
    };
    receipt.enter(|entries| entries.answered_by = Some(meta.model.clone()));
    Emitter::new(endpoint, meta).map_err(|error| LocalError::Endpoint(error.0))
}

/// Enters how an answer ended and what it used.
fn enter(receipt: &Receipt, usage: Usage, stop: Option<StopReason>) {
    receipt.enter(|entries| {
        entries.usage = Some(usage);
        entries.stop = stop;
        entries.complete = true;
    });
}

fn response(media_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if media_type == "text/event-stream" {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    response
}
