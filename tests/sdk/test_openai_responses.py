"""Responses with the official `openai` package."""

import json

import openai
import pytest
from pydantic import BaseModel

MODEL = "gpt-fake-1"
TOOLS = [
    {
        "type": "function",
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        "strict": False,
    }
]
CALL = {"name": "weather", "arguments": {"city": "Zürich"}}


def test_create(openai_client, gateway, script):
    usage = {"input": 7, "output": 9, "cached": 2, "reasoning": 4}
    raw = openai_client.responses.with_raw_response.create(
        model=MODEL, input="hello", extra_headers=script(answer={"text": "hi there", "usage": usage})
    )
    answer = raw.parse()
    assert answer.output_text == "hi there"
    assert answer.status == "completed"
    assert answer.usage.input_tokens == 9
    assert answer.usage.output_tokens_details.reasoning_tokens == 4
    line = gateway.call(raw.headers["x-skinflint-request-id"])
    assert (line["fresh_input"], line["cache_read"], line["output"], line["reasoning"]) == (7, 2, 9, 4)


def test_stream(openai_client, script):
    answer = {"tokens": 9, "thinking": {"text": "hm", "signature": "sealed=="}}
    with openai_client.responses.stream(
        model=MODEL, input="hello", extra_headers=script(answer=answer, event_delay_ms=1)
    ) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert len(deltas) == 9
    assert final.output_text == "".join(deltas)
    assert final.output[0].type == "reasoning"
    assert final.output[0].encrypted_content == "sealed=="
    assert final.usage.output_tokens == 9


def test_tool_round_trip(openai_client, provider, script):
    first = openai_client.responses.create(
        model=MODEL, input="hello", tools=TOOLS, extra_headers=script(answer={"tool_calls": [CALL]})
    )
    call = first.output[0]
    assert json.loads(call.arguments) == CALL["arguments"]
    items = [
        {"role": "user", "content": "hello"},
        call.model_dump(),
        {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"},
    ]
    second = openai_client.responses.create(
        model=MODEL, input=items, tools=TOOLS, extra_headers=script(answer={"text": "It is sunny."})
    )
    assert second.output_text == "It is sunny."
    assert provider.last()["body"]["input"] == items


def test_tool_stream(openai_client, script):
    stream = openai_client.responses.create(
        model=MODEL, input="hello", tools=TOOLS, stream=True, extra_headers=script(answer={"tool_calls": [CALL]})
    )
    events = list(stream)
    arguments = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    assert json.loads(arguments) == CALL["arguments"]
    assert events[-1].type == "response.completed"


class City(BaseModel):
    name: str


def test_json_schema(openai_client, provider, script):
    answer = openai_client.responses.parse(
        model=MODEL, input="hello", text_format=City, extra_headers=script(answer={"text": '{"name": "Zürich"}'})
    )
    assert answer.output_parsed == City(name="Zürich")
    assert provider.last()["body"]["text"]["format"]["type"] == "json_schema"


def test_images_pass_through(openai_client, provider):
    content = [
        {"type": "input_text", "text": "what is this?"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"},
    ]
    openai_client.responses.create(model=MODEL, input=[{"role": "user", "content": content}])
    assert provider.last()["body"]["input"][0]["content"] == content


def test_errors(openai_client, script):
    with pytest.raises(openai.RateLimitError):
        openai_client.responses.create(
            model=MODEL, input="hello", extra_headers=script(status=429, headers=[["retry-after", "30"]])
        )
    with pytest.raises(openai.NotFoundError):
        openai_client.responses.create(model="nobody-1", input="hello")
    with pytest.raises(openai.BadRequestError):
        openai_client.responses.create(model=MODEL, input=7)


@pytest.mark.parametrize("then", ["finish", "close", "reset", "stall"])
def test_a_broken_stream_ends_with_an_error_event(openai_client, script, then):
    """The SDK hands the protocol's error event on; a stream that is cut has no `response.completed`."""
    stream = openai_client.responses.create(
        model=MODEL,
        input="hello",
        stream=True,
        extra_headers=script(answer={"tokens": 10}, cut={"at": {"inside_event": 6}, "then": then}),
    )
    events = list(stream)
    assert [event.sequence_number for event in events] == list(range(7))
    assert events[-1].type == "error"
    assert "fake-openai" in events[-1].message
