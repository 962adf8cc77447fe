"""That starting is measured, and stays quick because nothing heavy is loaded for it."""

import json
import subprocess
import sys

import pytest

from mixqual.bench import startup

# What takes longer to import than all that is needed to print help. Typer itself loads pydantic.
HEAVY = {"torch", "numpy", "scipy", "timm", "matplotlib", "PIL", "xarray", "zarr"}


def test_it_runs_and_says_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "_REPETITIONS", 1)
    found = startup.measure()
    assert [ratio.what for ratio in found] == list(startup._STARTS)
    for ratio in found:
        assert ratio.against == "floor: python -c pass"
        assert ratio.ratio > 1
    assert found[1].ratio > found[0].ratio


def test_a_start_that_fails_is_not_timed() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        startup._start("-c", "raise SystemExit(1)")


@pytest.mark.parametrize(
    "command", [["--help"], ["--version"], ["run", "--help"], ["bench", "--help"]]
)
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    code = (
        "import json, sys\n"
        "from mixqual.cli import main\n"
        f"sys.argv = {['mixqual', *command]!r}\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(json.loads(ended.stdout.splitlines()[-1]))
    assert "mixqual" in loaded
    assert not loaded & HEAVY
