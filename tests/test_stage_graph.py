"""The graph of a study's stages, against what a run without it leaves in its folder."""

from collections import Counter
from pathlib import Path

import pytest
from finished_runs import Run

from mixqual.evaluation import count
from mixqual.forecast import forecast
from mixqual.networks import Gate, backbone_preprocessing, build_classifier
from mixqual.stage_graph import Stage, joined, study_stages, work_of
from mixqual.study import Study

CELLS = 2  # of a stage; the study has 5 cells to test in, and 7 to validate in


def graph(run: Run, *overrides: str) -> list[Stage]:
    plan, _ = Study.load(run.study, overrides).prepare()
    return study_stages(plan, CELLS)


def folders(stages: list[Stage]) -> set[str]:
    """The artifacts that stages make, or make parts of; but for those of trees' sweeps."""
    return {stage.makes.partition(":")[0] for stage in stages if stage.kind != "tree sweep"}


def artifacts(out: Path) -> set[str]:
    names = {path.name for path in (out / "artifacts").iterdir()}
    return {name for name in names if not name.startswith(("images-", "split-"))}


def test_makes_what_a_run_in_one_process_makes(plain_run: Run) -> None:
    assert folders(graph(plain_run)) == artifacts(plain_run.out)


def test_makes_what_trees_need(tree_run: Run) -> None:
    stages = graph(tree_run)
    sweeps = {stage.arguments[0]: stage for stage in stages if stage.kind == "tree sweep"}
    assert list(sweeps) == ["test", "val"]
    each = [set(stage.makes.partition(":")[0].split("+")) for stage in sweeps.values()]
    of_trees = set().union(*each)
    assert [len(names) for names in each] == [4, 4]
    assert len(of_trees) == 8
    made = artifacts(tree_run.out)
    controls = made - folders(stages) - of_trees
    assert of_trees < made
    assert folders(stages) < made
    # Two controls are swept with their trees, in both splits; the last tree has that of the first.
    assert len(controls) == 4
    assert {name.partition("-")[0] for name in controls} == {"outputs"}
    kinds = Counter(stage.kind for stage in stages)
    assert (kinds["branch"], kinds["tree weights"], kinds["tree gate"]) == (8, 2, 2)


@pytest.mark.parametrize("overrides", [(), ("seeds=[0, 1]", "evaluation.leave_one_out=true")])
def test_what_a_stage_needs_is_made_before_and_once(
    tree_run: Run, overrides: tuple[str, ...]
) -> None:
    made: set[str] = set()
    for stage in graph(tree_run, *overrides):
        assert set(stage.needs) <= made
        assert stage.makes not in made
        made.add(stage.makes)


def test_sweeps_of_trees_wait_for_their_controls(tree_run: Run) -> None:
    stages = graph(tree_run)
    branches = [stage for stage in stages if stage.kind == "branch"]
    controls = {stage.makes for stage in branches if stage.title.startswith("train all_")}
    assert len(controls) == 2
    sweeps = [stage for stage in stages if stage.kind == "tree sweep"]
    assert sweeps
    assert all(controls <= set(stage.needs) for stage in sweeps)


def test_trees_are_swept_in_every_cell_once(tree_run: Run) -> None:
    covered: dict[object, list[int]] = {"test": [], "val": []}
    for stage in graph(tree_run):
        if stage.kind == "tree sweep":
            split, _, first, last = stage.arguments
            covered[split].extend(range(int(first), int(last) + 1))
    assert covered == {"test": list(range(5)), "val": list(range(7))}


def test_sweeps_cover_every_cell_once(plain_run: Run) -> None:
    covered: dict[str, list[int]] = {}
    for stage in graph(plain_run):
        if stage.kind == "sweep":
            first, last = int(stage.arguments[2]), int(stage.arguments[3])
            assert last - first < CELLS
            covered.setdefault(stage.makes.partition(":")[0], []).extend(range(first, last + 1))
    counts = Counter(tuple(cells) for cells in covered.values())
    # Clean, two levels of noise and two of blur; noise is drawn twice in validation images.
    assert counts == {tuple(range(5)): 6, tuple(range(7)): 6}


