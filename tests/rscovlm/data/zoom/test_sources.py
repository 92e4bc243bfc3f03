"""Annotated images from files of many layouts."""

import json

import pytest
from PIL import Image

from detection_eval.errors import FormatError, SettingError
from rscovlm.data.zoom.sources import read_annotations
from rscovlm.errors import DataError
from rscovlm.synth.dataset import write_dataset
from rscovlm.synth.world import plan_world
from tiling.view import Window


@pytest.fixture
def images(tmp_path):
    """A folder with a.png and b.png of 100 x 80 px."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in "ab":
        Image.new("RGB", (100, 80)).save(folder / f"{name}.png")
    return folder


def test_dota_labels_keep_difficulty_and_scale(tmp_path, images):
    labels = tmp_path / "labelTxt"
    labels.mkdir()
    (labels / "a.txt").write_text(
        "imagesource:x\ngsd:0.5\n10 10 30 10 30 20 10 20 small-vehicle 0\n50 50 60 50 60 60 50 60 ship 1\n"
    )
    (labels / "b.txt").write_text("")
    source = read_annotations(str(labels))
    first, second = source.images
    assert (source.format, first.width, first.height, first.gsd_m) == ("dota", 100, 80, 0.5)
    assert [(t.name, t.difficult) for t in first.things] == [("small vehicle", False), ("ship", True)]
    assert second.things == ()


def test_fair1m_classes_become_kinds_and_others_are_not_forgotten(tmp_path, images):
    def row(name, x):
        ring = [(x, 10), (x + 10, 10), (x + 10, 20), (x, 20), (x, 10)]
        points = "".join(f"<point>{px},{py}</point>" for px, py in ring)
        return (
            f"<object><possibleresult><name>{name}</name></possibleresult><points>{points}</points></object>"
        )

    rows = row("Boeing737", 0) + row("other-airplane", 20) + row("Dry Cargo Ship", 40) + row("Bridge", 60)
    labels = tmp_path / "xml"
    labels.mkdir()
    (labels / "a.xml").write_text(
        f"<annotation><source><filename>a.tif</filename></source><objects>{rows}</objects></annotation>"
    )
    (annotated,) = read_annotations(str(labels), images).images
    assert [(t.name, t.known("kind")) for t in annotated.things] == [
        ("plane", "Boeing737"),
        ("plane", None),
        ("ship", "dry cargo ship"),
        ("bridge", None),
    ]


def test_star_scene_graphs_give_objects_and_triplets(tmp_path, images):
    Image.new("RGB", (100, 80)).save(images / "17.png")
    objects = [
        {"object_id": 5, "names": "ship", "x": 10, "y": 20, "w": 30, "h": 10},
        {"object_id": 9, "names": ["dock"], "polygon": [50, 50, 60, 50, 60, 70, 50, 70]},
    ]
    relation = {"subject": {"object_id": 5}, "predicate": "docking at", "object": {"object_id": 9}}
    lost = {"subject": {"object_id": 5}, "predicate": "over", "object": {"object_id": 77}}
    graphs = {
        "STAR_image_data_v1": [{"image_id": 17, "width": 100, "height": 80}],
        "STAR_objects_v1": [{"objects": objects}],
        "STAR_relationships_v1": [{"relationships": [relation, lost]}],
    }
    for name, content in graphs.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    source = read_annotations(str(tmp_path), images)
    (annotated,) = source.images
    assert (source.format, [t.name for t in annotated.things]) == ("star", ["ship", "dock"])
    assert annotated.things[0].window == Window(10, 20, 30, 10)
    (found,) = annotated.relations
    assert (found.subject, found.predicate, found.object) == (0, "docking at", 1)


def test_lines_of_json_carry_attributes_places_and_relations(tmp_path, images):
    record = {
        "image": "a.png",
        "objects": [
            {"name": "ship", "box": [1, 2, 31, 12], "color": "red"},
            {"name": "dock", "box": [0, 0, 9, 9]},
        ],
        "relations": [[0, "docked at", 1]],
        "places": [{"name": "harbour", "box": [0, 0, 50, 50], "objects": [0], "usual": "ship"}],
    }
    (tmp_path / "objects.jsonl").write_text(json.dumps(record) + "\n")
    (annotated,) = read_annotations(str(tmp_path / "objects.jsonl")).images
    assert annotated.things[0].attributes == {"color": "red"}
    assert annotated.things[0].window == Window(1, 2, 30, 10)
    assert (annotated.places[0].things, annotated.relations[0].predicate) == ((0,), "docked at")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "objects.jsonl:1: not JSON"),
        ('{"image": "a.png", "objects": [{"name": "ship"}]}', "objects.jsonl:1: KeyError: 'polygon'"),
        (
            '{"image": "a.png", "objects": [{"name": "x", "box": [0, 0, 1, 1], "hue": 1}]}',
            "unknown fields hue",
        ),
        ('{"image": "a.png", "objects": [], "relations": [[0, "on", 1]]}', "beyond the 0 there are"),
        ('{"image": "c.png", "objects": []}', "no image to ask about: .*c.png"),
    ],
)
def test_a_wrong_line_is_one_error_that_names_it(tmp_path, images, line, reason):
    (tmp_path / "objects.jsonl").write_text(line + "\n")
    with pytest.raises((DataError, FormatError), match=reason):
        read_annotations(f"{tmp_path / 'objects.jsonl'}:objects")


def test_an_image_that_cannot_be_read_is_left_out_and_said(tmp_path, images):
    (images / "b.png").write_bytes(b"no image")
    lines = [json.dumps({"image": f"{name}.png", "objects": []}) for name in "ab"]
    (tmp_path / "objects.jsonl").write_text("\n".join(lines))
    source = read_annotations(str(tmp_path / "objects.jsonl"))
    assert [annotated.id for annotated in source.images] == ["a"]
    assert "b.png" in source.skipped[0]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("nowhere", "do not exist"),
        ("images:magic", "unknown format 'magic'"),
        ("images", "format not recognised"),
    ],
)
def test_what_cannot_be_annotations_is_one_error(tmp_path, images, spec, reason):
    with pytest.raises((DataError, SettingError), match=reason):
        read_annotations(str(tmp_path / spec), images)


def test_a_synthetic_data_set_is_known_exactly(tmp_path):
    write_dataset(tmp_path, 1, seed=2, size=1400)
    (annotated,) = read_annotations(str(tmp_path)).images
    world = plan_world(2 * 1_000_003, 1400, 1400)
    assert [t.name for t in annotated.things] == [item.kind_of.name for item in world.objects]
    assert [t.known("color") for t in annotated.things] == [item.colour for item in world.objects]
    assert [place.name for place in annotated.places] == [site.kind.name for site in world.sites]
    assert sum(len(place.things) for place in annotated.places) == sum(len(s.objects) for s in world.sites)


def test_the_ground_below_a_synthetic_object_is_the_cover_that_is_drawn_there(tmp_path):
    write_dataset(tmp_path, 1, seed=4, size=2400)
    (annotated,) = read_annotations(str(tmp_path)).images
    world = plan_world(4 * 1_000_003, 2400, 2400)
    loose = [t for t in annotated.things if not t.known("place")]
    assert loose
    for thing in loose:
        assert world.covers_at(*thing.center.reshape(2, 1)) == [thing.known("background")]
