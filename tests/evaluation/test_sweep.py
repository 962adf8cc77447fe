import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mixqual.data import DecodedImages, ImageSet
from mixqual.distortions import distortion
from mixqual.evaluation import CLEAN, CLEAN_CELL, Cell, OutputArray, grid_cells, sweep
from mixqual.evaluation.outputs import BLOCK
from mixqual.seeding import derive_seed

SIDE, CLASSES, SEED = 12, 4, 21
Network = Callable[[Tensor], Tensor]
KINDS = {
    "gaussian_noise": distortion("gaussian_noise"),
    "gaussian_blur": distortion("gaussian_blur"),
}
CELLS = grid_cells(
    {"gaussian_noise": (0.0, 20.0, 80.0), "gaussian_blur": (0.0, 1.5)}, {"gaussian_noise": 2}
)


class TinyNetwork(nn.Module):
    """Class probabilities from an image pooled to 4 x 4; notes the size of every batch it sees."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.linear = nn.Linear(48, CLASSES)
        nn.init.normal_(self.linear.weight, std=0.01, generator=generator)
        nn.init.zeros_(self.linear.bias)
        self.batches: list[int] = []

    def forward(self, images_BCHW: Tensor) -> Tensor:
        self.batches.append(len(images_BCHW))
        pooled_BCHW = nn.functional.adaptive_avg_pool2d(images_BCHW - 127, 4)
        logits_BK: Tensor = self.linear(pooled_BCHW.flatten(1))
        return logits_BK.softmax(1)

    @property
    def seen(self) -> int:
        return sum(self.batches)


class Interrupted(Exception):
    """Stands for a kill."""


class FailsAfter:
    """Predicts as another, until it has been called so many times."""

    def __init__(self, network: Network, calls: int) -> None:
        self.network, self.left = network, calls

    def __call__(self, images_BCHW: Tensor) -> Tensor:
        if self.left == 0:
            raise Interrupted
        self.left -= 1
        return self.network(images_BCHW)


def image_set(count: int, channels: int = 1, side: int = SIDE) -> ImageSet:
    """`count` random images, in another order than they are stored in, and not all of them."""
    generator = np.random.default_rng(0)
    stored = count + 3
    images = DecodedImages(
        pixels_NHWC=generator.integers(0, 256, (stored, side, side, channels), dtype=np.uint8),
        labels_N=generator.integers(0, CLASSES, stored),
        ids=tuple(f"image{index}" for index in range(stored)),
        splits=(None,) * stored,
        classes=tuple("abcd"),
        left_out=(),
        credit="",
    )
    return ImageSet(images, generator.permutation(stored)[:count])


def open_arrays(
    root: Path, names: Sequence[str], count: int, outputs: int = CLASSES
) -> dict[str, OutputArray]:
    return {name: OutputArray(root / f"{name}.zarr", count, outputs) for name in names}


def run(
    networks: Mapping[str, Network],
    arrays: Mapping[str, OutputArray],
    images: ImageSet,
    cells: Sequence[Cell] = CELLS,
    batch_size: int = 7,
    seed: int = SEED,
) -> None:
    sweep(
        {name: lambda x, _, network=network: network(x) for name, network in networks.items()},
        arrays,
        images,
        cells,
        KINDS,
        seed=seed,
        batch_size=batch_size,
        device=torch.device("cpu"),
    )


def one_by_one(network: Network, images: ImageSet, cell: Cell) -> NDArray[np.float32]:
    """The oracle: image after image, with nothing shared."""
    rows = []
    for position in range(len(images)):
        image_1CHW, _ = images.batch([position])
        if cell.distortion != CLEAN:
            image_1CHW = KINDS[cell.distortion](
                image_1CHW, torch.tensor([cell.level]), seed=derive_seed(SEED, "draw", cell.draw)
            )
        with torch.no_grad():
            rows.append(network(image_1CHW)[0].numpy())
    return np.array(rows)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_a_sweep_equals_predicting_one_by_one(
    tmp_path: Path, batch_size: int, channels: int
) -> None:
    images = image_set(23, channels)
    networks = {"first": TinyNetwork(1), "second": TinyNetwork(2)}
    arrays = open_arrays(tmp_path, list(networks), 23)
    run(networks, arrays, images, batch_size=batch_size)
    for name, network in networks.items():
        assert arrays[name].cells == CELLS
        assert network.seen == 23 * len(CELLS)
        assert max(network.batches) <= batch_size
        for cell in CELLS:
            np.testing.assert_allclose(
                arrays[name].read(cell), one_by_one(network, images, cell), rtol=0, atol=1e-5
            )


def test_distortions_change_the_outputs(tmp_path: Path) -> None:
    # Else the comparison above would compare nothing.
    images = image_set(23)
    arrays = open_arrays(tmp_path, ["net"], 23)
    run({"net": TinyNetwork(1)}, arrays, images)
    clean = arrays["net"].read(CLEAN_CELL)
    for cell in CELLS[1:]:
        assert np.abs(arrays["net"].read(cell) - clean).max() > 0.01


def test_all_networks_levels_and_draws_see_the_noise_they_should(tmp_path: Path) -> None:
    images = image_set(9)
    outputs = 3 * SIDE * SIDE

    def pixels(images_BCHW: Tensor) -> Tensor:
        return images_BCHW.flatten(1)

    arrays = open_arrays(tmp_path, ["one", "other", "alone"], 9, outputs)
    run({"one": pixels, "other": pixels}, {n: arrays[n] for n in ("one", "other")}, images)
    run({"alone": pixels}, {"alone": arrays["alone"]}, images, CELLS[::-1], batch_size=4)
    for cell in CELLS:
        for name in ("other", "alone"):
            np.testing.assert_allclose(
                arrays[name].read(cell), arrays["one"].read(cell), rtol=0, atol=1e-4
            )
    clean = arrays["one"].read(CLEAN_CELL)
    originals = images.batch(range(9))[0].flatten(1).numpy()
    np.testing.assert_array_equal(clean, originals)
    low, again, high = (
        arrays["one"].read(Cell("gaussian_noise", level, draw)) - clean
        for level, draw in ((20.0, 0), (20.0, 1), (80.0, 0))
    )
    np.testing.assert_allclose(high, 4 * low, rtol=0, atol=1e-3)
    assert abs(np.corrcoef(low.ravel(), again.ravel())[0, 1]) < 4 / np.sqrt(low.size)


def test_the_seed_changes_the_noise_only(tmp_path: Path) -> None:
    images = image_set(9)
    arrays = open_arrays(tmp_path, ["a", "b"], 9)
    network = TinyNetwork(1)
    run({"a": network}, {"a": arrays["a"]}, images, seed=1)
    run({"b": network}, {"b": arrays["b"]}, images, seed=2)
    for cell in CELLS:
        differs = np.abs(arrays["a"].read(cell) - arrays["b"].read(cell)).max() > 1e-6
        assert differs == (cell.distortion == "gaussian_noise")


def test_a_predictor_is_told_the_cell_of_its_images(tmp_path: Path) -> None:
    images = image_set(9)
    numbers = {cell: float(number) for number, cell in enumerate(CELLS)}

    def predict(images_BCHW: Tensor, cell: Cell) -> Tensor:
        return torch.full((len(images_BCHW), 1), numbers[cell])

    array = OutputArray(tmp_path / "numbers.zarr", 9, 1)
    sweep(
        {"numbers": predict},
        {"numbers": array},
        images,
        CELLS[::-1],
        KINDS,
        seed=SEED,
        batch_size=4,
        device=torch.device("cpu"),
    )
    for cell, number in numbers.items():
        np.testing.assert_array_equal(array.read(cell), np.full((9, 1), number))


# Going on where it stopped


def test_a_finished_sweep_predicts_nothing(tmp_path: Path) -> None:
    images = image_set(10)
    run({"net": TinyNetwork(1)}, open_arrays(tmp_path, ["net"], 10), images)
    network = TinyNetwork(1)
    run({"net": network}, open_arrays(tmp_path, ["net"], 10), images)
    assert network.seen == 0


def test_what_is_there_is_kept_as_it_is(tmp_path: Path) -> None:
    images = image_set(10)
    arrays = open_arrays(tmp_path, ["net"], 10)
    arrays["net"].add_cells(CELLS)
    filled = np.full((10, CLASSES), 7.0, np.float32)
    arrays["net"].write(CELLS[2], 0, filled)
    network = TinyNetwork(1)
    run({"net": network}, arrays, images)
    np.testing.assert_array_equal(arrays["net"].read(CELLS[2]), filled)
    assert network.seen == 10 * (len(CELLS) - 1)


def test_a_new_level_adds_its_own_cells_only(tmp_path: Path) -> None:
    images = image_set(10)
    arrays = open_arrays(tmp_path, ["net"], 10)
    network = TinyNetwork(1)
    run({"net": network}, arrays, images, CELLS[:3])
    before = [arrays["net"].read(cell) for cell in CELLS[:3]]
    network.batches.clear()
    new = Cell("gaussian_blur", 0.7)
    run({"net": network}, arrays, images, [CELLS[0], new, *CELLS[1:3]])
    assert network.seen == 10
    np.testing.assert_allclose(
        arrays["net"].read(new), one_by_one(network, images, new), rtol=0, atol=1e-5
    )
    for cell, values in zip(CELLS[:3], before, strict=True):
        np.testing.assert_array_equal(arrays["net"].read(cell), values)


def test_a_new_network_is_predicted_alone(tmp_path: Path) -> None:
    images = image_set(10)
    old, new = TinyNetwork(1), TinyNetwork(2)
    run({"old": old}, open_arrays(tmp_path, ["old"], 10), images)
    old.batches.clear()
    arrays = open_arrays(tmp_path, ["old", "new"], 10)
    run({"old": old, "new": new}, arrays, images)
    assert old.seen == 0
    assert new.seen == 10 * len(CELLS)
    np.testing.assert_allclose(
        arrays["new"].read(CELLS[1]), one_by_one(new, images, CELLS[1]), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("calls", [0, 1, 3, 8])
def test_a_killed_sweep_goes_on_at_its_next_block(tmp_path: Path, calls: int) -> None:
    images = image_set(10)  # two batches a cell
    network = TinyNetwork(1)
    with pytest.raises(Interrupted):
        run({"net": FailsAfter(network, calls)}, open_arrays(tmp_path, ["net"], 10), images)
    network.batches.clear()
    arrays = open_arrays(tmp_path, ["net"], 10)
    run({"net": network}, arrays, images)
    assert network.seen == 10 * (len(CELLS) - calls // 2)
    for cell in CELLS:
        np.testing.assert_allclose(
            arrays["net"].read(cell), one_by_one(network, images, cell), rtol=0, atol=1e-5
        )


def test_only_a_lost_block_is_predicted_again(tmp_path: Path) -> None:
    count = BLOCK + 30
    images = image_set(count, side=4)
    cells = [CLEAN_CELL, Cell("gaussian_noise", 20.0)]
    network = TinyNetwork(1)
    run({"net": network}, open_arrays(tmp_path, ["net"], count), images, cells, batch_size=500)
    assert network.batches == [500, 500, 24, 30] * 2  # no batch reaches over the end of a block
    before = [OutputArray(tmp_path / "net.zarr", count, CLASSES).read(cell) for cell in cells]

    shutil.rmtree(tmp_path / "net.zarr" / "c" / "1" / "1")  # cell 1, block 1
    arrays = open_arrays(tmp_path, ["net"], count)
    assert arrays["net"].has(cells[1], 0)
    assert not arrays["net"].has(cells[1], 1)
    network.batches.clear()
    run({"net": network}, arrays, images, cells, batch_size=500)
    assert network.batches == [30]
    for cell, values in zip(cells, before, strict=True):
        np.testing.assert_array_equal(arrays["net"].read(cell), values)


def test_many_blocks_equal_predicting_all_at_once(tmp_path: Path) -> None:
    count = 2 * BLOCK + 5
    images = image_set(count, side=4)
    network = TinyNetwork(1)
    arrays = open_arrays(tmp_path, ["net"], count)
    cell = Cell("gaussian_noise", 50.0, draw=1)
    run({"net": network}, arrays, images, [cell], batch_size=300)
    noisy_BCHW = KINDS["gaussian_noise"](
        images.batch(range(count))[0],
        torch.full((count,), 50.0),
        seed=derive_seed(SEED, "draw", 1),
    )
    with torch.no_grad():
        expected = network(noisy_BCHW).numpy()
    np.testing.assert_allclose(arrays["net"].read(cell), expected, rtol=0, atol=1e-5)


def test_nothing_to_sweep_is_no_error(tmp_path: Path) -> None:
    images = image_set(5)
    run({}, {}, images)
    arrays = open_arrays(tmp_path, ["net"], 5)
    network = TinyNetwork(1)
    run({"net": network}, arrays, images, cells=[])
    assert network.seen == 0
    assert arrays["net"].cells == []
