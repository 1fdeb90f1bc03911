import socket
from pathlib import Path

import pytest

from dashboards.cli import main
from dashboards.commands.serve_command import address


def _run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["serve", *args])
    return int(ended.value.code or 0), capsys.readouterr().err


def test_a_folder_that_is_no_workspace_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = _run(capsys, "--workspace", str(tmp_path))
    assert code == 2
    assert text.count("\n") == 1
    assert "holds no city.gpkg" in text


def test_wrong_settings_end_with_one_line(
    drawn_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANGGE_LANGUAGE", "fr")
    code, text = _run(capsys, "--workspace", str(drawn_folder))
    assert code == 2
    assert text == "wangge: language is 'fr': choose one of zh, en\n"


def test_a_port_in_use_ends_with_one_line(
    drawn_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, text = _run(capsys, "--workspace", str(drawn_folder), "--port", str(port))
    assert code == 2
    assert text.startswith(f"wangge: port {port} is in use on 127.0.0.1")
    assert text.count("\n") == 1


@pytest.mark.parametrize("port", ["0", "70000"])
def test_a_port_that_cannot_be_ends_with_one_line(
    drawn_folder: Path, capsys: pytest.CaptureFixture[str], port: str
) -> None:
    code, text = _run(capsys, "--workspace", str(drawn_folder), "--port", port)
    assert (code, text.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:8050"),
        ("0.0.0.0", "http://127.0.0.1:8050"),
        ("::1", "http://[::1]:8050"),
        ("wall.local", "http://wall.local:8050"),
    ],
)
def test_the_address_can_be_typed_into_a_browser(host: str, shown: str) -> None:
    assert address(host, 8050) == shown
