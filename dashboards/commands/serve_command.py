"""`wangge serve`: the pages of one workspace over HTTP, until Ctrl+C."""

from __future__ import annotations

import dataclasses
import errno
import socket
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
            from dashboards.store import Store

            store = Store(workspace, settings)
            click.echo(f"reading {path} ...")
            store.start()
            try:
                app = create_app(settings, store)
                server = create_server(
                    app.server,
                    sockets=[listener],
                    threads=settings.threads,
                    ident="wangge",
                    channel_timeout=120,
                )
                port_now = listener.getsockname()[1]
                click.echo(f"serving {path} at {address(settings.host, port_now)}  (Ctrl+C stops)")
                server.run()
            finally:
                store.stop()


def address(host: str, port: int) -> str:
    """What to type into a browser on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


def _listen(settings: Settings) -> socket.socket:
    """A bound socket, so that a port in use is known before anything is read."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
