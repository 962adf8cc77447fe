"""Whether a run, its bundle, its ONNX file and a service with the bundle say the same.

    python benchmarks/parity.py RUN --images 200

Test images of the run, every other one distorted at a level of the study, become PNG files that all
four get the same pixels from. Eager are the run's own networks, put together here; the others are
files of `mixqual export`, the last behind a `mixqual serve` of its own. Prints the largest
difference of a probability and of a weight from the eager one, and ends with 1 above 1e-4.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

import httpx
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mixqual.bench.serving import serving
from mixqual.confidence import with_temperature
from mixqual.data import ImageSet, open_images, read_splits
from mixqual.deploy import Prediction, load
from mixqual.deploy.export import export
from mixqual.deploy.inputs import pixels_of
from mixqual.errors import MixqualError, RunError
from mixqual.evaluation import CLEAN_CELL, Cell, distort_cell, grid_cells
from mixqual.finished_run import FinishedRun
from mixqual.level_grids import distortion_of
from mixqual.networks import Gate, Mixture, Sharing, SoleGate, Stages, backbone_preprocessing

MOST = 1e-4
MIX = "mix"
FORM = 16  # images in a request

Answers = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Probabilities (B, K) and weights (B, E)."""


@final
@dataclass(frozen=True)
class Shown:
    """Images of a run as bytes, and as the files that hold them."""

    images_BCHW: NDArray[np.uint8]
    files: list[bytes]
    distorted_B: NDArray[np.bool_]


@final
@dataclass(frozen=True)
class Difference:
    """The largest differences of one path from the eager networks, in probabilities and weights."""

    clean: float
    distorted: float
    weights: float

    @property
    def largest(self) -> float:
        """Of the three; NaN if one is."""
        return float(np.max([self.clean, self.distorted, self.weights]))


