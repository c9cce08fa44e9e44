"""The processes around an agent: a fake provider, the gateway, and a proxy that refuses whatever would leave the machine."""

import json
import os
import signal
import socketserver
import subprocess
import threading
from pathlib import Path

START_SECONDS = 20
STOP_SECONDS = 20


class ServiceError(Exception):
    """A service did not start, or did not end as it should."""


class Service:
    """A child process whose output is collected line by line while it runs."""

    def __init__(self, name: str, command: list[str], home: Path):
        self.name = name
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._closed = False
        try:
            self._process = subprocess.Popen(
                command,
                cwd=home,
                env=os.environ | {"HOME": str(home)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise ServiceError(f"{name} cannot be started: {error}") from error
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _collect(self) -> None:
        for line in self._process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_for(self, find):
        """The first result of `find(line)` that is not None, over past and future lines."""
        seen = 0
        found = None

        def arrived() -> bool:
            nonlocal seen, found
            while found is None and seen < len(self.lines):
                found = find(self.lines[seen])
                seen += 1
            return found is not None or self._closed

        with self._changed:
            self._changed.wait_for(arrived, timeout=START_SECONDS)
        if found is None:
            raise ServiceError(f"{self.name} did not say where it listens; its last lines: {self.lines[-5:]}")
        return found

    def stop(self) -> int:
        """Asks the process to end, waits until its output is complete, and gives its exit status."""
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise ServiceError(f"{self.name} did not end within {STOP_SECONDS} s of SIGTERM") from error
        self._reader.join()
        return status

    def kill(self) -> None:
        """Ends the process at once, for the way out after a failure."""
        self._process.kill()
        self._process.wait()
        self._reader.join()


class Provider(Service):
    """The fake provider: one call of a tool for a conversation without a tool result, then a text."""

    def __init__(self, binary: Path, home: Path, tool: str, arguments: dict, text: str):
        self._log = home / "provider.jsonl"
        command = [str(binary), "--scenario", "agent", "--port", "0", "--log", str(self._log)]
        command += ["--tool", tool, "--args", json.dumps(arguments), "--text", text]
        super().__init__("fake-provider", command, home)
        prefix = "listening on "
        self.address = self.wait_for(lambda line: line.removeprefix(prefix) if line.startswith(prefix) else None)

    def requests(self) -> list[dict]:
        """Every request that arrived: method, path, headers by name in lower case, body."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        requests = [json.loads(line) for line in lines]
        return [request | {"headers": dict(request["headers"])} for request in requests]


class Gateway(Service):
    """The gateway under test, in front of one provider that stands for all."""

    CONFIG = """\
[listen]
calls = "127.0.0.1:0"
admin = "127.0.0.1:0"

[[upstream]]
name = "anthropic"
protocol = "anthropic"
base_url = "http://{provider}"

[[upstream]]
name = "openai"
protocol = "openai"
base_url = "http://{provider}"

[[model]]
name = "claude-*"
upstream = "anthropic"

[[model]]
name = "gpt-*"
upstream = "openai"

[local]
enabled = false

[prices.unknown]
input = "1.00"
output = "2.00"
"""

    def __init__(self, binary: Path, home: Path, provider: str):
        config = home / "skinflint.toml"
        config.write_text(self.CONFIG.format(provider=provider))
        super().__init__("gateway", [str(binary), "serve", "--config", str(config)], home)
        self.origin = "http://" + self.wait_for(self._calls_address)

    @staticmethod
    def _calls_address(line: str) -> str | None:
        entry = entry_of(line)
        if entry.get("message") == "listening" and entry.get("listener") == "calls":
            return entry["addr"]
        return None

    def calls(self) -> list[dict]:
        """The log's line of each call. Complete only after `stop`."""
        entries = (entry_of(line) for line in self.lines)
        return [entry for entry in entries if entry.get("message") == "call"]


def entry_of(line: str) -> dict:
    """A line of a JSON log as an object; empty when it is none."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


class Sinkhole(socketserver.ThreadingTCPServer):
    """An HTTP proxy that refuses every request and remembers for whom it was."""

    daemon_threads = True

    def __init__(self):
        self.wanted: set[str] = set()
        super().__init__(("127.0.0.1", 0), _Refusal)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Refusal(socketserver.StreamRequestHandler):
    timeout = 5

    def handle(self) -> None:
        words = self.rfile.readline(8192).decode(errors="replace").split()
        if len(words) > 1:
            self.server.wanted.add(words[1])
        self.wfile.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
