"""Phones that may send positions: who carries which, and by which token it is known.

A worker carries one device at a time: giving out another ends the one before. Readings of an ended
device with a time before its end still count, and a new device answers for what lies before it
only back to the end of the one before. So device and time name a reading just as worker and time
do. Of a token only a hash is stored; the token itself is shown once.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from geo.errors import InputError
from geo.io.workspace import Workspace

MAX_ID = 200


@dataclass(frozen=True, slots=True)
class Device:
    """A phone as the feeds know it."""

    device_id: str
    worker_id: str
    token_hash: str | None
    speed_unit: str | None
    since: datetime | None
    """From here on its readings are the worker's; None: from ever."""
    until: datetime | None
    """The end; None while it is carried."""

    def carries(self, time: datetime) -> bool:
        """Whether the worker carried it at a time."""
        is_begun = self.since is None or time >= self.since
        return is_begun and (self.until is None or time < self.until)

    def knows(self, token: str) -> bool:
        """Whether a token is its own; compared in constant time. One without a hash knows none."""
        if not self.token_hash:
            return False
        return hmac.compare_digest(hash_token(token), self.token_hash)


def hash_token(token: str) -> str:
    """What is stored of a token: plain SHA-256, for a token of 128 random bits needs no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def add_device(
    workspace: Workspace,
    worker_id: str,
    *,
    device_id: str,
    token: str,
    at: datetime,
    speed_unit: str | None = None,
) -> str | None:
    """Give a worker a phone; the one that they carried until now is ended.

    A device that the same worker has already gets the new token, and the old token ends.

    Parameters
    ----------
    token
        Drawn by the caller, at least 128 random bits.
    at
        The moment, with zone.
    speed_unit
        Unit of speed of its OsmAnd requests; None takes the city's setting.

    Returns
    -------
    str or None
        The device that was ended.

    Raises
    ------
    InputError
        If there is no such worker, or the device is another worker's.
    """
    if not device_id.strip() or len(device_id) > MAX_ID:
        raise InputError(f"the id of a device has 1 to {MAX_ID} characters, not {len(device_id)}")
    devices, workers = workspace.table("devices"), workspace.table("workers")
    with workspace.writing() as conn:
        is_worker = workers.c.worker_id == worker_id
        if conn.execute(sa.select(workers.c.fid).where(is_worker)).first() is None:
            raise InputError(f"no worker {worker_id}: wangge export workers lists them")
        is_this = devices.c.device_id == device_id
        there = conn.execute(sa.select(devices).where(is_this)).one_or_none()
        if there is not None and there.worker_id != worker_id:
            raise InputError(
                f"device {device_id} is that of {there.worker_id}: choose another id with --id"
            )
        is_carried = (devices.c.worker_id == worker_id) & devices.c.valid_to.is_(None) & ~is_this
        ended = conn.execute(sa.select(devices.c.device_id).where(is_carried)).scalars().first()
        conn.execute(sa.update(devices).where(is_carried).values(valid_to=at))
        told: dict[str, object] = {
            "token_hash": hash_token(token),
            "speed_unit": speed_unit,
            "valid_to": None,
        }
        if there is None:
            conn.execute(
                devices.insert().values(
                    device_id=device_id, worker_id=worker_id, valid_from=at, **told
                )
            )
        else:
            if there.valid_to is not None:
                # Taken up again: what lies between was not its own.
                told["valid_from"] = at
            conn.execute(sa.update(devices).where(is_this).values(**told))
        workspace.touch(conn, "devices")
    return None if ended is None else str(ended)


def end_device(workspace: Workspace, device_id: str, *, at: datetime) -> None:
    """Take a phone back: its readings from `at` on are refused.

    Raises
    ------
    InputError
        If there is no such device, or it is ended already.
    """
    devices = workspace.table("devices")
    with workspace.writing() as conn:
        is_this = devices.c.device_id == device_id
        found = conn.execute(sa.select(devices.c.valid_to).where(is_this)).one_or_none()
        if found is None:
            raise InputError(f"no device {device_id}: wangge device list shows them")
        if found.valid_to is not None:
            raise InputError(f"device {device_id} was ended at {found.valid_to.isoformat()}")
        conn.execute(sa.update(devices).where(is_this).values(valid_to=at))
        workspace.touch(conn, "devices")


def read_devices(workspace: Workspace) -> dict[str, Device]:
    """All devices of workers that there are, by id."""
    devices, workers = workspace.table("devices"), workspace.table("workers")
    query = (
        sa.select(devices)
        .join(workers, workers.c.worker_id == devices.c.worker_id)
        .order_by(devices.c.worker_id, devices.c.valid_from, devices.c.fid)
    )
    with workspace.reading() as conn:
        rows = conn.execute(query).all()
    found: dict[str, Device] = {}
    ends: dict[str, datetime] = {}
    for row in rows:
        found[row.device_id] = Device(
            row.device_id, row.worker_id, row.token_hash, row.speed_unit,
            ends.get(row.worker_id), row.valid_to,
        )  # fmt: skip
        if row.valid_to is not None:
            ends[row.worker_id] = max(row.valid_to, ends.get(row.worker_id, row.valid_to))
    return found


class KnownDevices:
    """The devices of a workspace in memory, read again when the table changes."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._stamp = ""
        self._devices: dict[str, Device] = {}

    def refresh(self) -> bool:
        """Read the table if it or the workers changed; whether it did."""
        stamp = self._workspace.stamp("devices", "workers")
        if stamp == self._stamp:
            return False
        self._devices = read_devices(self._workspace)
        self._stamp = stamp
        return True

    def find(self, *names: str) -> Device | None:
        """The first device of these names."""
        devices = self._devices
        for name in names:
            found = devices.get(name)
            if found is not None:
                return found
        return None
