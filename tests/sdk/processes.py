"""The binaries under test, started on ports of the system's choice."""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

TARGET = Path(__file__).resolve().parents[2] / "target" / "debug"
PATIENCE = 30  # seconds; far above what a busy machine needs


def binary(name, override):
    """Path of a built binary; the environment variable `override` names another one."""
    path = Path(os.environ.get(override, TARGET / name))
    if not path.is_file():
        raise FileNotFoundError(f"no {name} at {path}: run `make build-test`")
    return path


GATEWAY = ("skinflint", "SKINFLINT_BIN")
PROVIDER = ("fake-provider", "FAKE_PROVIDER_BIN")


class Process:
    """A child process whose lines are collected from one of its outputs."""

    def __init__(self, arguments, lines_from, **options):
        options[lines_from] = subprocess.PIPE
        self.child = subprocess.Popen(arguments, text=True, **options)
        self.lines = []
        self._changed = threading.Condition()
        self._ended = False
        source = getattr(self.child, lines_from)
        threading.Thread(target=self._collect, args=(source,), daemon=True).start()

    def _collect(self, source):
        for line in source:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, find):
        """The first thing that `find` makes of a line."""

        def found():
            return next((value for line in self.lines if (value := find(line)) is not None), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None or self._ended, PATIENCE)
            value = found()
        if value is None:
            raise AssertionError("waited in vain; output:\n" + "\n".join(self.lines))
        return value

    def stop(self):
        """Ends the process; its exit code."""
        self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(PATIENCE)
        finally:
            self.child.kill()


class Provider(Process):
    """The fake provider, and the requests that it has logged."""

    def __init__(self, folder):
        self.log = folder / "calls.jsonl"
        self.log.touch()
        arguments = [binary(*PROVIDER), "--port", "0", "--log", self.log]
        super().__init__(arguments, "stdout")
        prefix = "listening on "
        self.url = "http://" + self.wait_for(
            lambda line: line.removeprefix(prefix) if line.startswith(prefix) else None
        )

    def calls(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def last(self):
        """The last request: method, path, headers, body."""
        return self.calls()[-1]


class Gateway(Process):
    """`skinflint serve` with this configuration."""

    def __init__(self, folder, config, environment=None, arguments=()):
        (folder / "skinflint.toml").write_text(config)
        # Nothing is inherited but the search path: proxies and keys of the machine would change what is tested.
        base = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)}
        super().__init__(
            [binary(*GATEWAY), "serve", "--config", "skinflint.toml", *arguments],
            "stderr",
            cwd=folder,
            env=base | (environment or {}),
        )
        self.url = "http://" + self._address("calls")
        self.admin = "http://" + self._address("admin")

    def _address(self, listener):
        def find(line):
            event = json.loads(line) if line.startswith("{") else {}
            wanted = event.get("message") == "listening" and event.get("listener") == listener
            return event["addr"] if wanted else None

        return self.wait_for(find)

    def call(self, request_id):
        """The log line of a call."""

        def find(line):
            event = json.loads(line) if line.startswith("{") else {}
            wanted = event.get("message") == "call" and event.get("request_id") == request_id
            return event if wanted else None

        return self.wait_for(find)
