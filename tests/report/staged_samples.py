"""Made-up results whose costs follow from stages, as those of a run do."""

from typing import Any

from report_samples import Results, sample_results

GATE = 98_531
STAGES = {None: 1_000, "blocks.1": 20_000, "blocks.3": 300_000, "blocks.5": 400_000}
STAGES |= {"blocks.6": 2_000_000, "conv_head": 654_321}
NAMES = list(STAGES)
SINGLE = sum(STAGES.values())


def parts(tree: dict[str, Any]) -> tuple[int, int, int]:
    """Parameters before, in and after the branches of a tree, added up by hand."""
    begin = NAMES.index(tree["until"]) if tree["until"] else 0
    end = NAMES.index(tree["from"]) if tree["from"] else len(NAMES)
    params = list(STAGES.values())
    return sum(params[:begin]), sum(params[begin:end]), sum(params[end:])


def staged_results(experts: int = 3, gate: int = GATE) -> Results:
    """The sample with trees, and with the costs that these stages give."""
    results = sample_results(1, experts, trees=True)
    results["stages"] = [{"name": n, "params": p, "macs": 9 * p} for n, p in STAGES.items()]
    for name in (*results["experts"], *results["baselines"]):
        results["cost"][name]["params"] = SINGLE
    results["cost"]["avg"]["params"] = experts * SINGLE
    results["cost"]["mix"]["params"] = experts * SINGLE + gate
    for tree in results["trees"]:
        before, own, after = parts(tree)
        results["cost"][tree["model"]]["params"] = before + experts * own + after + gate
    return results
