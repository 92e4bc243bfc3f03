"""Small benchmarks of our own making in the layouts of published ones, and what is read of them."""

from rscovlm.bench.item import Item
from rscovlm.bench.protocols.available import protocols_of
from rscovlm.bench.suites import SUITES
from tests.rscovlm.bench.rows import right_row
from tests.rscovlm.data.published import image


def items(name, root, split=None):
    """The items of a benchmark below a folder, and the account of their reading."""
    suite = SUITES[name]
    reading = suite.read(root, split or suite.splits[0])
    found = list(reading)
    assert_true_to(suite, found)
    return found, reading.account


def assert_true_to(suite, found):
    """What holds for the items of each benchmark.

    Unique keys, stated kinds and columns, truths; right replies are right, or left out, under every protocol.
    """
    assert len({item.key for item in found}) == len(found)
    for item in found:
        assert isinstance(item, Item)
        assert item.kind in suite.read.kinds
        assert set(item.groups) <= set(suite.read.groups)
        if item.kind in ("ground", "detect"):
            assert item.truth.polygons.shape == (len(item.truth.labels), 4, 2)
        else:
            assert all(answer.strip() for answer in item.truth.answers)
            assert item.truth.answers
        if item.kind in ("choice", "classify"):
            assert item.options
    for protocol in protocols_of(suite.name).values():
        rows = [right_row(item) for item in found]
        verdicts = [protocol.judge(row) for row in rows]
        assert {verdict.score for verdict in verdicts} <= {1, None}, protocol.id
        for column, values in getattr(protocol, "expected", {}).items():
            written = {item.groups[column] for item in found if column in item.groups}
            assert not written or written & set(values), protocol.id


def pictures(folder, names, width=200, height=100):
    """Images of a size."""
    for name in names:
        image(folder / name, width, height)


def bounds(item):
    """x0, y0, x1, y1 of the first right box."""
    corners = item.truth.polygons[0]
    return [*corners.min(axis=0).round(6).tolist(), *corners.max(axis=0).round(6).tolist()]
