"""Four eyes: who submits a plan does not approve it.

Nobody signs in yet, so people are told apart by the names that they give; two spellings of one name
(full-width letters, blanks, capitals) are one person. Who drew a plan may approve it if somebody
else submitted it: the submitter is who answers for it.
"""

from __future__ import annotations

import unicodedata

import pandas as pd

from geo.errors import RuleError


class FourEyesError(RuleError):
    """Who submitted a plan wants to approve it too; `submitter` has the name as it was given."""

    def __init__(self, submitter: str) -> None:
        super().__init__(
            f"the plan was submitted by {submitter}, who cannot approve it too: ask somebody else"
        )
        self.submitter = submitter


def is_same_person(one: str, other: str) -> bool:
    """Whether two names are one person's; blanks, capitals and width of letters do not count."""
    return _plain(one) == _plain(other)


def find_submitter(moves: pd.DataFrame) -> str | None:
    """Who submitted a plan last.

    Parameters
    ----------
    moves
        Moves of one plan in order, with `state` and `by` (`PlanBook.moves`).

    Returns
    -------
    str or None
        `by` of the newest move to `review`; None if it is a draft (again) or was never submitted.
    """
    submitted = None
    for state, by in zip(moves["state"], moves["by"], strict=True):
        if state == "draft":
            submitted = None
        elif state == "review":
            submitted = str(by)
    return submitted


def require_other_person(moves: pd.DataFrame, by: str) -> None:
    """Raise `FourEyesError` if `by` is who submitted the plan of these moves."""
    submitter = find_submitter(moves)
    if submitter is not None and is_same_person(submitter, by):
        raise FourEyesError(submitter)


def _plain(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()
