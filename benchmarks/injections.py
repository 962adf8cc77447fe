"""Every file of a finished run, damaged in every way: what comes of it?

    .venv/bin/python benchmarks/injections.py runs/tiny STUDY.toml --count 600 --json OUT.json
    .venv/bin/python benchmarks/injections.py runs/tiny STUDY.toml --power-cuts --json OUT.json

With `--power-cuts` all files of an artifact, or of the report, are damaged at once. The study has
to have run to its end in that folder, on a CPU, and is opened again for each injection in a copy
of it; all that results are computed from is compared bit by bit with what it was: pixels, labels,
splits, weights of networks and gates, optimal weights, outputs. Files that commands read are read
by these.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from faults import KINDS, POWER_CUTS, damage, files_of, power_cut

from mixqual.data import ImageIndex
from mixqual.errors import MixqualError
from mixqual.finished_run import FinishedRun
from mixqual.plan import Plan
from mixqual.results.reading import read_examples, read_results
from mixqual.run_status import read_status
from mixqual.runtime import set_up_machine
from mixqual.stages import prepare_images, solve_weights, train_gate, train_network
from mixqual.study import Study, test, validate
from mixqual.workbench import Workbench, network_folder

OUTCOMES = ("no change", "made again", "refused", "SILENT", "TRACEBACK")
"""What may come of an injection; the last two must not."""

Found = dict[str, str]
"""What a run consists of, with a hash of each."""


def consumed(prepared: tuple[Plan, ImageIndex], root: Path) -> Found:
    """Open a finished run again, and hash all that its results are computed from."""
    plan, index = prepared
    bench = Workbench.open(plan, root, set_up_machine(plan.config.runtime))
    bench = bench.noticing_changes(index)
    sets = prepare_images(bench, index)
    images = sets["test"].images
    found = {"images": _hash(np.asarray(images.pixels_NHWC), images.labels_N, list(images.ids))}
    found |= {f"split {name}": _hash(part.indices_N) for name, part in sets.items()}
    for seed in plan.config.seeds:
        for name in bench.plan.networks:
            train_network(bench, sets, name, seed)
            folder = network_folder(bench, name, seed)
            found[f"network {name} {seed}"] = _hash((folder / "weights.safetensors").read_bytes())
        weights = solve_weights(bench, sets, seed)
        found[f"weights {seed}"] = _hash({n: v.tolist() for n, v in weights.weights_VE.items()})
        key = bench.plan.gate_key(seed)
        gate = train_gate(bench, sets, weights, key, seed)
        tensors = (bench.made("gate", key) / "weights.safetensors").read_bytes()
        found[f"gate {seed}"] = _hash(gate, tensors)
        for split, cube in (
            ("test", test(bench, sets, seed)),
            ("val", validate(bench, sets, seed)),
        ):
            for name, array in cube.arrays.items():
                outputs = [array.read(cell) for cell in cube.cells]
                found[f"{split} of {name} {seed}"] = _hash(*outputs, list(array.backends))
    return found


def read(root: Path) -> Found:
    """What the commands that use a finished run take from its folder."""
    results = read_results(root)
    finished = FinishedRun.open(root)
    found = {"results": _hash(results)}
    if (root / "examples.json").exists():  # without, a report has no images, and says so
        found["examples"] = _hash(read_examples(root))
    for name in finished.experts:
        tensors = finished.tensors(name, finished.seeds[0])
        found[f"expert {name}"] = _hash(*(tensors[key].numpy() for key in sorted(tensors)))
    if (root / "status.json").exists():
        read_status(root)
    return found


def inject(
    study: tuple[Plan, ImageIndex], root: Path, harm: Callable[[Path], None], sound: Found
) -> tuple[str, str]:
    """Harm a copy of a run; return the outcome, and what was told of it."""
    with _copied(root) as copy:
        harm(copy)
        told = io.StringIO()
        with contextlib.redirect_stderr(told):
            try:
                # First what commands take from it as it is, then the study itself.
                outcome = "refused"
                with contextlib.suppress(MixqualError):
                    taken = read(copy)
                    outcome = "no change" if taken == _part(sound, taken) else "SILENT"
                if outcome != "SILENT":
                    again = consumed(study, copy)
                    if again != _part(sound, again):
                        outcome = "SILENT"
                    elif "again" in told.getvalue() or "anew" in told.getvalue():
                        outcome = "made again"
            except MixqualError as error:
                return "refused", str(error)
            except Exception:
                return "TRACEBACK", traceback.format_exc()
        return outcome, told.getvalue()


def one_file(name: str, kind: str, random: np.random.Generator, copy: Path) -> None:
    """Damage one file of a run."""
    target = copy / name
    others = [
        other
        for other in files_of(copy)
        if other != target and other.suffix == target.suffix and other.name[0] != "."
    ]
    damage(target, kind, random, others)


def written_together(name: str, kind: str, random: np.random.Generator, copy: Path) -> None:
    """Leave all files of an artifact, or of the report, as after a power cut."""
    power_cut([path for path in files_of(copy) if _together(path, copy) == name], kind, random)


def main() -> None:
    """Inject, and print a table of kinds of files and outcomes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("study", type=Path)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="what the names of files begin with")
    parser.add_argument("--power-cuts", action="store_true", help="all files of a folder at once")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    study = Study.load(asked.study).prepare()
    with _copied(asked.run) as copy:
        sound = read(copy) | consumed(study, copy)
    random = np.random.default_rng(asked.seed)
    files = [path for path in files_of(asked.run) if ".lock" not in path.parts[-2] + path.name]
    names = [path.relative_to(asked.run).as_posix() for path in files]
    harm, kinds = one_file, KINDS
    if asked.power_cuts:
        names = list(dict.fromkeys(_together(path, asked.run) for path in files))
        harm, kinds = written_together, POWER_CUTS
    names = [name for name in names if name.startswith(asked.only)]
    # First what is computed with, then what is there to be looked at.
    names.sort(key=lambda name: not name.startswith("artifacts/"))
    rows = []
    for number in range(asked.count):  # each in each way, as often as it takes
        name, kind = names[number // len(kinds) % len(names)], kinds[number % len(kinds)]
        outcome, told = inject(study, asked.run, partial(harm, name, kind, random), sound)
        rows.append({"file": name, "damage": kind, "outcome": outcome, "told": told[-2000:]})
        if outcome.isupper():
            print(name, kind, outcome, told, file=sys.stderr, flush=True)
        if asked.json and number % 20 == 19:
            asked.json.write_text(json.dumps(rows, indent=1))
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))
    counts = Counter((_kind_of(row["file"]), row["outcome"]) for row in rows)
    print(f"| files | {' | '.join(OUTCOMES)} |\n| --- |{' ---: |' * len(OUTCOMES)}")
    for kind in dict.fromkeys(kind for kind, _ in counts):
        print(f"| {kind} | {' | '.join(str(counts[kind, each]) for each in OUTCOMES)} |")


