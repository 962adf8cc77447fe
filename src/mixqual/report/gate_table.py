"""The paper's Table 1 for a run: the layers of the gate, at the size of its images."""

from mixqual.gate_layers import gate_layers
from mixqual.report.labels import Results
from mixqual.report.layout import Table, Value, numbers


def gate_table(results: Results) -> Table:
    """Kernel, output and parameters of every layer of the gate, and of all together."""
    side, channels, total = results["provenance"]["size"], 3, 0
    experts = len(results["experts"])
    records: list[tuple[Value, ...]] = [("Input", None, side, channels, None)]
    for number, layer in enumerate(gate_layers(experts), start=1):
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
        title=f"{results['name']}: the gating network",
        header=("Layer", "Kernel", "Output", "Params"),
        rows=(*rows, ("All", "", "", f"{total:,}")),
        align=("left", *numbers(3)),
        fields=("layer", "kernel", "output_side", "output_maps", "params"),
        records=tuple(records),
        rules=(1, len(rows)),
        notes=(
            "ReLU follows every convolution but the last; convolutions have biases and keep the "
            f"size of their maps. The {experts} outputs are the weights of the experts.",
        ),
    )
