"""The coding agents: how each is set up and started, and how each names what it did.

Everything here is also what a user does to send that agent through the gateway, plus what keeps it off the network.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

FAKE_KEY = "sk-no-such-key"
CLAUDE_MODEL = "claude-sonnet-4-5"
# A model that Codex has metadata for and that is given plain function tools.
GPT_MODEL = "gpt-5.5"


@dataclass(frozen=True)
class Stage:
    """Where one scene plays: empty folders, the gateway's origin, and the words to look for afterwards."""

    home: Path
    project: Path
    origin: str
    task: str
    nonce: str
    text: str


# A sub-agent and the sub-agent that started it; None for the main agent.
Lineage = tuple[str | None, str | None]


@dataclass(frozen=True)
class Scene:
    """One run of one agent: the tool that the model will call, and how to start the agent."""

    name: str
    tool: str
    arguments: dict[str, object]
    # Writes the agent's configuration; gives its arguments and its own environment variables.
    launch: Callable[[Stage], tuple[list[str], dict[str, str]]]
    # The session that the agent reports on its standard output.
    session: Callable[[str], str | None]
    # The sub-agent that a request comes from and that one's parent, by the request's headers.
    lineage: Callable[[dict[str, str]], Lineage]
    # The status of every call that the gateway is right to refuse.
    refused: list[int] = field(default_factory=list)
    # True when the agent can name the task in a header.
    names_task: bool = True
    # True when the tool is a sub-agent, whose answer is then the tool's result.
    delegates: bool = False


@dataclass(frozen=True)
class Agent:
    """An agent: its command in node_modules/.bin and the scenes that it has to finish."""

    name: str
    command: str
    scenes: list[Scene] = field(default_factory=list)


# The nonce is in a file and not in the call, so that only a tool that really ran can tell it.
SHELL = "cat nonce.txt | tee proof.txt"
PROMPT = "Copy the nonce and tell me when it is done"


# --- Claude Code -------------------------------------------------------------------------------------------------------


def launch_claude(stage: Stage) -> tuple[list[str], dict[str, str]]:
    environment = {
        "ANTHROPIC_BASE_URL": stage.origin,
        "ANTHROPIC_API_KEY": FAKE_KEY,
        "ANTHROPIC_CUSTOM_HEADERS": f"x-skinflint-task: {stage.task}",
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CONFIG_DIR": str(stage.home / "claude"),
    }
    arguments = ["-p", PROMPT, "--model", CLAUDE_MODEL, "--allowedTools", "Bash", "Agent", "--output-format", "json"]
    return arguments, environment


def session_of_claude(output: str) -> str | None:
    return next((event["session_id"] for event in events(output) if "session_id" in event), None)


def lineage_in_claude(headers: dict[str, str]) -> Lineage:
    return headers.get("x-claude-code-agent-id"), headers.get("x-claude-code-parent-agent-id")


CLAUDE_CODE = Agent(
    name="claude-code",
    command="claude",
    scenes=[
        Scene(
            name="shell over messages",
            tool="Bash",
            arguments={"command": SHELL, "description": "Copy the nonce"},
            launch=launch_claude,
            session=session_of_claude,
            lineage=lineage_in_claude,
        ),
        Scene(
            name="sub-agents over messages",
            tool="Agent",
            arguments={
                "description": "Say hello",
                "prompt": "Say hello",
                "subagent_type": "general-purpose",
                "run_in_background": False,
            },
            launch=launch_claude,
            session=session_of_claude,
            lineage=lineage_in_claude,
            delegates=True,
        ),
    ],
)


# --- Codex -------------------------------------------------------------------------------------------------------------

CODEX_QUIET = """\
check_for_update_on_startup = false

[analytics]
enabled = false

[features]
plugins = false
"""

CODEX_OWN_PROVIDER = """\
model = "{model}"
model_provider = "skinflint"
{quiet}
[model_providers.skinflint]
name = "Skinflint"
base_url = "{origin}/v1"
wire_api = "responses"
env_key = "SKINFLINT_KEY"
http_headers = {{ "x-skinflint-task" = "{task}" }}
"""

CODEX_BUILT_IN_PROVIDER = """\
model = "{model}"
openai_base_url = "{origin}/v1"
{quiet}
"""


