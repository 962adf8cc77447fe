"""The command that serves a mixture on HTTP."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mixqual.cli.app import app
from mixqual.errors import ServiceError


@app.command()
def serve(
    bundle: Annotated[Path, typer.Argument(help="A bundle or an ONNX file of `mixqual export`.")],
    mode: Annotated[
        str | None, typer.Option(help='"full", "conditional" or "expert", as in `predict`.')
    ] = None,
    tau: Annotated[float | None, typer.Option(help="Least weight of an expert that runs.")] = None,
    expert: Annotated[str | None, typer.Option(help="The one expert to ask.")] = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any that is free.")] = 8000,
    api_key_file: Annotated[
        Path | None, typer.Option(help="A file with the key that requests must bring.")
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="An environment variable with that key.", metavar="NAME")
    ] = None,
    max_bytes: Annotated[int, typer.Option(help="Of a request's body.")] = 32 * 2**20,
    max_images: Annotated[int, typer.Option(help="Of a request.")] = 32,
    max_pixels: Annotated[int, typer.Option(help="Of an image.")] = 50_000_000,
    max_queue: Annotated[int, typer.Option(help="Images of all requests at once.")] = 128,
    max_held_bytes: Annotated[int, typer.Option(help="Bodies of all requests.")] = 256 * 2**20,
    max_batch: Annotated[int, typer.Option(help="Images that the network sees at once.")] = 32,
    max_wait_ms: Annotated[float, typer.Option(help="How long a batch waits to fill.")] = 5.0,
    timeout: Annotated[float, typer.Option(help="Seconds that a request may take.")] = 30.0,
    idle_timeout: Annotated[
        float, typer.Option(help="Seconds that a connection may send nothing.")
    ] = 10.0,
    decode_seconds: Annotated[
        float, typer.Option(help="Of the processor's time, to decode an image.")
    ] = 5.0,
    max_connections: Annotated[int, typer.Option(help="Of all clients.")] = 1024,
    max_connections_per_address: Annotated[int, typer.Option(help="Of one client.")] = 512,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A name that it answers to, besides loopback's.")
    ] = None,
    device: Annotated[str, typer.Option(help='"auto", "cpu" or "cuda[:N]".')] = "auto",
) -> None:
    """Answer requests over HTTP, with a page to try it; ends by Ctrl+C or SIGTERM."""
    try:
        from mixqual.service import Settings
        from mixqual.service import serve as run
    except ModuleNotFoundError as error:
        raise ServiceError(
            f"`mixqual serve` needs the serve extra ({error.name} is missing): "
            'pip install "mixqual[serve]"'
        ) from None
    from mixqual.deploy import load

    settings = Settings(
        host=host,
        port=port,
        api_key=_key(api_key_file, api_key_env),
        max_bytes=max_bytes,
        max_images=max_images,
        max_pixels=max_pixels,
        max_queue=max_queue,
        max_held_bytes=max_held_bytes,
        max_batch=max_batch,
        max_wait_ms=max_wait_ms,
        timeout_s=timeout,
        idle_s=idle_timeout,
        decode_seconds=decode_seconds,
        max_connections=max_connections,
        max_connections_per_address=max_connections_per_address,
        hosts=tuple(name.lower() for name in allow_host or ()),
    )
    run(lambda: load(bundle, device, mode=mode, tau=tau, expert=expert), settings, _say)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _key(file: Path | None, variable: str | None) -> str | None:
    if file is not None and variable is not None:
        raise ServiceError("give --api-key-file or --api-key-env, not both")
    if variable is not None:
        if variable not in os.environ:
            raise ServiceError(f"--api-key-env: there is no variable {variable}")
        return os.environ[variable].strip()
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ServiceError(f"--api-key-file {file} cannot be read: {reason}") from None
