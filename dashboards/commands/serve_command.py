"""`wangge serve`: the pages of one workspace over HTTP, until Ctrl+C."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import logging
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from dashboards.settings import Settings, read_settings
from geo.errors import InputError
from geo.io.workspace import open_workspace


@click.command("serve")
@click.option(
    "--workspace",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The folder that holds city.gpkg.",
)
@click.option("--host", default=None, help="Address to listen on.  [default: setting host]")
@click.option("--port", default=None, type=int, help="TCP port.  [default: setting port]")
def command(folder: Path, host: str | None, port: int | None) -> None:
    """Serve the pages of a workspace."""
    serve(folder, host, port)


def serve(path: Path, host: str | None = None, port: int | None = None) -> None:
    """Serve a workspace until interrupted.

    Raises
    ------
    StoreError, SettingsError
        If the folder is no workspace, or the settings are wrong.
    InputError
        If the address cannot be listened on.
    """
    with open_workspace(path) as workspace:
        settings = read_settings(path)
        settings = dataclasses.replace(
            settings,
            host=settings.host if host is None else host,
            port=settings.port if port is None else port,
        )
        with _listen(settings) as listener:
            # Loaded late, so that a wrong option answers at once.
            from waitress.server import create_server

            from dashboards.app import create_app
            from dashboards.board_routes import SHIFT_DAYS
            from dashboards.clock import city_clock
            from dashboards.coverage_routes import COVERAGE
            from dashboards.feed_jobs import FeedJobs
            from dashboards.feeds import INGEST, INGEST_THREADS
            from dashboards.server import LIVE
            from dashboards.store import Store

            store = Store(workspace, settings, clock=city_clock(workspace))
            click.echo(f"reading {path} ...")
            store.start()
            _make_room()
            with contextlib.ExitStack() as ends:
                ends.callback(store.stop)
                app = create_app(settings, store)
                assert store.watching is not None
                jobs = FeedJobs(store, app.server.extensions[INGEST])
                ends.callback(store.watching.stop)
                ends.callback(jobs.stop)
                for name in (SHIFT_DAYS, COVERAGE):
                    ends.callback(app.server.extensions[name].stop)
                store.watching.start()
                jobs.start()
                server = create_server(
                    app.server,
                    sockets=[listener],
                    # A screen that listens to /live keeps its thread.
                    threads=settings.threads + settings.screens + INGEST_THREADS,
                    # Phones keep their connections; select() holds no more than 1,024 of them.
                    connection_limit=CONNECTIONS,
                    asyncore_use_poll=True,
                    ident="wangge",
                    channel_timeout=120,
                    outbuf_high_watermark=_WAITING_BYTES,
                )
                port_now = listener.getsockname()[1]
                click.echo(f"serving {path} at {address(settings.host, port_now)}  (Ctrl+C stops)")
                with _ending(app.server.extensions[LIVE].close):
                    server.run()


CONNECTIONS = 2_000
"""Phones and screens that may be connected at the same time."""


def _make_room() -> None:
    """Let the process hold that many connections, and do not log each burst of phones."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, 4 * CONNECTIONS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


_WAITING_BYTES = 2_000_000
"""What may wait for one slow screen before its thread waits too."""

_SILENT_MS = 30_000
"""How long a screen may leave what was sent unanswered before its connection counts as cut."""


@contextlib.contextmanager
def _ending(before: Callable[[], None]) -> Iterator[None]:
    """Do something first when Ctrl+C or SIGTERM ends the server: close what would hold it up."""

    def end(number: int, frame: object) -> None:
        before()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def address(host: str, port: int) -> str:
    """What to type into a browser on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


def _listen(settings: Settings) -> socket.socket:
    """A bound socket, so that a port in use is known before anything is read."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Else a screen whose cable was pulled would keep its thread for a quarter of an hour.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_MS)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"port {settings.port} is in use on {settings.host}: stop the other program,"
                " or choose another with --port"
            ) from error
        raise InputError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}"
        ) from error
    return listener
