"""A model to train, built from a configuration."""

from rscovlm.nano.base import write_base
from rscovlm.training.building import write_fresh
from rscovlm.training.config import load_train_config
from tests.rscovlm.nano.material import SMALL


def test_a_start_from_nothing_is_written_once_and_whole(tmp_path, monkeypatch):
    made = []

    def write(folder, seed):
        made.append(seed)
        write_base(folder, seed, shape=SMALL, lessons=50)

    monkeypatch.setattr("rscovlm.nano.base.write_base", write)
    config = load_train_config("nano", ["seed=5"])
    (tmp_path / ".partial-base").mkdir()  # of a run that was killed
    write_fresh(config, tmp_path)
    write_fresh(config, tmp_path)
    assert made == [5]
    assert (tmp_path / "base" / "model.safetensors").is_file()
    assert not (tmp_path / ".partial-base").exists()
    assert load_train_config("nano", ["model=nano"]).fresh is None, "a model in its place"
