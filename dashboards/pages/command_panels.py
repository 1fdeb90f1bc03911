"""The panels of `/command` for a look at a snapshot, each made once and shared by every screen.

A panel lives as long as its snapshot, so a room full of screens costs no more than one. What was
asked for lately is made again by the store's own thread as soon as there is a new snapshot, and a
page that asks then finds it ready.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from dash import html

from dashboards.components.cards import build_cards
from dashboards.components.charts import build_bars, keys, trend_specs
from dashboards.components.live_list import Order, build_list
from dashboards.components.map_spec import UnitMap, build_shade
from dashboards.components.rank_table import build_rank
from dashboards.figures import Snapshot
from dashboards.pages.command_look import Look, level_name, look_at
from dashboards.patrol_lines import read_alarms
from dashboards.store import Change, Store
from dashboards.unit_figures import people_inside
from dashboards.words import Words
from dashboards.worker_states import count_states, states_mark, told_states

T = TypeVar("T")

KEPT_S = 120.0
"""How long after it was asked for a look is made ready for each new snapshot."""
MOST_LOOKS = 12


class Panels:
    """The panels of one look; everything is made when it is first asked for."""

    def __init__(self, store: Store, snapshot: Snapshot, look: Look, words: Words) -> None:
        self.snapshot = snapshot
        self.look = look
        self._store, self._settings = store, store.settings
        self._words = words
        self._level = level_name(look.level, words)

    def _once(self, name: str, make: Callable[[], T], *more: Any) -> T:
        key = ("command", name, self.look.code, self.look.level, self._words.language, *more)
        return self.snapshot.memo.get(key, make)

    @property
    def cards(self) -> list[html.Div]:
        """The indicator cards; people change their state without any news of the tables."""
        told, calling = told_states(self._store), read_alarms(self._store).calling

        def make() -> list[html.Div]:
            mine = people_inside(self.snapshot, self.look.code)
            people = count_states(self.snapshot, told, calling, mine)
            return build_cards(self.look.scope.totals, self.snapshot.at, self._words, people)

        return self._once("cards", make, states_mark(self._store))

    def cases(self, order: str | None) -> html.Div | html.Ol:
        """The incidents, newest or most urgent first."""
        chosen: Order = "urgent" if order == "urgent" else "newest"
        among = None if self.look.code is None else self.look.scope.case_rows
        rows = self._settings.list_rows
        return self._once(
            "cases",
            lambda: build_list(self.snapshot, self._words, rows, order=chosen, among=among),
            chosen,
        )

    def unit_map(self, figure: str) -> UnitMap:
        """The shade of the units."""
        return self._once(
            "map",
            lambda: build_shade(
                self.snapshot,
                self.look.units,
                figure,
                self._words,
                level=self.look.level,
                level_name=self._level,
                scope=self.look.outline,
            ),
            figure,
        )

    def rank(self, figure: str, order: str | None) -> list[Any]:
        """The units side by side, sorted by a column; by the figure of the map if none is named."""
        column = order or figure
        return self._once(
            "rank",
            lambda: build_rank(
                self.look.units,
                self._words,
                level=self.look.level,
                level_name=self._level,
                figure=figure,
                order=column,
            ),
            figure,
            column,
        )

    @property
    def trends(self) -> dict[str, Any]:
        """The specs of the charts."""
        trend = self.look.scope.trend
        return self._once("trends", lambda: trend_specs(trend, self._words))

    @property
    def keys(self) -> dict[str, list[html.Span]]:
        """The legends of the charts."""
        trend = self.look.scope.trend
        return self._once("keys", lambda: keys(trend, self._words))

    @property
    def bars(self) -> list[Any]:
        """The panel of the units that have the most to do."""
        head = html.Div(
            [
                html.H2(self._words("trend.bars", level=self._level)),
                html.Div(self.keys["bars"], className="chart-keys"),
            ],
            className="panel-head",
        )
        body = self._once(
            "bars", lambda: build_bars(self.look.units, self._words, level=self.look.level)
        )
        return [head, html.Div(body, className="panel-body")]


class Ready:
    """Gives panels, and makes those that were asked for lately ready for each new snapshot.

    Parameters
    ----------
    store
        It tells each new snapshot, in its own thread.
    tick
        A clock in seconds that only goes forward.
    """

    def __init__(self, store: Store, *, tick: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._tick = tick
        self._asked: dict[tuple[str | None, str | None, str, str], float] = {}
        self._lock = threading.Lock()
        store.on_look(self._prepare)

    def panels(
        self, unit: str | None, level: str | None, words: Words, figure: str | None = None
    ) -> Panels:
        """The panels of a unit at a level, of the newest snapshot."""
        snapshot = self._store.snapshot()
        if figure is not None:
            with self._lock:
                self._asked[unit or None, level or None, figure, words.language] = self._tick()
        return Panels(self._store, snapshot, look_at(snapshot, unit, level), words)

    def _prepare(self, change: Change) -> None:
        if change.new is change.old:
            return
        with self._lock:
            now = self._tick()
            recent = sorted(self._asked.items(), key=lambda item: -item[1])[:MOST_LOOKS]
            self._asked = {key: at for key, at in recent if now - at < KEPT_S}
            wanted = list(self._asked)
        for unit, level, figure, language in wanted:
            words = Words(language)
            panels = Panels(self._store, change.new, look_at(change.new, unit, level), words)
            panels.unit_map(figure)
            panels.rank(figure, None)
            panels.cases(None)
            _ = (panels.cards, panels.trends, panels.keys, panels.bars)
