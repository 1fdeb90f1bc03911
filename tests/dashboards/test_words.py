import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboards.words import MissingWordsError, Words, _catalogue, placeholders

CODE = Path(__file__).parents[2] / "dashboards"


def test_both_languages_have_the_same_keys_and_no_empty_text() -> None:
    zh, en = _catalogue("zh"), _catalogue("en")
    assert zh.keys() == en.keys()
    assert all(text.strip() for text in [*zh.values(), *en.values()])


def test_both_languages_have_the_same_files() -> None:
    files = [{file.name for file in (CODE / "words" / name).iterdir()} for name in ("zh", "en")]
    assert files[0] == files[1]


def test_both_languages_expect_the_same_values() -> None:
    zh, en = _catalogue("zh"), _catalogue("en")
    # A month of a Chinese date is a number, so only the names may differ.
    assert {k for k in zh if placeholders(zh[k]) != placeholders(en[k])} == set()


def test_a_missing_key_is_an_error_that_names_it() -> None:
    with pytest.raises(MissingWordsError, match=r"no\.such is not in en:"):
        Words("en")("no.such")


def test_every_key_that_the_code_names_is_in_the_catalogue() -> None:
    named = set()
    for file in CODE.rglob("*.py"):
        named |= set(re.findall(r'words\(\s*"([a-z][a-z0-9_.]+)"', file.read_text("utf-8")))
    assert len(named) > 60
    assert named - _catalogue("zh").keys() == set()


def test_every_key_that_the_browser_names_is_in_the_catalogue() -> None:
    known = Words("zh").starting("js.").keys()
    text = "".join(file.read_text("utf-8") for file in (CODE / "assets").glob("*.js"))
    named = set(re.findall(r'words\["([a-z.]+)"\]', text))
    assert len(named) > 5
    assert named - known == set()


def test_no_chinese_sentence_stands_in_code() -> None:
    """Except in docstrings and comments, and the date's own 年 and 日 in the clock."""
    for file in [*CODE.rglob("*.py")]:
        text = re.sub(r'""".*?"""|#[^\n]*', "", file.read_text("utf-8"), flags=re.S)
        assert not re.search("[\u4e00-\u9fff]", text), file


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (0, "0", "0"),
        (12345, "12,345", "12,345"),
        (99999, "99,999", "99,999"),
        (100_000, "10万", "100,000"),
        (123456, "12.3万", "123,456"),
        (1_234_567, "123.5万", "1,234,567"),
        (123_456_789, "1.23亿", "123,456,789"),
        (float("nan"), "–", "–"),
    ],
)
def test_large_numbers_are_shortened_from_a_hundred_thousand(
    value: float, zh: str, en: str
) -> None:
    assert (Words("zh").short_number(value), Words("en").short_number(value)) == (zh, en)


def test_a_date_is_written_as_people_write_it() -> None:
    day = datetime(2026, 11, 21, tzinfo=UTC)
    assert Words("zh").date(day) == "2026年11月21日 星期六"
    assert Words("en").date(day) == "Saturday 21 November 2026"


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(seconds=40), "40 秒"),
        (timedelta(minutes=59, seconds=59), "59 分钟"),
        (timedelta(hours=1), "1 小时"),
        (timedelta(hours=1, minutes=47), "1 小时 47 分钟"),
        (timedelta(hours=12, minutes=5), "12 小时"),
        (timedelta(days=4, hours=3), "4 天 3 小时"),
        (timedelta(days=40, hours=3), "40 天"),
        (timedelta(seconds=-5), "0 秒"),
    ],
)
def test_a_span_has_at_most_two_units(length: timedelta, text: str) -> None:
    assert Words("zh").span(length) == text
