"""The commands that take a model out of its run, and use it."""

import glob
import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from mixqual.cli.app import AsJson, app, tell
from mixqual.counting import counted
from mixqual.errors import DataError
from mixqual.file_names import printable

if TYPE_CHECKING:
    from mixqual.deploy import Prediction
    from mixqual.deploy.export import Exported


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.", metavar="RUN")],
    out: Annotated[Path, typer.Argument(help="The file to write.", metavar="OUT")],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help='"bundle", "onnx" or "torch-export"; by the ending of OUT: .mixqual, .onnx, .pt2.',
        ),
    ] = None,
    input_: Annotated[
        str, typer.Option("--input", help='Images of ONNX and torch-export: "uint8", "float32".')
    ] = "uint8",
    int8: Annotated[
        bool, typer.Option("--int8", help="Convolutions of ONNX in whole numbers of 8 bits.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            help='"mix", a tree or a single network of the run; by default what it recommends.'
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Which training of the run; the first without.")
    ] = None,
) -> None:
    """Write a trained model with all that it needs as one file, also for other programs."""
    from mixqual.deploy.export import export as write

    found = write(run, out, format=form, input=input_, int8=int8, model=model, seed=seed)
    tell(
        f"{found.path}: {found.manifest.model} of {found.manifest.name} ({found.why}), "
        f"{found.path.stat().st_size / 2**20:.1f} MiB{_likeness(found)}"
    )


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="A bundle or an ONNX file of `mixqual export`.")],
    images: Annotated[
        list[str],
        typer.Argument(
            help='Files, folders or patterns; "-" reads names from standard input, one a line.'
        ),
    ],
    as_json: AsJson = False,
    mode: Annotated[
        str | None,
        typer.Option(
            help='"full" runs all experts; "conditional" those that count, by --tau; "expert" one. '
            "By default what --tau or --expert say, or full."
        ),
    ] = None,
    tau: Annotated[
        float | None,
        typer.Option(help="Least weight of an expert that runs; by default the study's choice."),
    ] = None,
    expert: Annotated[str | None, typer.Option(help="The one expert to ask.")] = None,
    device: Annotated[str, typer.Option(help='"auto", "cpu" or "cuda[:N]".')] = "auto",
) -> None:
    """Say what a model sees in images; an image that cannot be read does not stop the others."""
    from mixqual.deploy import load

    predictor = load(bundle, device, mode=mode, tau=tau, expert=expert)
    failed = 0
    names: list[str] = []

    def sources() -> Iterator[str]:
        for name in _names(images):
            names.append(name)
            yield name

    for number, result in enumerate(predictor.stream(sources())):
        if isinstance(result, DataError):
            failed += 1
            reason = str(result).removeprefix(f"{names[number]}: ")
            if as_json:
                print(json.dumps({"image": names[number], "error": reason}), flush=True)
            else:
                tell(f"{printable(names[number])}: {reason}", err=True)
        elif as_json:
            print(json.dumps({"image": names[number], **asdict(result)}), flush=True)
        else:
            tell(f"{printable(names[number])}: {printable(_words(result))}")
    if not names:
        raise DataError(f"no image: {' '.join(images)} names no file")
    if failed:
        raise typer.Exit(1)


def _likeness(found: "Exported") -> str:
    if not found.parity:
        return ""
    largest = max(found.parity.clean, found.parity.distorted)
    return (
        f" ({found.format}); its probabilities differ by at most {largest:.1g} from those of its "
        f"networks on {found.parity.images} clean and distorted images{_loss(found)}"
    )


def _loss(found: "Exported") -> str:
    if not found.int8:
        return ""
    if found.int8.auc is None or found.int8.auc_int8 is None:
        return (
            "; what int8 costs in AUC was not measured, as the run no longer has its validation "
            "images: it was calibrated on made-up ones"
        )
    return (
        f"; int8: AUC {found.int8.auc_int8:.3f} instead of {found.int8.auc:.3f} on "
        f"{counted(found.int8.images, 'validation image')} at {found.int8.levels} levels"
    )


def _names(patterns: list[str]) -> Iterator[str]:
    from mixqual.images.walking import image_files

    for pattern in patterns:
        if pattern == "-":
            yield from _listed(sys.stdin)
        elif os.path.isdir(pattern):
            yield from map(str, image_files(Path(pattern)))
        elif glob.has_magic(pattern) and not Path(pattern).exists():
            yield from sorted(glob.glob(pattern, recursive=True))
        else:
            yield pattern


def _listed(lines: TextIO) -> Iterator[str]:
    """Names of files, one a line, from a list that any system may have written."""
    if isinstance(lines, io.TextIOWrapper):
        lines.reconfigure(errors="surrogateescape")  # a name may be any bytes
    for line in lines:
        name = line.rstrip("\r\n").removeprefix("\ufeff")
        if name.strip():
            yield name


def _words(found: "Prediction") -> str:
    verdict = f", {found.verdict}" if found.verdict else ""
    return f"{found.class_name} {found.confidence:.2f}{verdict}{_of_gate(found)}"


def _of_gate(found: "Prediction") -> str:
    """What the gate says of the image; nothing if there is none."""
    seen = found.distortion
    if found.weights is None or seen is None:
        return ""
    weights = ", ".join(f"{expert} {weight:.2f}" for expert, weight in found.weights.items())
    what = seen.name
    if seen.levels is not None:
        low, high = seen.levels
        what += f" {low:g} {seen.unit}" if low == high else f" {low:g} to {high:g} {seen.unit}"
    left_out = len(found.experts_run) < len(found.weights)
    run = f"; ran {', '.join(found.experts_run)}" if left_out else ""
    return f" ({weights}; looks like {what}{run})"
