"""Pickles of results: arrays and tensors are read, everything else is refused."""

import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.errors import FormatError
from detection_eval.formats.pickling import dump_pickle
from detection_eval.formats.unpickling import load_pickle

CLASSES = ("plane", "ship", "harbor")


GLOBALS = [
    ("os", "system"),
    ("posix", "system"),
    ("builtins", "eval"),
    ("builtins", "getattr"),
    ("numpy", "load"),
    ("numpy.testing._private.utils", "runstring"),
    ("torch", "load"),
    ("torch.serialization", "load"),
    ("torch", "FloatStorage"),  # only within a storage
    ("copyreg", "_reconstructor"),
    ("mmrotate.structures.bbox.rotated_boxes", "RotatedBoxes"),
]


class Evil:
    """Writes a file when an ordinary unpickler loads it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int32", "uint8", "bool"])
def test_tensors_of_every_kind_and_stride_are_read(dtype):
    torch = pytest.importorskip("torch")
    tensor = torch.arange(12).reshape(3, 4).to(getattr(torch, dtype)).T[1:]
    read = load_pickle(pickle.dumps(tensor, 2), "x")
    assert np.array_equal(read.astype(np.float64), tensor.to(torch.float64).numpy())


@pytest.mark.parametrize("protocol", range(6))
def test_values_of_every_protocol_are_read(protocol):
    values = [None, True, -5, 1 << 70, 1.5, "é", (), (1,), (1, 2, 3, 4), [], {"a": [1], 2: {}}, b"\x00\xff"]
    arrays = [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(2)), np.zeros((0, 6), ">f4")]
    scalars = [np.float32(0.5), np.int64(-1), np.bool_(True)]
    read = load_pickle(pickle.dumps([values, arrays, scalars], protocol), "x")
    assert read[0] == values
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(read[1], arrays, strict=True))
    assert read[2] == [0.5, -1, True]


@pytest.mark.parametrize(("module", "name"), GLOBALS)
def test_globals_are_refused_before_anything_is_called(module, name):
    by_text = f"c{module}\n{name}\n(S'x'\ntR.".encode()
    by_stack = (
        b"\x80\x04" + b"".join(b"\x8c" + bytes([len(s)]) + s.encode() for s in (module, name)) + b"\x93."
    )
    for data in (by_text, by_stack):
        with pytest.raises(FormatError, match=rf"asks for {module}\.{name}"):
            load_pickle(data, "x")


@pytest.mark.parametrize("protocol", range(6))
def test_a_call_is_refused_by_name_and_does_not_happen(tmp_path, protocol):
    trap = tmp_path / "trap"
    data = pickle.dumps([{"pred_instances": Evil(trap)}], protocol)
    with pytest.raises(FormatError, match=r"results\.pkl: byte \d+: the pickle asks for _?io\.open"):
        load_pickle(data, "results.pkl")
    assert not trap.exists()


def test_a_storage_holds_nothing_but_numbers(tmp_path):
    trap = tmp_path / "trap"
    blob = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps(Evil(trap), 2)
    data = b"ctorch.storage\n_load_from_bytes\n(B" + struct.pack("<I", len(blob)) + blob + b"tR."
    with pytest.raises(FormatError, match=r"asks for _?io\.open"):
        load_pickle(data, "x")
    assert not trap.exists()


def test_memory_is_bounded_by_the_size_of_the_file():
    far = b"\x80\x02Nr\xff\xff\xff\xff."  # Python's own unpickler makes a table of 2**33 places for this
    assert load_pickle(far, "x") is None
    text = b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20) + b"q\x00"
    again = b"c_codecs\nencode\n(h\x00Vlatin1\ntR0"
    with pytest.raises(FormatError, match="far more of its bytes"):
        load_pickle(b"\x80\x02" + text + again * 1000 + b"N.", "x")


def tensor(numbers, size, strides, offset=0):
    """A pickled tensor of any shape over a few numbers."""
    plain = dump_pickle(np.asarray(numbers, np.float32), tensors=True)
    tail = plain.index(b"K\x00(J")
    shape, steps = (b"(" + b"".join(b"J" + struct.pack("<i", n) for n in ns) + b"t" for ns in (size, strides))
    end = plain.rindex(b"\x89ccollections")
    return plain[:tail] + b"J" + struct.pack("<i", offset) + shape + steps + plain[end:]


def test_a_tensor_stays_within_its_storage():
    assert load_pickle(tensor([1, 2, 3, 4], (2, 2), (1, 2)), "x").tolist() == [[1, 3], [2, 4]]
    for size, strides, offset in [((5,), (1,), 0), ((2, 2), (2, 2), 0), ((1,), (1,), 4), ((2,), (-1,), 1)]:
        with pytest.raises(FormatError, match=r"reaches beyond|proper shape"):
            load_pickle(tensor([1, 2, 3, 4], size, strides, offset), "x")
    with pytest.raises(FormatError, match="malformed tensor"):
        load_pickle(tensor([1, 2], (2,), (1,), -1), "x")
    with pytest.raises(FormatError, match="far more of its bytes"):
        load_pickle(tensor([1], (2000, 2000), (0, 0)), "x")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_pickles_give_a_value_or_one_error(data):
    whole = dump_pickle([{"a": np.arange(6.0).reshape(2, 3), "b": ("x", 1, None)}], tensors=True)
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    try:
        load_pickle(bytes(content[: cut or None]), "x")
    except FormatError as error:
        assert str(error).startswith("x: ")  # noqa: PT017 - a value is as good
