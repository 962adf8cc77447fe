"""Commands that run studies."""

import shlex
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mixqual.cli.app import app, tell

if TYPE_CHECKING:
    from mixqual.config import ClusterConfig
    from mixqual.executor import Executor
    from mixqual.forecast import Step
    from mixqual.needs import Needs
    from mixqual.run_status import State, Status

_REASONS = 10  # that `status` names; it counts the rest
_STATES: Mapping["State", str] = {
    "running": "running",
    "left": "left",
    "again": "to be tried again",
    "failed": "failed",
    "blocked": "that need a failed one",
}
_LOOK_EVERY, _LINES_EVERY = 1.0, 30.0  # seconds, with --watch, on a terminal and in a log


class Executors(StrEnum):
    """What runs the stages of a study."""

    HERE = "here"
    RAY = "ray"


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
    executor: Annotated[
        Executors, typer.Option(help="Where stages run: in this process, or on a Ray cluster.")
    ] = Executors.HERE,
    address: Annotated[
        str | None,
        typer.Option(help='Of the Ray cluster: "auto" or HOST:PORT; one is started without.'),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="Also keep artifacts and results here: s3://…, gs://…, file://…"),
    ] = None,
) -> None:
    """Train, evaluate and report a study; run it again to go on where it stopped."""
    from mixqual.errors import RunError
    from mixqual.file_names import printable_lines
    from mixqual.forecast import forecast
    from mixqual.layout import to_rich
    from mixqual.report import (
        check_replaces_report,
        check_report_place,
        headline,
        report_tables,
        write_report,
    )
    from mixqual.results.reading import read_examples
    from mixqual.study import Study, check_run_place

    loaded = Study.load(study, set_ or [])
    folder = out or Path("runs") / loaded.config.name
    console = Console()
    if publish:
        check_report_place(publish)
        check_replaces_report(publish, folder)
    if dry_run:
        if store:
            raise RunError("--dry-run looks into folders only; leave --store away")
        check_run_place(folder)
        foreseen = forecast(*loaded.prepare(), folder, reuse or [])
        console.print(_plan_table(foreseen.steps))
        for line in _needs_lines(foreseen.needs):
            console.print(line, markup=False, highlight=False)
        for remark in foreseen.remarks:
            console.print(printable_lines(remark), markup=False, highlight=False, soft_wrap=True)
        for training, names in loaded.config.recipes():
            line = f"recipe of {', '.join(dict.fromkeys(names))}: {training.in_words()}"
            console.print(line, markup=False, highlight=False)
        return
    on = _executor(executor, address, loaded.config.runtime.cluster)
    results = loaded.run(folder, reuse or [], on, store)
    if not results:  # one of several processes, and not the first
        return
    for table in report_tables(results):
        console.print(to_rich(table))
    console.print(Text(headline(results)))
    tell(f"results and figures: {folder}")
    for line in _next_commands(folder):
        tell(line)
    if publish:
        write_report(results, publish, read_examples(folder))
        tell(f"published: {publish}")


@app.command()
def status(
    run: Annotated[Path, typer.Argument(help="The folder of a run on a cluster.", metavar="RUN")],
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on as long as a process leads the run.")
    ] = False,
) -> None:
    """Say how far a run with --executor ray is, from any machine that sees its folder."""
    from mixqual.run_status import read_status

    console = Console(soft_wrap=True)
    found = read_status(run)
    if watch and console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            while found.led:
                live.update(Text(_status_text(found)), refresh=True)
                time.sleep(_LOOK_EVERY)
                found = read_status(run)
            live.update("")
    while watch and found.led:
        console.print(_status_text(found), markup=False, highlight=False)
        time.sleep(_LINES_EVERY)
        found = read_status(run)
    console.print(_status_text(found), markup=False, highlight=False)


@app.command()
def neurons(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.", metavar="RUN")],
    stage: Annotated[
        str, typer.Option(help="A stage that `mixqual cost` lists, such as conv5_1 or blocks.5.")
    ],
    units: Annotated[
        str, typer.Option(help="Units with commas (0,5,7; one alone as 5,), or how many to draw.")
    ] = "8",
    form: Annotated[
        str, typer.Option(help='"plain" as in the paper, or "regularised" with clearer shapes.')
    ] = "plain",
    steps: Annotated[int, typer.Option(help="Steps of gradient ascent.")] = 128,
    seed: Annotated[int, typer.Option(help="Of the noise to start from, and of the draw.")] = 0,
    seed_of_run: Annotated[
        int | None, typer.Option(help="Which training of the run; the first without.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for fig3; by default RUN/figures.")
    ] = None,
) -> None:
    """Draw what single neurons of a run's experts respond to (the paper's Figure 3)."""
    from mixqual.layout import to_rich
    from mixqual.neurons import Ascent
    from mixqual.report import neurons_table
    from mixqual.visualise import visualise

    found = visualise(
        run,
        stage,
        units=units,
        ascent=Ascent(form, steps, seed),
        seed_of_run=seed_of_run,
        out=out,
    )
    console = Console()
    console.print(to_rich(neurons_table(found.neurons)))
    tell(f"figure and numbers: {found.folder}")


def _next_commands(folder: Path) -> list[str]:
    """What a person does with a run, with its own names."""
    run, file = shlex.quote(str(folder)), shlex.quote(f"{folder.name}.mixqual")
    return [
        f"its page:  {folder / 'report.html'}",
        f"use it:    mixqual export {run} {file}",
        f"           mixqual predict {file} IMAGE...",
        f"           mixqual serve {file}",
    ]


def _executor(
    name: Executors, address: str | None, resources: "ClusterConfig"
) -> "Executor | None":
    from mixqual.errors import RunError

    if name is Executors.RAY:
        from mixqual.ray_executor import RayExecutor

        return RayExecutor(resources, address)
    if address:
        raise RunError("--address is that of a Ray cluster; add --executor ray")
    return None


def _status_text(found: "Status") -> str:
    now = time.time()
    states = Counter(stage.state for stage in found.stages)
    counts = [f"{states[state]} {words}" for state, words in _STATES.items() if states[state]]
    lines = [", ".join([f"{states['done']} of {len(found.stages)} stages done", *counts])]
    unfinished, seconds = len(found.stages) - states["done"], found.seconds_left(now)
    if unfinished and not found.led:
        lines.append("no process leads it; run it again to go on")
    elif unfinished and seconds is None:
        lines.append("time left: known when the first stage is done")
    elif seconds is not None and unfinished:
        lines.append(f"time left: about {_clock(seconds)}")
    elif found.led:
        lines.append("all stages are done; the results are being made of them")
    lines += [
        f"running: {stage.title}, for {_clock(now - (stage.started or now))}"
        for stage in found.stages
        if stage.state == "running" and found.led
    ]
    told = [s for s in found.stages if s.state in ("failed", "again")]
    lines += [f"{s.state}: {s.title}: {s.reason}" for s in told[:_REASONS]]
    lines += [f"and {len(told) - _REASONS} others"] if len(told) > _REASONS else []
    return "\n".join(lines)


def _clock(seconds: float) -> timedelta:
    return timedelta(seconds=round(max(seconds, 0)))


def _needs_lines(found: "Needs") -> list[str]:
    memory = ", ".join(f"{phase} {_in_units(size)}" for phase, size in found.memory.items())
    return [f"memory, at most about: {memory}", f"disk, at most about: {_in_units(found.disk)}"]


def _in_units(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


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
