"""The command that measures speed."""

import json
from typing import Annotated

import typer

from mixqual.cli.app import AsJson, app


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
