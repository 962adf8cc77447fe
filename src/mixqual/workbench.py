"""What the stages of a study share: the plan, the run's folder, the processes, the networks."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import final

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from accelerate.utils import broadcast_object_list
from torch import nn

from mixqual.artifact_store import ArtifactStore, earlier_artifacts
from mixqual.artifacts import holding
from mixqual.backends import Accelerated, accelerate
from mixqual.data import TABLE, ImageIndex, ImageSet, changed_contents, hashes_in
from mixqual.evaluation import Cell, DamagedArray, OutputArray
from mixqual.mirror import Mirror, files_of
from mixqual.mirrored_outputs import cells_in, fetch_cells, publish_cells
from mixqual.networks import Classifier, Gate, backbone_preprocessing, blank_classifier
from mixqual.plan import Plan
from mixqual.provenance import maker
from mixqual.runtime import Machine, place
from mixqual.seeding import derive_seed
from mixqual.stage_graph import Stage
from mixqual.training import Fitted, discard_damaged_state, load_tensors
from mixqual.tree_plan import trees_of

# A process waits for the others while the first one sweeps: longer than any sweep should take.
_PATIENCE_BETWEEN_PROCESSES = timedelta(days=2)


@final
@dataclass(frozen=True)
class Workbench:
    """What every stage needs."""

    plan: Plan
    store: ArtifactStore
    machine: Machine
    accelerator: Accelerator = field(repr=False)
    mirror: Mirror | None = None
    """Where finished artifacts also go, and are taken from if they lack here."""
    kept: dict[tuple[str, int, int], Accelerated] = field(default_factory=dict, repr=False)
    """The networks that were made ready last: the next block of cells often asks for them again."""
    proven: dict[str, set[tuple[int, int]]] = field(default_factory=dict, repr=False)
    """The blocks of outputs, by their array, that are known to be sound."""

    @staticmethod
    def open(
        plan: Plan,
        root: Path,
        machine: Machine,
        earlier: Sequence[Path] = (),
        mirror: Mirror | None = None,
    ) -> "Workbench":
        """Set up a run's folder for this process, or for this one of several.

        What the folders of `earlier` runs have of it, and what the mirror has, is taken over.
        """
        accelerator = Accelerator(
            cpu=machine.device.type == "cpu",
            kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE_BETWEEN_PROCESSES)],
        )
        store = ArtifactStore(root / "artifacts", earlier_artifacts(earlier), maker(machine))
        return Workbench(plan, store, machine, accelerator, mirror)

    def noticing_changes(self, index: ImageIndex) -> "Workbench":
        """With keys of its own for images that have changed where their sizes have not."""
        found: list[str | None] = [None]
        if self.accelerator.is_main_process:
            name = self.plan.images_folder
            self._adopt(name)
            others = []
            if self.mirror and self.mirror.has(name):
                table = self.mirror.read(name, TABLE)
                others = [hashes_in(json.loads(table))] if table else []
            known = sorted(self.store.root.glob("images-*"))
            found = [changed_contents(index, self.store.places(name), known, others)]
            if found[0] is not None:
                self.store.makers.pop(name, None)  # it takes no part
        broadcast_object_list(found)
        return replace(self, plan=self.plan.with_contents(found[0]))

    @contextmanager
    def only_maker(self, artifact: str) -> Iterator[None]:
        """Keep all other runs and workers of this folder from making an artifact meanwhile.

        Of several processes at the same work the first one speaks for all.
        """
        if self.accelerator.is_main_process:
            with holding(self.store.root.with_name(".locks") / artifact):
                yield
        else:
            yield

    def build(self, stage: str, key: str, make: Callable[[Path], None]) -> Path:
        """Make an artifact in the first process, while the others wait."""
        done = self.store.path(stage, key)
        with self.only_maker(done.name):
            if self.accelerator.is_main_process:
                self._adopt(done.name)
                self.store.build(stage, key, make)
                self.publish(done.name)
            self.accelerator.wait_for_everyone()
        return done

    def build_together(self, stage: str, key: str, make: Callable[[Path], None]) -> Path:
        """Make an artifact with all processes at work; `make` returns when all are through."""
        done = self.store.path(stage, key)
        with self.only_maker(done.name):
            if self.accelerator.is_main_process:
                self._adopt(done.name)
            self.accelerator.wait_for_everyone()
            if not self.store.is_done(stage, key):
                if self.accelerator.is_main_process:
                    discard_damaged_state(done.with_name(done.name + ".partial"))
                self.accelerator.wait_for_everyone()
                if self.accelerator.is_main_process:
                    self.store.build(stage, key, make)
                else:
                    make(done.with_name(done.name + ".partial"))
                self.accelerator.wait_for_everyone()
            if self.accelerator.is_main_process:
                self.publish(done.name)
        return done

    def made(self, stage: str, key: str) -> Path:
        """Where an artifact stands that an earlier stage has made, on this machine or another."""
        done = self.store.path(stage, key)
        if done.name not in self.store.makers and self.accelerator.is_main_process:
            with self.only_maker(done.name):
                self._adopt(done.name)
        return done

    def lacks(self, names: Sequence[str]) -> bool:
        """Whether some artifact is neither here nor in an earlier run nor in the mirror."""
        return not all(
            self.store.places(name) or (self.mirror and self.mirror.has(name)) for name in names
        )

    def publish(self, name: str) -> None:
        """Put what this folder, or an earlier run, has of an artifact into the mirror as well."""
        self.store.adopt(name)
        folder = self.store.root / name
        if not self.mirror or not folder.is_dir():
            return
        if is_outputs(name):
            if array := self._outputs(name):
                publish_cells(self.mirror, array, array.cells)
        elif self.store.prove(name):
            self.mirror.publish(name, files_of(folder))

    def is_made(self, stage: Stage) -> bool:
        """Whether all that a stage makes is finished and sound, here or in the mirror."""
        if stage.kind not in ("sweep", "tree sweep"):
            return self.store.prove(stage.makes) or bool(
                self.mirror and self.mirror.has(stage.makes)
            )
        plan = self.plan if stage.without is None else self.plan.without(stage.without)
        assert plan is not None
        split, seed, first, last = stage.arguments[:4]
        cells = plan.cells(str(split))[int(first) : int(last) + 1]
        if stage.kind == "sweep":
            folders = stage.makes.partition(":")[0].split("+")
        else:
            trees = trees_of(plan)
            folders = [f for tree in trees for f in tree.swept(str(split), int(seed))]
        return all(self._has_cells(folder, cells) for folder in folders)

    def _has_cells(self, folder: str, cells: Sequence[Cell]) -> bool:
        array = self._outputs(folder)
        lacking = {cell for cell in cells if array is None or not array.is_full([cell])}
        if lacking and self.mirror:
            lacking -= cells_in(self.mirror, folder)
        return not lacking

    def _outputs(self, folder: str) -> OutputArray | None:
        """An array that stands here; None, after it is set aside, for one that is damaged."""
        path = self.store.root / folder
        try:
            return OutputArray.reopen(path) if path.is_dir() else None
        except DamagedArray as error:
            self.store.set_aside(folder, str(error))
            return None

    def _adopt(self, name: str) -> None:
        if not self.store.prove(name):
            self.store.adopt(name)
            target = self.store.root / name
            if self.mirror and not target.is_dir():
                self.mirror.fetch(name, target)
            self.store.prove(name)

    def open_outputs(self, folder: str, images: int, outputs: int) -> OutputArray:
        """What a network says of the images, as far as it is known; set aside what is damaged."""
        self.store.adopt(folder)
        path, proven = self.store.root / folder, self.proven.setdefault(folder, set())
        try:
            array = OutputArray(path, images, outputs, proven)
        except DamagedArray as error:
            self.store.set_aside(folder, str(error))
            proven.clear()
            array = OutputArray(path, images, outputs, proven)
        array.seal()
        return array

    def fetch_cells(self, array: OutputArray, cells: Sequence[Cell]) -> None:
        """Fill cells that lack here from the mirror; the array must be this process's alone."""
        if self.mirror:
            fetch_cells(self.mirror, array, cells)

    def publish_cells(self, array: OutputArray, cells: Sequence[Cell]) -> None:
        """Put full cells into the mirror as well."""
        if self.mirror:
            publish_cells(self.mirror, array, cells)


