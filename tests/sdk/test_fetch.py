"""Agents on the official SDKs, whose conversations are offered a tool by the gateway: they never see it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import openai
import pytest

from conftest import CONFIG
from processes import Gateway

POLICY = """
[tenant]
id = "me"
keyless = true
[compress]
mode = "balanced"
guard = false
[cache]
hints = false
"""

ROWS = json.dumps([{"seq": n, "level": "INFO", "msg": f"heartbeat from worker, load {n % 7}"} for n in range(400)])
SCHEMA = {"type": "object", "properties": {}}


class Model(BaseHTTPRequestHandler):
    """Calls the client's tool, fetches what was left out of its result, calls the tool again, and says that it is done."""

    protocol_version = "HTTP/1.1"
    requests = []

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.requests.append(body)
        chat = self.path.endswith("/chat/completions")
        events = self.chat(body) if chat else self.messages(body)
        payload = "".join(events).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    @staticmethod
    def next_call(body):
        """The name of the tool that comes next, its arguments, and a number; none at the end."""
        text = json.dumps(body["messages"])
        calls = text.count("call_")
        if "omitted; source intact" in text and '"skinflint_fetch"' not in text:
            handle = text.split("skinflint_fetch id ")[1][:24]
            return "skinflint_fetch", {"id": handle}, calls
        if text.count('"list_events"') < 2:
            return "list_events", {}, calls
        return None

    def messages(self, body):
        def event(kind, **members):
            return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n"

        usage = {"input_tokens": 10, "output_tokens": 1}
        start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
        yield event("message_start", message=start)
        call = self.next_call(body)
        thoughts = {"type": "thinking", "thinking": "", "signature": ""}
        yield event("content_block_start", index=0, content_block=thoughts)
        yield event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Hm."})
        yield event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "c2ln"})
        yield event("content_block_stop", index=0)
        if call is None:
            yield event("content_block_start", index=1, content_block={"type": "text", "text": ""})
            yield event("content_block_delta", index=1, delta={"type": "text_delta", "text": "All is well."})
        else:
            name, arguments, number = call
            block = {"type": "tool_use", "id": f"call_{number}", "name": name, "input": {}}
            yield event("content_block_start", index=1, content_block=block)
            yield event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": json.dumps(arguments)})
        yield event("content_block_stop", index=1)
        yield event("message_delta", delta={"stop_reason": "tool_use" if call else "end_turn", "stop_sequence": None}, usage={"output_tokens": 5})
        yield event("message_stop")

    def chat(self, body):
        def chunk(delta, finish=None):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            return f"data: {json.dumps({'id': 'c-1', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'gpt-x', 'choices': [choice]})}\n\n"

        call = self.next_call(body)
        if call is None:
            yield chunk({"role": "assistant", "content": "All is well."})
        else:
            name, arguments, number = call
            function = {"name": name, "arguments": ""}
            yield chunk({"role": "assistant", "content": None, "tool_calls": [{"index": 0, "id": f"call_{number}", "type": "function", "function": function}]})
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": json.dumps(arguments)}}]})
        yield chunk({}, "tool_calls" if call else "stop")
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        yield f"data: {json.dumps({'id': 'c-1', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'gpt-x', 'choices': [], 'usage': usage})}\n\n"
        yield "data: [DONE]\n\n"


@pytest.fixture
def model():
    Model.requests = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def agent_gateway(model, tmp_path):
    keys = {"FAKE_OPENAI_KEY": "upstream-openai", "FAKE_ANTHROPIC_KEY": "upstream-anthropic"}
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "me.toml").write_text(POLICY)
    gateway = Gateway(tmp_path, CONFIG.format(url=model), keys)
    yield gateway
    assert gateway.stop() == 0
    assert not [line for line in gateway.lines if "panicked at" in line]


def test_an_agent_on_anthropics_sdk(agent_gateway):
    tools = [{"name": "list_events", "input_schema": SCHEMA}]
    messages = [{"role": "user", "content": "Is all well?"}]
    with anthropic.Anthropic(base_url=agent_gateway.url, api_key="sk", max_retries=0) as client:
        for _ in range(4):
            with client.messages.stream(model="claude-x", max_tokens=100, tools=tools, messages=messages) as stream:
                answer = stream.get_final_message()
            messages.append({"role": "assistant", "content": answer.content})
            calls = [block for block in answer.content if block.type == "tool_use"]
            assert all(call.name == "list_events" for call in calls)
            if not calls:
                break
            results = [{"type": "tool_result", "tool_use_id": call.id, "content": ROWS} for call in calls]
            messages.append({"role": "user", "content": results})
    assert answer.content[-1].text == "All is well."
    # The client has made three calls; one of them took two.
    assert len(Model.requests) == 4
    last = Model.requests[-1]["messages"]
    assert [message["role"] for message in last] == ["user", "assistant"] * 3 + ["user"]
    assert last[3]["content"][1]["name"] == "skinflint_fetch" and ROWS in last[4]["content"][0]["content"]
    assert last[:5] == Model.requests[2]["messages"][:5]


def test_an_agent_on_openais_sdk(agent_gateway):
    tools = [{"type": "function", "function": {"name": "list_events", "parameters": SCHEMA}}]
    messages = [{"role": "user", "content": "Is all well?"}]
    with openai.OpenAI(base_url=agent_gateway.url + "/v1", api_key="sk", max_retries=0) as client:
        for _ in range(4):
            options = {"stream_options": {"include_usage": True}, "model": "gpt-x", "tools": tools, "messages": messages}
            with client.chat.completions.stream(**options) as stream:
                answer = stream.get_final_completion()
            message = answer.choices[0].message
            messages.append(message.model_dump(exclude_none=True, exclude={"parsed"}))
            if not message.tool_calls:
                break
            assert [call.function.name for call in message.tool_calls] == ["list_events"]
            messages += [{"role": "tool", "tool_call_id": call.id, "content": ROWS} for call in message.tool_calls]
    assert message.role == "assistant" and message.content == "All is well." and answer.usage.completion_tokens == 5
    assert len(Model.requests) == 4
    last = Model.requests[-1]["messages"]
    assert [message["role"] for message in last] == ["user"] + ["assistant", "tool"] * 3
    assert last[3]["tool_calls"][0]["function"]["name"] == "skinflint_fetch" and last[4]["content"] == ROWS
