"""Commands that look at images, or distort them."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from mixqual.cli.app import AsJson, app, tell
from mixqual.counting import counted
from mixqual.errors import StudyError

data_app = typer.Typer(no_args_is_help=True)
app.add_typer(data_app, name="data")


@data_app.callback()
def data() -> None:
    """Look at images before they are used."""


@data_app.command()
def check(
    source: Annotated[
        str, typer.Argument(help="A folder, a manifest (.csv, .parquet) or a study file.")
    ],
    as_json: AsJson = False,
) -> None:
    """Report counts, sizes, copies, leaks and unreadable files; exit code 1 for problems."""
    from mixqual.data_check import check_data, data_of
    from mixqual.layout import to_rich
    from mixqual.report import data_check_tables

    report = check_data(*data_of(source))
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        console = Console()
        for table in data_check_tables(report):
            console.print(to_rich(table))
    if report["problems"]:
        raise typer.Exit(1)


@app.command()
def distort(
    source: Annotated[Path, typer.Argument(help="An image, or a folder of images.")],
    target: Annotated[Path, typer.Argument(help="A .png file, or a folder.")],
    distortion: Annotated[
        list[str] | None,
        typer.Option(help="name=level, such as gaussian_blur=4; repeat to combine."),
    ] = None,
    imagenet_c: Annotated[
        list[str] | None,
        typer.Option(help='Instead: a corruption of ImageNet-C, or "all" 15; repeatable.'),
    ] = None,
    severity: Annotated[
        list[int] | None, typer.Option(help="Of ImageNet-C, 1 to 5; repeatable, or all five.")
    ] = None,
    size: Annotated[int, typer.Option(min=1, help="Side of ImageNet-C's copies.")] = 224,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="ImageNet-C's copies as PNG, not as its JPEG.")
    ] = False,
    grayscale_noise: Annotated[
        str,
        typer.Option(
            help='ImageNet-C\'s of a source that is all grayscale: as one "sensor" has it, or '
            '"independent".'
        ),
    ] = "sensor",
    seed: int = 0,
) -> None:
    """Write distorted copies of images: PNG files, or folders in the layout of ImageNet-C."""
    from mixqual.distort_files import distort_files, parse_steps, write_imagenet_c
    from mixqual.imagenet_c import NAMES, SEVERITIES

    if bool(distortion) == bool(imagenet_c):
        raise StudyError("distort needs either --distortion or --imagenet-c")
    if imagenet_c:
        written, left_out = write_imagenet_c(
            source,
            target,
            names=NAMES if imagenet_c == ["all"] else imagenet_c,
            severities=severity or SEVERITIES,
            seed=seed,
            size=size,
            lossless=lossless,
            grayscale_noise=grayscale_noise,
        )
    else:
        written, left_out = distort_files(source, target, parse_steps(distortion or []), seed=seed)
    tell(f"{counted(written, 'image')} written to {target}")
    for path, reason in left_out:
        tell(f"left out: {path}: {reason}", err=True)
    if left_out:
        raise typer.Exit(1)


@app.command()
def distortions() -> None:
    """List the distortions, with the unit and range of their levels."""
    from mixqual.distortions import distortion, distortions

    table = Table()
    for title in ("distortion", "level", "unit", "none", "worst", "random"):
        table.add_column(title)
    for name in distortions():
        kind = distortion(name)
        bounds = (f"{kind.clean_level:g}", f"{kind.worst_level:g}")
        table.add_row(name, kind.quantity, kind.unit, *bounds, "yes" if kind.random else "no")
    Console().print(table)
