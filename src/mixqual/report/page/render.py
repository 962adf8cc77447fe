"""From the content of `results.json` to one HTML file that needs neither network nor server."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from mixqual.layout import Table
from mixqual.report.comparison import Run
from mixqual.report.comparison_table import comparison_table
from mixqual.report.conditional_table import conditional_table
from mixqual.report.kept_table import kept_table
from mixqual.report.page.chart_tables import accuracy_table, cost_table, weights_table
from mixqual.report.page.charts import accuracy_charts, chart_data
from mixqual.report.page.confusion_data import confusion_data
from mixqual.report.page.example_views import gallery
from mixqual.report.page.facts import (
    gate_table,
    left_out_tables,
    provenance_facts,
    study_facts,
    training_table,
)
from mixqual.report.page.grids import Grid, grid
from mixqual.report.page.models import model_groups, model_looks
from mixqual.report.page.summary import summary
from mixqual.report.quality import quality_table
from mixqual.report.shipping import front_table
from mixqual.report.tables import auc_table, comparisons_table, distortions_table
from mixqual.report.tree_trust_table import tree_trust_table
from mixqual.report.trees import tree_tables
from mixqual.report.trust_table import trust_table
from mixqual.report.twins import twins_table
from mixqual.report.unseen import unseen_table
from mixqual.results.lookups import Examples, Results

_PACKAGE = "mixqual.report.page"
_DRAWINGS = ("fig2", "fig4", "fig5", "fig6", "costs")


def render_page(
    results: Results, drawings: Mapping[str, bytes], examples: Examples | None = None
) -> str:
    """The page of a run. Equal arguments give equal bytes.

    `drawings` are the figures of the run as SVG, by their names. The page shows fig2, fig4, fig5
    and costs on paper and where scripts are switched off, fig6 always; `examples` are the run's.
    """
    looks, head = model_looks(results), summary(results)
    confusion = confusion_data(results)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            name=results["name"],
            results=results,
            style=Markup(_asset("style.css")),
            script=_script("charts.js", "tables.js", "page.js"),
            plotly=Markup(get_plotlyjs()),
            data=_json(chart_data(results) | {"confusion": confusion}),
            summary=head,
            kept_grid=grid(head.table, "kept"),
            groups=model_groups(results),
            experts=[looks[expert] for expert in results["experts"]],
            charts=accuracy_charts(results),
            confusion=confusion,
            gallery=gallery(results, examples) if examples else None,
            study_facts=study_facts(results),
            provenance_facts=provenance_facts(results),
            command=results.get("command"),
            study_text=results.get("study_text"),
            drawings={name: _data_uri(drawings[name]) for name in _DRAWINGS if name in drawings},
            **_grids(results),
        )
    )


def render_comparison(runs: Sequence[Run], drawing: bytes) -> str:
    """One page of several runs: their table, sortable, their figure as SVG, and their origins."""
    table = comparison_table(runs)
    return (
        _environment()
        .get_template("comparison.html.j2")
        .render(
            title=table.title,
            style=Markup(_asset("style.css")),
            script=_script("tables.js"),
            grid=grid(table, "runs"),
            drawing=_data_uri(drawing),
            runs=[
                (run.label, [*study_facts(run.results), *provenance_facts(run.results)])
                for run in runs
            ],
        )
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _script(*names: str) -> Markup:
    return Markup("".join(map(_asset, names)))


def _grids(results: Results) -> dict[str, Any]:
    """Every table of the page, under the name of its place."""
    front = front_table(results)
    training, gates = training_table(results), gate_table(results)
    judged = tree_trust_table(results)
    trees = [*tree_tables(results), *([judged] if judged else [])]
    return {
        "front_grid": _numbered("ship", [front], results)[0] if front else None,
        "area_grids": _numbered("areas", _area_tables(results), results),
        "tree_grids": _numbered("trees", trees, results),
        "accuracy_grids": _by_distortion("accuracy", results, accuracy_table),
        "weight_grids": _by_distortion("weights", results, weights_table),
        "cost_grid": grid(cost_table(results), "costs"),
        "gate_grid": grid(gates, "gate-losses") if gates else None,
        "training_grid": grid(training, "training-fits") if training else None,
        "left_out_grids": _numbered("left-out", left_out_tables(results), results),
    }


def _area_tables(results: Results) -> list[Table]:
    tables = [
        auc_table(results),
        twins_table(results),
        distortions_table(results),
        kept_table(results),
        comparisons_table(results),
        quality_table(results),
        unseen_table(results),
        conditional_table(results),
        trust_table(results),
    ]
    return [table for table in tables if table]


def _numbered(place: str, tables: list[Table], results: Results) -> list[Grid]:
    """Tables under ids of their own, without the run's name, which stands above the page."""
    grids = []
    for number, table in enumerate(tables):
        title = table.title.removeprefix(f"{results['name']}: ")
        plain = replace(table, title=title[:1].upper() + title[1:])
        grids.append(grid(plain, f"{place}-{number}"))
    return grids


def _by_distortion(
    place: str, results: Results, make: Callable[[Results, str], Table]
) -> list[Grid]:
    tables = [make(results, distortion) for distortion in results["distortions"]]
    return [grid(table, f"{place}-numbers-{number}") for number, table in enumerate(tables)]


def _asset(name: str) -> str:
    return files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")


def _json(value: Any) -> Markup:
    """JSON that no HTML parser takes for a tag."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _data_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"
