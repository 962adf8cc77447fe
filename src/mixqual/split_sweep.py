"""What the networks of a study say of the images of a split, at every distortion and level."""

from collections.abc import Mapping, Sequence

from mixqual.backends import Accelerated
from mixqual.data import ImageSet
from mixqual.evaluation import Cell, Cube, OutputArray, Predictor, sweep
from mixqual.seeding import derive_seed
from mixqual.workbench import Workbench, accelerated


def sweep_split(
    bench: Workbench, sets: Mapping[str, ImageSet], split: str, names: list[str], seed: int
) -> Cube:
    """Predict a split at every distortion and level with networks ("gate" for the gate)."""
    cells = bench.plan.cells(split)
    if bench.accelerator.is_main_process:
        fill_cells(bench, sets, split, names, seed, cells)
        bench.kept.clear()  # there is no other block
    bench.accelerator.wait_for_everyone()
    arrays = {name: _open_outputs(bench, sets, split, name, seed) for name in names}
    return Cube(arrays, cells, sets[split].labels_N.numpy())


def fill_cells(
    bench: Workbench,
    sets: Mapping[str, ImageSet],
    split: str,
    names: Sequence[str],
    seed: int,
    cells: Sequence[Cell],
) -> None:
    """Predict a split in some of its cells; other processes may do so in other cells meanwhile."""
    plan = bench.plan
    all_cells = plan.cells(split)
    opened: dict[str, OutputArray] = {}
    for name in names:
        # What an array says of itself is one file, which nobody else may change at the same time.
        with bench.only_maker(plan.outputs_folder(name, split, seed)):
            opened[name] = _open_outputs(bench, sets, split, name, seed)
            opened[name].add_cells(all_cells)
            bench.fetch_cells(opened[name], cells)
    lacking = [name for name in names if not opened[name].is_full(cells)]
    # All cells count, not those that are missing: a sweep goes on as it began.
    ahead = len(sets[split]) * len(all_cells)
    networks = accelerated(bench, sets[split], lacking, seed, ahead) if lacking else {}
    for name, network in networks.items():
        with bench.only_maker(plan.outputs_folder(name, split, seed)):
            opened[name] = _open_outputs(bench, sets, split, name, seed)
            opened[name].note_backend(network.backend)
            opened[name].note_maker(bench.store.maker)
    sweep(
        {name: _predictor(network, name) for name, network in networks.items()},
        {name: opened[name] for name in lacking},
        sets[split],
        cells,
        plan.distortions,
        seed=derive_seed(seed, "sweep", split),
        batch_size=plan.config.evaluation.batch_size,
        device=bench.machine.device,
        title=f"sweep of {split} (seed {seed})",
    )
    for array in opened.values():
        bench.publish_cells(array, cells)


def _predictor(network: Accelerated, name: str) -> Predictor:
    if name == "gate":
        return lambda images_BCHW, _: network.forward(images_BCHW)
    return lambda images_BCHW, _: network.forward(images_BCHW).softmax(1)


def _open_outputs(
    bench: Workbench,
    sets: Mapping[str, ImageSet],
    split: str,
    name: str,
    seed: int,
) -> OutputArray:
    folder = bench.plan.outputs_folder(name, split, seed)
    experts = len(bench.plan.config.experts)
    outputs = experts if name == "gate" else len(sets[split].classes)
    return bench.open_outputs(folder, len(sets[split]), outputs)
