"""Who may see the track of a single worker, and the note that is made before anyone does.

Roles of the setting `track_roles` may; everyone else sees shares and counts, never positions. A
worker may always see his own. There is no sign-in yet: name and role are what the page says, so the
note is what keeps people honest, and the worker himself reads it on `/worker`. A track leaves the
server in this order, in every route:

    viewer = viewer_of(flask.request.args)
    require_tracks(store, viewer)                       # 403 and a sentence, see add_track_routes
    note_look(store, viewer, ["w1"], since, until, "sheet")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from dashboards.store import Store
from dashboards.words import Words
from geo.errors import WanggeError
from geo.io.track_views import EVERYONE, Look, append_look

SCREENS = ("replay", "sheet", "passed", "follow", "export")
"""What a look may be at; see `track_views.screen` in geo/schema.py."""

MOST_LETTERS = 200


class TracksHiddenError(WanggeError, PermissionError):
    """Somebody asked for a track who may not see it; `tell` says why in his language."""

    def __init__(self, key: str, role: str) -> None:
        super().__init__(f"tracks are not shown to the role {role or '(none)'}: see track_roles")
        self.key = key
        self.role = role

    def tell(self, words: Words) -> str:
        """Why, and what is to be seen instead."""
        return words(self.key, role=role_of(self.role, words))


@dataclass(frozen=True)
class Viewer:
    """Who looks and as what, as the page says it."""

    by: str = ""
    """Number of the worker, or a name."""
    role: str = ""


def viewer_of(args: Mapping[str, str]) -> Viewer:
    """The person of a request, by its parameters `by` and `role` (a page's "who am I")."""
    return Viewer(*(str(args.get(name) or "").strip()[:MOST_LETTERS] for name in ("by", "role")))


def may_see_tracks(store: Store, viewer: Viewer, worker_id: str | None = None) -> bool:
    """Whether the viewer may see single tracks, or that of `worker_id` if one is named."""
    if not viewer.by:
        return False
    is_own = worker_id is not None and viewer.by == worker_id
    return is_own or viewer.role in store.settings.roles_with_tracks


def require_tracks(store: Store, viewer: Viewer, worker_id: str | None = None) -> None:
    """Raise TracksHiddenError unless the viewer may see single tracks.

    Name `worker_id` where only that worker's track is asked for: it may be his own.
    """
    if may_see_tracks(store, viewer, worker_id):
        return
    raise TracksHiddenError("tracks.hidden" if viewer.by else "tracks.nobody", viewer.role)


def note_look(
    store: Store,
    viewer: Viewer,
    worker_ids: Iterable[str] | str,
    since: datetime,
    until: datetime,
    screen: str,
) -> None:
    """Note who is about to see whose track; call it before anything is sent.

    Parameters
    ----------
    worker_ids
        Numbers of the workers, one number, or "*" for everybody at once.
    since, until
        The span that the person chose, not the slice that the browser asks for: within ten
        minutes every slice of a noted span is the same look.
    screen
        One of SCREENS.

    Raises
    ------
    InputError
        If nobody is named, or the span is none.
    StoreBusyError
        If it cannot be noted now; then nothing may be sent.
    """
    if screen not in SCREENS:
        raise ValueError(f"screen is {screen!r}: use one of {', '.join(SCREENS)}")
    whose = (worker_ids,) if isinstance(worker_ids, str) else tuple(worker_ids)
    if not whose:
        return
    if EVERYONE in whose:
        whose = (EVERYONE,)
    look = Look(viewer.by, viewer.role, whose, since, until, screen)
    append_look(store.workspace, look, at=store.clock())


def role_of(role: str, words: Words) -> str:
    """The word for a role that a page claims; the role itself where there is none."""
    for key in (f"tracks.role.{role}", f"role.{role}", f"cases.role.{role}"):
        if words.has(key):
            return words(key)
    return role or words("tracks.role.none")
