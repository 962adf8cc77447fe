"""The table of conditional inference: what M_mix gives and costs at each threshold."""

from mixqual.layout import Table, numbers
from mixqual.results.lookups import Results
from mixqual.results.wording import signed


def conditional_table(results: Results) -> Table | None:
    """One row a threshold, with the chosen one marked; None of results that are older than it."""
    found = results.get("conditional")
    if not found:
        return None
    curve, chosen, whole = found["curve"], found["chosen"], found["curve"][0]
    experts = len(results["experts"])
    low, high = chosen["ci95"]
    delta_low, delta_high = (signed(end) for end in chosen["delta_ci95"])
    fields = ("tau", "auc", "val_auc", "experts", "macs")
    return Table(
        title=f"{results['name']}: M_mix without the experts of little weight",
        header=("Threshold τ", "Average AUC", "minus M_mix", "Experts run", "MACs (G)", ""),
        rows=tuple(
            (
                f"{row['tau']:g}",
                f"{row['auc']:.3f}",
                signed(row["auc"] - whole["auc"]),
                f"{row['experts']:.2f}",
                f"{row['macs'] / 1e9:.3f}",
                "chosen" if row["tau"] == chosen["tau"] else "",
            )
            for row in curve
        ),
        align=(*numbers(5), "left"),
        fields=(*fields, "chosen"),
        records=tuple(
            (*(row[field] for field in fields), str(row["tau"] == chosen["tau"]).lower())
            for row in curve
        ),
        notes=(
            "Of each image only the experts run whose weight by the gate is at least τ, and always "
            "the one with the highest; their weights are made to sum to one. At 0 that is M_mix, "
            "at 0.5 little but the gate's favourite is left. Experts run and MACs, those of the "
            "gate included, are means over the test images and over the levels, weighted as in the "
            "AUC: other images in other conditions need more experts, or fewer.",
            "The threshold was chosen on the validation images: the largest whose average AUC "
            f"there is at most {found['tolerance']:g} below that of M_mix. On the test images "
            f"τ = {chosen['tau']:g} has an average AUC of {chosen['auc']:.3f} [{low:.3f}, "
            f"{high:.3f}], {signed(chosen['delta'])} [{delta_low}, {delta_high}] against M_mix, "
            f"with {chosen['experts']:.2f} of {experts} experts and "
            f"{100 * chosen['macs'] / whole['macs']:.0f} % of its MACs.",
        ),
    )
