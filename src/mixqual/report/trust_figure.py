"""How much fewer errors the surest answers have: risk against coverage, of M_mix and of trees."""

from matplotlib.figure import Figure

from mixqual.report.labels import distortion_title, figure_label, main_baseline
from mixqual.report.risk_panels import Look, RiskPanel, risk_figure
from mixqual.report.style import house_style, line_styles
from mixqual.report.tree_trust_table import judged_trees
from mixqual.results.lookups import Results, trust_rows
from mixqual.results.names import AVERAGE

_TREES = Look("tree", "#1a1a1a")


@house_style()
def trust_figure(results: Results) -> Figure | None:
    """Risk-coverage curves of M_mix with their intervals, and where the verdicts part them.

    A panel a distortion, of the first training, with the curve of M_all as a thin line if it was
    judged; None for results that do not tell.
    """
    rows = trust_rows(results, "mix")
    if not rows:
        return None
    rival = main_baseline(results)
    judged = trust_rows(results, rival) if rival else []
    beside = judged[0] if judged else None
    panels = [RiskPanel(distortion_title(n), rows[0], n, beside) for n in results["distortions"]]
    return risk_figure(
        panels, _look(results, "mix"), _look(results, rival) if rival and judged else None
    )


@house_style()
def tree_trust_figure(results: Results) -> Figure | None:
    """The same for trees, beside M_mix: a panel a tree, over the distortions that experts know.

    None for results that do not tell of trees.
    """
    trees = judged_trees(results)
    if not trees:
        return None
    mix = trust_rows(results, "mix")[0]
    panels = [
        RiskPanel(label, trust_rows(results, model)[0], AVERAGE, mix)
        for model, label in trees.items()
    ]
    return risk_figure(panels, _TREES, _look(results, "mix"))


def _look(results: Results, model: str) -> Look:
    return Look(figure_label(model), line_styles(results)[model].color)
