"""What a question seeks, read from its words."""

import pytest

from zoom_chain.sought import Sought, sought_by


@pytest.mark.parametrize(
    ("question", "kind", "what", "whole"),
    [
        ("How many planes are there?", "count", "planes", True),
        ("How many storage tanks can you see in this image?", "count", "storage tanks", True),
        ("how many ships", "count", "ships", True),
        ("How many ships are visible in the scene in total?", "count", "ships", True),
        ("How many planes are at the airport?", "count", "planes", False),
        ("How many planes at the airport are white?", "count", "planes", False),
        ("How many ships are north of the bridge?", "count", "ships", False),
        ("What is the total number of small vehicles in the picture?", "count", "small vehicles", True),
        ("Count all bridges.", "count", "bridges", True),
        ("Is there a bridge?", "presence", "bridge", True),
        (
            "Are there any ships in the image? Answer the question using a single word.",
            "presence",
            "ships",
            True,
        ),
        ("Are there any ships at the harbour?", "presence", "ships", False),
        ("Where are the planes?", "objects", "planes", True),
        ("Find all tennis courts in the scene", "objects", "tennis courts", True),
        ("How many H\u00e4user are there?", "count", "H\u00e4user", True),
        ("How many to\u0301k are there?", "count", "t\u00f3k", True),
        ("How many cafe\u0301s can you see\uff1f", "count", "caf\u00e9s", True),
        ("Are there any \u201cships\u201d in the image?", "presence", "ships", True),
        ("Count all \u00abponts\u00bb.", "count", "ponts", True),
    ],
)
def test_questions_about_all_objects_of_a_kind(question, kind, what, whole):
    assert sought_by(question) == Sought(kind, what, whole)


@pytest.mark.parametrize(
    "question",
    [
        "What colour is the plane?",
        "Why are there so many?",
        "",
        "How many ships?\nA. 1\nB. 2\nAnswer with the option's letter.",
        "How many are there?",
        "How many \u201c\u201d are there?",
        "Combien de bateaux y a-t-il ?",
    ],
)
def test_other_questions_seek_no_objects(question):
    assert sought_by(question) is None


def test_the_class_is_the_models_own_where_it_has_a_list():
    planes = sought_by("How many small vehicles are there?")
    assert planes.label(("plane", "Small-Vehicle")) == "Small-Vehicle"
    assert planes.label(("plane",)) is None
    assert planes.label(None) == "small vehicle"