def is_outputs(name: str) -> bool:
    """Whether an artifact is an array of outputs, which grows in place."""
    return name.endswith(".zarr")


def fitted(folder: Path) -> Fitted:
    """How the training in an artifact's folder ended."""
    return Fitted(**load_tensors(folder / "weights.safetensors")[1])


def load_network(bench: Workbench, classes: int, name: str, seed: int) -> Classifier:
    """A trained network, ready to predict."""
    network = untrained_network(bench, classes)
    load_best(network, network_folder(bench, name, seed))
    return place(network, bench.machine.device).eval()


def load_gate(bench: Workbench, key: str, seed: int) -> Gate:
    """The trained gate of a key, ready to predict."""
    gate = untrained_gate(bench, seed)
    load_best(gate, bench.made("gate", key))
    return place(gate, bench.machine.device).eval()


def accelerated(
    bench: Workbench, images: ImageSet, names: Sequence[str], seed: int, images_ahead: int
) -> dict[str, Accelerated]:
    """Trained networks ("gate" for the gate), each made ready to predict so many images.

    These come in batches of the evaluation, from a set of these sizes and classes. The networks
    are kept until others are asked for.
    """
    plan = bench.plan
    keys = {
        name: (
            plan.gate_key(seed) if name == "gate" else plan.network_key(name, seed),
            len(images),
            images_ahead,
        )
        for name in names
    }
    # First, so that memory never holds more than are asked for.
    for key in bench.kept.keys() - set(keys.values()):
        del bench.kept[key]
    for name, key in keys.items():
        if key not in bench.kept:
            bench.kept[key] = _made_ready(bench, images, name, seed, images_ahead)
    return {name: bench.kept[key] for name, key in keys.items()}


