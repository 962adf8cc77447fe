"""What a run would do, and what it would cost, before it does any of it (`--dry-run`)."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from torch import nn

from mixqual.artifact_store import ArtifactStore, earlier_artifacts
from mixqual.config import FitConfig
from mixqual.data import (
    DecodedImages,
    ImageIndex,
    Leak,
    Splits,
    changed_contents,
    explain_leaks,
    find_leaks,
    make_splits,
    open_images,
    undecoded_copies,
)
from mixqual.errors import RunError
from mixqual.evaluation import Cell, DamagedArray, OutputArray, count, count_parts, kept_bytes
from mixqual.needs import Needs, NetworkSize, needs
from mixqual.networks import (
    Gate,
    Stages,
    backbone_preprocessing,
    build_classifier,
    weights_to_fetch,
)
from mixqual.plan import Plan
from mixqual.training import validations
from mixqual.tree_plan import trees_of


@final
@dataclass(frozen=True)
class Step:
    """One stage of a run."""

    stage: str
    state: str
    """"done", "begun" or "to do"."""
    images: int
    """Images to decode, or through a network: at most, for training, which may stop early."""
    macs: int
    """Multiply-accumulates; a training step counts three forward passes."""


@final
@dataclass(frozen=True)
class Forecast:
    """All that can be said of a run before it."""

    steps: list[Step]
    """In the order of the run."""
    needs: Needs
    remarks: list[str]
    """What it does first, and what it will find, in sentences."""


def forecast(plan: Plan, index: ImageIndex, out: Path, earlier: Sequence[Path] = ()) -> Forecast:
    """The stages of a run into `out` with state and cost, its memory and disk, and more to know.

    What `earlier` runs have counts as done. Counts assume that every image can be read.
    """
    config = plan.config
    store = ArtifactStore(out / "artifacts", earlier_artifacts(earlier))
    folders = store.places(plan.images_folder)
    plan = plan.with_contents(changed_contents(index, folders, []))
    network = build_classifier(
        config.backbone.model_copy(update={"weights": "random"}), len(index.classes), 0
    )
    preprocessing = backbone_preprocessing(config.backbone)
    gate = Gate(len(config.experts), preprocessing, kind=config.gate.kind)
    images, splits = _divided(plan, index, store)
    ledger = _Ledger(
        plan,
        store,
        {name: len(part) for name, part in splits.items()},
        len(index.classes),
        count(network, config.data.size).macs,
        count(gate, config.data.size).macs,
    )
    stages = Stages(network, config.backbone.name) if config.sharing else None
    decoded = ledger.state("images", plan.images_key)
    steps = [Step("decode images", decoded, len(index.items), 0)]
    for seed in config.seeds:
        steps += _network_steps(ledger, seed)
        if stages:
            steps += _tree_steps(ledger, stages, seed)
        steps += _unseen_steps(ledger, seed)
    sizes = [
        NetworkSize(_bytes(each), kept_bytes(each, config.data.size)) for each in (network, gate)
    ]
    leaks = find_leaks(images, splits)
    return Forecast(
        steps,
        needs(plan, ledger.sizes, ledger.classes, *sizes),
        [*_missing_weights(plan, store), *_found(leaks, config.data.on_leak)],
    )


def _bytes(network: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in network.state_dict().values())


def _divided(plan: Plan, index: ImageIndex, store: ArtifactStore) -> tuple[DecodedImages, Splits]:
    """The images, with their copies as far as these are known, and the splits as they will be."""
    images: DecodedImages | None = None
    folder = store.find(plan.images_folder)
    if folder.is_dir():
        with suppress(RunError):  # of a damaged one, which the run makes again
            images = open_images(folder, 0)
    images = images or undecoded_copies(index)
    return images, make_splits(images, plan.config.split)


def _missing_weights(plan: Plan, store: ArtifactStore) -> Iterator[str]:
    weights = weights_to_fetch(plan.config.backbone)
    if weights and not all(map(store.places, plan.pretrained)):
        yield f"{weights} are not here: they are fetched first; offline, {weights.remedy}"


def _found(leaks: Sequence[Leak], on_leak: str) -> Iterator[str]:
    if leaks:
        stops = "the run will stop, as " if on_leak == "raise" else "warning: "
        yield stops + explain_leaks(leaks, on_leak)


@final
@dataclass(frozen=True)
class _Outputs:
    """What a sweep writes for one network."""

    folder: str
    columns: int
    macs: int
    """Of one image."""


@final
@dataclass(frozen=True)
class _Ledger:
    """What the cost and the state of a step are made from."""

    plan: Plan
    store: ArtifactStore
    sizes: dict[str, int]
    classes: int
    network_macs: int
    gate_macs: int

    def state(self, stage: str, key: str) -> str:
        path = self.store.find(f"{stage}-{key}")
        partial = path.with_name(path.name + ".partial")
        return "done" if path.is_dir() else "begun" if partial.is_dir() else "to do"

    def training(
        self, artifact: tuple[str, str], title: str, settings: FitConfig, macs: int, step: int
    ) -> Step:
        """`artifact` is stage and key; an image costs `macs` in validation, `step` in training."""
        batch, epochs = settings.batch_size, settings.max_epochs
        trained = epochs * (self.sizes["train"] // batch) * batch
        validated = validations(settings) * self.sizes["val"]
        cost = trained * step + validated * macs
        return Step(title, self.state(*artifact), trained + validated, cost)

    def sweep(
        self, title: str, split: str, outputs: Sequence[_Outputs], cells: Sequence[Cell]
    ) -> Step:
        done, images = 0, self.sizes[split] * len(cells)
        for each in outputs:
            path = self.store.find(each.folder)
            if path.exists():
                with suppress(DamagedArray):  # the run sets it aside
                    done += OutputArray(path, self.sizes[split], each.columns).is_full(cells)
        state = "done" if done == len(outputs) else "begun" if done else "to do"
        return Step(title, state, images * len(outputs), images * sum(o.macs for o in outputs))

    def outputs(self, name: str, split: str, seed: int) -> _Outputs:
        folder = self.plan.outputs_folder(name, split, seed)
        if name == "gate":
            return _Outputs(folder, len(self.plan.config.experts), self.gate_macs)
        return _Outputs(folder, self.classes, self.network_macs)


def _network_steps(ledger: _Ledger, seed: int) -> Iterator[Step]:
    plan, config, macs = ledger.plan, ledger.plan.config, ledger.network_macs
    for name in plan.networks:
        settings = config.training_of(name)
        baseline = config.baselines.get(name)
        if baseline and baseline.continues:  # from where the other one stopped
            epochs = settings.max_epochs * (len(config.experts) - 1)
            settings = settings.model_copy(update={"max_epochs": epochs})
        artifact = ("network", plan.network_key(name, seed))
        yield ledger.training(artifact, f"train {name} (seed {seed})", settings, macs, 3 * macs)
    experts = [ledger.outputs(name, "val", seed) for name in config.experts]
    yield ledger.sweep(f"sweep of val (seed {seed})", "val", experts, plan.val_cells)
    yield _gate_step(ledger, plan.gate_key(seed), f"train gate (seed {seed})")
    tested = [ledger.outputs(name, "test", seed) for name in (*plan.networks, "gate")]
    yield ledger.sweep(f"sweep of test (seed {seed})", "test", tested, plan.test_cells)
    title = f"sweep of val by the others (seed {seed})"
    others = [*(name for name in plan.networks if name in config.baselines), "gate"]
    validated = [ledger.outputs(name, "val", seed) for name in others]
    yield ledger.sweep(title, "val", validated, plan.val_cells)


def _unseen_steps(ledger: _Ledger, seed: int) -> Iterator[Step]:
    """The gates of mixtures that never saw one distortion: all else they have from the others."""
    for name, plan in ledger.plan.without_each.items():
        part = replace(ledger, plan=plan)
        yield _gate_step(part, plan.gate_key(seed), f"train gate without {name} (seed {seed})")
        title = f"sweep of the gate without {name} (seed {seed})"
        yield part.sweep(title, "test", [part.outputs("gate", "test", seed)], plan.test_cells)


def _gate_step(ledger: _Ledger, key: str, title: str) -> Step:
    macs = ledger.gate_macs
    return ledger.training(("gate", key), title, ledger.plan.config.gate, macs, 3 * macs)


def _tree_steps(ledger: _Ledger, stages: Stages, seed: int) -> Iterator[Step]:
    plan, classes = ledger.plan, ledger.classes
    listed: set[str] = set()
    swept: dict[str, list[_Outputs]] = {"test": [], "val": []}
    for tree in trees_of(plan):
        parts = stages.divide(tree.sharing)
        before, own, after = count_parts(
            [parts.prefix, parts.branch, parts.suffix or nn.Identity()], plan.config.data.size
        )
        branches = before.macs + len(plan.config.experts) * own.macs
        # Nothing goes back through the prefix, and no weights change in the suffix.
        step = before.macs + 3 * own.macs + 2 * after.macs
        for name in tree.branches:
            if tree.branch_key(name, seed) in listed:  # a tree with other weights has it, too
                continue
            listed.add(tree.branch_key(name, seed))
            title = name if name == tree.control else f"{name} of {tree.sharing.name}"
            artifact = ("branch", tree.branch_key(name, seed))
            title = f"train {title} (seed {seed})"
            yield ledger.training(artifact, title, tree.training, ledger.network_macs, step)
        if tree.config.weights == "resolve":
            state = ledger.state("tree-weights", tree.weights_key(seed))
            images = ledger.sizes["val"] * len(plan.val_cells)
            yield Step(f"weights of {tree.name} (seed {seed})", state, images, images * branches)
            yield _gate_step(
                ledger, tree.gate_key(seed), f"train gate of {tree.name} (seed {seed})"
            )
        for split, outputs in swept.items():
            for folder, models in tree.swept(split, seed).items():
                macs = ledger.network_macs
                if tree.name in models:
                    macs = branches + len(models) * after.macs + ledger.gate_macs
                made = _Outputs(folder, len(models) * classes, macs)
                outputs += [] if made in outputs else [made]
    for split, outputs in swept.items():
        title = f"sweep of {split} by trees (seed {seed})"
        yield ledger.sweep(title, split, outputs, plan.cells(split))
