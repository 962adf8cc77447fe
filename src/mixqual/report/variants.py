"""The table of `mixqual cost`: what a backbone costs alone, as a mixture, and as each tree."""

from collections.abc import Mapping, Sequence
from typing import Any

from mixqual.layout import Align, Table
from mixqual.report.labels import latency_text

_TITLES = {
    "single": "one network",
    "independent": "mixture, nothing shared",
    "treenet": "TreeNet",
    "inverted": "Inverted-TreeNet",
}


def cost_table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """The paper's Tables 6 and 7 without accuracies; MACs beside their ratio to one network."""
    single = rows[0]
    timed = "latency_ms" in single
    align: list[Align] = ["right"] * (4 if timed else 3)
    variants = [row["variant"] for row in rows]
    return Table(
        title=title,
        header=("Variant", "Branch", "Params (M)", "MACs (G)", "× single")
        + (("Latency (ms)",) if timed else ()),
        rows=tuple(
            (
                _TITLES[row["variant"]],
                row["branch"],
                f"{row['params'] / 1e6:.3f}",
                f"{row['macs'] / 1e9:.3f}",
                f"{row['macs'] / single['macs']:.2f}",
                *((latency_text(row, 2),) if timed else ()),
            )
            for row in rows
        ),
        align=("left", "left", *align),
        fields=tuple(single),
        records=tuple(tuple(row.values()) for row in rows),
        rules=tuple(i for i in range(1, len(rows)) if variants[i] != variants[i - 1]),
        notes=(
            "A TreeNet shares all stages before its branch point, an Inverted-TreeNet all from it "
            "on. Mixtures are counted with their gate.",
            "MACs: multiply-accumulates of convolutions and linear layers for one image; × single: "
            "their ratio to those of one network.",
        ),
    )
