"""A real Chromium and a real server for tests, as cheap as both can be had.

Two things make a page dear on a machine that draws in software: a renderer that compiles our
scripts anew, and a compositor that goes through the software GL as well. So pages of one site share
a renderer (`--process-per-site`), which a still page of its own keeps alive from test to test, and
only the map itself is drawn by GL (`--disable-gpu-compositing`). Measured on the command page: 14
seconds of processor time for a page in a context of its own, 5 for the second one here.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from dash import Dash
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from werkzeug.serving import make_server

ARGS = [
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-gpu-compositing", "--process-per-site", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 90_000
"""How long a wait may take on a machine that does ten other things; most take none of it."""
LOOK_EVERY_MS = 50


class _Still(BaseHTTPRequestHandler):
    """Answers with an empty page."""

    def do_GET(self) -> None:
        body = b'<!doctype html><link rel="icon" href="data:,">'
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads that."""


@contextmanager
def _still_page() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Still)
    with in_thread(server):
        yield f"http://127.0.0.1:{server.server_port}/"


@contextmanager
def in_thread(server: Any) -> Iterator[None]:
    """Serve in a thread; in the end it has ended and its port is free."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving(app: Dash, port: int = 0) -> Iterator[str]:
    """Serve an app on a free port of this machine; the address, without a slash.

    At the end everything that the app does in the background ends before the server, so that no
    stream holds a thread.
    """
    server = make_server("127.0.0.1", port, app.server, threaded=True)
    with in_thread(server):
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            end(app)


def end(app: Dash) -> None:
    """End what an app does in the background; what keeps threads has a `close` or a `stop`."""
    for made in list(app.server.extensions.values()):
        finish = getattr(made, "close", None) or getattr(made, "stop", None)
        if callable(finish):
            finish()


class Chromium:
    """A browser whose pages share what is dear and nothing that they remember."""

    def __init__(self, browser: Browser, still: str) -> None:
        self._browser, self._still = browser, still
        self._contexts: dict[str, list[BrowserContext]] = {}
        self._lent: list[BrowserContext] = []
        self._origins: set[str] = set()

    def new_context(self, **options: Any) -> BrowserContext:
        """A context of its own, cold: for tests about two people, caches or what is kept."""
        return self._browser.new_context(**options)

    def new_page(self, script: str = "", **options: Any) -> Page:
        """A page that remembers nothing of others; it shares their renderer and what it cached.

        Options are those of a context, `script` runs before each document. A context is given
        again only when no page of a test is open in it. Close the page, not its context.
        """
        viewport = options.pop("viewport", {"width": 1280, "height": 720})
        key = repr(sorted(options.items()))
        context = self._rested(key) or self._start(key, options)
        page = context.new_page()
        if script:
            page.add_init_script(script)
        page.set_viewport_size(viewport)
        page.set_default_timeout(PATIENCE_MS)
        self._watch(page)
        return page

    def _note(self, url: str) -> None:
        if url.startswith("http"):
            self._origins.add("{0.scheme}://{0.netloc}".format(urlsplit(url)))

    @contextmanager
    def borrow(self, script: str = "", **options: Any) -> Iterator[BrowserContext]:
        """A wiped context for one person with any number of pages, whose memory lasts till the end.

        Take off what you have put on it; its pages are closed, and it is given to others then.
        """
        size = options.pop("viewport", {"width": 1280, "height": 720})
        key = repr((script, sorted(size.items()), sorted(options.items())))
        context = self._rested(key)
        if context is None:
            context = self._start(key, {**options, "viewport": size})
            if script:
                context.add_init_script(script)
        context.on("page", self._watch)
        still = context.pages[0]
        self._lent.append(context)
        try:
            yield context
        finally:
            self._lent.remove(context)
            context.remove_listener("page", self._watch)
            for page in context.pages:
                if page != still:
                    page.close()

    def _watch(self, page: Page) -> None:
        page.on("framenavigated", lambda frame: self._note(frame.url))

    def _start(self, key: str, options: dict[str, Any]) -> BrowserContext:
        context = self._browser.new_context(
            **({"viewport": {"width": 320, "height": 200}} | options)
        )
        context.new_page().goto(self._still)
        self._contexts.setdefault(key, []).append(context)
        return context

    def _rested(self, key: str) -> BrowserContext | None:
        """A context without a page of a test, its memory wiped."""
        for context in self._contexts.get(key, []):
            if len(context.pages) != 1 or context in self._lent:
                continue
            session = context.new_cdp_session(context.pages[0])
            for origin in sorted(self._origins):
                told = {"origin": origin, "storageTypes": "local_storage,indexeddb,cache_storage"}
                session.send("Storage.clearDataForOrigin", told)
            session.detach()
            context.clear_cookies()
            context.set_offline(False)
            return context
        return None


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Start Debian's Chromium; fail, and say what to do, where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("no chromium on this machine: apt-get install chromium, or run make system")
    with sync_playwright() as playwright, _still_page() as still:
        started = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield Chromium(started, still)
        started.close()


def until(page: Page, script: str, patience_ms: int = PATIENCE_MS) -> Any:
    """What an expression says, once that is true.

    Polls, because the pages' own policy forbids what `wait_for_function` does.

    Raises
    ------
    AssertionError
        If it was never true; with what the page says.
    """
    for _ in range(patience_ms // LOOK_EVERY_MS):
        found = page.evaluate(f"(() => {script})()")
        if found:
            return found
        page.wait_for_timeout(LOOK_EVERY_MS)
    raise AssertionError(f"never true: {script}\n{page.inner_text('body')[:600]}")


class Watch:
    """What went wrong on pages, and what they asked of other hosts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.troubles: list[str] = []

    def over(self, page: Page) -> Page:
        """Watch a page from now on."""
        page.on("request", lambda request: self._ask(request.url))
        page.on("pageerror", lambda error: self.troubles.append(f"page error: {error}"))
        return page

    def _ask(self, url: str) -> None:
        self.asked.append(url)
        if not url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.troubles.append(f"outside: {url}")
