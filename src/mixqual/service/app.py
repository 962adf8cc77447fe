"""The routes of a service, each a few lines over its engine."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message

from mixqual.service import answers
from mixqual.service.access import key_check
from mixqual.service.body import is_worth_draining, read_images
from mixqual.service.engine import Degradation, Engine
from mixqual.service.envelope import Envelope
from mixqual.service.form import FIELD
from mixqual.service.refusals import Refusal
from mixqual.service.room import NoRoomError
from mixqual.service.rules import Rules
from mixqual.service.site import add_site

Result = TypeVar("Result")

_UPLOAD = (400, 403, 408, 413, 415, 422, 429, 431, 500, 503, 504)
_FILE = {"type": "string", "format": "binary"}


def create_app(engine: Engine) -> FastAPI:
    """The ASGI application of an engine, which it starts and stops."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        engine.start()
        yield
        await engine.stop()

    app = FastAPI(
        title="mixqual",
        version="1",
        description="Classifies images, and says what has happened to them.",
        lifespan=lifespan,
        docs_url=None,  # these load scripts from elsewhere
        redoc_url=None,
    )
    app.add_middleware(Rules, settings=engine.settings, routes=app.routes)
    app.add_middleware(Envelope, metrics=engine.metrics)
    _add_handlers(app)
    _add_states(app, engine)
    key = engine.settings.api_key
    guards = [] if key is None else [Depends(key_check(key))]
    locked = () if key is None else (401,)
    _add_uploads(app, engine, guards, locked)
    _add_facts(app, engine, guards, locked)
    add_site(app)
    return app


def _add_states(app: FastAPI, engine: Engine) -> None:
    @app.get("/health", response_model=answers.State)
    async def health() -> Any:
        """Whether the process lives."""
        return {"status": "alive"}

    @app.get("/ready", response_model=answers.State, responses=answers.refusals(503))
    async def ready() -> Any:
        """Whether requests are taken, and answered in time."""
        engine.check_ready()
        return {"status": "ready"}


def _add_uploads(app: FastAPI, engine: Engine, guards: list[Any], locked: tuple[int, ...]) -> None:
    refused = answers.refusals(*locked, *_UPLOAD)

    @app.post(
        "/predict",
        response_model=answers.Predictions,
        responses=refused,
        dependencies=guards,
        openapi_extra=_body(engine.settings.max_images),
    )
    async def predict(request: Request) -> Response:
        """Classify images; one that cannot be read has an error in its place."""
        return _json(answers.predictions(await _served(request, engine, engine.predict)))

    @app.post(
        "/explore",
        response_model=answers.Exploration,
        responses={**refused, **answers.refusals(501)},
        dependencies=guards,
        openapi_extra=_body(1),
    )
    async def explore(
        request: Request,
        noise: Annotated[float, Query(ge=0, le=100, allow_inf_nan=False)] = 0,
        blur: Annotated[float, Query(ge=0, le=10, allow_inf_nan=False)] = 0,
        seed: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    ) -> Response:
        """Blur one image, add noise, and say what the model and each expert make of it.

        `noise` is a standard deviation in grey levels, `blur` one in pixels of a 224-pixel image.
        """
        degradation = Degradation(noise, blur, seed)

        async def explain(contents: list[bytes]) -> dict[str, Any]:
            if len(contents) > 1:
                raise Refusal(422, "one image at a time is explored")
            found = await engine.explain(contents[0], degradation)
            return answers.exploration(degradation, found)

        return _json(await _served(request, engine, explain))


def _add_facts(app: FastAPI, engine: Engine, guards: list[Any], locked: tuple[int, ...]) -> None:
    @app.get(
        "/model",
        response_model=answers.Model,
        responses=answers.refusals(*locked, 503),
        dependencies=guards,
    )
    async def model() -> Any:
        """What the model is, and what it was trained for."""
        return _json(answers.model(engine.manifest))

    @app.get(
        "/metrics",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            **answers.refusals(*locked),
        },
        dependencies=guards,
    )
    async def metrics() -> Response:
        """Counts in Prometheus's text format."""
        return Response(engine.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _served(request: Request, engine: Engine, work: Any) -> Any:
    """Read the images of a request and have them worked on, within room and time."""
    engine.check_open()
    limits = engine.settings
    until = asyncio.get_running_loop().time() + limits.timeout_s
    try:
        with engine.room.ticket() as ticket:
            try:
                async with asyncio.timeout_at(until):
                    contents = await read_images(_unstalled(request, limits.idle_s), limits, ticket)
            except TimeoutError:
                raise Refusal(408, "the body did not arrive in time") from None
            try:
                async with asyncio.timeout_at(until):
                    return await _while_connected(request, work(contents))
            except TimeoutError:
                raise Refusal(504, f"no answer within {limits.timeout_s:g} seconds") from None
    except NoRoomError:
        raise engine.no_room() from None


def _unstalled(request: Request, seconds: float) -> Request:
    """The request, with a `TimeoutError` if nothing of its body comes for so long."""

    async def receive() -> Message:
        async with asyncio.timeout(seconds):
            return await request.receive()

    return Request(request.scope, receive)


async def _while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Await work, but cancel it when nobody waits for it any more."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.receive())  # all of the body has been read
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


def _add_handlers(app: FastAPI) -> None:
    async def refuse(request: Request, refusal: Exception) -> Response:
        assert isinstance(refusal, Refusal)
        headers = dict(refusal.headers)
        if not is_worth_draining(request):
            headers["Connection"] = "close"
        return _json(answers.failure(refusal), refusal.status, headers)

    async def refuse_routing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return await refuse(request, Refusal(error.status_code, error.detail, error.headers))

    async def refuse_parameter(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        return await refuse(request, Refusal(422, f"{first['loc'][-1]}: {first['msg']}"))

    async def nobody_left(_: Request, __: Exception) -> Response:
        return Response(status_code=400)  # which nobody reads

    app.add_exception_handler(Refusal, refuse)
    app.add_exception_handler(HTTPException, refuse_routing)
    app.add_exception_handler(RequestValidationError, refuse_parameter)
    app.add_exception_handler(ClientDisconnect, nobody_left)


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    text = json.dumps(body, allow_nan=False, separators=(",", ":"))
    return Response(text, status, headers, media_type="application/json")


def _body(max_images: int) -> dict[str, Any]:
    """What the document says of a body that FastAPI does not read itself."""
    images = {"type": "array", "items": _FILE, "minItems": 1, "maxItems": max_images}
    form = {
        "type": "object",
        "properties": {FIELD: images},
        "required": [FIELD],
        "additionalProperties": False,
    }
    content = {
        "multipart/form-data": {"schema": form},
        "application/octet-stream": {"schema": _FILE},
        "image/*": {"schema": _FILE},
    }
    return {"requestBody": {"required": True, "content": content}}
