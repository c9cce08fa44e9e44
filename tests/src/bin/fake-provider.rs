//! The fake provider as a program, for tests in other languages and for coding agents.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::{Parser, ValueEnum};
use serde_json::Value;
use skinflint_tests::{AgentScenario, FakeProvider, Script, ToolCall};

/// Answers like OpenAI and Anthropic until it is killed; prints `listening on ADDRESS` first.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// What requests without an `x-fake-script` header get.
    #[arg(long, value_enum, default_value_t = Scenario::Plain)]
    scenario: Scenario,
    /// Tool that the agent scenario calls once, if the request offers it.
    #[arg(long)]
    tool: Option<String>,
    /// Arguments of that call, a JSON object.
    #[arg(long, default_value = "{}", value_parser = object)]
    args: Value,
    /// Text of the agent scenario's last answer.
    #[arg(long, default_value = "done")]
    text: String,
    /// File to which one JSON line per request is appended (method, path, headers, body).
    #[arg(long)]
    log: Option<PathBuf>,
    /// File to which one line per charged call is appended before its answer is known: call (the header `x-client-request-id`), model,
    /// fresh input, cached, written for 5 minutes, written for 1 hour, output, reasoning; tabs between them.
    #[arg(long)]
    bill: Option<PathBuf>,
    /// Script of the requests without an `x-fake-script` header, for example `{"answer": {"tokens": 900}, "token_delay_ms": 5}`.
    #[arg(long, value_parser = script, conflicts_with = "scenario")]
    script: Option<Script>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scenario {
    /// The realistic default answers.
    Plain,
    /// One tool call, then a text.
    Agent,
}

fn object(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    value
        .is_object()
        .then_some(value)
        .ok_or_else(|| "not a JSON object".into())
}

fn script(text: &str) -> Result<Script, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let call = arguments.tool.map(|name| ToolCall {
        name,
        arguments: arguments.args,
    });
    let agent = matches!(arguments.scenario, Scenario::Agent).then_some(AgentScenario {
        call,
        text: arguments.text,
    });
    let provider = FakeProvider::start_on(arguments.port, agent, arguments.log.as_deref()).await?;
    if let Some(path) = &arguments.bill {
        provider.bill(path)?;
    }
    if let Some(script) = arguments.script {
        provider.script_by(move |_| Some(script.clone()));
    }
    writeln!(io::stdout(), "listening on {}", provider.address())?;
    provider.stopped().await;
    Ok(())
}
