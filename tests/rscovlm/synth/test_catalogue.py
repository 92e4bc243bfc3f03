"""What scenes are made of: every name has a meaning of its own and what it needs to be drawn."""

from rscovlm.synth.catalogue import CLASS_NAMES, COLOURS, LAND_COVERS, OBJECT_CLASSES, SITES


def test_no_word_of_an_answer_means_two_things():
    kinds = [kind for kind_of in OBJECT_CLASSES for kind in kind_of.kinds]
    words = [*LAND_COVERS, *COLOURS, *CLASS_NAMES, *kinds, *(site.name for site in SITES)]
    assert len(words) == len(set(words)) == 5 + 5 + 6 + 12 + 6


def test_classes_are_listed_in_alphabetical_order():
    assert CLASS_NAMES[0] == "bridge"
    assert list(CLASS_NAMES) == sorted(kind.name for kind in OBJECT_CLASSES)


def test_the_objects_of_a_site_fit_on_its_ground_and_each_class_has_a_site():
    assert {site.objects for site in SITES} == set(OBJECT_CLASSES)
    for site in SITES:
        assert site.objects.length_m[0] < site.objects.length_m[1] < site.side_m[0] < site.side_m[1]
        assert 1 <= site.count[0] <= site.count[1]


def test_round_objects_are_as_long_as_wide_and_others_are_longer():
    assert all((kind.aspect == 1.0) == kind.is_round for kind in OBJECT_CLASSES)


def test_a_place_differs_in_colour_from_all_others():
    grounds = [site.ground for site in SITES]
    gaps = [sum(abs(a - b) for a, b in zip(x, y)) for i, x in enumerate(grounds) for y in grounds[:i]]
    assert min(gaps) > 60
