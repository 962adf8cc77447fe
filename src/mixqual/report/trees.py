"""The paper's Tables 6 and 7 for a run: mixtures that share stages, by branch point."""

from collections.abc import Mapping, Sequence
from typing import Any

from mixqual.layout import Align, Table, Value, csv_text
from mixqual.report.differences import Difference, difference
from mixqual.report.labels import averages, distortion_title, latency_text, table_columns
from mixqual.results.lookups import Results
from mixqual.results.names import AVERAGE
from mixqual.results.wording import model_label, signed

TITLES = {
    "treenet": "TreeNets (shared before the branch point)",
    "inverted": "Inverted-TreeNets (shared from the branch point on)",
    "both": "shared before and after the branches",
}
_ROLES = ("model", "ceiling", "control")
_OTHERS = ("mix", "control")
_COSTS = ("params", "macs", "latency_ms")
MISSING = "–"
NOTHING_SHARED = "nothing shared (M_mix)"


def tree_tables(results: Results) -> list[Table]:
    """One table for each kind of tree in a run; none if it has no trees."""
    tables = [tree_table(results, kind) for kind in TITLES]
    return [table for table in tables if table]


def tree_table(results: Results, kind: str) -> Table | None:
    """The table of one kind: "treenet" (the paper's Table 6), "inverted" (Table 7) or "both"."""
    trees = [tree for tree in results.get("trees", []) if tree["kind"] == kind]
    return _table(results, kind, trees) if trees else None


def trees_csv(results: Results) -> str:
    """All trees with their ceilings and controls, in full precision."""
    tables = tree_tables(results)
    return csv_text(_fields(results), [record for table in tables for record in table.records])


def branch_point(tree: Mapping[str, Any]) -> str:
    """Where a tree branches, in words."""
    return " to ".join(name for name in (tree["until"], tree["from"]) if name)


def tree_label(tree: Mapping[str, Any]) -> str:
    """The same, and whether its weights were solved for it: what a row of a table is called."""
    return branch_point(tree) + (" (own weights)" if tree["weights"] == "resolve" else "")


def _table(results: Results, kind: str, trees: Sequence[Mapping[str, Any]]) -> Table:
    columns = table_columns(results)
    titles = [f"{distortion_title(name)} AUC" for name in columns]
    rows = [_row(results, "mix", NOTHING_SHARED, columns)]
    rows += [_row(results, tree["model"], tree_label(tree), columns, tree) for tree in trees]
    align: list[Align] = ["right"] * (len(rows[0]) - 1)
    records = [_record(results, tree, role) for tree in trees for role in _ROLES if tree[role]]
    return Table(
        title=f"{results['name']}: {TITLES[kind]}",
        header=(
            "Branch point",
            *titles,
            "Average",
            "minus M_mix",
            "True weights",
            "M_all frozen",
            "minus that",
            "Params (M)",
            "MACs (G)",
            "Latency (ms)",
        ),
        rows=tuple(rows),
        align=("left", *align),
        fields=_fields(results),
        records=tuple(records),
        rules=(1,),
        notes=(
            "Averages over the distortions have 95 % intervals; differences are paired over the "
            "test images, seeds averaged.",
            "True weights: the same network under the optimal weights of each image's true "
            "distortion and level. M_all frozen: one network trained on all distortions with the "
            "same stages frozen, so that what freezing does is seen apart from what mixing does.",
            *own_weights_notes(trees),
        ),
        warnings=tuple(failed_gates(trees)),
    )


def _row(
    results: Results,
    model: str,
    label: str,
    columns: Sequence[str],
    tree: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    areas, cost = results["auc"], results["cost"][model]
    low, high = areas[model][AVERAGE]["ci95"]
    ceiling = tree["ceiling"] if tree else "mix_true"
    control = tree["control"] if tree else None
    return (
        label,
        *(f"{areas[model][name]['auc']:.3f}" for name in columns),
        f"{areas[model][AVERAGE]['auc']:.3f} [{low:.3f}, {high:.3f}]",
        _difference(difference(results, model, "mix")) if tree else MISSING,
        f"{areas[ceiling][AVERAGE]['auc']:.3f}",
        f"{areas[control][AVERAGE]['auc']:.3f}" if control else MISSING,
        _difference(difference(results, model, control)) if control else MISSING,
        f"{cost['params'] / 1e6:.2f}",
        f"{cost['macs'] / 1e9:.3f}",
        latency_text(cost),
    )


def _difference(found: Difference | None) -> str:
    if found is None:
        return MISSING
    return f"{signed(found.delta)} [{signed(found.low)}, {signed(found.high)}]"


def _fields(results: Results) -> tuple[str, ...]:
    columns = [*results["distortions"], *averages(results)]
    areas = [f"{name}_{part}" for name in columns for part in ("auc", "low", "high")]
    minus = [f"minus_{other}{part}" for other in _OTHERS for part in ("", "_low", "_high")]
    return ("kind", "until", "from", "role", "model", *areas, *minus, *_COSTS)


def _record(results: Results, tree: Mapping[str, Any], role: str) -> tuple[Value, ...]:
    model = tree[role]
    record: list[Value] = [tree["kind"], tree["until"], tree["from"], role, model]
    for name in (*results["distortions"], *averages(results)):
        area = results["auc"][model][name]
        record += [area["auc"], *area["ci95"]]
    for other in _OTHERS:
        rival = tree["control"] if other == "control" else other
        found = difference(results, model, rival) if rival else None
        record += [found.delta, found.low, found.high] if found else [None] * 3
    cost = results["cost"].get(model, {})  # a ceiling cannot be built
    return (*record, *(cost.get(field) for field in _COSTS))


def own_weights_notes(trees: Sequence[Mapping[str, Any]]) -> list[str]:
    """What (own weights) means, if a tree has these."""
    if not any(tree["weights"] == "resolve" for tree in trees):
        return []
    return [
        "(own weights): Eq. 4 solved anew for the branches, and a gate trained on that; the others "
        "are mixed with the weights and the gate of the independent experts."
    ]


def failed_gates(trees: Sequence[Mapping[str, Any]]) -> list[str]:
    """A warning for each training of a tree's own gate that failed."""
    return [
        f"WARNING: THE GATE HAS FAILED for {model_label(tree['model'])}, seed {row['seed']}: its "
        f"validation loss is {row['val_loss']:.4f}, that of the best constant "
        f"{row['constant_loss']:.4f}."
        for tree in trees
        for row in tree.get("gate", [])
        if not row["beats_constant"]
    ]