def launch_codex(config: str) -> Callable[[Stage], tuple[list[str], dict[str, str]]]:
    def launch(stage: Stage) -> tuple[list[str], dict[str, str]]:
        codex_home = stage.home / "codex"
        codex_home.mkdir()
        settings = config.format(model=GPT_MODEL, origin=stage.origin, task=stage.task, quiet=CODEX_QUIET)
        (codex_home / "config.toml").write_text(settings)
        environment = {"CODEX_HOME": str(codex_home), "SKINFLINT_KEY": FAKE_KEY, "CODEX_API_KEY": FAKE_KEY}
        arguments = ["exec", "--json", "--strict-config", "--skip-git-repo-check", "-s", "danger-full-access", PROMPT]
        return arguments, environment

    return launch


def session_of_codex(output: str) -> str | None:
    return next((event["thread_id"] for event in events(output) if event.get("type") == "thread.started"), None)


def lineage_in_codex(headers: dict[str, str]) -> Lineage:
    parent = headers.get("x-codex-parent-thread-id")
    return (headers.get("thread-id") if parent else None), parent


CODEX = Agent(
    name="codex",
    command="codex",
    scenes=[
        Scene(
            name="shell over responses, own provider",
            tool="exec_command",
            arguments={"cmd": SHELL},
            launch=launch_codex(CODEX_OWN_PROVIDER),
            session=session_of_codex,
            lineage=lineage_in_codex,
        ),
        Scene(
            name="shell over responses, built-in provider",
            tool="exec_command",
            arguments={"cmd": SHELL},
            launch=launch_codex(CODEX_BUILT_IN_PROVIDER),
            session=session_of_codex,
            lineage=lineage_in_codex,
            refused=[426],
            names_task=False,
        ),
    ],
)


# --- opencode ----------------------------------------------------------------------------------------------------------


def launch_opencode(package: str, model: str) -> Callable[[Stage], tuple[list[str], dict[str, str]]]:
    def launch(stage: Stage) -> tuple[list[str], dict[str, str]]:
        provider = {
            "npm": package,
            "name": "Skinflint",
            "options": {
                "baseURL": f"{stage.origin}/v1",
                "apiKey": "{env:SKINFLINT_KEY}",
                "headers": {"x-skinflint-task": stage.task},
            },
            "models": {model: {"name": model}},
        }
        config = {
            "$schema": "https://opencode.ai/config.json",
            "autoupdate": False,
            "share": "disabled",
            "model": f"skinflint/{model}",
            "provider": {"skinflint": provider},
        }
        path = stage.home / "opencode.json"
        path.write_text(json.dumps(config, indent=2))
        environment = {
            "OPENCODE_CONFIG": str(path),
            "SKINFLINT_KEY": FAKE_KEY,
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            # Keeps opencode from installing its plug-in package into its configuration folder.
            "npm_config_offline": "true",
        }
        return ["run", "--format", "json", PROMPT], environment

    return launch


def session_of_opencode(output: str) -> str | None:
    return next((event["sessionID"] for event in events(output) if "sessionID" in event), None)


def lineage_in_opencode(headers: dict[str, str]) -> Lineage:
    """A sub-agent has a session of its own; its parent's session is what the gateway calls the session."""
    return (headers.get("x-session-id") if "x-parent-session-id" in headers else None), None


def opencode_shell(protocol: str, package: str, model: str) -> Scene:
    return Scene(
        name=f"shell over {protocol}",
        tool="bash",
        arguments={"command": SHELL, "description": "Copy the nonce"},
        launch=launch_opencode(package, model),
        session=session_of_opencode,
        lineage=lineage_in_opencode,
    )


OPENCODE = Agent(
    name="opencode",
    command="opencode",
    scenes=[
        opencode_shell("chat completions", "@ai-sdk/openai-compatible", GPT_MODEL),
        opencode_shell("responses", "@ai-sdk/openai", GPT_MODEL),
        opencode_shell("messages", "@ai-sdk/anthropic", CLAUDE_MODEL),
        Scene(
            name="sub-agent over chat completions",
            tool="task",
            arguments={"description": "Say hello", "prompt": "Say hello", "subagent_type": "general"},
            launch=launch_opencode("@ai-sdk/openai-compatible", GPT_MODEL),
            session=session_of_opencode,
            lineage=lineage_in_opencode,
            delegates=True,
        ),
    ],
)

AGENTS = [CLAUDE_CODE, CODEX, OPENCODE]


def events(output: str) -> Iterator[dict]:
    """The JSON objects among the lines of an agent's output."""
    for line in output.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event
