"""A study's stages on a Ray cluster of this machine, against the same in this process."""

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, final

import torch

from mixqual import study
from mixqual.bench.scratch import scratch_folder
from mixqual.bench.timing import Ratio, Round, ratio_of
from mixqual.config import StudyConfig
from mixqual.data import ImageSet
from mixqual.executor import Frontier
from mixqual.fan_out import fan_out
from mixqual.perform import Run, describe_run, perform
from mixqual.ray_executor import RayExecutor
from mixqual.run_status import State
from mixqual.runtime import set_up_machine
from mixqual.stage_graph import Stage, joined, study_stages
from mixqual.stages import prepare_images, solve_weights, train_gate
from mixqual.workbench import Workbench

_ROUNDS = 1
_CPUS = len(os.sched_getaffinity(0))
_STUDY: Mapping[str, Any] = {
    "name": "cluster",
    "data": {"source": "elpv", "size": 128},
    "split": {"train": 48, "val": 16, "test": 16},
    "backbone": {"name": "timm/tf_efficientnet_lite0", "weights": "packaged"},
    "distortions": {"gaussian_noise": {"max": 100.0}, "gaussian_blur": {"max": 10.0}},
    "experts": {
        "clean": {},
        "noise": {"distort": {"gaussian_noise": 0.5}},
        "blur": {"distort": {"gaussian_blur": 0.5}},
    },
    "baselines": {"all": {"distort": {"gaussian_noise": 0.25, "gaussian_blur": 0.25}}},
    "training": {"lr": 0.002, "lr_new": 0.02, "max_epochs": 2},
    "gate": {"max_epochs": 2},
    "evaluation": {"noise_draws": 1},
}
_SEED = 0
_BLOCK = 7  # cells of the sweeps by two workers: the same number of blocks for each


def measure() -> list[Ratio]:
    """A small copy of studies/elpv.toml, then its sweeps of test images by one worker and by two.

    The start of a cluster is timed apart, and taken off the rest.
    """
    before = torch.get_num_threads()
    # As this process: by themselves Ray's workers come after all else that the machine does.
    os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        with scratch_folder() as folder:
            rounds = [_round(folder / str(number)) for number in range(_ROUNDS)]
    finally:
        torch.set_num_threads(before)
    return [*_overhead(rounds), *_scaling(rounds)]


@final
@dataclass(frozen=True)
class _Site:
    """A folder in which images are decoded and split, and what works there."""

    bench: Workbench
    sets: Mapping[str, ImageSet]

    @property
    def executor(self) -> RayExecutor:
        return RayExecutor(self.bench.plan.config.runtime.cluster)

    @property
    def stages(self) -> list[Stage]:
        return study_stages(self.bench.plan, self.bench.plan.config.runtime.cluster.cells)

    @property
    def run(self) -> Run:
        return describe_run(self.bench, ())


