"""The command itself: what all its commands share."""

import errno
import importlib.metadata
import sys
import warnings
from typing import Annotated

import typer

from mixqual.errors import MixqualError
from mixqual.file_names import printable_lines

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measure how image quality hurts a classifier, and train a mixture of experts against it.",
)


def tell(text: str, *, err: bool = False) -> None:
    """Print what may hold names of files or classes, which can hold codes that a terminal obeys."""
    print(printable_lines(text), file=sys.stderr if err else sys.stdout, flush=True)


def _say_version(asked: bool) -> None:
    if asked:
        print(f"mixqual {importlib.metadata.version('mixqual')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Say the version, and end."
        ),
    ] = False,
) -> None:
    """For what is said before the command."""


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


TRAINING_PACKAGES = {
    *("accelerate", "jinja2", "matplotlib", "plotly", "safetensors", "scipy", "tensorboard"),
    *("timm", "torch", "torchvision", "xarray", "zarr"),
}
"""What the train extra of pyproject.toml brings."""

_OF_PLACES = (
    *(errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOSPC),
    *(errno.ENOTDIR, errno.EPERM, errno.EROFS),
)
"""What an operating system says of a path that a user has named, wherever it is come upon first."""


def main() -> None:
    """Run the command; a mistake of the user's is one line on standard error and exit code 2."""
    # Of oddities that Pillow can read past; what it cannot is an error with a reason.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        app()
    except MixqualError as error:
        tell(f"error: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        if error.errno not in _OF_PLACES or error.filename is None:
            raise
        tell(f"error: {error.filename}: {error.strerror}; give another place", err=True)
        sys.exit(2)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in TRAINING_PACKAGES:
            raise
        print(
            f"error: this command needs {package}, which the train extra brings: "
            'pip install "mixqual[train]"',
            file=sys.stderr,
        )
        sys.exit(2)
