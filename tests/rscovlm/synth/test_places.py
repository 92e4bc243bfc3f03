"""Named places: what stands in them stands where it should."""

import numpy as np
import pytest
import shapely

from rscovlm.synth.catalogue import SITES
from rscovlm.synth.harbour import QUAY_SHARE
from rscovlm.synth.layout import Layout, Room
from rscovlm.synth.paint import Material
from rscovlm.synth.places import PLACES, lay_out

LAID_OUT = [kind for kind in SITES if kind.name in PLACES]


def place(kind, seed=0, count=None, sub_type=None):
    rng = np.random.default_rng(seed)
    length, width = (float(rng.uniform(*side)) for side in kind.side_m)
    count = int(rng.integers(kind.count[0], kind.count[1] + 1)) if count is None else count
    sub_type = sub_type or str(rng.choice(kind.objects.kinds))
    room = Room(length, width, count, sub_type, str(rng.choice(kind.objects.colours)))
    layout = Layout(0.0, 0.0, 0.0, 1.0, rng)
    lay_out(kind.name, layout, room)
    return room, layout.contents()


def material_at(flat, point):
    """Of the uppermost paint at a point."""
    found, start = None, 0
    for count, material in zip(flat.counts, flat.materials):
        if shapely.Polygon(flat.points[start : start + count]).covers(shapely.Point(point)):
            found = Material(int(material))
        start += count
    return found


@pytest.mark.parametrize("kind", LAID_OUT, ids=lambda kind: kind.name)
def test_objects_stand_on_the_ground_of_their_place_and_do_not_overlap(kind):
    for seed in range(12):
        room, contents = place(kind, seed)
        ground = shapely.box(-room.length / 2, -room.width / 2, room.length / 2, room.width / 2)
        shapes = [shapely.Polygon(item.polygon) for item in contents.objects]
        for i, shape in enumerate(shapes):
            assert ground.buffer(0.5).covers(shape), (seed, contents.objects[i])
            assert all(shape.intersection(other).area < 0.01 for other in shapes[:i]), seed


@pytest.mark.parametrize("kind", LAID_OUT, ids=lambda kind: kind.name)
def test_objects_of_the_class_of_a_place_share_a_kind_and_are_at_most_as_many_as_wanted(kind):
    for seed in range(12):
        room, contents = place(kind, seed)
        own = [item for item in contents.objects if item.kind_of is kind.objects]
        assert {item.kind for item in own} <= {room.kind}
        assert len(own) <= room.count
        assert {item.kind_of for item in contents.objects} <= {kind.objects, *kind.others}
    assert not [o for o in place(kind, 1, count=0)[1].objects if o.kind_of is kind.objects]


@pytest.mark.parametrize("name", ["airport", "car park", "truck yard"])
def test_planes_and_vehicles_stand_on_paved_ground(name):
    kind = next(kind for kind in SITES if kind.name == name)
    paved = {Material.ASPHALT, Material.CONCRETE, Material.PAINT}
    for seed in range(6):
        for item in place(kind, seed)[1].objects:
            assert material_at(place(kind, seed)[1].flat, (item.x, item.y)) in paved


def test_ships_lie_in_the_basin_beside_piers_and_not_on_them():
    kind = next(kind for kind in SITES if kind.name == "harbour")
    seen = 0
    for seed in range(12):
        room, contents = place(kind, seed)
        quay = -room.width / 2 + QUAY_SHARE * room.width
        for item in contents.objects:
            assert item.polygon[:, 1].min() > quay
            assert all(material_at(contents.flat, corner) is None for corner in item.polygon)
            seen += 1
    assert seen > 15


def test_every_kind_of_place_but_a_crossing_has_a_ground():
    assert [kind.name for kind in SITES if kind.name not in PLACES] == ["river crossing"]
