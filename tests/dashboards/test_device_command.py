"""`wangge device`: a phone gets an id and a token that come in, and only a hash stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from dashboards.commands.device_command import command
from geo.errors import InputError
from geo.io.devices import read_devices
from geo.io.fixbook import FixBook, FixRules
from geo.io.workspace import Workspace
from geo.protocols import Reading
from geo.synth.devices import hand_out


@pytest.fixture
def staffed(workspace: Workspace) -> Workspace:
    people = pd.DataFrame({"worker_id": ["W1", "W2"], "name": ["A", "B"], "role": "grid_worker"})
    with workspace.writing() as conn:
        workspace.append(conn, "workers", people)
    return workspace


def run(workspace: Workspace, *arguments: str) -> Result:
    found = CliRunner().invoke(command, [*arguments, "--workspace", str(workspace.path)])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def told(result: Result) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in result.stdout.splitlines())


def test_a_device_that_is_added_gets_in_with_its_token_and_with_no_other(staffed: Workspace):
    found = told(run(staffed, "add", "W1", "--id", "D1"))
    assert found["id"] == "D1"
    assert len(found["token"]) == 32
    now = datetime.now(UTC)
    book = FixBook(staffed, FixRules(UTC), clock=lambda: now)
    good = Reading("D1", found["token"], now, 111.3, 30.7, source="osmand")
    assert book.take([good._replace(token="x"), good]) == ["wrong_token", "accepted"]
    book.close()
    assert found["token"] not in staffed.read("devices").to_csv()


def test_a_second_device_ends_the_first_and_says_so(staffed: Workspace):
    first = told(run(staffed, "add", "W1"))
    assert first["id"].startswith("W1-")
    second = run(staffed, "add", "W1", "--speed-unit", "ms")
    assert f"device {first['id']}, which W1 carried until now, is ended" in second.stderr
    known = read_devices(staffed)
    assert known[first["id"]].until is not None
    new = known[told(second)["id"]]
    assert (new.until, new.speed_unit) == (None, "ms")
    assert new.since == known[first["id"]].until


def test_devices_are_listed_and_ended(staffed: Workspace):
    run(staffed, "add", "W1", "--id", "D1")
    run(staffed, "add", "W2", "--id", "D2")
    assert "ended" in run(staffed, "end", "D1").stdout
    assert [line.split("\t")[:3] for line in run(staffed, "list").stdout.splitlines()] == [
        ["D2", "W2", "token"]
    ]
    everything = run(staffed, "list", "--all").stdout.splitlines()
    assert [line.split("\t")[0] for line in everything] == ["D1", "D2"]
    assert everything[0].split("\t")[4] != "-"


def test_each_worker_of_an_invented_city_has_one_phone_with_their_own_id(staffed: Workspace):
    phones = hand_out(staffed.read("workers"), at=datetime(2026, 11, 21, tzinfo=UTC))
    with staffed.writing() as conn:
        staffed.append(conn, "devices", phones)
    known = read_devices(staffed)
    assert {label: device.worker_id for label, device in known.items()} == {"W1": "W1", "W2": "W2"}
    assert not any(device.knows("") for device in known.values())
    assert [line.split("\t")[2] for line in run(staffed, "list").stdout.splitlines()] == [
        "open"
    ] * 2


def test_a_worker_or_device_that_is_not_there_is_named(staffed: Workspace):
    with pytest.raises(InputError, match="no worker W9"):
        run(staffed, "add", "W9")
    with pytest.raises(InputError, match="no device D9"):
        run(staffed, "end", "D9")


def test_a_device_taken_up_again_answers_from_then_on(staffed: Workspace):
    run(staffed, "add", "W1", "--id", "D1")
    run(staffed, "add", "W1", "--id", "D2")
    again = told(run(staffed, "add", "W1", "--id", "D1"))
    known = read_devices(staffed)
    assert known["D1"].until is None
    assert known["D2"].until is not None
    assert known["D1"].since == known["D2"].until
    assert known["D1"].knows(again["token"])
