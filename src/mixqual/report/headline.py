"""The result of a run in one sentence."""

from mixqual.counting import counted
from mixqual.report.differences import Difference, difference
from mixqual.report.labels import listing, main_baseline
from mixqual.report.notes import failed_gates
from mixqual.results.lookups import Results, original_network
from mixqual.results.names import AVERAGE
from mixqual.results.wording import model_label, signed


def headline(results: Results) -> str:
    """Say what to ship, which older results do not, and then how M_mix compares."""
    recommended = results.get("recommendation")
    sentences = [recommended["reason"]] if recommended else []
    return " ".join([*sentences, mixture_sentence(results)])


def mixture_sentence(results: Results) -> str:
    """Compare M_mix with M_clean and with the networks trained on all distortions.

    Beside M_all it names every other baseline, or a run could hide the one that beats M_mix. It
    says what the intervals allow, whichever way that is, and if the gate has failed.
    """
    images = results["provenance"]["images"]["test"]
    own = results["auc"]["mix"][AVERAGE]["auc"]
    found = [difference(results, "mix", rival) for rival in rivals(results)]
    phrases = [_phrase(each, first=index == 0) for index, each in enumerate(found) if each]
    sentence = f"M_mix has an average AUC of {own:.3f} on {counted(images, 'test image')}"
    if phrases:
        sentence += f"; that is {listing(phrases)}"
    failed = failed_gates(results)
    if failed:
        sentence += f"; but THE GATE HAS FAILED for {failed}"
    return sentence + "."


def rivals(results: Results) -> list[str]:
    """What M_mix has to beat: the original network, M_all, and every other baseline."""
    main = main_baseline(results)
    others = [name for name in results["baselines"] if name != main]
    return [original_network(results), *([main] if main else []), *others]


def _phrase(found: Difference, first: bool) -> str:
    rival, kind = model_label(found.b), "95 % interval " if first else ""
    if found.verdict == "no difference shown":
        interval = f"{signed(found.low)} to {signed(found.high)}"
        return f"not shown to differ from that of {rival} ({signed(found.delta)}, {kind}{interval})"
    near, far = sorted([abs(found.low), abs(found.high)])
    size = f"{abs(found.delta):.3f} {found.verdict}"
    return f"{size} than that of {rival} ({kind}{near:.3f} to {far:.3f})"
