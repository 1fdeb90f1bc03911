"""Who submitted a plan, and whether another person approves it."""

from __future__ import annotations

import pandas as pd
import pytest

from geo.four_eyes import FourEyesError, find_submitter, is_same_person, require_other_person


def moves(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["state", "by"])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("李强", " 李 强 ", True),
        ("Anna B", "ＡＮＮＡ\u3000Ｂ", True),
        ("李强", "李强强", False),
        ("w1", "w11", False),
    ],
    ids=["blanks", "width and capitals", "longer", "number"],
)
def test_two_spellings_of_a_name_are_one_person(one: str, other: str, same: bool) -> None:
    assert is_same_person(one, other) is same
    assert is_same_person(other, one) is same


def test_the_last_submission_counts_and_a_draft_has_none() -> None:
    sent = moves(("draft", "王芳"), ("review", "李强"))
    assert find_submitter(sent) == "李强"
    back = moves(("draft", "王芳"), ("review", "李强"), ("draft", "赵敏"))
    assert find_submitter(back) is None
    again = moves(("draft", "王芳"), ("review", "李强"), ("draft", "赵敏"), ("review", "王芳"))
    assert find_submitter(again) == "王芳"
    assert find_submitter(moves(("draft", "王芳"))) is None


def test_the_submitter_is_refused_and_the_author_is_not() -> None:
    sent = moves(("draft", "王芳"), ("review", "李强"))
    with pytest.raises(FourEyesError, match="李强, who cannot approve it too") as told:
        require_other_person(sent, "李强 ")
    assert told.value.submitter == "李强"
    require_other_person(sent, "王芳")
