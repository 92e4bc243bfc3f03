"""XML of DIOR-R, FAIR1M and HRSC2016."""

import numpy as np
import pytest

from detection_eval.detections import Detections
from detection_eval.errors import FormatError
from detection_eval.formats import (
    Collection,
    ImageBoxes,
    read,
    write,
)
from detection_eval.formats.class_lists import classes
from detection_eval.geometry.quads import box_quads
from detection_eval.geometry.rotated import quads_to_boxes
from tests.detection_eval.formats.material import HRSC, MBOX, options, sample, target


@pytest.mark.parametrize("name", ["hrsc2016", "mmrotate-1.x"])
def test_formats_of_rectangles_keep_the_rectangle(tmp_path, name):
    written = sample(name)
    write(target(tmp_path, name), written, name)
    back = read(target(tmp_path, name), name, **options(name, written.images))
    for image, held in written.images.items():
        mine, theirs = (quads_to_boxes(each.detections.polygons) for each in (held, back.images[image]))
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-6)


def test_entities_are_refused_before_they_grow(tmp_path):
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12))
    (tmp_path / "a.xml").write_text(f"<!DOCTYPE a [{laughs}]>\n<annotation>&l11;</annotation>")
    with pytest.raises(FormatError, match=r"a\.xml:1: a document type"):
        read(tmp_path / "a.xml", "dior-r")
    (tmp_path / "a.xml").write_text('<!DOCTYPE a SYSTEM "file:///etc/passwd">\n<annotation/>')
    with pytest.raises(FormatError, match=r"a\.xml:1: a document type"):
        read(tmp_path / "a.xml", "dior-r")


def test_names_with_markup_in_them_survive_xml(tmp_path):
    names = ("a<b>&c", "plain")
    found = Detections(box_quads([[0, 0, 4, 4]]), [0], names)
    write(tmp_path / "x", Collection({"a": ImageBoxes(found)}, names), "dior-r")
    assert read(tmp_path / "x", "dior-r", names).detections["a"] == found


def test_a_class_id_that_hrsc_has_not_is_told_only_where_classes_count(tmp_path):
    (tmp_path / "a.xml").write_text(HRSC.format("100000021", MBOX))
    with pytest.raises(FormatError, match=r"a\.xml:2: Class_ID 100000021 is none of HRSC2016's"):
        read(tmp_path / "a.xml", classes=classes("hrsc2016-31"))