def _made_ready(
    bench: Workbench, images: ImageSet, name: str, seed: int, images_ahead: int
) -> Accelerated:
    config = bench.plan.config
    network: nn.Module
    if name == "gate":
        network = load_gate(bench, bench.plan.gate_key(seed), seed)
    else:
        network = load_network(bench, len(images.classes), name, seed)
    batch, size = min(config.evaluation.batch_size, len(images)), config.data.size
    example_BCHW = torch.zeros(batch, 3, size, size, device=bench.machine.device)
    return accelerate(network, example_BCHW, images_ahead, config.runtime.backend)


def untrained_network(bench: Workbench, classes: int, stochastic_depth: float = 0.0) -> Classifier:
    """The backbone as it is built, with whatever weights: to load others into."""
    return blank_classifier(bench.plan.config.backbone, classes, stochastic_depth)


def untrained_gate(bench: Workbench, seed: int) -> Gate:
    """The gate as it starts, random from the seed."""
    config = bench.plan.config
    preprocessing = backbone_preprocessing(config.backbone)
    gate_seed = derive_seed(seed, "gate")
    return Gate(len(config.experts), preprocessing, gate_seed, config.gate.kind)


def network_folder(bench: Workbench, name: str, seed: int) -> Path:
    """Where a trained expert or baseline stands."""
    return bench.made("network", bench.plan.network_key(name, seed))


def load_best(network: nn.Module, folder: Path) -> None:
    """Load the weights of an artifact into a network of its kind."""
    network.load_state_dict(load_tensors(folder / "weights.safetensors")[0])
