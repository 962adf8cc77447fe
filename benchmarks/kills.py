"""A study killed again and again, at random moments: does it end in the same numbers?

    .venv/bin/python benchmarks/kills.py STUDY.toml --kills 100 --json OUT.json

The study is run once to its end, which gives the numbers and how long it takes. Then it is started
in a new folder, killed by SIGKILL at a moment drawn from all of that time, and started again, until
one start ends by itself; and all that again, until it was killed so many times.
"""

import argparse
import json
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch


def start(study: Path, out: Path, after: float | None) -> bool:
    """Start it; returns whether it ended by itself before it was to be killed.

    Raises `RuntimeError` if it ended in an error.
    """
    command = [sys.executable, "-m", "mixqual", "run", str(study), "--out", str(out)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            _, said = process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return False
    if process.returncode:
        raise RuntimeError(said.decode(errors="replace")[-2000:])
    return True


def numbers(out: Path) -> dict[str, Any]:
    """What a run has found, without what is measured anew: dates, versions, times."""
    results: dict[str, Any] = json.loads((out / "results.json").read_text(encoding="utf-8"))
    for name in ("signed", "checksum", "provenance", "command"):
        results.pop(name, None)
    results["cost"] = {
        model: {key: value for key, value in row.items() if not key.startswith("latency_ms")}
        for model, row in results["cost"].items()
    }
    return results


def reached(out: Path) -> str:
    """The kind of the newest artifact, whose work was stopped or had just ended."""
    found = sorted((out / "artifacts").glob("*"), key=lambda path: path.stat().st_mtime)
    return found[-1].name.split("-")[0] if found else "nothing yet"


def main() -> None:
    """Kill it, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    where: Counter[str] = Counter()
    runs = same = 0
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        start(options.study, Path(folder, "whole"), None)
        whole = time.monotonic() - begun
        expected = numbers(Path(folder, "whole"))
        while where.total() < options.kills:
            out = Path(folder, f"run{runs}")
            while not start(options.study, out, moments.uniform(0, whole)):
                where[reached(out)] += 1
            runs += 1
            same += numbers(out) == expected
            left = list((out / "artifacts").glob("*.partial"))
            assert not left, f"left behind: {left}"
            print(f"{where.total()} kills, {same} of {runs} runs the same", flush=True)
    options.json.write_text(
        json.dumps(
            {
                "study": options.study.name,
                "seed": options.seed,
                "kills": where.total(),
                "kills_by_newest_artifact": dict(where.most_common()),
                "runs": runs,
                "runs_with_the_same_numbers": same,
                "seconds_of_a_whole_run": round(whole, 1),
                "versions": {
                    "mixqual": version("mixqual"),
                    "torch": torch.__version__,
                    "python": platform.python_version(),
                },
            },
            indent=2,
        )
        + "\n",
        encoding="utf-8",
    )
    sys.exit(same != runs)


if __name__ == "__main__":
    main()
