"""What the official SDKs make of a budget: one error that they do not try again, and streams that end properly."""

import anthropic
import openai
import pytest

GPT, CLAUDE = "gpt-fake-1", "claude-fake-1"
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def gpt(strict_gateway):
    with openai.OpenAI(base_url=strict_gateway.url + "/v1", api_key="unused") as client:
        yield client


@pytest.fixture
def claude(strict_gateway):
    with anthropic.Anthropic(base_url=strict_gateway.url, api_key="unused") as client:
        yield client


def ten_tokens(script, tag):
    return {"x-skinflint-tags": tag} | script(answer={"tokens": 10})


def long_stream(script, task):
    """Five hundred tokens for a task that can pay for three hundred."""
    return {"x-skinflint-task": task} | script(answer={"tokens": 500}, token_delay_ms=1)


def test_openai_raises_once(gpt, provider, script):
    ask = {"model": GPT, "messages": HELLO, "max_tokens": 10, "extra_headers": ten_tokens(script, "openai")}
    answer = gpt.chat.completions.with_raw_response.create(**ask)
    assert answer.headers["x-skinflint-cost-usd"] == "0.01"
    before = len(provider.calls())
    with pytest.raises(openai.RateLimitError) as caught:
        gpt.chat.completions.create(**ask)
    assert len(provider.calls()) == before
    assert caught.value.type == "budget_exceeded"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.body["budget"]["limit_usd"] == "0.01"
    assert caught.value.body["budget"]["spent_usd"] == "0.01"


def test_anthropic_raises_once(claude, provider, script):
    ask = {"model": CLAUDE, "messages": HELLO, "max_tokens": 10, "extra_headers": ten_tokens(script, "anthropic")}
    claude.messages.create(**ask)
    before = len(provider.calls())
    with pytest.raises(anthropic.RateLimitError) as caught:
        claude.messages.create(**ask)
    assert len(provider.calls()) == before
    assert caught.value.body["error"]["type"] == "budget_exceeded"


def test_a_chat_stream_ends_at_its_budget_as_at_its_length(gpt, script):
    stream = gpt.chat.completions.create(
        model=GPT, messages=HELLO, max_tokens=500, stream=True, extra_headers=long_stream(script, "chat")
    )
    chunks = [chunk.choices[0] for chunk in stream if chunk.choices]
    assert chunks[-1].finish_reason == "length"
    assert any(chunk.delta.content for chunk in chunks)


def test_a_responses_stream_ends_at_its_budget_as_at_its_length(gpt, script):
    with gpt.responses.stream(
        model=GPT, input="hello", max_output_tokens=500, extra_headers=long_stream(script, "responses")
    ) as stream:
        events = list(stream)
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.incomplete_details.reason == "max_output_tokens"
    assert events[-1].response.output_text


def test_a_messages_stream_ends_at_its_budget_as_at_its_length(claude, script):
    with claude.messages.stream(
        model=CLAUDE, messages=HELLO, max_tokens=500, extra_headers=long_stream(script, "messages")
    ) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "max_tokens"
    assert message.content[0].text
    assert 0 < message.usage.output_tokens < 500
