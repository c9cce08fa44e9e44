"""The model in the process, with both official packages. A base model of 270M: that it answers is tested, not what."""

import json
from typing import Literal

import anthropic
import openai
import pytest
from pydantic import BaseModel

MODEL = "gemma-3-270m"
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Paris", "Bern"]}, "days": {"type": "integer", "enum": [1, 2, 3]}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
CHAT_TOOL = {"type": "function", "function": {"name": "weather", "description": "Tells it", "parameters": WEATHER}}
RESPONSES_TOOL = {"type": "function", "name": "weather", "description": "Tells it", "parameters": WEATHER, "strict": True}
MESSAGES_TOOL = {"name": "weather", "description": "Tells it", "input_schema": WEATHER}


class City(BaseModel):
    # Choices only: a base model need not come to the end of a free text.
    name: Literal["Paris", "Bern"]
    is_capital: bool


def check_arguments(arguments):
    """What a grammar of the tool's schema lets through."""
    assert arguments["city"] in ("Paris", "Bern")
    assert arguments["days"] in (1, 2, 3)
    assert set(arguments) == {"city", "days"}


@pytest.fixture
def openai_client(local_gateway):
    with openai.OpenAI(base_url=local_gateway.url + "/v1", api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic_client(local_gateway):
    with anthropic.Anthropic(base_url=local_gateway.url, api_key="unused", max_retries=0) as client:
        yield client


def test_chat(openai_client):
    raw = openai_client.chat.completions.with_raw_response.create(
        model=MODEL, messages=QUESTION, max_completion_tokens=8, temperature=0
    )
    answer = raw.parse()
    assert raw.headers["x-skinflint-route"] == "local"
    assert answer.choices[0].message.content.strip()
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.prompt_tokens > 5
    assert 1 <= answer.usage.completion_tokens <= 8


def test_chat_stream_says_the_same(openai_client):
    options = {"model": MODEL, "messages": QUESTION, "max_completion_tokens": 8, "temperature": 0}
    whole = openai_client.chat.completions.create(**options)
    stream = openai_client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


def test_length_is_told(openai_client):
    answer = openai_client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Count: 1 2 3 4 5 6 7"}], max_completion_tokens=1
    )
    assert answer.usage.completion_tokens == 1
    assert answer.choices[0].finish_reason == "length"


def test_responses(openai_client):
    whole = openai_client.responses.create(model=MODEL, input=QUESTION, max_output_tokens=16, temperature=0)
    assert whole.output_text.strip()
    assert whole.usage.output_tokens <= 16
    with openai_client.responses.stream(
        model=MODEL, input=QUESTION, max_output_tokens=16, temperature=0
    ) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(deltas) == final.output_text == whole.output_text


def test_messages(anthropic_client):
    options = {"model": MODEL, "max_tokens": 8, "messages": QUESTION, "extra_body": {"temperature": 0}}
    whole = anthropic_client.messages.create(**options)
    assert whole.content[0].text.strip()
    assert whole.stop_reason in ("end_turn", "max_tokens", "stop_sequence")
    with anthropic_client.messages.stream(**options) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.usage.input_tokens == whole.usage.input_tokens > 5


def test_chat_calls_the_tool_that_it_must(openai_client):
    options = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "How is the weather in Bern for two days?"}],
        "tools": [CHAT_TOOL],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
        "max_completion_tokens": 64,
        "temperature": 0,
    }
    whole = openai_client.chat.completions.create(**options).choices[0]
    assert whole.finish_reason == "tool_calls"
    [call] = whole.message.tool_calls
    assert call.function.name == "weather"
    check_arguments(json.loads(call.function.arguments))
    with openai_client.chat.completions.stream(**options) as stream:
        kinds = [event.type for event in stream]
        streamed = stream.get_final_completion().choices[0]
    assert kinds.count("tool_calls.function.arguments.done") == 1
    assert streamed.finish_reason == "tool_calls"
    assert streamed.message.tool_calls[0].function.arguments == call.function.arguments
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    messages = [*options["messages"], whole.message.model_dump(exclude_none=True), result]
    after = openai_client.chat.completions.create(**options | {"messages": messages, "tool_choice": "none"}).choices[0]
    assert not after.message.tool_calls
    assert after.finish_reason in ("stop", "length")


def test_responses_call_the_tool_that_they_must(openai_client):
    options = {
        "model": MODEL,
        "input": "How is the weather in Bern for two days?",
        "tools": [RESPONSES_TOOL],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "max_output_tokens": 64,
        "temperature": 0,
    }
    whole = openai_client.responses.create(**options)
    [call] = [item for item in whole.output if item.type == "function_call"]
    assert (whole.status, call.status, call.name) == ("completed", "completed", "weather")
    assert whole.tool_choice == "required"
    assert whole.tools[0].name == "weather"
    check_arguments(json.loads(call.arguments))
    with openai_client.responses.stream(**options) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    said = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert "".join(said) == call.arguments == final.output[-1].arguments


def test_messages_call_the_tool_that_they_must(anthropic_client):
    options = {
        "model": MODEL,
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "How is the weather in Bern for two days?"}],
        "tools": [MESSAGES_TOOL],
        "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
        "extra_body": {"temperature": 0},
    }
    whole = anthropic_client.messages.create(**options)
    assert whole.stop_reason == "tool_use"
    [call] = [block for block in whole.content if block.type == "tool_use"]
    assert call.name == "weather"
    assert call.id.startswith("toolu_")
    check_arguments(call.input)
    with anthropic_client.messages.stream(**options) as stream:
        final = stream.get_final_message()
    assert final.stop_reason == "tool_use"
    assert final.content[-1].input == call.input


