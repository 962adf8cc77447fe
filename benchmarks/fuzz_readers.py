"""Millions of changed files and requests to what reads them, in process: it answers or refuses.

    python benchmarks/fuzz_readers.py --inputs 1000000 --corpus fuzz

Every reader of `fuzz_targets.py` gets its share of the inputs, each a sound one with one to four
changes, and never without any. They run in processes of their own, which are watched. A finding is
an exception that is no refusal, an answer that must not be, 10 seconds without an end, the death of
the process, or 128 MiB more than at its start. The first of each kind in a process is written to
FOLDER/findings, as an input and what came of it, and `--replay` reads such an input again. An input
depends on the seed, the target and its number alone. Ends with 1 if there is a finding.
"""

import argparse
import logging
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, final

from fuzz_targets import INTEGERS, Refused, Target, targets

from mixqual.images.opening import many_files

OUTCOMES = ("refused", "read as before", "read otherwise", "findings")
HANGS_S = 10.0
STARTS_S = 120.0
MORE_BYTES = 128 * 2**20
SETTLED = 200  # inputs, after which a process has what it keeps
KINDS = 30  # of findings in a process


@final
@dataclass(frozen=True)
class Part:
    """Some inputs of a target, for one process."""

    name: str
    seed: int
    start: int
    stop: int
    folder: Path


def changed(content: bytes, target: Target, random: Random) -> bytes:
    """A sound input with one to four changes; never what it was."""
    result = content
    while result == content:
        for _ in range(random.choice((1, 1, 2, 3, 4))):
            result = _changed_once(result, target, random)
    return result


def _changed_once(content: bytes, target: Target, random: Random) -> bytes:
    place = random.randrange(len(content) + 1)
    before, after = content[:place], content[place:]
    match random.randrange(9):
        case 0:  # one bit
            return (
                before + bytes([after[0] ^ 1 << random.randrange(8)]) + after[1:] if after else b""
            )
        case 1:
            return before + random.randbytes(random.randint(1, 4)) + after[random.randint(1, 4) :]
        case 2:
            return before + random.randbytes(random.randint(1, 8)) + after
        case 3:
            return before + after[random.choice((1, 2, 4, 16, 64)) :]
        case 4:
            return before + after[: random.randint(1, 64)] * random.randint(1, 4) + after
        case 5:  # number in the place of another
            number = random.choice(INTEGERS)
            return before + number + after[len(number) :]
        case 6:
            token = random.choice(target.tokens or INTEGERS)
            return before + token + after[random.choice((0, 0, len(token), 1, 4)) :]
        case 7:  # the end of another
            other = random.choice(target.corpus)
            return before + other[random.randrange(len(other) + 1) :]
        case _:
            return before if random.random() < 0.3 else before + after[::-1][-8:] + after[8:]


def input_of(name: str, target: Target, seed: int, number: int) -> tuple[int, bytes]:
    """The place in the corpus of what was changed, and what it was changed to."""
    random = Random(f"{seed} {name} {number}")
    place = random.randrange(len(target.corpus))
    return place, changed(target.corpus[place], target, random)


def work(part: Part, progress: Any, counts: Any, slowest: Any) -> None:
    """Read the inputs of a part; `progress` has the number of the one at work, -1 before."""
    _be_quiet()
    with tempfile.TemporaryDirectory() as folder, many_files():
        target = targets(Path(folder))[part.name]
        answers = [target.read(content) for content in target.corpus]
        most, seen = 0, set()
        for number in range(part.start, part.stop):
            progress.value = number
            place, content = input_of(part.name, target, part.seed, number)
            start = time.perf_counter()
            try:
                outcome = _outcome(target, content, answers[place])
                if number < part.start + SETTLED or not most:
                    most = max(most, _peak_bytes())
                grown = _peak_bytes() - most
                assert grown < MORE_BYTES, f"{grown} bytes more than at the start"
            except Exception as error:
                outcome, kind = "findings", _kind(error)
                if kind not in seen and len(seen) < KINDS:
                    keep(part, number, content, traceback.format_exc())
                seen.add(kind)
                most = max(most, _peak_bytes())
            slowest.value = max(slowest.value, time.perf_counter() - start)
            counts[OUTCOMES.index(outcome)] += 1
        progress.value = part.stop


def _outcome(target: Target, content: bytes, before: object) -> str:
    try:
        answer = target.read(content)
    except Refused:
        return "refused"
    if answer == before:
        return "read as before"
    assert not target.sealed, "a change was not noticed"
    return "read otherwise"


