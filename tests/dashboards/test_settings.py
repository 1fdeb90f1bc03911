from pathlib import Path

import pytest

from dashboards.settings import Settings, read_settings, settings_help, write_template
from geo.errors import SettingsError


def test_without_file_and_environment_the_defaults_are_safe(tmp_path: Path) -> None:
    settings = read_settings(tmp_path, {})
    assert settings == Settings()
    assert settings.host == "127.0.0.1"


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('port = 9000\ncity_name = "江城"\n', encoding="utf-8")
    settings = read_settings(tmp_path, {"WANGGE_PORT": "9001", "WANGGE_REQUIRE_REAL_DATA": "1"})
    assert (settings.port, settings.city_name, settings.stale_s) == (9001, "江城", 60)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 9000", "sets prot, which is no setting"),
        ('port = "many"', "use a whole number"),
        ("port = 1.5", "use a whole number"),
        ("port = true", "use a whole number"),
        ("city_name = 3", "use text in quotes"),
        ("port = 0", "port is 0: choose a number from 1 to 65535"),
        ('language = "fr"', "choose one of zh, en"),
        ('timezone = "Asia/Nowhere"', "no such zone"),
        ('host = ""', "host is empty"),
        ('grid_band = "many"', "write it as 200-500"),
        ('grid_band = "500-200"', "give the smaller number first"),
        ('workload_weights = "luck=1"', "no figure luck to weigh"),
        ("port = ", "cannot be read"),
        ("refresh_s = 90\n", "refresh_s is 90.0 and stale_s is 60: every page would be stale"),
        ("cluster_zoom = 17", "cluster_zoom is 17 and asset_zoom is 16"),
        ("check_s = 30.0", "check_s is 30.0 and refresh_s is 5.0"),
        ("card_radius_m = 200", "choose 100, 300, 500 or 1000"),
        ("on_duty_minutes = 800", "on_duty_minutes is 800 and position_hours is 12"),
    ],
)
def test_a_wrong_or_contradicting_setting_is_refused_with_its_value(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "settings.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=message.replace("(", r"\(")):
        read_settings(tmp_path, {})


def test_a_wrong_environment_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="WANGGE_PORT sets port to 'x'"):
        read_settings(tmp_path, {"WANGGE_PORT": "x"})


def test_the_template_says_every_setting_and_reads_back_as_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    write_template(file, city_name='Ji"ang 城', timezone="Asia/Tokyo")
    text = file.read_text(encoding="utf-8")
    assert all(f"{name} = " in text for name in settings_help())
    assert read_settings(tmp_path, {}) == Settings(city_name='Ji"ang 城', timezone="Asia/Tokyo")
    file.write_text(
        "\n".join(line.removeprefix("# ") if " = " in line else line for line in text.splitlines()),
        encoding="utf-8",
    )
    assert read_settings(tmp_path, {}) == Settings(city_name='Ji"ang 城', timezone="Asia/Tokyo")


def test_every_setting_has_help_and_a_place_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, (_, text) in settings_help().items():
        assert text
        assert f"| `{name}` |" in page
        assert text in page