def test_answers_follow_a_schema(openai_client, anthropic_client):
    chat = openai_client.chat.completions.parse(
        model=MODEL, messages=QUESTION, response_format=City, max_completion_tokens=200, temperature=0
    )
    assert chat.choices[0].message.parsed.name in ("Paris", "Bern")
    response = openai_client.responses.parse(
        model=MODEL, input=QUESTION, text_format=City, max_output_tokens=200, temperature=0
    )
    assert response.output_parsed.name in ("Paris", "Bern")
    schema = {
        "type": "object",
        "properties": {"answer": {"enum": ["Paris", "Bern"]}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    message = anthropic_client.messages.create(
        model=MODEL,
        max_tokens=200,
        messages=QUESTION,
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )
    assert json.loads(message.content[0].text)["answer"] in ("Paris", "Bern")


def test_answers_are_json(openai_client):
    answer = openai_client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Describe Paris as JSON."}],
        response_format={"type": "json_object"},
        max_completion_tokens=400,
        temperature=0,
    ).choices[0]
    # An object may be longer than the limit; one that ends is whole.
    if answer.finish_reason == "stop":
        assert isinstance(json.loads(answer.message.content), dict)


def test_an_impossible_schema_is_an_error(openai_client):
    schema = {"type": "object", "properties": {"a": {"type": "no-such-type"}}, "required": ["a"]}
    with pytest.raises(openai.BadRequestError):
        openai_client.chat.completions.create(
            model=MODEL,
            messages=QUESTION,
            response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
        )


def test_log_probabilities(openai_client):
    options = {
        "model": MODEL,
        "messages": QUESTION,
        "max_completion_tokens": 8,
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": 3,
    }
    whole = openai_client.chat.completions.create(**options).choices[0]
    tokens = whole.logprobs.content
    assert tokens
    for token in tokens:
        assert token.logprob <= 0
        assert len(token.top_logprobs) == 3
        likelihoods = [top.logprob for top in token.top_logprobs]
        assert likelihoods == sorted(likelihoods, reverse=True)
    said = b"".join(bytes(token.bytes) for token in tokens).decode(errors="ignore")
    assert whole.message.content.strip() in said
    stream = openai_client.chat.completions.create(**options, stream=True)
    choices = [chunk.choices[0] for chunk in stream if chunk.choices]
    streamed = [token.token for choice in choices if choice.logprobs for token in choice.logprobs.content]
    assert streamed == [token.token for token in tokens]
    response = openai_client.responses.create(
        model=MODEL,
        input=QUESTION,
        max_output_tokens=16,
        temperature=0,
        top_logprobs=2,
        include=["message.output_text.logprobs"],
    )
    told = response.output[0].content[0].logprobs
    assert told
    assert all(len(token.top_logprobs) == 2 for token in told)


def test_tools_of_the_provider_are_refused(openai_client, anthropic_client):
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.responses.create(model=MODEL, input=QUESTION, tools=[{"type": "web_search"}])
    assert caught.value.param == "tools[0]"
    with pytest.raises(anthropic.BadRequestError):
        anthropic_client.messages.create(
            model=MODEL,
            max_tokens=8,
            messages=QUESTION,
            tools=[{"type": "web_search_20250305", "name": "web_search"}],
        )


def test_what_does_not_fit_is_an_error(openai_client, anthropic_client):
    long = [{"role": "user", "content": "word " * 40_000}]
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.chat.completions.create(model=MODEL, messages=long)
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(anthropic.BadRequestError):
        anthropic_client.messages.create(model=MODEL, max_tokens=8, messages=long)


def test_images_are_refused(openai_client):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [image]}])
    assert caught.value.code == "unsupported_by_local_model"


def test_the_models_are_listed(openai_client, anthropic_client):
    assert MODEL in [model.id for model in openai_client.models.list().data]
    assert MODEL in [model.id for model in anthropic_client.models.list().data]


def test_embeddings(openai_client):
    name = "all-minilm-l6-v2"
    if name not in [model.id for model in openai_client.models.list().data]:
        pytest.skip("the encoder's weights are not here: run `skinflint models pull all-minilm-l6-v2`")
    texts = ["A cat sits on the mat.", "A kitten is sitting on a rug.", "Interest rates rose again."]
    # The package asks for base64 and decodes it, unless a format is named.
    packed = openai_client.embeddings.create(model=name, input=texts)
    plain = openai_client.embeddings.create(model=name, input=texts, encoding_format="float")
    assert packed.usage == plain.usage
    assert packed.usage.prompt_tokens > 15
    vectors = [item.embedding for item in packed.data]
    assert [len(vector) for vector in vectors] == [384] * 3
    for one, other in zip(vectors, (item.embedding for item in plain.data)):
        assert one == pytest.approx(other, abs=1e-6)

    def alike(one, other):
        return sum(a * b for a, b in zip(one, other))

    assert alike(vectors[0], vectors[0]) == pytest.approx(1, abs=1e-4)
    assert alike(vectors[0], vectors[1]) > alike(vectors[0], vectors[2]) + 0.2
    with pytest.raises(openai.BadRequestError):
        openai_client.embeddings.create(model=MODEL, input=texts)
