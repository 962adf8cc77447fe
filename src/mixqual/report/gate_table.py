"""The paper's Table 1 for a run: the layers of its gate, at the size of what the gate sees."""

from mixqual.gate_layers import PATCH_SIDE, gate_layers
from mixqual.layout import Table, Value, numbers
from mixqual.report.labels import gate_kind
from mixqual.results.lookups import Results


def gate_table(results: Results) -> Table:
    """Kernel, output and parameters of every layer of the gate, and of all together."""
    side, channels, total = results["provenance"]["size"], 3, 0
    experts, kind = len(results["experts"]), gate_kind(results)
    notes = [
        "ReLU follows every convolution but the last; convolutions have biases and keep the size "
        f"of their maps. The {experts} outputs are the weights of the experts."
    ]
    if kind == "patch":
        side = min(side, PATCH_SIDE)
        notes.insert(
            0,
            "This is the patch gate, not the paper's of Table 1: it looks at the central "
            f"{side}×{side} pixels of an image, at their own resolution, and at nothing else.",
        )
    records: list[tuple[Value, ...]] = [("Input", None, side, channels, None)]
    for number, layer in enumerate(gate_layers(experts, kind), start=1):
        params = (layer.kernel**2 * channels + 1) * layer.filters
        channels, total = layer.filters, total + params
        records.append((f"Conv-{number}", layer.kernel, side, channels, params))
        if layer.pool:
            side //= 2
            records.append(("Max pooling", 2, side, channels, None))
    records.append(("Global average pooling, softmax", side, 1, channels, None))
    rows = [
        (
            str(name),
            f"{kernel}×{kernel}" if kernel else "",
            f"{output}×{output}×{maps}",
            f"{params:,}" if params else "",
        )
        for name, kernel, output, maps, params in records
    ]
    return Table(
        title=f"{results['name']}: the gating network" + ("" if kind == "paper" else f" ({kind})"),
        header=("Layer", "Kernel", "Output", "Params"),
        rows=(*rows, ("All", "", "", f"{total:,}")),
        align=("left", *numbers(3)),
        fields=("layer", "kernel", "output_side", "output_maps", "params"),
        records=tuple(records),
        rules=(1, len(rows)),
        notes=tuple(notes),
    )
