"""The command itself: what all its commands share."""

import errno
import importlib.metadata
import os
import re
import sys
import warnings
from typing import Annotated, NoReturn, final

import typer
from typer.core import TyperGroup

from mixqual.errors import MixqualError
from mixqual.file_names import printable_lines


@final
class _Commands(TyperGroup):
    """The commands, for whom no argument is empty."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Refuse what is empty: as a path it would be the current folder."""
        for before, word in zip(["", *args], args, strict=False):
            if word and not (_LONG_OPTION.fullmatch(word) and word.endswith("=")):
                continue
            what = word.rstrip("=") or (before if before.startswith("--") else "an argument")
            raise MixqualError(f"{what} is empty; give it a value, or leave it out")
        return super().parse_args(ctx, args)


_LONG_OPTION = re.compile("--[a-z-]+=")


app = typer.Typer(
    cls=_Commands,
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
    *("accelerate", "huggingface_hub", "jinja2", "matplotlib", "plotly", "safetensors", "scipy"),
    *("tensorboard", "timm", "torch", "torchvision", "xarray", "zarr"),
}
"""What the train extra of pyproject.toml brings."""

_OF_PLACES = (
    *(errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOSPC),
    *(errno.ENOTDIR, errno.EPERM, errno.EROFS),
)
"""What an operating system says of a path that a user has named, wherever it is come upon first."""


def main() -> None:
    """Run the command; a mistake of the user's is one line on standard error and exit code 2."""
    _open_streams()
    # Of oddities that Pillow can read past; what it cannot is an error with a reason.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        try:
            app()
        except SystemExit:
            sys.stdout.flush()
            raise
    except MixqualError as error:
        tell(f"error: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        if error.filename is None and not _takes_output():
            _leave_output(error)
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


def _open_streams() -> None:
    """Open what the shell has closed, as nothing: the next file would be taken for it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _takes_output() -> bool:
    """Whether standard output can be written, by an empty line."""
    try:
        print(flush=True)
    except OSError:
        return False
    return True


def _leave_output(error: OSError) -> NoReturn:
    """End as a command whose output could not be written; a reader that has left knows."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # of what is still in memory
    if error.errno == errno.EPIPE:
        sys.exit(1)
    tell(
        f"error: standard output cannot be written ({error.strerror}); give it another place, "
        "and run the command again: what it has made in files is there",
        err=True,
    )
    sys.exit(2)
