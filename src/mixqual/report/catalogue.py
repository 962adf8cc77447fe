"""Every table and figure of a run, by the name that makes it alone."""

from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure

from mixqual.errors import RunError
from mixqual.layout import Table
from mixqual.report.comparison import Run
from mixqual.report.conditional_figure import figure_conditional
from mixqual.report.conditional_table import conditional_table
from mixqual.report.cost_figure import figure_costs
from mixqual.report.example_figure import figure_1
from mixqual.report.figures import figure_2, figure_4, figure_5
from mixqual.report.gate_table import gate_table
from mixqual.report.kept_table import kept_table
from mixqual.report.labels import listing
from mixqual.report.quality import quality_table
from mixqual.report.shipping import front_table
from mixqual.report.structure_figure import figure_6
from mixqual.report.tables import auc_table, comparisons_table, distortions_table
from mixqual.report.tree_trust_table import tree_trust_table
from mixqual.report.trees import TITLES, tree_table
from mixqual.report.trees_across import trees_across_table
from mixqual.report.trust_figure import tree_trust_figure, trust_figure
from mixqual.report.trust_table import trust_table
from mixqual.report.twins import twins_table
from mixqual.report.unseen import unseen_table
from mixqual.results.lookups import Examples, Results

FIGURES: Mapping[str, Callable[[Results], Figure | None]] = {
    "fig2": figure_2,
    "fig4": figure_4,
    "fig5": figure_5,
    "fig6": figure_6,
    "costs": figure_costs,
    "trust": trust_figure,
    "tree_trust": tree_trust_figure,
    "conditional": figure_conditional,
}
"""Name to what draws it; None of a run that cannot have it."""

TABLES: Mapping[str, Callable[[Results], Table | None]] = {
    "recommendation": front_table,
    "auc": auc_table,
    "twins": twins_table,
    "distortions": distortions_table,
    "kept_levels": kept_table,
    "comparisons": comparisons_table,
    "quality": quality_table,
    "treenet": lambda results: tree_table(results, "treenet"),
    "inverted": lambda results: tree_table(results, "inverted"),
    "both": lambda results: tree_table(results, "both"),
    "unseen": unseen_table,
    "verdicts": trust_table,
    "tree_verdicts": tree_trust_table,
    "thresholds": conditional_table,
    "gate": gate_table,
}
"""Name to what computes it, in the order in which they are read; None as above."""

PAPER = {
    "table1": "gate",
    **dict.fromkeys(("table2", "table3", "table4", "table5"), "auc"),
    "table6": "treenet",
    "table7": "inverted",
}
"""The paper's tables. Its Tables 2 to 5 are one table for four data sets, so any of them is the
table of the data set that the run has."""

ALIKE = "gate"
"""The table that is the same in all runs with as many experts and this kind of gate: made on
request only."""

_ELSEWHERE = {
    "fig3": "fig3 is drawn from networks, which results.json does not hold; `mixqual neurons` "
    "makes it",
}
_EXAMPLES = "fig1"
"""The figure that is made of examples.json."""

_CONDITIONAL = "its results are older than conditional inference; run its study again"
_TREES = "its study shares no stages this way (see [[sharing]])"
_TREE_TRUST = "its study has no trees, or its results are of a version that did not judge trees"
_WHY_NOT = {
    "costs": "its study has no trees (see [[sharing]])",
    _EXAMPLES: "its folder has no examples.json; run its study again with this version",
    "conditional": _CONDITIONAL,
    "thresholds": _CONDITIONAL,
    "distortions": "its distortions are few enough to be in the table auc",
    "recommendation": "its results are of a version that recommended nothing",
    "kept_levels": "its results are of a version that did not state them, or it asks for none",
    "twins": "none of its test images has a twin in another split or class",
    "quality": "its results are of version 0.1, which measured accuracy alone",
    "treenet": _TREES,
    "inverted": _TREES,
    "both": _TREES,
    "trust": "its results are of a version that did not measure it",
    "verdicts": "its results are of a version that did not measure it",
    "tree_trust": _TREE_TRUST,
    "tree_verdicts": _TREE_TRUST,
    "unseen": "its study has no evaluation.leave_one_out",
}


def names() -> list[str]:
    """All names, the paper's first."""
    return [*sorted([_EXAMPLES, *FIGURES, *_ELSEWHERE, *PAPER]), *(name for name in TABLES)]


def make(results: Results, name: str, examples: Examples | None = None) -> Figure | Table:
    """The figure or table of a name; `examples` are those of the run, if it has any.

    Raises `RunError` for an unknown name, and for one that this run cannot have.
    """
    own = _known(name)
    if own in _ELSEWHERE:
        raise RunError(_ELSEWHERE[own])
    if own == _EXAMPLES:
        made: Figure | Table | None = figure_1(results, examples) if examples else None
    else:
        made = (FIGURES.get(own) or TABLES[own])(results)
    if made is None:
        raise RunError(f"{results['name']} has no {name}: {_WHY_NOT[own]}")
    return made


def make_across(runs: Sequence[Run], name: str) -> Table:
    """The table of a name for several runs: those of trees (the paper's Tables 6 and 7) have one.

    Raises `RunError` for another name, and if a run has no such trees.
    """
    own = _known(name)
    if own not in TITLES:
        raise RunError(
            f"{name} is of one run; name one run. Of several there are table6 (treenet), table7 "
            "(inverted) and both"
        )
    lacking = [run.label for run in runs if tree_table(run.results, own) is None]
    if lacking:
        raise RunError(
            f"{name} of several runs: leave out {listing(lacking)}, whose results have no trees of "
            "this kind (see [[sharing]])"
        )
    return trees_across_table(runs, own)


def report_tables(results: Results) -> list[Table]:
    """All tables of a run, in the order in which they are read."""
    made = [compute(results) for name, compute in TABLES.items() if name != ALIKE]
    return [table for table in made if table]


def _known(name: str) -> str:
    """The name of a figure or table, of the paper's as ours; raises `RunError` if there is none."""
    if name not in names():
        raise RunError(f"there is no {name!r}; there are {', '.join(names())}")
    return PAPER.get(name, name)
