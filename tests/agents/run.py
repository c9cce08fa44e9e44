#!/usr/bin/env python3
"""Runs real coding agents through the gateway against a fake provider, offline, and checks what arrived on every side."""

import argparse
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from agents import AGENTS, Agent, Scene, Stage
from services import Gateway, Provider, ServiceError, Sinkhole

SOURCE = Path(__file__).resolve().parent
REPOSITORY = SOURCE.parent.parent
AGENT_SECONDS = 120


class Failure(Exception):
    """What a scene did not do; the text is printed as the reason."""


def main() -> int:
    options = parse()
    chosen = [agent for agent in AGENTS if options.only in (None, agent.name)]
    try:
        install(options.agents)
    except Failure as failure:
        outcomes = {agent.name: f"not installed: {failure}" for agent in chosen}
    else:
        outcomes = {}
    failed = 0
    for agent in chosen:
        reason = outcomes.get(agent.name) or play(agent, options)
        failed += reason is not None
        print(f"agent {agent.name} ok" if reason is None else f"agent {agent.name} failed ({reason})", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    debug = REPOSITORY / "target" / "debug"
    parser.add_argument("--gateway", type=Path, default=debug / "skinflint", metavar="BIN", help="the gateway to test")
    parser.add_argument("--provider", type=Path, default=debug / "fake-provider", metavar="BIN", help="the fake provider")
    parser.add_argument(
        "--agents",
        type=Path,
        default=REPOSITORY / ".cache" / "agents",
        metavar="DIR",
        help="where the agents' npm packages are, or will be put",
    )
    parser.add_argument("--only", choices=[agent.name for agent in AGENTS], metavar="NAME", help="one agent instead of all")
    options = parser.parse_args()
    # The services run in folders of their own.
    options.gateway, options.provider = options.gateway.resolve(), options.provider.resolve()
    options.agents = options.agents.resolve()
    return options


# --- installation ------------------------------------------------------------------------------------------------------


def install(folder: Path) -> None:
    """Installs the pinned packages with npm, unless exactly these are there."""
    pinned = json.loads((SOURCE / "package.json").read_text())["dependencies"]
    if all(installed_version(folder, package) == version for package, version in pinned.items()):
        return
    names = ", ".join(f"{package} {version}" for package, version in pinned.items())
    print(f"installing {names} with npm, about 1 GB unpacked", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SOURCE / "package.json", folder)
    command = ["npm", "install", "--prefix", str(folder), "--no-package-lock", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError as error:
        raise Failure(f"npm cannot be started: {error}") from error
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        raise Failure(f"npm install ended with {done.returncode}")


def installed_version(folder: Path, package: str) -> str | None:
    manifest = folder / "node_modules" / package / "package.json"
    return json.loads(manifest.read_text())["version"] if manifest.exists() else None


# --- one scene ---------------------------------------------------------------------------------------------------------


def play(agent: Agent, options: argparse.Namespace) -> str | None:
    """Plays all scenes of an agent; gives the reason of the first failure, whose folder is then kept."""
    for scene in agent.scenes:
        root = Path(tempfile.mkdtemp(prefix=f"skinflint-{agent.name}-"))
        try:
            play_scene(agent, scene, root, options)
        except (Failure, ServiceError) as failure:
            print(f"logs of {agent.name}, {scene.name}: {root}", *last_words(root), sep="\n", file=sys.stderr)
            return f"{scene.name}: {failure}"
        shutil.rmtree(root, ignore_errors=True)
    return None


def last_words(root: Path) -> list[str]:
    """The ends of what the agent wrote, for the way to the cause of a failure; its files have the whole."""
    lines = []
    for path in (root / "agent.out", root / "agent.err"):
        if path.exists():
            tail = path.read_text(errors="replace").splitlines()[-10:]
            lines += [f"{path.name}: {line[:400]}" for line in tail]
    return lines


def play_scene(agent: Agent, scene: Scene, root: Path, options: argparse.Namespace) -> None:
    home, project, services = root / "home", root / "project", root / "services"
    for folder in (home, home / "tmp", project, services):
        folder.mkdir()
    nonce, text, task = (f"{word}-{secrets.token_hex(8)}" for word in ("nonce", "finished", "task"))
    (project / "nonce.txt").write_text(nonce)

    sinkhole = Sinkhole()
    started = []
    try:
        provider = Provider(options.provider, services, scene.tool, scene.arguments, text)
        started.append(provider)
        gateway = Gateway(options.gateway, services, provider.address)
        started.append(gateway)
        stage = Stage(home, project, gateway.origin, task, nonce, text)
        output = run_agent(options.agents / "node_modules" / ".bin" / agent.command, scene, stage, sinkhole, root)
        status = gateway.stop()
        if status != 0:
            raise Failure(f"the gateway ended with {status}")
        provider.stop()
        check_tool(scene, stage, provider)
        check_calls(scene, stage, provider, gateway, scene.session(output))
        if sinkhole.wanted:
            raise Failure(f"the agent reached for {', '.join(sorted(sinkhole.wanted))}")
    finally:
        for service in started:
            service.kill()
            (services / f"{service.name}.log").write_text("\n".join(service.lines))
        sinkhole.close()


def run_agent(binary: Path, scene: Scene, stage: Stage, sinkhole: Sinkhole, root: Path) -> str:
    """Runs the agent to its end and gives what it wrote; it must exit with 0 and say the model's final text."""
    arguments, own = scene.launch(stage)
    environment = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(stage.home),
        "TMPDIR": str(stage.home / "tmp"),
        **{f"XDG_{kind}_HOME": str(stage.home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")},
        **{name: sinkhole.url for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")},
        **{name: "127.0.0.1" for name in ("NO_PROXY", "no_proxy")},
        **own,
    }
    with (root / "agent.out").open("w+") as out, (root / "agent.err").open("w") as err:
        process = subprocess.Popen(
            [str(binary), *arguments],
            cwd=stage.project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            status = process.wait(AGENT_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"the agent did not finish within {AGENT_SECONDS} s") from None
        finally:
            end_group(process)
        out.seek(0)
        output = out.read()
    if status != 0:
        raise Failure(f"the agent exited with {status}")
    if stage.text not in output:
        raise Failure("the model's final text is not in the agent's output")
    return output


def end_group(process: subprocess.Popen) -> None:
    """Ends the agent and whatever it left running."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


# --- what must hold afterwards -----------------------------------------------------------------------------------------


def check_tool(scene: Scene, stage: Stage, provider: Provider) -> None:
    """The tool ran, and the provider was told its result."""
    proof = stage.project / "proof.txt"
    if not scene.delegates and (not proof.exists() or proof.read_text() != stage.nonce):
        raise Failure(f"the agent did not run {scene.tool}: no proof of the nonce in the project")
    evidence = stage.text if scene.delegates else stage.nonce
    results = (result for request in provider.requests() for result in tool_results(request["body"]))
    if not any(evidence in json.dumps(result) for result in results):
        raise Failure(f"the provider never received the result of {scene.tool}")


def tool_results(body: object) -> list[dict]:
    """The tool results that a request carries, in any of the three protocols."""
    if not isinstance(body, dict):
        return []
    found = []
    for turn in [*(body.get("messages") or []), *(body.get("input") or [])]:
        if not isinstance(turn, dict):
            continue
        if turn.get("role") == "tool" or turn.get("type") == "function_call_output":
            found.append(turn)
        content = turn.get("content")
        if isinstance(content, list):
            found += [block for block in content if block.get("type") == "tool_result"]
    return found


def check_calls(scene: Scene, stage: Stage, provider: Provider, gateway: Gateway, session: str | None) -> None:
    """The gateway logged every call that the provider received, under the names that the agent gave."""
    if session is None:
        raise Failure("the agent did not report its session")
    calls, requests = gateway.calls(), provider.requests()
    if len(requests) < 2:
        raise Failure(f"the provider received {len(requests)} requests where a round trip needs two")
    if len(calls) < len(requests):
        raise Failure(f"the gateway logged {len(calls)} calls, the provider received {len(requests)}")
    # The one refusal that an agent may meet, and once: Codex asks for a WebSocket, and 426 sends it to HTTP without a delay.
    refused = [call.get("status") for call in calls if call.get("status") != 200]
    if refused != scene.refused:
        raise Failure(f"calls were refused with {refused}, expected {scene.refused}")
    for call in calls:
        if call.get("session") != session:
            raise Failure(f"a call is logged under session {call.get('session')!r}, the agent's is {session!r}")
        if scene.names_task and call.get("task") != stage.task:
            raise Failure(f"a call is logged under task {call.get('task')!r}, the agent said {stage.task!r}")
    logged = {(call.get("agent"), call.get("parent_agent")) for call in calls}
    sent = {scene.lineage(request["headers"]) for request in requests}
    if logged != sent:
        raise Failure(f"the calls are logged under agents {logged}, their headers say {sent}")
    if scene.delegates and len(sent) < 2:
        raise Failure("no request came from a sub-agent")


if __name__ == "__main__":
    sys.exit(main())
