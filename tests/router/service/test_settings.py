from pathlib import Path

import pytest

from usher.router.service.settings import Settings, SettingsError, printable, read_settings


def test_without_sources_the_defaults_hold() -> None:
    assert Settings() == read_settings()


def test_flags_come_before_environment_before_file(tmp_path: Path) -> None:
    file = tmp_path / "usher.toml"
    file.write_text('data_dir = "file"\nlisten = "0.0.0.0:1"\nclock_rate = 2\n')
    environment = {"USHER_LISTEN": "0.0.0.0:2", "USHER_CLOCK_RATE": "3", "OTHER": "x"}
    settings = read_settings(file, environment, {"clock_rate": 4, "log_level": None})
    assert ("file", "0.0.0.0:2", 4) == (settings.data_dir, settings.listen, settings.clock_rate)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("inbox_contacts_max = 0", "inbox_contacts_max"),
        ("drain_seconds = 1", "drain_seconds"),
        ('listen = "nowhere"', "listen"),
        ("clock_rate = ", "usher.toml"),
    ],
)
def test_a_wrong_file_tells_what_is_wrong(tmp_path: Path, line: str, rule: str) -> None:
    file = tmp_path / "usher.toml"
    file.write_text(line)
    with pytest.raises(SettingsError, match=rule):
        read_settings(file)


def test_a_wrong_variable_tells_its_source() -> None:
    with pytest.raises(SettingsError, match=r"environment.*clock_rate"):
        read_settings(None, {"USHER_CLOCK_RATE": "fast"})


def test_all_settings_are_printable() -> None:
    assert set(Settings.__struct_fields__) == set(printable(Settings()))
