"""Two runs item by item, against arithmetic in sight."""

import pytest

from rscovlm.bench.results.compare import compare
from rscovlm.errors import DataError
from tests.rscovlm.bench.made import ANSWERED, STRICT, item, row


def run(said, **more):
    return [
        row(item(str(number), category="xy"[number % 2], image=f"{number}.tif"), text, **more)
        for number, text in enumerate(said)
    ]


def test_difference_wins_and_p_value():
    first, second = run(["yes"] * 9 + ["no"]), run(["no"] * 8 + ["yes"] * 2)
    found = compare(first, second, STRICT, ("one", "other"))
    # right: 9 of 10 and 2 of 10; the first alone on 8, the second alone on 1
    assert found.difference.value == pytest.approx(0.7)
    assert (found.wins, found.losses) == (8, 1)
    assert found.p_value == pytest.approx(2 * (1 + 9) / 2**9)
    assert found.means == (pytest.approx(0.9), pytest.approx(0.2))
    assert found.difference.low < 0.7 < found.difference.high


def test_categories_have_their_own_difference():
    found = compare(run(["yes", "no"]), run(["no", "no"]), STRICT, ("one", "other"))
    assert found.groups == {("category", "x"): (1, 1.0, 1.0), ("category", "y"): (1, 0.0, 1.0)}


def test_flips_name_both_replies():
    found = compare(run(["yes", "no"]), run(["yes", "yes"]), STRICT, ("one", "other"))
    assert [(flip.item.key, flip.scores, flip.texts) for flip in found.flips] == [
        ("1", (0.0, 1.0), ("no", "yes"))
    ]


def test_items_of_one_run_alone_are_left_out_and_counted():
    found = compare(run(["yes"] * 3), run(["yes"] * 5), STRICT, ("one", "other"))
    assert (found.n, found.alone) == (3, (0, 2))
    assert (found.difference.value, found.p_value) == (0.0, 1.0)


def test_items_that_a_protocol_leaves_out_are_no_pair():
    lenient = ANSWERED
    found = compare(run(["yes", ""]), run(["yes", "yes"]), lenient, ("one", "other"))
    assert (found.n, found.alone) == (1, (0, 1))


def test_what_cannot_be_paired_is_refused():
    with pytest.raises(DataError, match="share no item"):
        compare(run(["yes"]), [row(item("z"), "yes")], STRICT, ("one", "other"))
    with pytest.raises(DataError, match="item '0' has another right answer in one than in other"):
        compare(run(["yes"]), [row(item("0", "no"), "yes")], STRICT, ("one", "other"))
