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
    with pytest.raises(UsageError, match=r"none.onnx does not exist"):
        OnnxRegressor(tmp_path / "none.onnx")


def linear(path, weights, kind=1, columns=1):
    """An ONNX model of one matrix product: what it gives is the sum of its features by weights."""
    helper = pytest.importorskip("onnx").helper
    matrix = np.repeat(np.asarray(weights, np.float64)[:, None], columns, axis=1)
    held = helper.make_tensor("weights", kind, matrix.shape, matrix.ravel().tolist())
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["features", "weights"], ["numbers"])],
        "teacher",
        [helper.make_tensor_value_info("features", kind, [None, len(weights)])],
        [helper.make_tensor_value_info("numbers", kind, [None, columns])],
        [held],
    )
    opset = [helper.make_opsetid("", 13)]
    path.write_bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())
    return path


@pytest.mark.parametrize(("kind", "precise"), [(1, 1e-5), (11, 1e-12)], ids=["float", "double"])
def test_an_onnx_teacher_says_what_its_model_says(file, checkpoint, kind, precise):
    pytest.importorskip("onnxruntime")
    source = source_of(file, checkpoint)
    features = band_statistics(source)
    weights = np.linspace(-1, 1, features.shape[1])
    teacher = OnnxRegressor(linear(file.parent / "model.onnx", weights, kind))
    assert write_teaching(file.parent / "taught.csv", source, teacher, "agb_taught") == 8
    taught = source_of(file, checkpoint, tables=["taught.csv"]).values("agb_taught")
    np.testing.assert_allclose(taught, features @ weights, rtol=precise, atol=precise * 1e3)


def test_an_onnx_teacher_of_other_features_or_of_several_numbers_is_one_line(tmp_path):
    pytest.importorskip("onnxruntime")
    features = np.ones((8, 5))
    with pytest.raises(UsageError, match=r"narrow.onnx cannot say anything about 5 band statistics: .*"):
        OnnxRegressor(linear(tmp_path / "narrow.onnx", [1.0, 2.0])).predict(features)
    with pytest.raises(UsageError, match=r"wide.onnx gives float32 of shape \(8, 3\) for 8 plots"):
        OnnxRegressor(linear(tmp_path / "wide.onnx", np.ones(5), columns=3)).predict(features)


def test_trees_say_of_a_plot_what_those_of_other_tiles_know(file, checkpoint):
    source = source_of(file, checkpoint)
    features = band_statistics(source)
    found = CrossFitted(source).predict(features)
    own = source.places.tile == source.places.tile[0]
    changed = source_of(file, checkpoint)
    changed.places.numbers["agb_mg_per_ha"][own] = 499.0
    again = CrossFitted(changed).predict(features)
    assert again[own] == pytest.approx(found[own]), "its own labels play no part"