def _round(root: Path) -> Round:
    """The seconds of each side."""
    here = _site(root / "here", threads=_CPUS, cpus=_CPUS)
    seconds = {"here": _seconds(lambda: _in_this_process(here))}
    ray = _site(_copied(here, root / "ray", "images", "split"), threads=_CPUS, cpus=_CPUS)
    cluster = seconds["cluster"] = _seconds(lambda: _on_ray(ray, []))
    whole = _seconds(lambda: fan_out(ray.executor, ray.bench, ray.sets))
    # A worker that finds a stage done has started, and imported all that it needs.
    seconds["worker"] = _seconds(lambda: _on_ray(ray, ray.stages[:1])) - cluster
    seconds["ray"] = whole - cluster
    seconds["ray, ready"] = seconds["ray"] - seconds["worker"]
    for workers in (1, 2):
        for kind, call in (("workers", _sweep_on_ray), ("processes", _sweep_in_processes)):
            folder = _copied(here, root / f"{workers} {kind}", "images", "split", "network")
            site = _site(folder, threads=1, cpus=max(_CPUS // workers, 1))
            off = cluster if kind == "workers" else 0.0
            seconds[f"{workers} {kind}"] = workers * (_seconds(partial(call, site, workers)) - off)
    return seconds


def _site(root: Path, *, threads: int, cpus: int) -> _Site:
    runtime = {
        "device": "cpu",
        "threads": threads,
        "cluster": {"cpus": cpus, "cells": 16 if threads == _CPUS else _BLOCK},
    }
    plan, index = study.Study(StudyConfig.model_validate({**_STUDY, "runtime": runtime})).prepare()
    bench = Workbench.open(plan, root, set_up_machine(plan.config.runtime))
    return _Site(bench, prepare_images(bench, index))


def _copied(site: _Site, root: Path, *kinds: str) -> Path:
    """A folder with the artifacts of these kinds alone."""
    for folder in site.bench.store.root.iterdir():
        if folder.name.partition("-")[0] in kinds:
            shutil.copytree(folder, root / "artifacts" / folder.name)
    return root


def _in_this_process(site: _Site) -> None:
    """The same artifacts, in the order in which a run without an executor makes them."""
    bench, sets = site.bench, site.sets
    study.fine_tune(bench, sets, _SEED)
    weights = solve_weights(bench, sets, _SEED)
    train_gate(bench, sets, weights, bench.plan.gate_key(_SEED), _SEED)
    study.test(bench, sets, _SEED)
    study.validate(bench, sets, _SEED)


def _on_ray(site: _Site, chosen: Sequence[Stage]) -> None:
    site.executor.run(chosen, partial(perform, site.run), _Unheard())


def _test_sweeps(site: _Site) -> list[Stage]:
    """Of the networks: the gate has not been trained."""
    sweeps = [stage for stage in site.stages if stage.kind == "sweep"]
    return [s for s in sweeps if s.arguments[0] == "test" and s.arguments[4] != "gate"]


def _sweep_on_ray(site: _Site, _: int) -> None:
    _on_ray(site, _test_sweeps(site))


def _sweep_in_processes(site: _Site, count: int) -> None:
    """What there is to gain: processes that know nothing of each other, each with its share."""
    context = multiprocessing.get_context("spawn")
    sweeps = _test_sweeps(site)
    families = list(iter(partial(Frontier(sweeps).take_family, len(sweeps)), ()))
    shares = [[joined(family[number::count]) for family in families] for number in range(count)]
    processes = [context.Process(target=_perform_all, args=(site.run, share)) for share in shares]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise RuntimeError("a process that sweeps has failed")


def _perform_all(run: Run, chosen: Sequence[Stage]) -> None:
    for stage in chosen:
        perform(run, stage)


@final
class _Unheard:
    """Hears of stages that fail only."""

    def note(self, stage: Stage, state: State, reason: str = "") -> None:
        if state in ("failed", "again"):
            raise RuntimeError(f"{stage.title}: {reason}")

    def tick(self) -> None:
        """Nothing has become of a stage."""


def _overhead(rounds: Sequence[Round]) -> list[Ratio]:
    """By one worker with all CPUs: its start is in the first row, and not in the second."""
    sides = {
        "stages of a study by a Ray worker": "ray",
        "the same, but for the start of the worker": "ray, ready",
        "start of a Ray worker": "worker",
        "start and end of a Ray cluster": "cluster",
        "stages of a study in this process": "here",
    }
    named = [{what: seconds[side] for what, side in sides.items()} for seconds in rounds]
    settings = f"{_settings()}, {_CPUS} threads; {_median(rounds, 'here'):.1f} s in this process"
    *whats, against = sides
    return [ratio_of(named, what, against, settings) for what in whats]


def _scaling(rounds: Sequence[Round]) -> list[Ratio]:
    """Of workers, and of processes that know nothing of each other: what this machine allows."""
    found = []
    for kind, of in (("workers", "Ray worker"), ("processes", "process without Ray")):
        what, against = f"test sweeps, seconds of 2 {kind} together", f"of 1 {of}"
        named = [{what: r[f"2 {kind}"], against: r[f"1 {kind}"]} for r in rounds]
        settings = f"{_settings()}, a thread each; {_median(rounds, f'1 {kind}'):.1f} s for one"
        found.append(ratio_of(named, what, against, settings))
    return found


def _settings() -> str:
    split, training = _STUDY["split"], _STUDY["training"]
    networks = len(_STUDY["experts"]) + len(_STUDY["baselines"])
    return (
        f"{networks} networks of {_STUDY['backbone']['name']} at {_STUDY['data']['size']} pixels; "
        f"solar cells, of each class {split['train']} to train on in {training['max_epochs']} "
        f"epochs, {split['val']} and {split['test']} to sweep"
    )


def _median(rounds: Sequence[Round], name: str) -> float:
    return median(seconds[name] for seconds in rounds)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
