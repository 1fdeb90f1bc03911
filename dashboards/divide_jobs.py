"""Divisions that run for `/planner`: each in a process of its own, the best so far always at hand.

The server only reads what the process writes (`dashboards.divide_worker`), so pages stay as quick
as they were. One job a plan: a new one ends the one before. At most MOST run at once. A process
ends with the server, however that ends; a job that nobody asked about for LEFT_S is stopped and
what it found is kept until as many others are done.
"""

from __future__ import annotations

import atexit
import logging
import secrets
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from dashboards.divide_worker import receive, send

log = logging.getLogger(__name__)

MOST = 2
"""Running at once: pages need the rest of the machine."""

KEPT = 12
"""Jobs whose answer is kept."""

LEFT_S = 120.0
"""A page asks every second while it is open."""

_END_S = 3.0


@dataclass(frozen=True)
class Asked:
    """What is to be divided: units of a plan, in the order of their rows there."""

    plan_id: str
    seq: int
    """Number of the newest edit of the plan."""
    rows: np.ndarray
    """Rows of the units among all blocks of the plan."""
    count: int
    """Number of all blocks."""
    work: dict[str, Any]
    """What the process is given; see `dashboards.divide_worker`."""
    fresh: bool


@dataclass(eq=False)
class Job:
    """One division and how far it is."""

    id: str
    asked: Asked
    state: str = "working"
    """working, stopping, done, failed."""
    shown: dict[str, Any] = field(default_factory=dict)
    """The newest look at the best so far."""
    looks: int = 0
    answer: dict[str, Any] | None = None
    process: subprocess.Popen[bytes] | None = None
    seen_at: float = 0.0
    drafts: dict[str, str] = field(default_factory=dict)
    """Drafts made of it, by the key of the request that made them."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def assignment(self) -> pd.Series:
        """`grid_id` by `block_id` of the units."""
        assert self.answer is not None
        return pd.Series(self.answer["plan"], index=self.asked.work["ids"], dtype=object)


class TooManyJobsError(Exception):
    """As many divisions run as may."""


class Jobs:
    """The divisions of one server."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()
        atexit.register(self.close)

    def start(self, asked: Asked) -> Job:
        """Begin a job; the one that runs for the same plan ends.

        Raises
        ------
        TooManyJobsError
            If others run already.
        """
        with self._lock:
            for other in list(self._jobs.values()):
                if other.process is None:
                    continue
                left = time.monotonic() - other.seen_at > LEFT_S
                if other.asked.plan_id == asked.plan_id or left:
                    self._end(other)
            if sum(job.process is not None for job in self._jobs.values()) >= MOST:
                raise TooManyJobsError
            job = Job(secrets.token_hex(6), asked, seen_at=time.monotonic())
            job.process = subprocess.Popen(
                [sys.executable, "-m", "dashboards.divide_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            self._jobs[job.id] = job
            while len(self._jobs) > KEPT:
                _, old = self._jobs.popitem(last=False)
                self._end(old)
        threading.Thread(target=self._follow, args=(job,), name="divide", daemon=True).start()
        return job

    def find(self, job_id: str) -> Job | None:
        """The job of that id, if it is still known."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is not None:
            job.seen_at = time.monotonic()
        return job

    def stop(self, job: Job) -> None:
        """Ask a job to end with the best so far; the answer comes as if it had been done."""
        with job.lock:
            process = job.process
            if job.state != "working" or process is None or process.stdin is None:
                return
            job.state = "stopping"
            try:
                send(process.stdin, "stop")
            except (OSError, ValueError):
                log.info("division %s ended while it was asked to", job.id)

    def close(self) -> None:
        """End every process."""
        with self._lock:
            for job in self._jobs.values():
                self._end(job)

    def _end(self, job: Job) -> None:
        process = job.process
        if process is None:
            return
        with job.lock:
            if job.state != "done":
                job.state = "failed"
            if process.stdin is not None and not process.stdin.closed:
                # The closed pipe tells the process that it is not wanted any more.
                try:
                    process.stdin.close()
                except OSError:
                    log.info("division %s was gone already", job.id)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        job.process = None

    def _follow(self, job: Job) -> None:
        process = job.process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            send(process.stdin, job.asked.work)
            while True:
                message = receive(process.stdout)
                if message["do"] == "show":
                    self._show(job, message)
                    self._leave(job)
                    continue
                with job.lock:
                    job.answer = message
                    job.state = "done" if message["do"] == "done" else "failed"
                break
        except (EOFError, OSError, ValueError):
            with job.lock:
                if job.state != "done":
                    job.state = "failed"
        finally:
            process.stdout.close()
            with job.lock:
                if not process.stdin.closed:
                    try:
                        process.stdin.close()
                    except OSError:
                        log.info("division %s was gone already", job.id)
            process.wait()
            job.process = None

    def _show(self, job: Job, message: dict[str, Any]) -> None:
        with job.lock:
            if job.shown.get("labels") != message["labels"]:
                job.looks += 1
            job.shown = message

    def _leave(self, job: Job) -> None:
        if time.monotonic() - job.seen_at > LEFT_S:
            self.stop(job)
