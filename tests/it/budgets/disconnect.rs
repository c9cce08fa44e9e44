//! Who leaves pays for what was made, by our count or by the provider's.

use skinflint_tests::{BillLine, FakeProvider, Gate, Gateway, Script};

use crate::{
    api::Api,
    money::{self, TOKEN, monthly},
};

/// Tokens that have passed when the client leaves, and those of the whole answer.
const SEEN: usize = 20;
const WHOLE: usize = 400;
/// What the gateway takes a provider to have made that it has not yet sent.
const AHEAD: u64 = 64;

/// Starts a stream, reads until [`SEEN`] tokens have passed and leaves; `gate` holds the rest back.
async fn leave(gateway: &Gateway, api: Api, gate: &Gate) {
    let mut client = gateway.raw().await;
    client
        .post(api.path(), &money::ask(api, WHOLE as u64, true).to_string())
        .await;
    client.head().await.expect("an answer");
    let frames = match api {
        // What stands before the first token.
        Api::Chat => 1,
        Api::Messages => 3,
        Api::Responses => 4,
    };
    gate.release(frames + SEEN);
    // The words come in turns of eight, so this one comes for the third time with the 18th token.
    for _ in 0..3 {
        client.read_past("quick ").await;
    }
    client.read_past("fox ").await;
    client.close();
}

fn slow(gate: &Gate) -> Script {
    Script::tokens(WHOLE).gate(gate)
}

#[tokio::test]
async fn a_cancelled_stream_costs_what_was_counted() {
    for api in Api::ALL {
        let provider = FakeProvider::start().await;
        let bill = tempfile::tempdir().unwrap();
        let bill = bill.path().join("bill.tsv");
        provider.bill(&bill).unwrap();
        let gate = Gate::closed();
        provider.script(slow(&gate));
        let gateway = money::gateway(&provider, &monthly("10")).start().await;
        leave(&gateway, api, &gate).await;
        provider.wait_idle().await;
        let attempts = money::settled(&gateway).await;
        assert_eq!(attempts.len(), 1);
        assert_eq!(attempts[0].source, "counted", "{api:?}");
        let billed = BillLine::read(&bill)[0].output;
        assert!(
            attempts[0].output >= billed,
            "{api:?}: {attempts:?}, {billed} billed"
        );
        // A word is a token; where the tokenizer is not public, the count is somewhat above it.
        let most = SEEN as u64 * 3 + AHEAD;
        assert!(
            attempts[0].output <= most,
            "{api:?}: {attempts:?}, {billed} billed"
        );
        gateway.finish().await;
    }
}

/// A gateway that reads on for what the provider says, under these caps.
async fn draining(provider: &FakeProvider, caps: &str) -> Gateway {
    let url = provider.url();
    let drain = format!("on_disconnect = {{ drain = {{ {caps} }} }}");
    let upstream = |name: &str, protocol: &str| {
        format!(
            "[[upstream]]\nname = {name:?}\nprotocol = {protocol:?}\nbase_url = {url:?}\n{drain}\napi_key_env = \"FAKE_{}_KEY\"\n",
            protocol.to_uppercase()
        )
    };
    let models = "[[model]]\nname = \"gpt-*\"\nupstream = \"o\"\n[[model]]\nname = \"claude-*\"\nupstream = \"a\"\n";
    skinflint_tests::GatewayBuilder::new()
        .watch(provider)
        .tenant("acme", &money::tenant("", &monthly("10")))
        .append(&upstream("o", "openai"))
        .append(&upstream("a", "anthropic"))
        .append(models)
        .append(money::OUTPUT_ONLY)
        .start()
        .await
}

#[tokio::test]
async fn a_drained_stream_costs_what_the_provider_says() {
    for api in Api::ALL {
        let provider = FakeProvider::start().await;
        let gate = Gate::closed();
        provider.script(slow(&gate));
        let gateway = draining(&provider, "for = \"30s\", usd = 10").await;
        leave(&gateway, api, &gate).await;
        let line = gateway.log().wait("the call's line", |event| {
            event["message"] == "call" && event["outcome"] == "client_gone"
        });
        line.await;
        assert_eq!(
            provider.open_streams(),
            1,
            "{api:?}: the stream was not read on"
        );
        gate.open();
        provider.wait_idle().await;
        let attempts = money::settled(&gateway).await;
        let [attempt] = attempts.as_slice() else {
            panic!("{attempts:?}");
        };
        let found = (attempt.source.as_str(), attempt.output, attempt.cost);
        assert_eq!(
            found,
            ("provider", WHOLE as u64, WHOLE as u64 * TOKEN),
            "{api:?}"
        );
        gateway.finish().await;
    }
}

#[tokio::test]
async fn a_drained_stream_is_given_up_at_its_caps() {
    for caps in ["for = \"200ms\", usd = 10", "for = \"30s\", usd = 0.05"] {
        let provider = FakeProvider::start().await;
        let gate = Gate::closed();
        provider.script(slow(&gate));
        let gateway = draining(&provider, caps).await;
        leave(&gateway, Api::Messages, &gate).await;
        // Enough for the cap of money, and no end for that of time.
        gate.release(60);
        provider.wait_idle().await;
        let attempts = money::settled(&gateway).await;
        assert_eq!(attempts[0].source, "counted", "{caps}");
        assert!(attempts[0].output < WHOLE as u64, "{caps}: {attempts:?}");
        gateway.finish().await;
    }
}

/// All that the client asked for has reached it: its leaving is no leaving early.
#[tokio::test]
async fn after_the_terminal_event_nothing_is_guessed() {
    for api in Api::ALL {
        let provider = FakeProvider::start().await;
        provider.script(Script::tokens(30).cut(
            skinflint_tests::CutAt::Events(usize::MAX),
            skinflint_tests::Ending::Stall,
        ));
        let gateway = money::gateway(&provider, &monthly("10")).start().await;
        let mut client = gateway.raw().await;
        client
            .post(api.path(), &money::ask(api, WHOLE as u64, true).to_string())
            .await;
        client.head().await.expect("an answer");
        let end = match api {
            Api::Chat => "[DONE]\n\n",
            Api::Messages => "\"message_stop\"}\n\n",
            Api::Responses => "event: response.completed",
        };
        client.read_past(end).await;
        if api == Api::Responses {
            client.read_past("\n\n").await;
        }
        client.close();
        provider.wait_idle().await;
        let attempts = money::settled(&gateway).await;
        assert_eq!(money::lines(&attempts), "provider 30000000\n", "{api:?}");
        gateway.finish().await;
    }
}
