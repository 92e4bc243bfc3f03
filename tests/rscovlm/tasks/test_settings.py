"""Detection settings from YAML."""

import pytest

from configs import ConfigError
from rscovlm.tasks.settings import DetectSettings, load_detect_settings


def settings(folder, text) -> DetectSettings:
    path = folder / "mine.yaml"
    path.write_text(text)
    return load_detect_settings(str(path))


def test_a_length_is_pixels_or_metres_and_a_bare_number_is_pixels(tmp_path):
    read = settings(tmp_path, "classes: [plane, ship]\ntile: 512\noverlap: 50m\n")
    assert read == DetectSettings(classes=("plane", "ship"), tile="512", overlap="50m")
    assert settings(tmp_path, "tile: null\n") == DetectSettings()


@pytest.mark.parametrize("length", ["true", "2.5", "[512]"])
def test_what_is_no_length_is_named(tmp_path, length):
    with pytest.raises(ConfigError, match=r"mine\.yaml: tile: .* is no length such as 512"):
        settings(tmp_path, f"tile: {length}\n")


def test_an_empty_list_of_classes_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"mine\.yaml: classes"):
        settings(tmp_path, "classes: []\n")