def _together(path: Path, root: Path) -> str:
    """The artifact that a file is a part of, or the report."""
    parts = path.relative_to(root).parts
    return "/".join(parts[:2]) if parts[0] == "artifacts" else "report"


def _kind_of(name: str) -> str:
    parts = Path(name).parts
    if parts[0] != "artifacts":
        return (
            parts[0]
            if len(parts) > 1 or parts[0] in ("results.json", "examples.json")
            else "report"
        )
    stage, inner = parts[1].partition("-")[0], parts[-1]
    if len(parts) == 2:
        return stage
    if stage == "outputs":
        inner = {"c": "blocks", "sums": "checksums"}.get(parts[2], inner)
    return f"{stage}: {'tensorboard' if 'tensorboard' in parts else inner}"


def _part(sound: Found, of: Found) -> Found:
    return {name: sound[name] for name in of}


def _hash(*values: object) -> str:
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray):
            digest.update(np.ascontiguousarray(value).tobytes())
        elif isinstance(value, bytes):
            digest.update(value)
        elif hasattr(value, "numpy"):
            digest.update(value.numpy().tobytes())
        else:
            digest.update(json.dumps(value, sort_keys=True).encode())
    return digest.hexdigest()


@contextlib.contextmanager
def _copied(root: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="injection-") as folder:
        copy = Path(folder) / "run"
        shutil.copytree(root, copy)
        here = Path.cwd()
        try:
            yield copy
        finally:
            os.chdir(here)


if __name__ == "__main__":
    main()
