import json
from pathlib import Path

import pytest
from staged_samples import GATE, SINGLE, parts, staged_results

from mixqual.report.structure import structures

COMMITTED = Path(__file__).parents[2] / "results"


@pytest.mark.parametrize("experts", [2, 3, 8])
def test_parts_are_the_sums_of_their_stages(experts: int) -> None:
    results = staged_results(experts)
    avg, mix, *trees = structures(results)
    assert (avg.model, avg.gate_params, avg.joins) == ("avg", None, "average probabilities")
    assert (mix.model, mix.gate_params, mix.joins) == ("mix", GATE, "mix probabilities")
    for each in (avg, mix):
        assert (each.first, each.last, each.shared_params) == (None, None, 0)
        assert each.branch.params == SINGLE
        assert each.branch.stages == 6
    for structure, tree in zip(trees, results["trees"], strict=True):
        before, own, after = parts(tree)
        found = (structure.first, structure.branch, structure.last)
        assert [part.params if part else 0 for part in found] == [before, own, after]
        assert sum(part.stages or 0 for part in found if part) == 6
        assert structure.gate_params == GATE
        assert structure.joins == ("mix features" if tree["from"] else "mix probabilities")
        assert structure.own_gate == (tree["weights"] == "resolve")


@pytest.mark.parametrize("experts", [2, 3, 8])
def test_older_results_without_stages_tell_the_same_from_their_totals(experts: int) -> None:
    results = staged_results(experts)
    newer = structures(results)
    del results["stages"]
    for old, new in zip(structures(results), newer, strict=True):
        assert old.shared_params == new.shared_params
        assert old.branch.params == new.branch.params
        assert old.branch.stages is None
        if old.kind != "both":  # of these the two shared parts are known together only
            for one, other in ((old.first, new.first), (old.last, new.last)):
                assert (one and one.params) == (other and other.params)
        else:
            assert old.first
            assert old.first.params is None


@pytest.mark.parametrize(("until", "start"), [("blocks.1", None), (None, "blocks.6")])
def test_another_tree_tells_how_two_shared_parts_divide(
    until: str | None, start: str | None
) -> None:
    results = staged_results()
    del results["stages"]
    twin = dict(results["trees"][0], model="twin", until=until, **{"from": start})
    twin["kind"] = "treenet" if until else "inverted"
    before, own, after = parts(twin)
    results["trees"].append(twin)
    results["cost"]["twin"] = {"params": before + 3 * own + after + GATE}
    both = next(found for found in structures(results) if found.kind == "both")
    assert both.first
    assert both.last
    expected = parts({"until": "blocks.1", "from": "blocks.6"})
    assert (both.first.params, both.branch.params, both.last.params) == expected


@pytest.mark.parametrize("name", ["elpv", "elpv_224", "elpv_five", "elpv_trees"])
def test_committed_results_add_up(name: str) -> None:
    results = json.loads((COMMITTED / name / "results.json").read_text())
    found = structures(results)
    assert len(found) == 2 + len(results["trees"])
    for each in found:
        own = len(results["experts"]) * (each.branch.params or 0)
        assert each.shared_params + own + (each.gate_params or 0) == each.params
        assert each.params == results["cost"][each.model]["params"]
