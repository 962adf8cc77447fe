"""The command in a process of its own: it finishes what it took, and ends well."""

import importlib
import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import killable
import numpy as np
import pytest
from ended import Command
from finished_runs import Run
from running import counts, form, png, wait_until

import mixqual
from mixqual.bench.serving import serving


def serve_here(said: str, *arguments: str) -> None:
    """Run the command, for a process of its own; what it says goes into a file."""
    with open(said, "w") as file:
        os.dup2(file.fileno(), 2)
    # Whatever runs the tests may outlive its terminal.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    sys.argv = ["mixqual", "serve", *arguments]
    importlib.import_module("mixqual.cli").main()


def address(said: Path) -> str:
    """Where a service listens, when it is ready."""
    wait_until(lambda: said.exists() and "ready at" in said.read_text(), 60)
    return said.read_text().split("ready at ")[1].strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_answers_what_it_took_and_exits_with_0(
    random_bundle: Path, tmp_path: Path, number: int
) -> None:
    said = tmp_path / "said"
    options = ("--port", "0", "--max-batch", "100", "--max-wait-ms", "1500")
    process = killable.start(serve_here, str(said), str(random_bundle), *options)
    with (
        httpx.Client(base_url=address(said), timeout=30) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        taken = pool.submit(client.post, "/predict", files=form(png(), png()))
        wait_until(lambda: counts(client)["mixqual_queue_images",] == 2)
        assert process.pid
        os.kill(process.pid, number)
        assert len(taken.result().json()["predictions"]) == 2
        process.join(60)
        assert process.exitcode == 0
        with pytest.raises(httpx.ConnectError):
            client.get("/health")
    ready, ending = said.read_text().splitlines()
    assert ready.startswith("ready at ")
    assert ending.startswith("ending: what was taken is answered")


class TestCommand:
    def test_a_bundle_that_is_none(self, command: Command, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"x")
        ended = command("serve", tmp_path / "x", "--port", "0")
        assert "no whole bundle" in ended.refusal()

    def test_a_port_that_is_taken(self, command: Command, random_bundle: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            ended = command("serve", random_bundle, "--port", port)
        assert f"cannot listen at 127.0.0.1:{port}: " in ended.refusal()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--api-key-file", "nowhere"), "--api-key-file nowhere cannot be read: No such file"),
            (("--api-key-env", "NO_SUCH_KEY"), "there is no variable NO_SUCH_KEY"),
            (("--api-key-env", "A", "--api-key-file", "B"), "not both"),
            (("--max-batch", "0"), "max_batch must be positive"),
            (("--host", "no.such.host.invalid"), "cannot listen at no.such.host.invalid:8000: "),
        ],
    )
    def test_options_that_cannot_be(
        self, command: Command, random_bundle: Path, options: tuple[str, ...], message: str
    ) -> None:
        assert message in command("serve", random_bundle, *options).refusal()

    def test_the_warning_and_the_key_of_a_file(self, random_bundle: Path, tmp_path: Path) -> None:
        said, key = tmp_path / "said", tmp_path / "key"
        key.write_text("open sesame\n")
        for options, warned in (((), True), (("--api-key-file", str(key)), False)):
            said.unlink(missing_ok=True)
            arguments = ("--host", "0.0.0.0", "--port", "0", *options)
            process = killable.start(serve_here, str(said), str(random_bundle), *arguments)
            url = address(said).replace("0.0.0.0", "127.0.0.1")
            assert ("warning: whoever reaches 0.0.0.0" in said.read_text()) is warned
            headers = {} if warned else {"Authorization": "Bearer open sesame"}
            found = httpx.get(f"{url}model", headers=headers)
            assert found.status_code == 200
            process.terminate()
            process.join(60)
            assert process.exitcode == 0


def test_without_the_extra_it_says_what_to_install(
    command: Command, random_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in sys.modules if each.startswith("mixqual.service")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert 'pip install "mixqual[serve]"' in command("serve", random_bundle).refusal()


def test_the_conditional_mode_is_that_of_the_predictor(plain_run: Run, tmp_path: Path) -> None:
    """Over HTTP, by the threshold of the study and by another; and what ran is counted."""
    bundle = mixqual.export(plain_run.out, tmp_path / "mine.mixqual", model="mix").path
    contents = [png(n % 4, n) for n in range(12)]
    whole = mixqual.load(bundle)
    weights_NE = np.array([list(each.weights.values()) for each in whole.predict(contents)])
    middle = str(np.median(weights_NE))
    for options, tau in ((), None), (("--tau", middle), float(middle)):
        expected = whole.using("conditional", tau=tau).predict(contents)
        with (
            serving(bundle, "--mode", "conditional", *options) as service,
            httpx.Client(base_url=service.address, timeout=30) as client,
        ):
            answers = client.post("/predict", files=form(*contents)).json()["predictions"]
            found = counts(client)
        for answer, each in zip(answers, expected, strict=True):
            assert answer["experts_run"] == list(each.experts_run)
            for name in ("probabilities", "weights"):
                assert answer[name] == pytest.approx(getattr(each, name), abs=1e-5)
        for expert in whole.manifest.experts:
            runs = sum(expert in each.experts_run for each in expected)
            assert found.get(("mixqual_expert_runs_total", expert), 0) == runs
    assert min(len(each.experts_run) for each in expected) < len(whole.manifest.experts)
