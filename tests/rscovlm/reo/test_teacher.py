"""What a teacher says, as a table, and a head that learns from it."""

from types import SimpleNamespace

import numpy as np
import pytest

from rscovlm.errors import DataError, UsageError
from rscovlm.reo.baselines import band_statistics, ridge
from rscovlm.reo.teacher import CrossFitted, OnnxRegressor, write_teaching
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from tests.rscovlm.reo.material import plots_file, source_of


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny_qwen3_vl(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def file(tmp_path):
    return plots_file(tmp_path, tiles=4, plots=2)


def test_a_fitted_model_teaches_by_a_table_that_the_source_reads(file, checkpoint):
    source = source_of(file, checkpoint)
    features, truth = band_statistics(source), source.places.numbers["agb_mg_per_ha"]
    model = ridge(features, truth, features, truth)
    assert write_teaching(file.parent / "ridge.csv", source, model, "agb_taught") == 8
    taught = source_of(file, checkpoint, tables=["ridge.csv"])
    assert taught.numbers(3)["agb_taught"] == pytest.approx(model.predict(features)[3], rel=1e-12)
    assert taught.values("agb_taught") == pytest.approx(model.predict(features))
    assert taught.digest != source.digest, "another teacher is another run"


def test_a_teacher_gives_each_plot_a_number_of_a_new_name(file, checkpoint):
    source = source_of(file, checkpoint)
    with pytest.raises(DataError, match="gives 3 numbers, 2 of them finite, for 8 plots"):
        write_teaching(
            file.parent / "t.csv", source, SimpleNamespace(predict=lambda _: [1, 2, np.inf]), "agb_taught"
        )
    with pytest.raises(DataError, match="plots have a number agbd_se already"):
        write_teaching(file.parent / "t.csv", source, SimpleNamespace(predict=lambda _: []), "agbd_se")
    assert not (file.parent / "t.csv").exists()


def test_an_onnx_teacher_without_its_runtime_or_with_another_file_is_one_line(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(
        UsageError, match=r"model.onnx(: an ONNX teacher needs onnxruntime| cannot be read as ONNX)"
    ):
        OnnxRegressor(tmp_path / "model.onnx")


def test_trees_say_of_a_plot_what_those_of_other_tiles_know(file, checkpoint):
    source = source_of(file, checkpoint)
    features = band_statistics(source)
    found = CrossFitted(source).predict(features)
    own = source.places.tile == source.places.tile[0]
    changed = source_of(file, checkpoint)
    changed.places.numbers["agb_mg_per_ha"][own] = 499.0
    again = CrossFitted(changed).predict(features)
    assert again[own] == pytest.approx(found[own]), "its own labels play no part"
