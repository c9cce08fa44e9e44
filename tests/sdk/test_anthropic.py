"""Messages with the official `anthropic` package."""

import anthropic
import pytest
from pydantic import BaseModel

MODEL = "claude-fake-1"
HELLO = [{"role": "user", "content": "hello"}]
TOOLS = [
    {
        "name": "weather",
        "description": "Tells the weather",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
        "cache_control": {"type": "ephemeral"},
    }
]
CALL = {"name": "weather", "arguments": {"city": "Zürich"}}


def ask(client, **options):
    return client.messages.create(model=MODEL, max_tokens=100, **({"messages": HELLO} | options))


def test_message(anthropic_client, provider, gateway, script):
    usage = {"input": 7, "output": 3, "cached": 2, "write_5m": 4, "write_1h": 5}
    raw = anthropic_client.messages.with_raw_response.create(
        model=MODEL,
        max_tokens=100,
        messages=HELLO,
        extra_headers=script(answer={"text": "hi there", "usage": usage}) | {"anthropic-beta": "a-1,b-2"},
    )
    answer = raw.parse()
    assert answer.content[0].text == "hi there"
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (7, 2)
    assert answer.usage.cache_creation.ephemeral_1h_input_tokens == 5
    headers = dict(provider.last()["headers"])
    assert headers["anthropic-version"] == raw.http_response.request.headers["anthropic-version"]
    assert headers["anthropic-beta"] == "a-1,b-2"
    assert headers["x-api-key"] == "upstream-anthropic"
    line = gateway.call(raw.headers["x-skinflint-request-id"])
    counted = (line["fresh_input"], line["cache_read"], line["cache_write_5m"], line["cache_write_1h"], line["output"])
    assert counted == (7, 2, 4, 5, 3)


def test_stream_with_usage(anthropic_client, script):
    with anthropic_client.messages.stream(
        model=MODEL,
        max_tokens=100,
        messages=HELLO,
        extra_headers=script(answer={"tokens": 12}, event_delay_ms=1),
    ) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text.split() == ("the quick brown fox jumps over lazy dogs " * 2).split()[:12]
    assert final.content[0].text == text
    assert (final.usage.input_tokens, final.usage.output_tokens) == (25, 12)
    assert final.stop_reason == "end_turn"


def test_thinking_comes_back_with_its_signature(anthropic_client, provider, script):
    answer = {"text": "42", "thinking": {"text": "hm …", "signature": "EqoBCkgIARABGAIiQL/+=="}}
    with anthropic_client.messages.stream(
        model=MODEL, max_tokens=4000, messages=HELLO, extra_headers=script(answer=answer)
    ) as stream:
        message = stream.get_final_message()
    assert message.content[0].type == "thinking"
    assert message.content[0].signature == answer["thinking"]["signature"]
    turn = {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]}
    ask(anthropic_client, messages=[*HELLO, turn, *HELLO])
    assert provider.last()["body"]["messages"][1] == turn


def test_tool_round_trip(anthropic_client, provider, script):
    first = ask(anthropic_client, tools=TOOLS, extra_headers=script(answer={"tool_calls": [CALL]}))
    assert first.stop_reason == "tool_use"
    use = first.content[-1]
    assert (use.name, use.input) == ("weather", CALL["arguments"])
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "sunny", "cache_control": {"type": "ephemeral"}}
    turns = [
        *HELLO,
        {"role": "assistant", "content": [use.model_dump(exclude_none=True)]},
        {"role": "user", "content": [result]},
    ]
    second = ask(
        anthropic_client, messages=turns, tools=TOOLS, extra_headers=script(answer={"text": "It is sunny."})
    )
    assert second.content[0].text == "It is sunny."
    sent = provider.last()["body"]
    assert (sent["messages"], sent["tools"]) == (turns, TOOLS)


