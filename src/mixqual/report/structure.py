"""What the mixtures of a run are made of: their parts, and how many parameters each has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from mixqual.results.lookups import Results


@final
@dataclass(frozen=True)
class Part:
    """Consecutive stages of a network."""

    params: int | None
    """None if the results do not say how two shared parts divide their parameters."""
    stages: int | None
    """How many; None if the results do not say."""


@final
@dataclass(frozen=True)
class Structure:
    """A mixture: stages that all experts share, stages of each expert, and shared ones again."""

    model: str
    kind: str
    """`independent`, `treenet`, `inverted` or `both`."""
    until: str | None
    start: str | None
    """The stages that are shared until, and from, which; as in `trees`."""
    first: Part | None
    branch: Part
    """The stages that every expert has for itself."""
    last: Part | None
    shared_params: int
    gate_params: int | None
    """None without a gate: every expert counts the same."""
    own_gate: bool
    """Whether its gate is another than that of M_mix."""
    params: int

    @property
    def joins(self) -> str:
        """What joins the experts: features where shared stages follow, else probabilities."""
        how = "average" if self.gate_params is None else "mix"
        return f"{how} {'features' if self.last else 'probabilities'}"


def structures(results: Results) -> list[Structure]:
    """M_avg, M_mix and every tree of a run.

    The parameters of parts follow from those of stages. Results without these, which are older,
    have totals: what a tree shares is what it saves, counted once for each expert but the first.
    """
    experts, cost = len(results["experts"]), results["cost"]
    single = cost[results["experts"][0]]["params"]
    gate = cost["mix"]["params"] - experts * single
    stages = results.get("stages", [])
    trees = results.get("trees", [])
    shared = {
        tree["model"]: (experts * single + gate - cost[tree["model"]]["params"]) // (experts - 1)
        for tree in trees
    }
    independent = [
        Structure(
            model=model,
            kind="independent",
            until=None,
            start=None,
            first=None,
            branch=Part(single, len(stages) or None),
            last=None,
            shared_params=0,
            gate_params=gate_params,
            own_gate=False,
            params=cost[model]["params"],
        )
        for model, gate_params in (("avg", None), ("mix", gate))
    ]
    return [*independent, *(_of_tree(results, tree, shared, single, gate) for tree in trees)]


def _of_tree(
    results: Results, tree: Mapping[str, Any], shared: Mapping[str, int], single: int, gate: int
) -> Structure:
    until, start, stages = tree["until"], tree["from"], results.get("stages", [])
    own = shared[tree["model"]]
    names = [stage["name"] for stage in stages]
    if stages:
        begin = names.index(until) if until else 0
        end = names.index(start) if start else len(stages)
        first, branch, last = (_sum(part) for part in _cut(stages, begin, end))
    else:
        before, after = _from_totals(results["trees"], tree, shared)
        first, branch, last = Part(before, None), Part(single - own, None), Part(after, None)
    return Structure(
        model=tree["model"],
        kind=tree["kind"],
        until=until,
        start=start,
        first=first if until else None,
        branch=branch,
        last=last if start else None,
        shared_params=own,
        gate_params=gate,
        own_gate=tree["weights"] == "resolve",
        params=results["cost"][tree["model"]]["params"],
    )


def _cut(stages: Sequence[Any], begin: int, end: int) -> tuple[Sequence[Any], ...]:
    return stages[:begin], stages[begin:end], stages[end:]


def _sum(stages: Sequence[Mapping[str, Any]]) -> Part:
    return Part(sum(stage["params"] for stage in stages), len(stages))


def _from_totals(
    trees: Sequence[Mapping[str, Any]], tree: Mapping[str, Any], shared: Mapping[str, int]
) -> tuple[int | None, int | None]:
    """Parameters before and after the branches; of both at once, if another tree tells one."""
    own = shared[tree["model"]]
    if tree["kind"] != "both":
        return (own, 0) if tree["until"] else (0, own)
    for other in trees:
        if other["kind"] == "treenet" and other["until"] == tree["until"]:
            return shared[other["model"]], own - shared[other["model"]]
        if other["kind"] == "inverted" and other["from"] == tree["from"]:
            return own - shared[other["model"]], shared[other["model"]]
    return None, None
