"""The model in the process, with both official packages. A base model of 270M: that it answers is tested, not what."""

import anthropic
import openai
import pytest

MODEL = "gemma-3-270m"
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


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