def test_experts_wait_for_the_clean_one_only(plain_run: Run) -> None:
    stages = {stage.title: stage for stage in graph(plain_run)}
    clean = stages["train clean (seed 0)"]
    assert clean.needs == ()
    for name in ("noise", "blur", "all"):
        assert stages[f"train {name} (seed 0)"].needs == (clean.makes,)
    long = stages["train all_long (seed 0)"]
    trained = ("all", "clean", "noise", "blur")
    assert set(long.needs) == {stages[f"train {name} (seed 0)"].makes for name in trained}


def test_seeds_need_nothing_of_each_other(plain_run: Run) -> None:
    stages = graph(plain_run, "seeds=[0, 1]")
    of_second = {stage.makes for stage in stages if "(seed 1)" in stage.title}
    assert len(of_second) == len(stages) / 2
    for stage in stages:
        if "(seed 1)" in stage.title:
            assert set(stage.needs) <= of_second
        else:
            assert not of_second & set(stage.needs)


def test_work_is_what_the_forecast_of_a_run_says(plain_run: Run, tmp_path: Path) -> None:
    """In multiply-accumulates, of a network and of the gate."""
    plan, index = Study.load(plain_run.study).prepare()
    classes, side = len(index.classes), plan.config.data.size
    network = count(build_classifier(plan.config.backbone, classes, 0), side).macs
    gate = count(Gate(3, backbone_preprocessing(plan.config.backbone)), side).macs
    sizes = {"train": 40, "val": 16, "test": 24}
    experts = set(plan.config.experts)
    expected = {step.stage: step.macs for step in forecast(plan, index, tmp_path).steps}
    found: Counter[str] = Counter()
    for stage in study_stages(plan, CELLS):
        by_gate = stage.kind == "gate" or "gate" in stage.arguments
        title = stage.title
        if stage.kind == "sweep":
            split, by = stage.arguments[0], stage.arguments[4]
            later = split == "val" and by not in experts
            title = f"sweep of {split}{' by the others' if later else ''} (seed 0)"
        found[title] += int(work_of(stage, plan, sizes)) * (gate if by_gate else network)
    assert found.pop("solve weights (seed 0)") == 0
    assert expected.pop("decode images") == 0
    assert found == expected


def test_every_stage_but_solving_weights_is_work(tree_run: Run) -> None:
    plan, _ = Study.load(tree_run.study, ["evaluation.leave_one_out=true"]).prepare()
    sizes = {"train": 40, "val": 16, "test": 24}
    idle = {s.kind for s in study_stages(plan, CELLS) if not work_of(s, plan, sizes)}
    assert idle == {"weights"}


def test_families_are_sweeps_of_the_same_cells_and_joined_lose_nothing(tree_run: Run) -> None:
    stages = graph(tree_run, "seeds=[0, 1]", "evaluation.leave_one_out=true")
    plan, _ = Study.load(tree_run.study).prepare()
    families: dict[object, list[Stage]] = {}
    for stage in stages:
        if stage.family is not None:
            families.setdefault(stage.family, []).append(stage)
    assert sum(map(len, families.values())) == sum(stage.kind == "sweep" for stage in stages)
    sizes = {"train": 40, "val": 16, "test": 24}
    for family in families.values():
        whole = joined(family)
        folders, _, cells = whole.makes.partition(":")
        assert [f"{folder}:{cells}" for folder in folders.split("+")] == [s.makes for s in family]
        assert whole.arguments[:4] == family[0].arguments[:4]
        assert whole.arguments[4:] == tuple(s.arguments[4] for s in family)
        assert set(whole.needs) == {need for stage in family for need in stage.needs}
        assert {stage.without for stage in family} == {whole.without}
        assert work_of(whole, plan, sizes) == sum(work_of(s, plan, sizes) for s in family)


def test_the_title_of_joined_stages_names_all_networks(plain_run: Run) -> None:
    first, second = [s for s in graph(plain_run) if s.title.endswith("cells 0 to 1 (seed 0)")][:2]
    title = "sweep of val by clean, noise, cells 0 to 1 (seed 0)"
    assert joined([first, second]).title == title
    assert joined([first]) == first