def test_images(finished: FinishedRun, count: int) -> Shown:
    """So many test images evenly drawn, every other one at the next level of the study.

    Raises `RunError` if the run's folder no longer has its images.
    """
    images = _test_set(finished)
    facts = finished.results.distortions
    kinds = {name: distortion_of(told, finished.size) for name, told in facts.items()}
    levels = {name: tuple(map(float, told.levels)) for name, told in facts.items()}
    damaged = grid_cells(levels, {})[1:]
    positions = np.linspace(0, len(images) - 1, count).round().astype(int).tolist()
    shown = []
    for place, position in enumerate(positions):
        cell = _spread(damaged, place // 2, count // 2) if place % 2 else CLEAN_CELL
        image_BCHW, _ = images.batch([position])
        shown.append(distort_cell(image_BCHW, cell, kinds, seed=0).round().clamp(0, 255))
    images_BCHW = torch.cat(shown).to(torch.uint8).numpy()
    interpolation = backbone_preprocessing(finished.backbone).interpolation
    files = [_png(image_CHW, interpolation) for image_CHW in images_BCHW]
    return Shown(images_BCHW, files, np.arange(count) % 2 == 1)


def exported(finished: FinishedRun, model: str, folder: Path) -> tuple[Path, Path]:
    """The bundle and the ONNX file of a mixture, written into the folder."""
    paths = (folder / f"{model}.mixqual", folder / f"{model}.onnx")
    bundle, onnx = (export(finished.root, path, model=model).path for path in paths)
    return bundle, onnx


def differences(
    finished: FinishedRun, model: str, shown: Shown, bundle: Path, onnx: Path
) -> dict[str, Difference]:
    """How far each path is from the run's own networks; the files are those of the mixture."""
    expected = eager(finished, model, finished.seeds[0], shown.images_BCHW)
    with ExitStack() as stack:
        paths: Mapping[str, Callable[[Sequence[bytes]], Answers]] = {
            "bundle": lambda files: _numbers(load(bundle, "cpu").predict(files)),
            "ONNX": lambda files: _numbers(load(onnx, "cpu").predict(files)),
            "HTTP": stack.enter_context(_asking(bundle)),
        }
        return {name: difference(ask(shown.files), expected, shown) for name, ask in paths.items()}


def eager(finished: FinishedRun, model: str, seed: int, images_BCHW: NDArray[np.uint8]) -> Answers:
    """What the mixture of the run's trained networks says, calibrated where the run has done so."""
    mixture = run_mixture(finished, model, seed).eval()
    with torch.inference_mode():
        answers = [mixture(batch.float()) for batch in torch.from_numpy(images_BCHW).split(FORM)]
    p_BK, w_BE = (torch.cat(parts).double().numpy() for parts in zip(*answers, strict=True))
    judged = finished.results.trust_of(model, seed)
    if judged:
        p_BK = with_temperature(p_BK, judged.temperature)
    return p_BK, w_BE


def run_mixture(finished: FinishedRun, model: str, seed: int) -> Mixture:
    """M_mix or a tree, put together from the networks and branches in the run's folder.

    One network is mixed with no other.
    """
    if model in _networks(finished):
        return Mixture.independent([finished.network(model, seed)], SoleGate())
    trees = {tree.model: tree for tree in finished.results.trees}
    solved = model != MIX and trees[model].weights == "resolve"
    kind = finished.results.provenance.gate
    gate = Gate(len(finished.experts), backbone_preprocessing(finished.backbone), kind=kind)
    gate.load_state_dict(finished.gate_tensors(seed, model if solved else None))
    if model == MIX:
        return Mixture.independent([finished.network(n, seed) for n in finished.experts], gate)
    clean = finished.results.original_network
    stages = Stages(finished.network(clean, seed), finished.backbone.name)
    parts = stages.divide(Sharing(trees[model].until, trees[model].from_))
    stem = model.removesuffix("_resolved") if solved else model
    branches = [
        None if name == clean else _branch(finished, f"{stem}/{name}", seed)
        for name in finished.experts
    ]
    return Mixture.shared(parts, branches, gate)


def models_of(finished: FinishedRun) -> list[str]:
    """M_mix, every tree, every expert and baseline."""
    trees = [tree.model for tree in finished.results.trees]
    return [MIX, *trees, *_networks(finished)]


def _networks(finished: FinishedRun) -> list[str]:
    return [*finished.experts, *finished.results.baselines]


def _branch(finished: FinishedRun, name: str, seed: int) -> dict[str, Tensor]:
    tensors = finished.tensors(name, seed)
    return {key.removeprefix("branch."): tensor for key, tensor in tensors.items()}


def _test_set(finished: FinishedRun) -> ImageSet:
    """Several settings may have been run in one folder: images of this size, of this number."""
    count = finished.results.provenance.images["test"]
    for folder in sorted((finished.root / "artifacts").glob("images-*")):
        images = open_images(folder, 2048)
        for split in sorted((finished.root / "artifacts").glob("split-*/splits.csv")):
            chosen = read_splits(split, images)["test"]
            if images.pixels_NHWC.shape[1] == finished.size and len(chosen) == count:
                return ImageSet(images, chosen)
    raise RunError(f"{finished.root} has no test images any more; run the study again")


def _spread(cells: Sequence[Cell], place: int, count: int) -> Cell:
    """The cell for one of `count` places, so that all of them reach over all cells."""
    return cells[place * len(cells) // max(1, count) % len(cells)]


def _png(image_CHW: NDArray[np.uint8], interpolation: str) -> bytes:
    """A file whose centre is the image, with a border that reading it crops: nothing is resized."""
    size = image_CHW.shape[1]
    side = round(size * 256 / 224)
    before = (side - size) // 2
    border = (before, side - size - before)
    file = io.BytesIO()
    Image.fromarray(np.pad(np.moveaxis(image_CHW, 0, 2), (border, border, (0, 0)))).save(
        file, "PNG"
    )
    content = file.getvalue()
    read_HWC = pixels_of(content, size, interpolation)
    assert np.array_equal(np.moveaxis(read_HWC, 2, 0), image_CHW), "the file holds other pixels"
    return content


@contextmanager
def _asking(bundle: Path) -> Iterator[Callable[[Sequence[bytes]], Answers]]:
    """Ask a service with the bundle, a form of some images at a time."""
    with serving(bundle) as service, httpx.Client(base_url=service.address, timeout=60) as client:

        def ask(files: Sequence[bytes]) -> Answers:
            found = []
            for start in range(0, len(files), FORM):
                form = [("images", ("x.png", each)) for each in files[start : start + FORM]]
                found += (
                    client.post("/predict", files=form).raise_for_status().json()["predictions"]
                )
            return _table(found, "probabilities"), _table(found, "weights")

        yield ask


def _numbers(found: Sequence[Prediction]) -> Answers:
    rows = [{"probabilities": each.probabilities, "weights": each.weights} for each in found]
    return _table(rows, "probabilities"), _table(rows, "weights")


def _table(
    rows: Sequence[Mapping[str, Mapping[str, float] | None]], name: str
) -> NDArray[np.float64]:
    """A row for each answer; one network alone, which has no weights, has that of one."""
    return np.array([list((row[name] or {"alone": 1.0}).values()) for row in rows])


def difference(found: Answers, expected: Answers, shown: Shown) -> Difference:
    """The largest differences between two answers for the same images."""
    p_B, w_B = (np.abs(a - b).max(1) for a, b in zip(found, expected, strict=True))
    distorted_B = shown.distorted_B
    return Difference(
        float(p_B[~distorted_B].max()), float(p_B[distorted_B].max()), float(w_B.max())
    )


def compared(finished: FinishedRun, images: int, models: Sequence[str] | None) -> float:
    """Print how far every path of every mixture is from the run's networks; the largest of all."""
    shown, worst = test_images(finished, images), []
    print(f"{images} test images, {shown.distorted_B.sum()} of them distorted; differences")
    with tempfile.TemporaryDirectory() as folder:
        for model in models or models_of(finished):
            files = exported(finished, model, Path(folder))
            for path, found in differences(finished, model, shown, *files).items():
                print(
                    f"{model:30} {path:7} clean {found.clean:.1e}, distorted {found.distorted:.1e},"
                    f" weights {found.weights:.1e}",
                    flush=True,
                )
                worst.append(found.largest)
    return float(np.max(worst))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--models", nargs="+", help="by default all")
    asked = parser.parse_args()
    try:
        worst = compared(FinishedRun.open(asked.run), asked.images, asked.models)
    except MixqualError as error:
        sys.exit(str(error))
    print(f"largest {worst:.1e}, {MOST:g} is let pass")
    return int(not worst <= MOST)


if __name__ == "__main__":
    sys.exit(main())
