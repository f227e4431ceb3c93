"""The operations port: ``/metrics``, ``/livez``, ``/readyz``, read-only, on a thread of its own;
and what else a process has to show, as JSON.

Decides what may be asked and how long anyone may take over it. Refuses to know what the answers
mean. It answers GET only, tells no settings, and serves one request a connection: every
connection has one deadline, which ends slow writers and slow readers alike, and when too many
are open the oldest goes, so that a crowd of silent clients cannot shut a probe out.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

import structlog
from aiohttp import web

from stream_app.adapters.process.exhaustion import exhausted
from stream_app.errors import ConfigError
from stream_app.health import HealthView

METRICS_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
MAX_LINE_BYTES: Final = 4096
MAX_HEADERS: Final = 64
_START_LIMIT_S: Final = 10.0
_STOP_LIMIT_S: Final = 5.0
_SETTLE_S: Final = 0.05
_Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_NO_DOCUMENTS: Final[Mapping[str, Callable[[], object]]] = MappingProxyType({})
_INDEX: Final = "/metrics  measurements\n/livez    alive?\n/readyz   ready?\n"


class HttpServer:
    """Listens from construction until ``close``; also a context manager.

    Args:
        host: Address to listen on.
        port: Port; 0 takes a free one, see :attr:`port`.
        health: Asked on the server's thread.
        render_metrics: Called on the server's thread.
        connection_limit_s: From accepting a connection to closing it.
        max_connections: Open at once; one more closes the oldest.
        documents: By path, what is shown there as JSON; called on the server's thread.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    def __init__(
        self,
        host: str,
        port: int,
        health: HealthView,
        render_metrics: Callable[[], bytes],
        *,
        port_setting: str = "http.port",
        connection_limit_s: float = 10.0,
        max_connections: int = 64,
        documents: Mapping[str, Callable[[], object]] = _NO_DOCUMENTS,
    ) -> None:
        self._documents = documents
        self._health = health
        self._render_metrics = render_metrics
        self._connection_limit_s = connection_limit_s
        self._max_connections = max_connections
        self._port = 0
        self._failure: OSError | None = None
        self._started = threading.Event()
        self._ask_to_stop: Callable[[], object] = lambda: None
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._serve(host, port),), name="http", daemon=True
        )
        self._thread.start()
        if not self._started.wait(_START_LIMIT_S):
            raise ConfigError(
                f"the operations port did not open within {_START_LIMIT_S:g} s on {host!r}; "
                "set http.host to an address of this machine, not a name that must be looked up"
            )
        if self._failure is not None:
            raise ConfigError(
                f"cannot listen on {host}:{port} ({self._failure.strerror or self._failure}); "
                f"set {port_setting} to a free port (0 takes any), http.host to an address of this "
                "machine, or http.enabled = false"
            ) from self._failure

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._port

    def close(self) -> None:
        """Stop listening and drop what is open; safe to call twice."""
        if self._thread.is_alive():
            self._ask_to_stop()
            self._thread.join(_STOP_LIMIT_S)  # a view that hangs must not keep us

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def _serve(self, host: str, port: int) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(_tell_what_ran_out)
        self._ask_to_stop = lambda: loop.call_soon_threadsafe(stop.set)
        bounded = _BoundedServer(self._answer, self._connection_limit_s, self._max_connections)
        try:
            listener = await loop.create_server(bounded, host, port, backlog=128)
        except OSError as exc:
            self._failure = exc
            self._started.set()
            return
        self._port = listener.sockets[0].getsockname()[1]
        self._started.set()
        await stop.wait()
        # asyncio loses a connection that is accepted in the very turn of the listener's close.
        await asyncio.sleep(_SETTLE_S)
        listener.close()
        await bounded.drop_all()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        response = self._choose(request)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.force_close()
        return response

    def _choose(self, request: web.BaseRequest) -> web.Response:
        if request.method != "GET":
            return web.Response(status=405, headers={"Allow": "GET"}, text="GET only\n")
        if request.can_read_body:
            return web.Response(status=413, text="no body is accepted\n")
        try:
            match request.path:
                case "/metrics":
                    headers = {"Content-Type": METRICS_CONTENT_TYPE}
                    return web.Response(body=self._render_metrics(), headers=headers)
                case "/livez":
                    return _verdict(*self._health.live())
                case "/readyz":
                    return _verdict(*self._health.ready())
                case path if path in self._documents:
                    return web.json_response(self._documents[path]())
                case path:
                    status = 200 if path == "/" else 404
                    return web.Response(status=status, text=_INDEX + self._more())
        except Exception:  # noqa: BLE001  # a fault in a view must show in the log, not kill the port
            structlog.get_logger().exception("http_answer_failed", path=request.path)
            return web.Response(status=500, text="see the log\n")

    def _more(self) -> str:
        return "".join(f"{path:<9} JSON\n" for path in self._documents)


class _BoundedServer(web.Server):
    """Gives every connection a deadline, and closes the oldest when there are too many."""

    def __init__(self, answer: _Answer, limit_s: float, most: int) -> None:
        super().__init__(
            answer,
            access_log=None,
            logger=_client_faults(),
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS,
            lingering_time=1.0,
            keepalive_timeout=limit_s,
        )
        self._limit_s = limit_s
        self._most = most
        self._open: dict[web.RequestHandler, tuple[asyncio.Transport, asyncio.TimerHandle]] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self._open) >= self._most:
            # Forgotten at once: several may arrive before the oldest is told that it is lost.
            oldest, its_timer = self._open.pop(next(iter(self._open)))
            its_timer.cancel()
            oldest.abort()
        timer = asyncio.get_running_loop().call_later(self._limit_s, transport.abort)
        self._open[handler] = (transport, timer)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        super().connection_lost(handler, exc)
        if handler in self._open:
            _, timer = self._open.pop(handler)
            timer.cancel()

    async def drop_all(self) -> None:
        """Let answers in progress end for a second, then cut everything off."""
        await self.shutdown(timeout=1.0)
        while self._open:
            for transport, _ in self._open.values():
                transport.abort()
            await asyncio.sleep(0)


def _tell_what_ran_out(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """No descriptor for another connection, say, told in a line; asyncio tries again by itself."""
    exc = context.get("exception")
    reason = None if exc is None else exhausted(exc)
    if reason is None:
        loop.default_exception_handler(context)
        return
    structlog.get_logger().error("http_cannot_answer", reason=reason)


def _client_faults() -> logging.Logger:
    """Where aiohttp tells of malformed requests, traceback and all: any port scan would fill
    the log, and our own faults are caught and logged in ``_choose``.
    """
    logger = logging.getLogger("stream_app.http.client_faults")
    logger.setLevel(logging.CRITICAL)
    return logger


def _verdict(good: bool, reasons: list[str]) -> web.Response:
    body = {"status": "ok" if good else "unavailable", "reasons": reasons}
    return web.json_response(body, status=200 if good else 503)
