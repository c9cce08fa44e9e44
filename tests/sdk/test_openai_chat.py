"""Chat completions with the official `openai` package."""

import json

import openai
import pytest
from pydantic import BaseModel

MODEL = "gpt-fake-1"
HELLO = [{"role": "user", "content": "hello"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Tells the weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]
CALL = {"name": "weather", "arguments": {"city": "Zürich"}}


def test_chat(openai_client, provider, gateway, script):
    raw = openai_client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=HELLO,
        extra_headers=script(answer={"text": "hi there", "usage": {"input": 7, "output": 3, "cached": 2}}),
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == "hi there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == 9
    assert answer.usage.prompt_tokens_details.cached_tokens == 2
    assert answer.usage.completion_tokens == 3
    headers = dict(provider.last()["headers"])
    assert headers["authorization"] == "Bearer upstream-openai"
    line = gateway.call(raw.headers["x-skinflint-request-id"])
    assert (line["fresh_input"], line["cache_read"], line["output"]) == (7, 2, 3)


def test_stream_with_usage(openai_client, script):
    stream = openai_client.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
        extra_headers=script(answer={"tokens": 12}, event_delay_ms=1),
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.split() == ("the quick brown fox jumps over lazy dogs " * 2).split()[:12]
    assert chunks[-1].usage.completion_tokens == 12
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


def test_tool_round_trip(openai_client, provider, script):
    first = openai_client.chat.completions.create(
        model=MODEL, messages=HELLO, tools=TOOLS, extra_headers=script(answer={"tool_calls": [CALL]})
    )
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert json.loads(message.tool_calls[0].function.arguments) == CALL["arguments"]
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}
    second = openai_client.chat.completions.create(
        model=MODEL,
        messages=[*HELLO, message.model_dump(exclude_none=True), result],
        tools=TOOLS,
        extra_headers=script(answer={"text": "It is sunny."}),
    )
    assert second.choices[0].message.content == "It is sunny."
    sent = provider.last()["body"]
    assert sent["tools"] == TOOLS
    assert sent["messages"][-1] == result
    assert json.loads(sent["messages"][1]["tool_calls"][0]["function"]["arguments"]) == CALL["arguments"]


def test_tool_stream(openai_client, script):
    with openai_client.chat.completions.stream(
        model=MODEL, messages=HELLO, tools=TOOLS, extra_headers=script(answer={"tool_calls": [CALL, CALL]})
    ) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_completion().choices[0].message
    assert kinds.count("tool_calls.function.arguments.done") == 2
    assert [call.function.name for call in message.tool_calls] == ["weather", "weather"]
    assert json.loads(message.tool_calls[1].function.arguments) == CALL["arguments"]


class City(BaseModel):
    name: str
    people: int


def test_json_schema(openai_client, provider, script):
    answer = openai_client.chat.completions.parse(
        model=MODEL,
        messages=HELLO,
        response_format=City,
        extra_headers=script(answer={"text": '{"name": "Zürich", "people": 436000}'}),
    )
    assert answer.choices[0].message.parsed == City(name="Zürich", people=436000)
    asked = provider.last()["body"]["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["schema"]["required"] == ["name", "people"]


def test_images_pass_through(openai_client, provider, script):
    parts = [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo=" * 2000, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.invalid/cat.png"}},
    ]
    openai_client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": parts}], extra_headers=script()
    )
    assert provider.last()["body"]["messages"][0]["content"] == parts


def test_embeddings(openai_client, provider):
    answer = openai_client.embeddings.create(model="text-embedding-3-small", input=["a", "b", "a"])
    vectors = [item.embedding for item in answer.data]
    assert vectors[0] == vectors[2] != vectors[1]
    assert sum(x * x for x in vectors[0]) == pytest.approx(1.0, abs=1e-5)
    assert provider.last()["body"]["encoding_format"] == "base64"
    floats = openai_client.embeddings.create(model="text-embedding-3-small", input="a", encoding_format="float")
    assert floats.data[0].embedding == pytest.approx(vectors[0], abs=1e-6)


def test_models(openai_client):
    listed = openai_client.models.list()
    assert all(model.object == "model" and model.id for model in listed.data)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_errors_of_the_provider(openai_client, script, status, error):
    headers = script(status=status, headers=[["retry-after", "30"], ["x-request-id", "req_upstream"]])
    with pytest.raises(error) as caught:
        openai_client.chat.completions.create(model=MODEL, messages=HELLO, extra_headers=headers)
    assert caught.value.status_code == status
    assert caught.value.body["message"] == f"fake provider says {status}"
    assert caught.value.request_id == "req_upstream"


def test_errors_of_the_gateway(openai_client, script):
    with pytest.raises(openai.NotFoundError) as caught:
        openai_client.chat.completions.create(model="nobody-1", messages=HELLO)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": 7}])
    assert caught.value.param == "messages[0].content"
    with pytest.raises(openai.InternalServerError) as caught:
        openai_client.chat.completions.create(
            model=MODEL, messages=HELLO, extra_headers=script(body={"text": "<html>"})
        )
    assert caught.value.status_code == 502


@pytest.mark.parametrize("then", ["finish", "close", "reset", "stall"])
def test_a_broken_stream_raises(openai_client, script, then):
    stream = openai_client.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        stream=True,
        extra_headers=script(answer={"tokens": 10}, cut={"at": {"inside_event": 5}, "then": then}),
    )
    chunks = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream:
            chunks.append(chunk)
    assert len(chunks) == 5
    assert "fake-openai" in caught.value.message


def test_a_refusal_is_retried_by_the_sdk(gateway, provider, script):
    """What the gateway does not retry itself stays retryable for the client."""
    before = len(provider.calls())
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key="sk-client", max_retries=1) as client:
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(model=MODEL, messages=HELLO, extra_headers=script(status=500))
    assert len(provider.calls()) == before + 2
