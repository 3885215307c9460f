"""One operator with its HTTP server, as a coroutine and as a thread. Both ways of starting Podwright end up here."""

import asyncio
import contextlib
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Mapping

import msgspec

from podwright.adapters.http import HttpServer
from podwright.kube.credentials import Credentials
from podwright.runtime.operator import Operator
from podwright.runtime.settings import Settings
from podwright.runtime.turns import LoopTurns

_log = logging.getLogger(__name__)


class PortError(Exception):
    """The port for probes and metrics can't be had; the message says why."""


class SettingsError(ValueError):
    """A setting has a value that it cannot have; the message names it."""


def settings_from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read settings from PODWRIGHT_* variables, one for each field of `Settings`, such as PODWRIGHT_HTTP_PORT.

    Raises:
        SettingsError: a value does not fit its field.
    """
    fields: dict[str, object] = {
        name: environment[variable].split() if name == "watch_namespaces" else environment[variable]
        for name in Settings.__struct_fields__
        if (variable := f"PODWRIGHT_{name.upper()}") in environment
    }
    fields.setdefault("identity", new_identity())
    try:
        return msgspec.convert(fields, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"a PODWRIGHT_ variable is wrong: {error}") from error


def new_identity() -> str:
    """Make an identity for this process start: the host's name, for people, and something that never comes back."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


async def serve(*, credentials: Credentials, settings: Settings, stop: asyncio.Event, turns: LoopTurns) -> None:
    """Run the operator and its HTTP server until `stop` is set; `turns` measures the loop. Raises what `Operator.run` raises, and PortError."""
    operator = Operator(credentials=credentials, settings=settings, turns=turns)
    server = HttpServer(
        host=settings.http_host, port=settings.http_port, health=operator.health, metrics=operator.exposition
    )
    try:
        port = await _start(server, settings)
        _log.info("serving probes and metrics on %s port %d", settings.http_host, port)
        await operator.run(stop=stop)
    finally:
        await server.stop()


async def _start(server: HttpServer, settings: Settings) -> int:
    try:
        return await server.start()
    except OSError as error:
        raise PortError(f"cannot serve on {settings.http_host} port {settings.http_port}: {error}") from error


class ServiceThread:
    """The operator in a thread and loop of its own, for a main thread that belongs to kopf."""

    def __init__(
        self, *, credentials: Credentials, settings: Settings, on_end: Callable[[BaseException | None], None]
    ) -> None:
        self._credentials = credentials
        self._settings = settings
        self._on_end = on_end
        self._turns = LoopTurns()
        self._loop = self._turns.new_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="podwright", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Make the operator leave, and wait until it has."""
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        problem: BaseException | None = None
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(
                    serve(credentials=self._credentials, settings=self._settings, stop=self._stop, turns=self._turns)
                )
        except BaseException as error:
            problem = error
        self._on_end(problem)
