"""Which mode a user gets, and what is refused."""

import pytest
from test_bundle import ALONE, MANIFEST

from mixqual.deploy import Manifest
from mixqual.deploy.runner import Mode, choose_mode
from mixqual.errors import BundleError

CHOSEN = {"tau": 0.125, "experts": 1.5, "auc": 0.7}
WITH = Manifest.model_validate({**MANIFEST, "threshold": CHOSEN})
WITHOUT = Manifest.model_validate(MANIFEST)
ONE = Manifest.model_validate({**MANIFEST, **ALONE})


@pytest.mark.parametrize(
    ("asked", "mode"),
    [
        ((None, None, None), Mode("full")),
        (("full", None, None), Mode("full")),
        (("conditional", None, None), Mode("conditional", tau=0.125)),
        (("conditional", 0.0, None), Mode("conditional", tau=0.0)),
        ((None, 1.0, None), Mode("conditional", tau=1.0)),
        (("expert", None, "noise"), Mode("expert", expert="noise")),
        ((None, None, "clean"), Mode("expert", expert="clean")),
    ],
)
def test_what_is_asked_is_chosen(
    asked: tuple[str | None, float | None, str | None], mode: Mode
) -> None:
    assert choose_mode(WITH, *asked) == mode


def test_a_threshold_is_given_where_the_study_chose_none() -> None:
    assert choose_mode(WITHOUT, "conditional", 0.2, None) == Mode("conditional", tau=0.2)
    with pytest.raises(BundleError, match=r"needs a threshold \(tau\), as the study of"):
        choose_mode(WITHOUT, "conditional", None, None)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("fast", None, None), "no mode 'fast'; the modes are full, conditional, expert"),
        (("full", 0.1, None), r"a threshold \(tau = 0\.1\) is for the mode conditional, not full"),
        ((None, 0.1, "noise"), "is for the mode conditional, not expert"),
        (("conditional", None, "noise"), r"one expert \('noise'\) is for the mode expert"),
        (("conditional", 1.5, None), r"tau = 1\.5: a threshold of weights lies in 0\.\.\.1"),
        (("conditional", float("nan"), None), "tau = nan: a threshold of weights lies in"),
        ((None, None, "fog"), "there is no expert 'fog'; they are clean, noise"),
        (("expert", None, None), "none was named; they are clean, noise"),
    ],
)
def test_what_does_not_fit_is_refused(
    asked: tuple[str | None, float | None, str | None], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        choose_mode(WITH, *asked)


def test_one_network_has_one_mode() -> None:
    for name in (None, "full"):
        assert choose_mode(ONE, name, None, None) == Mode()
    for asked in (("conditional", None, None), (None, 0.1, None), (None, None, "noise")):
        with pytest.raises(BundleError, match=r"is for mixtures, and 'noise' is one network"):
            choose_mode(ONE, *asked)
    with pytest.raises(BundleError, match="no mode 'fast'"):
        choose_mode(ONE, "fast", None, None)
