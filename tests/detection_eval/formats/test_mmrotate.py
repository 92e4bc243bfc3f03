"""results.pkl of mmrotate: what its versions write is read; whatever else a pickle asks for is refused."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.detections import Detections
from detection_eval.errors import CannotWrite, FormatError
from detection_eval.formats.mmrotate import read_results, write_results_0, write_results_1
from detection_eval.formats.pickling import dump_pickle
from detection_eval.formats.records import Collection, ImageBoxes
from detection_eval.formats.unpickling import load_pickle
from detection_eval.geometry.quads import canonical
from detection_eval.geometry.rotated import LE90, boxes_to_quads, quads_to_boxes
from detection_eval.metrics.ground_truth import CROWD

CLASSES = ("plane", "ship", "harbor")


def float32_boxes(rng, count):
    """le90 boxes whose numbers are float32, longer than wide."""
    boxes = np.column_stack(
        [
            rng.uniform(0, 1024, (count, 2)),
            rng.uniform(20, 90, count),
            rng.uniform(3, 19, count),
            rng.uniform(-1.5, 1.5, count),
        ]
    )
    return boxes.astype(np.float32)


def detections(rng, count, scored=True):
    scores = rng.random(count).astype(np.float32) if scored else None
    quads = canonical(boxes_to_quads(float32_boxes(rng, count)))
    return Detections(quads, np.sort(rng.integers(0, 3, count)), CLASSES, scores)


def collection(seed, counts, truth=False):
    rng = np.random.default_rng(seed)
    names = [f"P{number}__1024__0___824" for number in range(len(counts))]
    images = {
        name: ImageBoxes(detections(rng, count), size=(1024, 768), file_name=f"{name}.png")
        for name, count in zip(names, counts)
    }
    if not truth:
        return Collection(images, CLASSES)
    objects = {
        name: ImageBoxes(
            detections(rng, count, scored=False),
            np.repeat([0, CROWD], [count - count // 3, count // 3]),
            (1024, 768),
            f"{name}.png",
        )
        for name, count in zip(names, counts)
    }
    return Collection(images, CLASSES, objects)


def same_rectangles(first, second):
    assert first.labels.tolist() == second.labels.tolist()
    assert (first.scores is None) == (second.scores is None)
    if first.scores is not None:
        assert first.scores.tolist() == second.scores.tolist()
    mine, others = (quads_to_boxes(each.polygons, LE90).astype(np.float32) for each in (first, second))
    assert np.array_equal(mine, others)


# --- what is written is read ----------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), counts=st.lists(st.integers(0, 6), min_size=1, max_size=4))
def test_rectangles_of_0_x_come_back_to_the_bit_of_their_float32(tmp_path_factory, seed, counts):
    path = tmp_path_factory.mktemp("0") / "results.pkl"
    written = collection(seed, counts)
    ids = write_results_0(path, written)
    read = read_results(path, CLASSES, ids)
    assert list(read.images) == list(written.images)
    for image, boxes in written.images.items():
        same_rectangles(read.images[image].detections, boxes.detections)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), counts=st.lists(st.integers(0, 6), min_size=1, max_size=4))
def test_rectangles_of_1_x_come_back_with_the_ground_truth(tmp_path_factory, seed, counts):
    path = tmp_path_factory.mktemp("1") / "results.pkl"
    written = collection(seed, counts, truth=True)
    write_results_1(path, written)
    read = read_results(path, CLASSES)
    for image, boxes in written.images.items():
        same_rectangles(read.images[image].detections, boxes.detections)
        same_rectangles(read.truth[image].detections, written.truth[image].detections)
        assert read.truth[image].difficulty.tolist() == written.truth[image].difficulty.tolist()
        assert read.images[image].size == (1024, 768)
        assert read.images[image].file_name == f"{image}.png"


def test_vertices_of_1_x_come_back_exactly_where_float32_holds_them(tmp_path):
    quads = np.array([[[10, 20.5], [30, 20.5], [30, 40], [12, 41]]])
    found = Collection({"a": ImageBoxes(Detections(quads, [1], CLASSES, [0.5]))}, CLASSES)
    write_results_1(tmp_path / "results.pkl", found, boxes="qbox")
    assert read_results(tmp_path / "results.pkl", CLASSES).detections == found.detections


def test_a_second_writing_changes_no_byte(tmp_path):
    first, second = tmp_path / "a.pkl", tmp_path / "b.pkl"
    write_results_1(first, collection(3, [5, 0, 2], truth=True))
    write_results_1(second, read_results(first, CLASSES))
    assert first.read_bytes() == second.read_bytes()


def test_ordinary_python_loads_what_is_written_for_0_x(tmp_path):
    write_results_0(tmp_path / "results.pkl", collection(1, [4, 0]))
    results = pickle.loads((tmp_path / "results.pkl").read_bytes())
    assert [[array.shape[1] for array in image] for image in results] == [[6] * 3] * 2
    assert sum(len(array) for array in results[0]) == 4
    assert results[0][0].dtype == np.float32


def mmrotate_1(torch):
    """The records that DumpResults of mmrotate 1.x leaves behind, as its test loop makes them."""
    whole = torch.arange(40, dtype=torch.float32).reshape(4, 10)
    group = {"bboxes": torch.zeros(0, 5), "labels": torch.zeros(0, dtype=torch.int64)}
    return [
        {
            "img_id": "P0__1024__0___0",
            "img_path": "data/split_ss_dota/val/images/P0__1024__0___0.png",
            "ori_shape": (1024, 768),
            "scale_factor": (1.0, 1.0),
            "pred_instances": {
                "bboxes": whole[1:3, 2:7],  # a view: its storage holds more
                "scores": torch.tensor([0.75, 0.25]),
                "labels": torch.tensor([1, 0]),
            },
            "gt_instances": {"bboxes": whole[:1, :8], "labels": torch.tensor([2])},
            "ignored_instances": group,
        }
    ]


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_tensors_that_torch_pickles_are_read_without_torch(tmp_path, protocol):
    torch = pytest.importorskip("torch")
    path = tmp_path / "results.pkl"
    path.write_bytes(pickle.dumps(mmrotate_1(torch), protocol))  # mmengine.dump takes 2
    read = read_results(path, CLASSES)
    found = read.images["P0__1024__0___0"].detections
    boxes = [[12, 13, 14, 15, 16], [22, 23, 24, 25, 26]]
    assert np.array_equal(found.polygons, canonical(boxes_to_quads(boxes)))
    assert (found.labels.tolist(), found.scores.tolist()) == ([1, 0], [0.75, 0.25])
    objects = read.truth["P0__1024__0___0"]
    assert np.array_equal(objects.detections.polygons, canonical([[[0, 1], [2, 3], [4, 5], [6, 7]]]))
    assert read.images["P0__1024__0___0"].size == (768, 1024)


def test_difficult_objects_are_objects_and_only_crowds_are_ignored(tmp_path):
    quads = canonical(boxes_to_quads([[50, 50, 20, 10, 0.5]] * 3))
    objects = Detections(quads, [0, 1, 2], CLASSES)
    found = {"a": ImageBoxes(Detections(quads[:0], [], CLASSES, []))}
    truth = {"a": ImageBoxes(objects, [1, 2, CROWD])}
    write_results_1(tmp_path / "results.pkl", Collection(found, CLASSES, truth))
    (record,) = load_pickle((tmp_path / "results.pkl").read_bytes(), "results.pkl")
    assert record["gt_instances"]["labels"].tolist() == [0, 1]
    assert record["ignored_instances"]["labels"].tolist() == [2]


def test_objects_may_be_rectangles_where_ignored_ones_are_polygons(tmp_path):
    quad = [0, 0, 20, 0, 20, 10, 0, 10]
    for objects, ignored in (([[10, 5, 20, 10, 0]], [quad]), ([quad], [[10, 5, 20, 10, 0]])):
        record = {
            "img_id": "a",
            "pred_instances": {"bboxes": np.zeros((0, 5)), "scores": np.zeros(0), "labels": np.zeros(0, int)},
            "gt_instances": {"bboxes": np.array(objects, float), "labels": np.array([1])},
            "ignored_instances": {"bboxes": np.array(ignored, float), "labels": np.array([2])},
        }
        (tmp_path / "results.pkl").write_bytes(pickle.dumps([record]))
        truth = read_results(tmp_path / "results.pkl", CLASSES).truth["a"]
        assert truth.difficulty.tolist() == [0, CROWD]
        np.testing.assert_allclose(truth.detections.polygons.reshape(2, 8), [quad, quad], atol=1e-9)


def test_torch_loads_the_tensors_that_are_written_without_it(tmp_path):
    torch = pytest.importorskip("torch")
    write_results_1(tmp_path / "results.pkl", collection(2, [3], truth=True))
    (record,) = pickle.loads((tmp_path / "results.pkl").read_bytes())
    boxes = record["pred_instances"]["bboxes"]
    assert isinstance(boxes, torch.Tensor)
    assert (boxes.dtype, tuple(boxes.shape)) == (torch.float32, (3, 5))
    assert record["pred_instances"]["labels"].dtype == torch.int64
    assert record["ignored_instances"]["bboxes"].shape == (1, 5)


# --- what a pickle may not ask for ----------------------------------------------------------------


def test_boxes_that_repeat_without_end_are_refused(tmp_path):
    rows = np.zeros((2000, 6), np.float32)
    (tmp_path / "results.pkl").write_bytes(pickle.dumps([[rows] * 3] * 1000, 4))
    with pytest.raises(FormatError, match="they repeat"):
        read_results(tmp_path / "results.pkl", CLASSES, [f"P{n}" for n in range(1000)])


# --- errors of content ----------------------------------------------------------------------------


def rows(count=1, width=6):
    return np.ones((count, width), np.float32)


def instances(count=1, labels=0):
    boxes = rows(count, 5)
    return {"bboxes": boxes, "scores": boxes[:, 0], "labels": np.full(count, labels)}


@pytest.mark.parametrize(
    ("content", "images", "message"),
    [
        ([], None, "of no images"),
        ({"a": 1}, None, "a dict of no images"),
        ([[rows()] * 3], None, "name no images; give the ids in the order"),
        ([[rows()] * 3], ["a", "b"], "1 image, but 2 ids are given"),
        ([[rows()] * 2], ["a"], "image 0: 2 classes, but 3 names are given"),
        ([[rows()] * 3, 5], ["a", "b"], "image 1: expected a list of classes, not int"),
        (
            [[rows(), rows(2, 5), rows()]],
            ["a"],
            r"image 0, class 1: expected boxes of shape \(n, 6\), not \(2, 5\)",
        ),
        ([[rows(), "x", rows()]], ["a"], "class 1: expected an array of boxes, not str"),
        ([[rows() * np.nan] * 3], ["a"], "class 0: a box with a number that is not finite"),
        ([[rows()] * 3] * 2, ["a.png", "b/a.tif"], "image 1: 'a' is listed twice"),
        ([{"img_id": "a"}], None, "no dict with pred_instances"),
        ([{"img_id": "a", "pred_instances": instances()}, []], None, "image 1: no dict"),
        ([{"pred_instances": instances()}], None, "neither img_path nor img_id"),
        ([{"img_id": "a", "pred_instances": {}}], None, "hold no bboxes"),
        ([{"img_id": "a", "pred_instances": {"bboxes": rows(1, 5)}}], None, "boxes without labels"),
        ([{"img_id": "a", "pred_instances": instances(2, labels=3)}], None, "label 3, but 3 class names"),
        (
            [{"img_id": "a", "pred_instances": instances() | {"scores": np.ones(2)}}],
            None,
            r"\(2,\) scores for 1 box",
        ),
        ([{"img_id": "a", "pred_instances": instances()}] * 2, None, "image 1: 'a' is listed twice"),
    ],
)
def test_results_that_do_not_fit_are_told_by_image(tmp_path, content, images, message):
    path = tmp_path / "results.pkl"
    path.write_bytes(dump_pickle(content, tensors=False))
    with pytest.raises(FormatError, match=message) as caught:
        read_results(path, CLASSES, images)
    assert str(caught.value).startswith(f"{path}: ")


def test_the_version_can_be_demanded(tmp_path):
    write_results_0(tmp_path / "results.pkl", collection(1, [1]))
    with pytest.raises(FormatError, match=r"of mmrotate 0\.x, not 1\.x"):
        read_results(tmp_path / "results.pkl", CLASSES, version="1.x")


def test_numbered_images_go_by_their_file_names(tmp_path):
    records = [
        {"img_id": 7, "img_path": "C:\\data\\P7.v2.png", "pred_instances": instances()},
        {"img_id": 8, "pred_instances": instances()},
    ]
    path = tmp_path / "results.pkl"
    path.write_bytes(dump_pickle(records, tensors=False))
    assert list(read_results(path, CLASSES).images) == ["P7.v2", "8"]
    assert list(read_results(path, CLASSES, ["a.png", "b.png"]).images) == ["P7.v2", "b"]


def test_no_score_is_invented(tmp_path):
    found = Collection({"a": ImageBoxes(detections(np.random.default_rng(0), 2, scored=False))}, CLASSES)
    for write in (write_results_0, write_results_1):
        with pytest.raises(CannotWrite, match="a: MMRotate results need scores and there are none"):
            write(tmp_path / "results.pkl", found)
        write(tmp_path / "results.pkl", found, constant_score=1)
        assert read_results(tmp_path / "results.pkl", CLASSES, ["a"]).scored
