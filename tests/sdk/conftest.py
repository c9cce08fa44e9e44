"""A gateway between the official SDKs and the fake provider, and one in front of the local model."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import anthropic
import openai
import pytest

from processes import GATEWAY, PATIENCE, Gateway, Provider, binary

CONFIG = """
[listen]
calls = "127.0.0.1:0"
admin = "127.0.0.1:0"
[timeouts]
idle = "500ms"
first_byte = "2s"
[local]
enabled = false
[prices.unknown]
input = "1.00"
output = "2.00"
[[upstream]]
name = "fake-openai"
protocol = "openai"
base_url = "{url}"
api_key_env = "FAKE_OPENAI_KEY"
[[upstream]]
name = "fake-anthropic"
protocol = "anthropic"
base_url = "{url}"
api_key_env = "FAKE_ANTHROPIC_KEY"
[[model]]
name = "gpt-*"
upstream = "fake-openai"
[[model]]
name = "text-embedding-*"
upstream = "fake-openai"
[[model]]
name = "claude-*"
upstream = "fake-anthropic"
"""

LOCAL_CONFIG = """
[listen]
calls = "127.0.0.1:0"
admin = "127.0.0.1:0"
"""


@pytest.fixture(scope="session")
def provider(tmp_path_factory):
    provider = Provider(tmp_path_factory.mktemp("provider"))
    yield provider
    provider.stop()


@pytest.fixture(scope="session")
def gateway(provider, tmp_path_factory):
    keys = {"FAKE_OPENAI_KEY": "upstream-openai", "FAKE_ANTHROPIC_KEY": "upstream-anthropic"}
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), CONFIG.format(url=provider.url), keys)
    yield gateway
    assert gateway.stop() == 0
    assert not [line for line in gateway.lines if "panicked at" in line]


# At a tenth of a cent a token: what is tagged may have ten of them, any task three hundred. Streams can be metered.
POLICY = """
[tenant]
id = "me"
keyless = true
[[budget]]
scope = "tag:openai"
window = "month"
limit_usd = 0.01
[[budget]]
scope = "tag:anthropic"
window = "month"
limit_usd = 0.01
[[budget]]
scope = "task"
window = "task"
limit_usd = 0.30
"""

PRICES = """
[[price]]
model = "{model}"
input = "0"
free = true
output = "1000"
hidden_reasoning = false
"""


@pytest.fixture(scope="session")
def strict_gateway(provider, tmp_path_factory):
    """A gateway with budgets that are soon spent."""
    keys = {"FAKE_OPENAI_KEY": "upstream-openai", "FAKE_ANTHROPIC_KEY": "upstream-anthropic"}
    folder = tmp_path_factory.mktemp("strict")
    (folder / "policies").mkdir()
    (folder / "policies" / "me.toml").write_text(POLICY)
    prices = "".join(PRICES.format(model=model) for model in ("gpt-fake-1", "claude-fake-1"))
    gateway = Gateway(folder, CONFIG.format(url=provider.url) + prices, keys)
    yield gateway
    assert gateway.stop() == 0
    assert not [line for line in gateway.lines if "panicked at" in line]


@pytest.fixture
def openai_client(gateway):
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key="sk-client", max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic_client(gateway):
    with anthropic.Anthropic(base_url=gateway.url, api_key="sk-ant-client", max_retries=0) as client:
        yield client


@pytest.fixture
def script():
    """Headers that make the fake provider answer by a script."""
    return lambda **script: {"x-fake-script": json.dumps(script)}


@pytest.fixture(scope="session")
def local_gateway(tmp_path_factory):
    """A gateway on its defaults: the local model alone."""
    command = [binary(*GATEWAY), "models", "list", "--json"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    default = json.loads(listed.stdout)[0]
    if default["state"] != "here":
        pytest.skip("the local model's weights are not here: run `make weights`")
    models = ["--models", str(Path(default["path"]).parent)]
    gateway = Gateway(tmp_path_factory.mktemp("local"), LOCAL_CONFIG, arguments=models)
    _wait_until_ready(gateway)
    yield gateway
    assert gateway.stop() == 0


def _wait_until_ready(gateway):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(gateway.admin + "/readyz"):
                return
        except urllib.error.HTTPError as error:
            assert time.monotonic() < deadline, error.read()
        time.sleep(0.02)
