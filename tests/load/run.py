"""AIPerf, a load generator of others, against the local model of the real binary: all it asks for is answered, and these are the figures."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sdk"))

from processes import Gateway  # noqa: E402

MODEL = "gemma-3-270m"
TOKENIZER = "all-minilm-l6-v2"  # a model whose folder has a `tokenizer.json`
CONFIG = """
[listen]
calls = "127.0.0.1:0"
admin = "127.0.0.1:0"
"""
PROMPT_TOKENS = 128
ANSWER_TOKENS = 32
LOAD_SECONDS = 120  # in which the weights have to be read
RUN_SECONDS = 900
REPORT = "profile_export_aiperf.json"
# Names in the report, and how they are called here.
FIGURES = {
    ("request_throughput", "avg"): "load_local_requests_per_second",
    ("output_token_throughput", "avg"): "load_local_tokens_per_second",
    ("time_to_first_token", "p50"): "load_local_first_token_p50",
    ("time_to_first_token", "p99"): "load_local_first_token_p99",
    ("inter_token_latency", "p50"): "load_local_between_tokens_p50",
    ("request_latency", "p99"): "load_local_answer_p99",
}


class Failure(Exception):
    """The load was not served as it should be."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aiperf", default="aiperf", help="the program, by path or by name")
    parser.add_argument("--models", type=Path, default=default_models(), help="the folder with the local model's weights")
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--concurrency", type=int, default=8)
    arguments = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.2f}", flush=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            report = measure(arguments, Path(folder))
            check(report, arguments.requests)
            tell(report, arguments)
    except (Failure, AssertionError, FileNotFoundError) as failure:
        print(f"load: {failure}", file=sys.stderr)
        return 1
    print(f"load average after: {os.getloadavg()[0]:.2f}")
    return 0


def default_models() -> Path:
    """Where `skinflint models pull` puts them."""
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "skinflint" / "models"


def measure(arguments: argparse.Namespace, folder: Path) -> dict:
    """Runs the generator against a gateway on a free port; its report."""
    gateway = Gateway(folder, CONFIG, arguments=["--models", str(arguments.models)])
    try:
        wait_for_model(gateway)
        run_generator(arguments, gateway.url, folder)
    finally:
        status = gateway.stop()
    if status != 0:
        raise Failure(f"the gateway ended with {status}")
    if panics := [line for line in gateway.lines if "panicked at" in line]:
        raise Failure(f"the gateway panicked: {panics[0]}")
    reports = list(folder.rglob(REPORT))
    if len(reports) != 1:
        raise Failure(f"{len(reports)} files {REPORT}, expected one")
    return json.loads(reports[0].read_text())


def wait_for_model(gateway: Gateway) -> None:
    """Asks for one token, which waits until the weights are read."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_completion_tokens": 1}
    headers = {"content-type": "application/json"}
    url = gateway.url + "/v1/chat/completions"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(request, timeout=LOAD_SECONDS).read()
    except urllib.error.HTTPError as error:
        raise Failure(f"the model does not answer: {error.code} {error.read().decode()}") from error


def run_generator(arguments: argparse.Namespace, url: str, folder: Path) -> None:
    offer_tokenizer(arguments.models / TOKENIZER, folder / "hub")
    command = [arguments.aiperf, "profile", "--url", url, "--model", MODEL]
    command += ["--endpoint-type", "chat", "--streaming"]
    # The tokenizer makes the prompts alone, so that another model's will do; what counts is the usage that the gateway tells. The one that AIPerf calls
    # built in is fetched from a network.
    command += ["--tokenizer", f"local/{TOKENIZER}", "--use-server-token-count"]
    command += ["--isl", str(PROMPT_TOKENS), "--osl", str(ANSWER_TOKENS)]
    command += ["--request-count", str(arguments.requests), "--concurrency", str(arguments.concurrency)]
    command += ["--random-seed", "7", "--ui", "none", "--no-gpu-telemetry", "--no-server-metrics"]
    command += ["--workers-max", "1", "--artifact-dir", str(folder / "artifacts")]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment |= {"HOME": str(folder), "HF_HOME": str(folder / "hub"), "HF_HUB_OFFLINE": "1"}
    began = time.monotonic()
    try:
        run = subprocess.run(command, cwd=folder, env=environment, timeout=RUN_SECONDS, capture_output=True, text=True, errors="replace")
    except subprocess.TimeoutExpired as error:
        raise Failure(f"the generator did not end in {RUN_SECONDS} s") from error
    if run.returncode != 0:
        raise Failure(f"the generator ended with {run.returncode}:\n{run.stdout[-4000:]}\n{run.stderr[-4000:]}")
    print(f"{arguments.requests} requests in {time.monotonic() - began:.0f} s, start of the generator included", flush=True)


def offer_tokenizer(model: Path, hub: Path) -> None:
    """Puts a model's tokenizer where the generator looks without a network: in a cache of the hub. It takes no plain folder."""
    revision = "0" * 40
    repository = hub / "hub" / f"models--local--{TOKENIZER}"
    snapshot = repository / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        if not (model / name).is_file():
            raise Failure(f"no {model / name}: run `skinflint models pull {TOKENIZER}`")
        shutil.copy(model / name, snapshot / name)


def check(report: dict, requests: int) -> None:
    """Every request was answered, and answered well."""
    done = number(report, "request_count", "avg")
    if done != requests:
        raise Failure(f"{done} requests were answered, {requests} were to be; errors: {report.get('error_summary')}")
    if report.get("error_summary"):
        raise Failure(f"requests failed: {report['error_summary']}")
    if report.get("was_cancelled"):
        raise Failure("the generator gave up")
    answer = number(report, "output_sequence_length", "max")
    if not 0 < answer <= ANSWER_TOKENS:
        raise Failure(f"an answer of {answer} tokens, where {ANSWER_TOKENS} were asked for at most")


def number(report: dict, metric: str, statistic: str) -> float:
    try:
        return report[metric][statistic]
    except (KeyError, TypeError) as error:
        raise Failure(f"the report has no {metric}.{statistic}; it has {sorted(report)}") from error


def tell(report: dict, arguments: argparse.Namespace) -> None:
    for (metric, statistic), name in FIGURES.items():
        unit = report.get(metric, {}).get("unit", "")
        print(f"info {name} {number(report, metric, statistic):.4f} {unit.replace(' ', '_')}")
    print(f"figure load_local_answered {number(report, 'request_count', 'avg'):.0f} requests goal == {arguments.requests} ok")


if __name__ == "__main__":
    sys.exit(main())
