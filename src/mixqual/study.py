"""A study from its file to its report: the paper's method, one function per section.

Start reading here. Each step below finds its artifact made, or makes it: a run that was killed
goes on where it stopped, and a changed setting repeats only what depends on it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mixqual import stages
from mixqual.artifacts import check_place, exclusive
from mixqual.backends import check_backend
from mixqual.config import StudyConfig
from mixqual.costs import costs, stage_costs
from mixqual.data import ImageIndex, ImageSet, has_gray_noise, index_images
from mixqual.errors import RunError
from mixqual.evaluation import Bootstrap, Cube
from mixqual.examples import Tested, choose_examples
from mixqual.executor import Executor
from mixqual.fan_out import fan_out
from mixqual.fusion import Scores, score
from mixqual.level_grids import named_code, with_gray_noise
from mixqual.mirror import Mirror
from mixqual.networks import check_backbone, load_backbone, settle_head, weights_to_fetch
from mixqual.object_store import ObjectStore
from mixqual.plan import Plan
from mixqual.progress import say
from mixqual.recommendation import rate, rate_conditional, recommend
from mixqual.report import check_replaces_report, check_report_place, write_report
from mixqual.results.content import RunResults
from mixqual.results.reading import RESULTS_FILE
from mixqual.runtime import check_device, set_up_machine
from mixqual.seeding import derive_seed
from mixqual.split_sweep import sweep_split
from mixqual.stages import OptimalWeights
from mixqual.study_file import load_study_config, study_origin
from mixqual.summary import backends_used, makers, summarise, weight_tables
from mixqual.thresholds import conditional_rows, sweep_thresholds
from mixqual.tree_plan import Tree, trees_of, with_canonical_stages
from mixqual.tree_results import Shared, tree_rows
from mixqual.tree_weights import resolve_weights
from mixqual.trees import sweep_trees, train_branch
from mixqual.trust import of_experts, of_network, trust
from mixqual.unseen import leave_one_out, unseen_rows
from mixqual.workbench import Workbench


@final
class Study:
    """A study, ready to run."""

    def __init__(self, config: StudyConfig, origin: Mapping[str, str] | None = None) -> None:
        """`origin` goes into the results as it is: what `study_origin` says of a study's file."""
        self.config = config
        self.origin = dict(origin or {})

    @staticmethod
    def load(path: str | Path, overrides: Sequence[str] = ()) -> "Study":
        """Read a study file; `overrides` are "key=value" lines. Raises `StudyError`."""
        config = load_study_config(Path(path), overrides)
        return Study(config, study_origin(Path(path), overrides))

    def prepare(self) -> tuple[Plan, ImageIndex]:
        """List the images, and plan what to make of them. Raises `DataError` and `StudyError`."""
        check_device(self.config.runtime.device)
        check_backend(self.config.runtime.backend)
        config = self.config
        trainings = [config.training_of(name) for name in (*config.experts, *config.baselines)]
        trainings += [table.training for table in config.sharing if table.training]
        check_backbone(
            config.backbone,
            config.data.size,
            min(training.batch_size for training in trainings),
            max(training.stochastic_depth for training in trainings),
        )
        index = index_images(config.data, config.split.seed)
        if code := named_code(config.distortions):
            say(f"importing Python code that the study names: {', '.join(code)}")
        gray = config.model_copy(update={"distortions": with_gray_noise(config.distortions)})
        _ = Plan(gray, "").levels  # unknown distortions are found before any work
        if has_gray_noise(config.data, index):
            config = gray
        backbone, note = settle_head(config.backbone, index.classes)
        if note and os.environ.get("RANK", "0") == "0":  # the first of several processes
            say(note)
        config = config.model_copy(update={"backbone": backbone})
        return Plan(with_canonical_stages(config), index.fingerprint()), index

    def run(
        self,
        out: str | Path,
        earlier: Sequence[str | Path] = (),
        executor: Executor | None = None,
        store: str | None = None,
    ) -> dict[str, Any]:
        """Run all of it into the folder `out`, and return the content of its `results.json`.

        What the folders of `earlier` runs already have of it is copied, not computed again. An
        `executor` makes the artifacts elsewhere, side by side, and this process only sums them up.
        Artifacts and results also go to the `store`, a URL such as "s3://bucket/prefix", and what
        is there is not computed again.
        Raises `MixqualError` for what the user can mend; everything computed until then is kept.
        """
        if out == "":
            raise RunError('the folder of a run is empty; name one, or "." for this one')
        check_run_place(Path(out))
        mirror = Mirror(ObjectStore(store)) if store else None  # refused before any work
        plan, index = self.prepare()
        config = plan.config
        machine = set_up_machine(self.config.runtime)
        bench = Workbench.open(plan, Path(out), machine, [Path(run) for run in earlier], mirror)
        if not executor and bench.lacks(plan.pretrained) and weights_to_fetch(config.backbone):
            load_backbone(config.backbone)  # if they cannot be fetched, no image is decoded
        if not bench.accelerator.is_main_process:
            bench = bench.noticing_changes(index)
            return self._run(bench, stages.prepare_images(bench, index))[0]
        with exclusive(Path(out)):
            bench = bench.noticing_changes(index)
            sets = stages.prepare_images(bench, index)
            if executor:
                fan_out(executor, bench, sets, [Path(run) for run in earlier])
            results, examples = self._run(bench, sets)
            bench.store.discard_half_written()
            RunResults.of(results, Path(out) / RESULTS_FILE)  # types and file must not drift
            paths = write_report(results, Path(out), examples)
            if mirror:
                mirror.publish_report(self.config.name, Path(out), paths)
        return results

    def _run(
        self, bench: Workbench, sets: Mapping[str, ImageSet]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the contents of `results.json` and `examples.json`, empty but in one process."""
        classes = len(sets["test"].classes)
        trees = trees_of(bench.plan)
        training: dict[str, Any] = {}
        gates: list[dict[str, Any]] = []
        tests: dict[int, tuple[Cube, OptimalWeights]] = {}
        validated: dict[int, Cube] = {}
        shared: dict[int, Shared] = {}
        unseen: dict[int, dict[str, NDArray[np.bool_]]] = {}
        for seed in self.config.seeds:
            training[str(seed)] = fine_tune(bench, sets, seed)
            weights = stages.solve_weights(bench, sets, seed)
            key = bench.plan.gate_key(seed)
            gate = stages.train_gate(bench, sets, weights, key, seed)
            gates.append({"seed": seed, **gate, "artifact": f"gate-{key}"})
            tests[seed] = (test(bench, sets, seed), weights)
            validated[seed] = validate(bench, sets, seed)
            shared[seed] = share(bench, sets, trees, weights, seed)
            training[str(seed)] |= shared[seed].training
            unseen[seed] = leave_one_out(bench, sets, seed)
        if not bench.accelerator.is_main_process:
            return {}, {}
        fused = {seed: fuse(bench.plan, *tests[seed]) for seed in tests}
        scores = {seed: fused[seed].right | shared[seed].right for seed in tests}
        bootstrap = self._bootstrap(sets, "test")
        measured = {seed: found.measured for seed, found in fused.items()}
        answers = {seed: found.answers for seed, found in fused.items()}
        first = self.config.seeds[0]
        seen = Tested(tests[first][0], answers[first], derive_seed(first, "sweep", "test"))
        cost = costs(bench, trees, classes)
        swept = {
            seed: sweep_thresholds(bench.plan, validated[seed], cube)
            for seed, (cube, _) in tests.items()
        }
        conditional = conditional_rows(swept, cost, bootstrap)
        rated = rate(bench.plan, validated, shared, scores, cost)
        rated.append(rate_conditional(swept, conditional["chosen"]["tau"], cost))
        results = {
            **summarise(bench, sets, scores, measured, answers, bootstrap),
            "unseen": unseen_rows(bench.plan, unseen, scores, bootstrap),
            **weight_tables(bench.plan, tests),
            "trees": tree_rows(trees, shared),
            "cost": cost,
            "conditional": conditional,
            "recommendation": recommend(rated, self._bootstrap(sets, "val"), bootstrap),
            "stages": stage_costs(bench, classes),
            "gate": gates,
            "trust": judge(bench.plan, trees, validated, tests, shared, bootstrap),
            "largest_gap": max(weights.largest_gap for _, weights in tests.values()),
            "training": training,
            **self.origin,
        }
        results["provenance"] |= makers(bench)
        results["provenance"]["backends"] = backends_used(
            bench.plan, [cube for cube, _ in tests.values()]
        )
        return results, choose_examples(bench.plan, sets["test"], seen)

    def _bootstrap(self, sets: Mapping[str, ImageSet], split: str) -> Bootstrap:
        """Resamples of the images of a split."""
        seed, resamples = self.config.split.seed, self.config.evaluation.bootstrap
        names = ("bootstrap",) if split == "test" else ("bootstrap", split)  # older than the others
        return Bootstrap.draw(len(sets[split]), resamples, derive_seed(seed, *names))


def check_run_place(out: Path) -> None:
    """Raise `RunError` if a run could not be written into this folder; makes nothing."""
    check_place(out, ["artifacts", ".locks"], [".lock", "status.json", "missing.md"])
    check_report_place(out)
    check_replaces_report(out, out)


def fine_tune(bench: Workbench, sets: Mapping[str, ImageSet], seed: int) -> dict[str, Any]:
    """Section 2: the experts, each on its own distortion, and the baselines on all of them."""
    return {
        name: asdict(stages.train_network(bench, sets, name, seed))
        | {"artifact": f"network-{bench.plan.network_key(name, seed)}"}
        for name in bench.plan.networks
    }


def test(bench: Workbench, sets: Mapping[str, ImageSet], seed: int) -> Cube:
    """Sections 2 and 3: every network and the gate, on every distortion and level."""
    return sweep_split(bench, sets, "test", [*bench.plan.networks, "gate"], seed)


def validate(bench: Workbench, sets: Mapping[str, ImageSet], seed: int) -> Cube:
    """What all of them say of the validation images: whatever is chosen is chosen by it."""
    return sweep_split(bench, sets, "val", [*bench.plan.networks, "gate"], seed)


def share(
    bench: Workbench,
    sets: Mapping[str, ImageSet],
    trees: Sequence[Tree],
    weights: OptimalWeights,
    seed: int,
) -> Shared:
    """Section 4: mixtures whose experts share stages, under the same gate unless said otherwise."""
    training: dict[str, Any] = {}
    gates: dict[str, Any] = {}
    by_tree: dict[str, OptimalWeights] = {}
    for tree in trees:
        for name in tree.branches:
            own = name if name == tree.control else f"{tree.sharing.name}/{name}"
            training[own] = asdict(train_branch(bench, sets, tree, name, seed))
            training[own]["artifact"] = f"branch-{tree.branch_key(name, seed)}"
        by_tree[tree.name] = weights
        if tree.config.weights == "resolve":
            by_tree[tree.name] = resolve_weights(bench, sets, tree, weights, seed)
            key = tree.gate_key(seed)
            gate = stages.train_gate(bench, sets, by_tree[tree.name], key, seed, of=tree.name)
            gates[tree.name] = {**gate, "artifact": f"gate-{key}"}
    said = {
        split: sweep_trees(bench, sets, split, trees, by_tree, seed) if trees else {}
        for split in ("test", "val")
    }
    return Shared(training, by_tree, gates, said["test"], said["val"])


def judge(
    plan: Plan,
    trees: Sequence[Tree],
    validated: Mapping[int, Cube],
    tests: Mapping[int, tuple[Cube, OptimalWeights]],
    shared: Mapping[int, Shared],
    bootstrap: Bootstrap,
) -> list[dict[str, Any]]:
    """How far the answers of M_mix, each network and each tree can be trusted, a row a training."""
    experts = list(plan.config.experts)
    rows = []
    for seed, (cube, _) in tests.items():
        val, test = of_experts(validated[seed], experts), of_experts(cube, experts)
        rows.append(trust(plan, "mix", seed, val, test, bootstrap))
    for name in plan.networks:
        for seed, (cube, _) in tests.items():
            val, test = of_network(validated[seed], name), of_network(cube, name)
            rows.append(trust(plan, name, seed, val, test, bootstrap))
    controls = [tree.control for tree in trees if tree.control]
    for name in dict.fromkeys([*(tree.name for tree in trees), *controls]):
        for seed, of_seed in shared.items():
            val, test = of_seed.validated[name], of_seed.tested[name]
            rows.append(trust(plan, name, seed, val, test, bootstrap))
    return rows


def fuse(plan: Plan, cube: Cube, weights: OptimalWeights) -> Scores:
    """Section 3: M_avg, M_max, M_hardmix and M_mix beside the single networks, on every cell."""
    return score(
        cube,
        list(plan.config.experts),
        [name for name in plan.networks if name in plan.config.baselines],
        {cell: weights.of(cell) for cell in cube.cells},
    )
