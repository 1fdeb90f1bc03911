"""The ring of numbered events: nothing lost, nothing twice, and never more memory than promised."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from dashboards.live_feed import Ring


def told(ring: Ring, number: int) -> list[int] | None:
    events = ring.after(number, 0.0)
    return None if events is None else [event.number for event in events]


def test_events_are_numbered_from_one_without_gaps() -> None:
    ring = Ring(boot="x")
    assert ring.last == 0
    assert [ring.add("version", {"": b"{}"}).number for _ in range(3)] == [1, 2, 3]
    assert told(ring, 0) == [1, 2, 3]
    assert told(ring, 2) == [3]
    assert told(ring, 3) == []


def test_what_the_ring_no_longer_holds_cannot_be_told() -> None:
    ring = Ring(kept=2, boot="x")
    for _ in range(5):
        ring.add("version", {"": b"{}"})
    assert told(ring, 3) == [4, 5]
    assert told(ring, 2) is None
    assert ring.place_of("x-3") == 3
    assert ring.place_of("x-2") is None


def test_a_place_is_known_only_to_the_start_of_the_server_that_gave_it() -> None:
    ring = Ring(boot="ab-c")
    ring.add("version", {"": b"{}"})
    assert ring.place_of("ab-c-1") == 1
    assert ring.place_of("ab-c-0") == 0
    for strange in ("other-1", "ab-c-2", "ab-c-", "ab-c", "", "ab-c--1", "ab-c-1.0"):
        assert ring.place_of(strange) is None


@given(st.lists(st.integers(1, 60), max_size=60), st.integers(1, 100))
def test_the_ring_never_holds_more_bytes_than_it_may(sizes: list[int], room: int) -> None:
    ring = Ring(kept_bytes=room, boot="x")
    for size in sizes:
        ring.add("positions", {"": b"x" * size})
        held = ring.after(ring.last - 1, 0.0)
        assert held is not None
        assert held[-1].size == size
        whole = sum(event.size for event in ring._events)
        assert whole <= room or len(ring._events) == 1
        assert whole == ring._bytes


@given(st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=80))
def test_readers_that_come_and_go_miss_nothing_or_are_told_so(steps: list[int | None]) -> None:
    """None adds an event; a number lets that reader read. Every reader adds up what it saw."""
    ring = Ring(kept=5, boot="x")
    seen: dict[int, int] = dict.fromkeys(range(4), 0)
    for step in steps:
        if step is None:
            ring.add("version", {"": b"{}"})
            continue
        events = told(ring, seen[step])
        if events is None:
            assert ring.last - seen[step] > 5
            seen[step] = ring.last
        else:
            assert events == list(range(seen[step] + 1, ring.last + 1))
            seen[step] = ring.last


def test_worded_events_are_in_the_language_of_the_screen() -> None:
    event = Ring(boot="x").add("alarm", {"zh": "早".encode(), "en": b"early"})
    assert event.text("x", "en") == b"id: x-1\nevent: alarm\ndata: early\n\n"
    assert "早".encode() in event.text("x", "zh")
    plain = Ring(boot="x").add("version", {"": b"1"})
    assert plain.text("x", "en") == plain.text("x", "zh")


def test_who_waits_is_woken_by_an_event_and_by_the_end() -> None:
    ring, found = Ring(boot="x"), []
    waits = threading.Thread(target=lambda: found.append(told_later(ring)))
    waits.start()
    ring.add("version", {"": b"{}"})
    waits.join(60)
    assert found == [[1]]
    ends = threading.Thread(target=lambda: found.append(ring.after(1, 60.0)))
    ends.start()
    ring.close()
    ends.join(60)
    assert not ends.is_alive()
    assert ring.is_closed


def told_later(ring: Ring) -> list[int]:
    events = ring.after(0, 60.0)
    assert events is not None
    return [event.number for event in events]
