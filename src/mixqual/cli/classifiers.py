"""Commands that measure one classifier."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mixqual.cli.app import AsJson, app, tell


@app.command()
def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="A torchvision or timm name, module:function, a file of `mixqual export`, or "
            "another of ONNX, TorchScript or torch.export."
        ),
    ],
    data: Annotated[
        Path, typer.Option(help="A folder of class/image, or of train, val and test with these.")
    ],
    weights: Annotated[
        str, typer.Option(help='"default", "packaged", "random", or a weights file.')
    ] = "default",
    size: Annotated[
        int | None, typer.Option(help="Side of the input in pixels; 224, or what a file fixes.")
    ] = None,
    preprocessing: Annotated[
        str | None,
        typer.Option(
            help='What a model file expects: "raw" (0 to 255), "unit" (0 to 1), "imagenet", or '
            "MEAN,STD."
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="The class of each output, for a model that does not say: names with commas, a "
            'file of one a line, or the folders in "text" or "numeric" order.'
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help='Of a folder of splits: "test", "val", "train" or "all"; test without.'),
    ] = None,
    distortion: Annotated[
        list[str] | None,
        typer.Option(help="Strongest level of a distortion: gaussian_blur=10; repeatable."),
    ] = None,
    steps: Annotated[int, typer.Option(help="Levels of each distortion.")] = 10,
    imagenet_c: Annotated[
        bool, typer.Option("--imagenet-c", help="ImageNet-C's 15 corruptions, five severities.")
    ] = False,
    baseline: Annotated[
        str | None,
        typer.Option(help='For mCE: the --json of another model, or "alexnet" for ImageNet-C.'),
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            help="Exit code 3 below this AUC (gaussian_blur=0.6, average=, clean=), or if accuracy "
            "is not kept up to this level (gaussian_blur@90%=4)."
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="Say up to which level this much is kept: 90% of the accuracy on clean images, "
            "which is the default, or an accuracy, 0.8; repeatable."
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write every metric here.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Draw the curves here: .svg, .png.")] = None,
    grayscale_noise: Annotated[
        str, typer.Option(help='Of grayscale files: as one "sensor" has it, or "independent".')
    ] = "sensor",
    backend: Annotated[
        str, typer.Option(help='"auto", "eager", "compiled" or "onnxruntime", for named networks.')
    ] = "auto",
    seed: int = 0,
    skip_unreadable: Annotated[bool, typer.Option(help="Leave out what cannot be read.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the resilience of any classifier on a folder of images."""
    from mixqual.artifacts import check_place
    from mixqual.config import RuntimeConfig
    from mixqual.distort_files import parse_steps
    from mixqual.imagenet_c import NAMES
    from mixqual.keep import Keep
    from mixqual.layout import to_rich
    from mixqual.networks.class_order import parse_classes
    from mixqual.report import (
        check_figure_path,
        check_floors,
        corruption_table,
        draw_resilience,
        floor_keeps,
        kept_table,
        missed_floors,
        parse_floors,
        resilience_table,
        write_csv,
    )
    from mixqual.resilience import PAPER_DISTORTIONS, levels_up_to
    from mixqual.resilience import evaluate as measure
    from mixqual.study_file import make_table

    strongest = parse_steps(distortion or [])
    if not strongest and not imagenet_c:
        strongest = [(name, settings.strongest) for name, settings in PAPER_DISTORTIONS.items()]
    distortions = {name: levels_up_to(name, level, steps) for name, level in strongest}
    floors = parse_floors(fail_under or [])
    check_floors(floors, [*distortions, *(NAMES if imagenet_c else [])])
    keeps = [Keep.parse(text) for text in keep or ["90%"]]
    if figure:
        check_figure_path(figure)
    for written in (csv, figure):
        if written:
            check_place(written.parent, files=[written.name])
    results = measure(
        model,
        data,
        weights=weights,
        size=size,
        preprocessing=preprocessing,
        classes=None if classes is None else parse_classes(classes),
        split=split,
        distortions=distortions,
        imagenet_c=imagenet_c,
        baseline=baseline,
        grayscale_noise=grayscale_noise,
        keep=list(dict.fromkeys([*keeps, *floor_keeps(floors)])),
        seed=seed,
        on_error="skip" if skip_unreadable else "raise",
        runtime=make_table(RuntimeConfig, "evaluate", backend=backend),
    )
    missed = missed_floors(results, floors)  # before any output: it may refuse a level
    if csv:
        write_csv(results, csv)
    if figure:
        draw_resilience(results, figure)
    if as_json:
        print(json.dumps(results, indent=2))
        for doubt in results["doubts"]:  # which the table shows itself
            tell(f"warning: {doubt}", err=True)
    else:
        console = Console()
        tables = (resilience_table(results), kept_table(results), corruption_table(results))
        for table in tables:
            if table:
                console.print(to_rich(table))
    for message in missed:
        tell(message, err=True)
    if missed:
        raise typer.Exit(3)


@app.command()
def cost(
    backbone: Annotated[str, typer.Argument(help="A torchvision or timm name.")],
    classes: Annotated[str, typer.Option(help="Number of classes; a mean over several: 101,256.")],
    experts: Annotated[int, typer.Option(min=2, help="Experts of the mixture.")] = 3,
    size: Annotated[int, typer.Option(min=16, help="Side of the input in pixels.")] = 224,
    gate: Annotated[str, typer.Option(help='"paper" or "patch", as in a study.')] = "paper",
    latency: Annotated[bool, typer.Option("--latency", help="Time them on this machine.")] = False,
    batch: Annotated[int, typer.Option(min=1, help="Images a call, for --latency.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Count parameters and multiply-accumulates of a backbone, its mixture and its trees."""
    from mixqual.layout import to_rich
    from mixqual.report import cost_table
    from mixqual.variants import variants

    found = variants(
        backbone,
        classes,
        experts=experts,
        size=size,
        gate_kind=gate,
        latency_batch=batch if latency else 0,
    )
    if found.uncut:
        tell(f"no trees: {found.uncut}", err=True)
    if as_json:
        print(json.dumps(found.rows, indent=2))
        return
    gated = "" if gate == "paper" else f", gate {gate}"
    title = f"{backbone} at {size} pixels, {classes} classes, {experts} experts{gated}"
    Console().print(to_rich(cost_table(title, found.rows)))
