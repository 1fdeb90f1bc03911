import http.client
import os
import signal
import socket
import subprocess
import sys
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


@pytest.mark.skipif(os.name == "nt", reason="ends by a signal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_open_screen_does_not_hold_up_the_end_of_the_server(
    drawn_folder: Path, number: signal.Signals
) -> None:
    """More screens than threads for pages; each has a thread of its own, and all end at once."""
    code = "from dashboards.cli import main; main()"
    arguments = ["serve", "--workspace", str(drawn_folder), "--port", str(_free_port())]
    child = subprocess.Popen(
        [sys.executable, "-u", "-c", code, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "WANGGE_THREADS": "1", "WANGGE_SCREENS": "2"},
    )  # fmt: skip
    assert child.stdout is not None
    try:
        for line in child.stdout:
            if line.startswith("serving"):
                break
        port = int(arguments[-1])
        screens = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(2)]
        answers = []
        for screen in screens:
            screen.request("GET", "/live")
            answers.append(screen.getresponse())
            assert answers[-1].readline() == b"retry: 2000\n"
        third = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        third.request("GET", "/live")
        refused = third.getresponse()
        assert (refused.status, refused.getheader("Retry-After")) == (503, "30")
        refused.read()
        third.close()
        child.send_signal(number)
        for answer, screen in zip(answers, screens, strict=True):
            assert b"event: hello" in answer.read()  # to its end
            screen.close()
        assert child.wait(60) == 0
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        child.stdout.close()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