def _kind(error: Exception) -> tuple[str, ...]:
    """Findings of one kind came up at the same place."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return (type(error).__name__, *(f"{frame.filename}:{frame.lineno}" for frame in frames))


def _be_quiet() -> None:
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # as in the service
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)  # libtiff writes there


def _peak_bytes() -> int:
    """Of this process alone: what `getrusage` says begins with the parent's."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def keep(part: Part, number: int, content: bytes, why: str) -> None:
    """Write a finding, so that it can be read again."""
    findings = part.folder / "findings"
    findings.mkdir(parents=True, exist_ok=True)
    stem = f"{part.name}.{part.seed}.{number}"
    (findings / f"{stem}.bin").write_bytes(content)
    (findings / f"{stem}.txt").write_text(why)


def watch(part: Part) -> tuple[dict[str, int], float]:
    """Have a part worked on, go on behind whatever kills or stops it; counts, and the longest."""
    context = multiprocessing.get_context("spawn")
    counts = context.Array("q", len(OUTCOMES), lock=False)
    slowest = context.Value("d", 0.0, lock=False)
    start = part.start
    while start < part.stop:
        progress = context.Value("q", -1, lock=False)
        rest = Part(part.name, part.seed, start, part.stop, part.folder)
        process = context.Process(target=work, args=(rest, progress, counts, slowest))
        process.start()
        ended = _wait(process, progress)
        if progress.value == part.stop:  # whatever becomes of the process then
            break
        number = progress.value
        if number < 0:
            raise SystemExit(f"{part.name}: it did not start: {ended or process.exitcode}")
        with tempfile.TemporaryDirectory() as folder:
            _, content = input_of(part.name, targets(Path(folder))[part.name], part.seed, number)
        keep(part, number, content, ended or f"the process ended with {process.exitcode}")
        counts[OUTCOMES.index("findings")] += 1
        start = number + 1
    return dict(zip(OUTCOMES, counts, strict=True)), slowest.value


def _wait(process: Any, progress: Any) -> str:
    """Wait for a process as long as it goes on; why it had to be killed, or nothing."""
    last, since = -1, time.monotonic()
    while process.is_alive():
        process.join(0.2)
        if progress.value != last:
            last, since = progress.value, time.monotonic()
        elif time.monotonic() - since > (STARTS_S if last < 0 else HANGS_S):
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            return f"no end after {time.monotonic() - since:.0f} seconds"
    return ""


def fuzz(
    names: Sequence[str], inputs: int, seed: int, folder: Path
) -> dict[str, tuple[dict[str, int], float]]:
    """Give every target its share of the inputs; what came of them, and the longest in seconds."""
    shares = [inputs * (n + 1) // len(names) - inputs * n // len(names) for n in range(len(names))]
    found = {}
    for name, share in zip(names, shares, strict=True):
        start = time.monotonic()
        counts, slowest = found[name] = watch(Part(name, seed, 0, share, folder))
        told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        rate = share / (time.monotonic() - start)
        print(f"{name:18} {share:8}: {told}; {slowest:.2f} s at most, {rate:.0f} /s", flush=True)
    return found


def write_corpus(folder: Path, known: dict[str, Target]) -> None:
    """Write the sound inputs, a folder for each target."""
    for name, target in known.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(target.corpus):
            (folder / name / str(number)).write_bytes(content)


def replay(path: Path, known: dict[str, Target]) -> None:
    """Read a finding again; a reader that is mended answers or refuses."""
    try:
        known[path.name.split(".")[0]].read(path.read_bytes())
        print("it answers")
    except Refused:
        print("it refuses")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, default=Path("fuzz"), metavar="FOLDER")
    parser.add_argument("--targets", nargs="+", metavar="NAME")
    parser.add_argument("--replay", type=Path, metavar="FINDING")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        known = targets(Path(folder))
        if asked.replay:
            replay(asked.replay, known)
            return 0
        write_corpus(asked.corpus, known)
    found = fuzz(asked.targets or list(known), asked.inputs, asked.seed, asked.corpus)
    every = {each: sum(counts[each] for counts, _ in found.values()) for each in OUTCOMES}
    print(f"{sum(every.values())} inputs: {every}")
    return int(every["findings"] > 0)


if __name__ == "__main__":
    sys.exit(main())
