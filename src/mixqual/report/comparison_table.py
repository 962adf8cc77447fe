"""The table of several runs: one row for each run and model."""

from collections.abc import Sequence

from mixqual.layout import Align, Table, Value, numbers
from mixqual.report.comparison import Column, Row, Run, Spread, columns_of, rows_of
from mixqual.report.comparison_notes import comparison_notes, comparison_warnings
from mixqual.report.labels import distortion_title
from mixqual.results.names import AVERAGE, HELD_OUT
from mixqual.results.wording import model_label

_MOST_COLUMNS = 6
_MISSING = "–"
_PARTS = ("auc", "low", "high", "sd", "seeds")


def comparison_table(runs: Sequence[Run]) -> Table:
    """Areas with intervals, what each seed gives, and costs, of every model of every run."""
    columns = columns_of(runs)
    rows = rows_of(runs, columns)
    means = [column for column in columns if column.name in (AVERAGE, HELD_OUT)]
    shown = columns if len(columns) <= _MOST_COLUMNS else means
    left = () if shown is columns else ("The AUC of each distortion is in the CSV.",)
    labels = [row.run for row in rows]
    align: tuple[Align, ...] = ("left",) * 5
    return Table(
        title=f"Runs compared: {', '.join(run.label for run in runs)}",
        header=(
            *("Run", "Model", "Backbone", "Sharing", "Seeds"),
            *(_title(column, columns) for column in shown),
            *("SD over seeds", "Each seed", "Params (M)", "MACs (G)"),
        ),
        rows=tuple(_texts(row, shown) for row in rows),
        align=(*align, *numbers(len(shown) + 4)),
        fields=(
            *("run", "model", "kind", "backbone", "size", "sharing", "seeds"),
            *(f"{field}_{part}" for field in _fields(columns) for part in _PARTS),
            *("params", "macs"),
        ),
        records=tuple(_record(row, columns) for row in rows),
        rules=tuple(i for i in range(1, len(rows)) if labels[i] != labels[i - 1]),
        notes=(*comparison_notes(runs, columns), *left),
        warnings=comparison_warnings(runs),
        keys=2,  # run and model
    )


def _title(column: Column, columns: Sequence[Column]) -> str:
    """The name of an area, with its runs where others have another area of this name."""
    title = distortion_title(column.name)
    title = title if column.name in (AVERAGE, HELD_OUT) else f"{title} AUC"
    alike = [other for other in columns if other.name == column.name]
    return title if len(alike) == 1 else f"{title} ({', '.join(column.runs)})"


def _fields(columns: Sequence[Column]) -> list[str]:
    names = [column.name for column in columns]
    before = [names[:place].count(name) for place, name in enumerate(names)]
    return [
        f"{name}_{count + 1}" if count else name for name, count in zip(names, before, strict=True)
    ]


def _texts(row: Row, columns: Sequence[Column]) -> tuple[str, ...]:
    deviation = row.average.deviation
    params, macs = row.cost.get("params"), row.cost.get("macs")
    return (
        row.run,
        model_label(row.model),
        f"{row.backbone}, {row.size} px",
        row.sharing,
        ", ".join(map(str, row.seeds)),
        *(area_text(row.areas.get(column)) for column in columns),
        _MISSING if deviation is None else f"{deviation:.3f}",
        " ".join(f"{value:.3f}" for value in row.average.seeds),
        _MISSING if params is None else f"{params / 1e6:.2f}",
        _MISSING if macs is None else f"{macs / 1e9:.3f}",
    )


def area_text(spread: Spread | None) -> str:
    """An area with its interval, if it has one."""
    if spread is None:
        return _MISSING
    interval = f" [{spread.ci95[0]:.3f}, {spread.ci95[1]:.3f}]" if spread.ci95 else ""
    return f"{spread.auc:.3f}{interval}"


def _record(row: Row, columns: Sequence[Column]) -> tuple[Value, ...]:
    record: list[Value] = [row.run, row.model, row.kind, row.backbone, row.size, row.sharing]
    record.append(" ".join(map(str, row.seeds)))
    for column in columns:
        spread = row.areas.get(column)
        if spread is None:
            record += [None] * len(_PARTS)
            continue
        low, high = spread.ci95 or (None, None)
        record += [spread.auc, low, high, spread.deviation, " ".join(map(str, spread.seeds))]
    return (*record, row.cost.get("params"), row.cost.get("macs"))
