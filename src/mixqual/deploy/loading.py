"""A predictor from whatever file `mixqual export` wrote."""

from pathlib import Path

from mixqual.deploy.predictor import Predictor


def load(
    path: str | Path,
    device: str = "auto",
    *,
    mode: str | None = None,
    tau: float | None = None,
    expert: str | None = None,
) -> Predictor:
    """Load a mixture that `mixqual export` wrote, in the mode of `Predictor.using`.

    `device` is "auto", "cpu" or "cuda[:N]". Raises `BundleError` if the file cannot be used, or not
    in this mode.
    """
    from mixqual.deploy.torch_runner import read_torch_runner

    return Predictor(*read_torch_runner(Path(path), device)).using(mode, tau=tau, expert=expert)
