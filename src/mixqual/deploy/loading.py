"""A predictor from whatever file `mixqual export` wrote."""

from pathlib import Path

from mixqual.deploy.onnx_modes import read_onnx_runner
from mixqual.deploy.parts import check_regular
from mixqual.deploy.predictor import Predictor
from mixqual.errors import BundleError

_ONNX_BEGINS = b"\x08"  # with the number of its format; a bundle is a ZIP archive


def load(
    path: str | Path,
    device: str = "auto",
    *,
    mode: str | None = None,
    tau: float | None = None,
    expert: str | None = None,
) -> Predictor:
    """Load what `mixqual export` wrote, in the mode of `Predictor.using`.

    An ONNX file needs onnxruntime, a bundle torch. `device` is "auto", "cpu" or "cuda[:N]". Raises
    `BundleError` if the file cannot be used, or not in this mode, or does not answer probe images
    with finite numbers.
    """
    check_regular(Path(path))
    if _is_onnx(Path(path)):
        predictor = Predictor(*read_onnx_runner(Path(path), device))
    else:
        # Imported where it is needed: an ONNX file is also for machines without torch.
        from mixqual.deploy.torch_runner import read_torch_runner

        predictor = Predictor(*read_torch_runner(Path(path), device))
    try:
        predictor.check()
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None
    return predictor.using(mode, tau=tau, expert=expert)


def _is_onnx(path: Path) -> bool:
    if path.suffix.lower() == ".onnx":
        return True
    try:
        with path.open("rb") as file:
            return file.read(1) == _ONNX_BEGINS
    except OSError:  # the reader of bundles says why
        return False