def test_tool_stream(anthropic_client, script):
    with anthropic_client.messages.stream(
        model=MODEL,
        max_tokens=100,
        messages=HELLO,
        tools=TOOLS,
        extra_headers=script(answer={"text": "I look", "tool_calls": [CALL, CALL]}),
    ) as stream:
        partial = [event.partial_json for event in stream if event.type == "input_json"]
        message = stream.get_final_message()
    assert "".join(partial).count("Zürich") == 2
    assert [block.type for block in message.content] == ["text", "tool_use", "tool_use"]
    assert message.content[2].input == CALL["arguments"]


class City(BaseModel):
    name: str
    people: int


def test_json_schema(anthropic_client, provider, script):
    answer = anthropic_client.messages.parse(
        model=MODEL,
        max_tokens=100,
        messages=HELLO,
        output_format=City,
        extra_headers=script(answer={"text": '{"name": "Zürich", "people": 436000}'}),
    )
    assert answer.parsed_output == City(name="Zürich", people=436000)
    asked = provider.last()["body"]["output_config"]["format"]
    assert asked["type"] == "json_schema"


def test_images_pass_through(anthropic_client, provider):
    content = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" * 2000}},
        {"type": "image", "source": {"type": "url", "url": "https://example.invalid/cat.png"}},
        {"type": "text", "text": "what are these?", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]
    ask(anthropic_client, messages=[{"role": "user", "content": content}])
    assert provider.last()["body"]["messages"][0]["content"] == content


def test_count_tokens(anthropic_client, provider):
    counted = anthropic_client.messages.count_tokens(model=MODEL, messages=HELLO, system="be good")
    assert counted.input_tokens > 0
    assert provider.last()["path"] == "/v1/messages/count_tokens"
    assert provider.last()["body"]["system"] == "be good"


def test_models(anthropic_client):
    listed = anthropic_client.models.list()
    assert all(model.type == "model" and model.id for model in listed.data)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (413, anthropic.RequestTooLargeError),
        (422, anthropic.UnprocessableEntityError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.OverloadedError),
    ],
)
def test_errors_of_the_provider(anthropic_client, script, status, error):
    headers = script(status=status, headers=[["retry-after", "30"], ["request-id", "req_upstream"]])
    with pytest.raises(error) as caught:
        ask(anthropic_client, extra_headers=headers)
    assert caught.value.status_code == status
    assert caught.value.body["error"]["message"] == f"fake provider says {status}"
    assert caught.value.request_id == "req_upstream"


def test_errors_of_the_gateway(anthropic_client, script):
    with pytest.raises(anthropic.NotFoundError) as caught:
        anthropic_client.messages.create(model="nobody-1", max_tokens=1, messages=HELLO)
    assert caught.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask(anthropic_client, messages=[{"role": "user", "content": 7}])
    assert "messages[0].content" in caught.value.body["error"]["message"].lower()
    with pytest.raises(anthropic.InternalServerError) as caught:
        ask(anthropic_client, extra_headers=script(body={"text": "<html>"}))
    assert caught.value.status_code == 502


@pytest.mark.parametrize("then", ["finish", "close", "reset", "stall"])
def test_a_broken_stream_raises(anthropic_client, script, then):
    cut = {"at": {"inside_event": 5}, "then": then}
    deltas = []
    with pytest.raises(anthropic.APIStatusError) as caught:
        with anthropic_client.messages.stream(
            model=MODEL,
            max_tokens=100,
            messages=HELLO,
            extra_headers=script(answer={"tokens": 10}, cut=cut),
        ) as stream:
            deltas.extend(stream.text_stream)
    # The start, the block's start and a ping come before the first delta.
    assert deltas == ["the ", "quick "]
    assert "fake-anthropic" in caught.value.message


def test_a_bearer_token_is_replaced_too(gateway, provider):
    with anthropic.Anthropic(base_url=gateway.url, auth_token="client-token", max_retries=0) as client:
        ask(client)
    headers = dict(provider.last()["headers"])
    assert headers["x-api-key"] == "upstream-anthropic"
    assert "authorization" not in headers
