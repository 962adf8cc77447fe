"""The `mixqual` command: parse, call, print. The work is in the modules it calls.

Those are imported by the command that needs them, so that `--help` answers at once.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from mixqual.errors import MixqualError

if TYPE_CHECKING:
    from mixqual.forecast import Step

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measure how image quality hurts a classifier, and train a mixture of experts against it.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Run the command; a mistake of the user's is one line on standard error and exit code 2."""
    try:
        app()
    except MixqualError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", markup=False, highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nstopped; run the same command again to go on", file=sys.stderr)
        sys.exit(130)


@app.command()
def run(
    study: Annotated[Path, typer.Argument(help="A study file.", metavar="STUDY")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; by default runs/NAME.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: key=value.")
    ] = None,
    publish: Annotated[
        Path | None, typer.Option(help="Copy results and figures here as well, without weights.")
    ] = None,
    reuse: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of an earlier run to take over what it shares; repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and its cost.")
    ] = False,
) -> None:
    """Train, evaluate and report a study; run it again to go on where it stopped."""
    from mixqual.forecast import forecast
    from mixqual.report import (
        auc_table,
        comparisons_table,
        headline,
        to_rich,
        tree_tables,
        write_report,
    )
    from mixqual.study import Study

    loaded = Study.load(study, set_ or [])
    folder = out or Path("runs") / loaded.config.name
    console = Console()
    if dry_run:
        console.print(_plan_table(forecast(*loaded.prepare(), folder, reuse or [])))
        return
    results = loaded.run(folder, reuse or [])
    if not results:  # one of several processes, and not the first
        return
    console.print(to_rich(auc_table(results)))
    console.print(to_rich(comparisons_table(results)))
    for table in tree_tables(results):
        console.print(to_rich(table))
    console.print(headline(results))
    console.print(f"results and figures: {folder}", highlight=False)
    if publish:
        write_report(results, publish)
        console.print(f"published: {publish}", highlight=False)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A torchvision or timm name, or module:function.")],
    data: Annotated[Path, typer.Option(help="A folder of class/image.")],
    weights: Annotated[
        str, typer.Option(help='"default", "packaged", "random", or a weights file.')
    ] = "default",
    size: Annotated[int, typer.Option(help="Side of the model's input in pixels.")] = 224,
    distortion: Annotated[
        list[str] | None,
        typer.Option(help="Highest level of a distortion, such as gaussian_blur=10; repeatable."),
    ] = None,
    steps: Annotated[int, typer.Option(help="Levels of each distortion.")] = 10,
    seed: int = 0,
    skip_unreadable: Annotated[bool, typer.Option(help="Leave out what cannot be read.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the resilience of any classifier on a folder of images."""
    from mixqual.config import DistortionConfig
    from mixqual.distort_files import parse_steps
    from mixqual.report import resilience_table, to_rich
    from mixqual.resilience import evaluate as measure
    from mixqual.study_file import make_table

    highest = parse_steps(distortion or ["gaussian_noise=100", "gaussian_blur=10"])
    results = measure(
        model,
        data,
        weights=weights,
        size=size,
        distortions={
            name: make_table(DistortionConfig, f"--distortion {name}", max=level, steps=steps)
            for name, level in highest
        },
        seed=seed,
        on_error="skip" if skip_unreadable else "raise",
    )
    if as_json:
        print(json.dumps(results, indent=2))
        return
    console = Console()
    console.print(to_rich(resilience_table(results)))


@app.command()
def cost(
    backbone: Annotated[str, typer.Argument(help="A torchvision or timm name.")],
    classes: Annotated[str, typer.Option(help="Number of classes; a mean over several: 101,256.")],
    experts: Annotated[int, typer.Option(min=2, help="Experts of the mixture.")] = 3,
    size: Annotated[int, typer.Option(min=16, help="Side of the input in pixels.")] = 224,
    latency: Annotated[bool, typer.Option("--latency", help="Time them on this machine.")] = False,
    batch: Annotated[int, typer.Option(min=1, help="Images a call, for --latency.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Count parameters and multiply-accumulates of a backbone, its mixture and its trees."""
    from mixqual.report import cost_table, to_rich
    from mixqual.variants import variants

    found = variants(
        backbone, classes, experts=experts, size=size, latency_batch=batch if latency else 0
    )
    if found.uncut:
        print(f"no trees: {found.uncut}", file=sys.stderr)
    if as_json:
        print(json.dumps(found.rows, indent=2))
        return
    title = f"{backbone} at {size} pixels, {classes} classes, {experts} experts"
    Console().print(to_rich(cost_table(title, found.rows)))


@app.command()
def distort(
    source: Annotated[Path, typer.Argument(help="An image, or a folder of images.")],
    target: Annotated[Path, typer.Argument(help="A .png file, or a folder.")],
    distortion: Annotated[
        list[str], typer.Option(help="name=level, such as gaussian_blur=4; repeat to combine.")
    ],
    seed: int = 0,
) -> None:
    """Write distorted copies of images, as PNG files."""
    from mixqual.distort_files import distort_files, parse_steps

    written, left_out = distort_files(source, target, parse_steps(distortion), seed=seed)
    print(f"{written} images written to {target}")
    for path, reason in left_out:
        print(f"left out: {path}: {reason}", file=sys.stderr)
    if left_out:
        raise typer.Exit(1)


@app.command()
def distortions() -> None:
    """List the distortions, with the unit and range of their levels."""
    from mixqual.distortions import distortion, distortions

    table = Table()
    for title in ("distortion", "unit of the level", "highest", "random"):
        table.add_column(title)
    for name in distortions():
        kind = distortion(name)
        table.add_row(name, kind.unit, f"{kind.max_level:g}", "yes" if kind.random else "no")
    Console().print(table)


@app.command()
def bench(
    name: Annotated[str | None, typer.Argument(help="One benchmark; all of them without.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure speed as ratios to other libraries or to a bound, in one run."""
    from mixqual.bench import run_benchmarks

    results = run_benchmarks(name)
    if as_json:
        print(json.dumps(results, indent=2))
        return
    for row in results["rows"]:
        print(f"{row['benchmark']}: {row['what']}: {row['ratio']:.2f}x {row['against']}")


def _plan_table(steps: list["Step"]) -> Table:
    table = Table(title="Plan")
    for title in ("stage", "state", "images (at most)", "MACs (T)"):
        table.add_column(title, justify="left" if title in ("stage", "state") else "right")
    for step in steps:
        table.add_row(step.stage, step.state, f"{step.images:,}", f"{step.macs / 1e12:.1f}")
    left = [step for step in steps if step.state != "done"]
    table.add_section()
    table.add_row(
        "left to do",
        "",
        f"{sum(step.images for step in left):,}",
        f"{sum(step.macs for step in left) / 1e12:.1f}",
    )
    return table
