"""The search of a division in a process of its own, which holds no tables.

Tables, shapes and file formats take about as much memory as the compiled search. Apart, neither
process has both. The process begins to load while the units are still being read, hears "stop"
through its pipe, and ends at once when the pipe closes, so that none outlives its parent.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection, Pipe
from threading import Event
from types import TracebackType
from typing import Any

import numpy as np

from geo._divide_model import Answer, Ints, Piece, choose_effort

_ASK_S = 0.1
"""How often the parent looks whether it was asked to stop."""

Tell = Callable[[int, Answer], None]
"""Called with the number of a piece that is done, and its answer; in their order."""


def work_here(
    pieces: list[Piece], effort: str, threads: int, tell: Tell, stop: Event | None, flag: Ints
) -> list[Answer]:
    """Divide pieces in this process; `flag[0]` is 1 once `stop` is seen."""
    # Compiled code is large to load.
    from geo._divide_piece import divide_piece

    chosen = choose_effort(effort, sum(piece.count for piece in pieces))

    def run(k: int) -> Answer:
        if stop is not None and stop.is_set():
            flag[0] = 1
        return divide_piece(pieces[k], chosen, flag)

    answers = []
    if threads == 1:
        for k in range(len(pieces)):
            answers.append(run(k))
            tell(k, answers[k])
        return answers
    with ThreadPoolExecutor(threads) as pool:
        for k, answer in enumerate(pool.map(run, range(len(pieces)))):
            answers.append(answer)
            tell(k, answer)
    return answers


class SearchProcess:
    """A process that waits for one division to search; begun early, it loads meanwhile."""

    def __init__(self) -> None:
        self._pipe, far = Pipe()
        # A session of its own: Ctrl-C is for the parent, which asks the search to stop.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "geo._divide_process", str(far.fileno())],
            pass_fds=(far.fileno(),), stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        far.close()

    def __enter__(self) -> SearchProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.wait()

    def work(
        self,
        pieces: list[Piece],
        effort: str,
        threads: int,
        tell: Tell,
        stop: Event | None,
        flag: Ints,
    ) -> list[Answer]:
        """As `work_here`, in the process; a board shows a piece once it is done.

        Raises
        ------
        RuntimeError
            If the process ended before its work was done.
        """
        answers: list[Answer] = []
        try:
            self._pipe.send((pieces, effort, threads))
            while len(answers) < len(pieces):
                if stop is not None and stop.is_set() and not flag[0]:
                    flag[0] = 1
                    self._pipe.send("stop")
                if self._pipe.poll(_ASK_S):
                    answer = self._pipe.recv()
                    pieces[len(answers)].board[:] = answer.label
                    answers.append(answer)
                    tell(len(answers) - 1, answer)
        except (EOFError, OSError) as error:
            code = self._process.wait()
            raise RuntimeError(f"the search ended early, with code {code}") from error
        return answers


def main() -> None:
    """Search what comes through the pipe whose number is the first argument."""
    pipe: Connection[Any, Any] = Connection(int(sys.argv[1]))
    from geo import _divide_piece  # noqa: F401  loads while the parent reads

    flag = np.zeros(1, dtype=np.int64)
    try:
        pieces, effort, threads = pipe.recv()
    except EOFError:
        return
    stop = Event()
    threading.Thread(target=_listen, args=(pipe, stop, flag), daemon=True).start()
    work_here(pieces, effort, threads, lambda _, answer: pipe.send(answer), stop, flag)


def _listen(pipe: Connection[Any, Any], stop: Event, flag: Ints) -> None:
    """Hear "stop", any number of times; the end of the pipe is the end of the process."""
    try:
        while pipe.recv() == "stop":
            stop.set()
            flag[0] = 1
    except EOFError:
        os._exit(3)


if __name__ == "__main__":
    main()
