//! Calls that the model in this process answers.

mod stream;

use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt, StreamBody};
use skinflint_local_model::{
    Chat, Engine, Event, Finish, GenerateError, GenerateRequest, Generation, Prompt, Role,
    Sampling, TokenUsage, Turn,
};
use skinflint_protocol::{
    Conversation, Emitter, Endpoint, Meta, RequestView, Speaker, Stop, StopReason, Usage,
    count_tokens_body,
};

use self::stream::LocalStream;
use crate::{
    accounting::Spending,
    body::{Body, full},
    call::ModelCall,
    clock,
    error::{CallError, LocalError},
    local::LocalEngine,
    receipt::Receipt,
    relay::Relay,
};

/// The local model as an answerer of calls.
#[derive(Debug)]
pub(crate) struct LocalRung {
    local: LocalEngine,
    relay: Relay,
}

// === impl LocalRung ===

impl LocalRung {
    /// Answers by this engine; streams follow the same rules as relayed ones.
    pub(crate) fn new(local: LocalEngine, relay: Relay) -> Self {
        Self { local, relay }
    }

    /// Answers a call in its own protocol.
    pub(super) async fn answer(
        &self,
        model_call: ModelCall,
        spending: Spending,
    ) -> Result<Response<Body>, CallError> {
        let ModelCall {
            call,
            endpoint,
            view,
            attribution: _,
        } = model_call;
        if endpoint == Endpoint::Embeddings {
            return Err(LocalError::Endpoint(endpoint).into());
        }
        let conversation = Conversation::from_view(&view, &call.body).map_err(LocalError::from)?;
        let engine = self.local.engine().await?;
        if endpoint == Endpoint::CountTokens {
            let prompt = prompt(conversation);
            let count = off_the_runtime(move || engine.count_tokens(&prompt)).await?;
            let body = full(count_tokens_body(count as u64));
            return Ok(response("application/json", body));
        }
        let receipt = call.receipt;
        let emitter = emitter(endpoint, &view, &engine, &receipt)?;
        let generation = off_the_runtime(move || engine.generate(request(conversation))).await?;
        if view.stream {
            let stream = LocalStream::new(
                generation,
                emitter,
                endpoint,
                receipt,
                &self.relay,
                spending,
            );
            let body = StreamBody::new(stream.frames()).boxed_unsync();
            return Ok(response("text/event-stream", body));
        }
        let answer = tokio::select! {
            answer = whole(generation, &emitter, &receipt, spending) => answer?,
            () = self.relay.deadline.cancelled() => return Err(LocalError::Stopping.into()),
        };
        Ok(response("application/json", full(answer)))
    }
}

/// Runs what tokenizes a prompt, which takes a third of a millisecond for each kilobyte.
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

/// Waits for the end of an answer and writes it as one body.
async fn whole(
    mut generation: Generation,
    emitter: &Emitter,
    receipt: &Receipt,
    spending: Spending,
) -> Result<bytes::Bytes, LocalError> {
    let mut text = String::new();
    while let Some(event) = receipt.waiting(generation.next()).await {
        match event {
            Event::Text { text: piece, .. } => {
                receipt.first_token();
                text.push_str(&piece);
            }
            Event::Call(_) => {}
            Event::Done { finish, usage } => {
                let (stop, usage) = enter(receipt, finish, usage);
                spending.settle_local(usage);
                return Ok(emitter.body(&text, &stop, &usage));
            }
            Event::Failed(fault) => return Err(fault.into()),
        }
    }
    Err(LocalError::Stopping)
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

fn request(conversation: Conversation) -> GenerateRequest {
    let wanted = &conversation.sampling;
    GenerateRequest {
        max_tokens: conversation
            .max_output_tokens
            .map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX)),
        sampling: Sampling {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a temperature needs no more than seven digits"
            )]
            temperature: wanted.temperature.map(|value| value as f32),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a probability needs no more than seven digits"
            )]
            top_p: wanted.top_p.map(|value| value as f32),
            // Some servers take -1 for no limit.
            top_k: wanted.top_k.and_then(|value| u32::try_from(value).ok()),
            seed: wanted.seed.map(i64::cast_unsigned),
            ..Sampling::default()
        },
        stop: wanted.stop.clone(),
        ..GenerateRequest::new(prompt(conversation))
    }
}

fn prompt(conversation: Conversation) -> Prompt {
    let turn = |turn: skinflint_protocol::Turn| {
        let role = match turn.role {
            Speaker::System => Role::System,
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
            Speaker::Tool => Role::Tool,
        };
        Turn::new(role, turn.text)
    };
    Prompt::Chat(Chat {
        turns: conversation.turns.into_iter().map(turn).collect(),
        ..Chat::default()
    })
}

/// Enters how an answer ended and what it used, in the words of the protocols.
fn enter(receipt: &Receipt, finish: Finish, tokens: TokenUsage) -> (Stop, Usage) {
    let (stop, reason) = match finish {
        Finish::EndOfTurn | Finish::ToolCalls => (Stop::EndTurn, StopReason::EndTurn),
        Finish::MaxTokens => (Stop::MaxTokens, StopReason::MaxTokens),
        Finish::StopSequence(text) => (Stop::StopSequence(text), StopReason::StopSequence),
    };
    let usage = Usage {
        fresh_input: tokens.prompt_tokens.into(),
        output: tokens.completion_tokens.into(),
        ..Usage::default()
    };
    receipt.enter(|entries| {
        entries.usage = Some(usage);
        entries.stop = Some(reason);
        entries.complete = true;
    });
    (stop, usage)
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
