"""The result of a run in one sentence."""

from mixqual.report.differences import Difference, difference
from mixqual.report.labels import (
    AVERAGE,
    Results,
    interval_text,
    listing,
    main_baseline,
    model_label,
    signed,
)
from mixqual.report.notes import failed_gates


def headline(results: Results) -> str:
    """Compare M_mix with M_clean and with the networks trained on all distortions.

    Beside M_all it names every other baseline, or a run could hide the one that beats M_mix. It
    says what the intervals allow, whichever way that is, and if the gate has failed.
    """
    images = results["provenance"]["images"]["test"]
    own = results["auc"]["mix"][AVERAGE]["auc"]
    phrases = [
        _phrase(found)
        for rival in _rivals(results)
        if (found := difference(results, "mix", rival)) is not None
    ]
    sentence = f"M_mix has an average AUC of {own:.3f} on {images} test images"
    if phrases:
        sentence += f": {listing(phrases)} (95 % intervals)"
    failed = failed_gates(results)
    if failed:
        sentence += f"; but the gate has failed for {failed}"
    return sentence + "."


def _rivals(results: Results) -> list[str]:
    clean = "clean" if "clean" in results["experts"] else results["experts"][0]
    main = main_baseline(results)
    others = [name for name in results["baselines"] if name != main]
    return [clean, *([main] if main else []), *others]


def _phrase(found: Difference) -> str:
    rival, interval = model_label(found.b), interval_text(found.low, found.high)
    if found.verdict == "no difference shown":
        return f"no difference from {rival} is shown, {signed(found.delta)} {interval}"
    return f"{abs(found.delta):.3f} {found.verdict} than {rival}, {interval}"
