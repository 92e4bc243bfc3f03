"""The pickle machine: instructions and names outside its list are refused."""

import pytest

from detection_eval.errors import FormatError
from detection_eval.formats.unpickling import load_pickle


def test_a_dotted_name_does_not_lead_out_of_the_list():
    for name in ("ndarray.__class__", "ndarray.tofile", "dtype.__reduce__"):
        with pytest.raises(FormatError, match=r"asks for numpy\."):
            load_pickle(b"\x80\x04\x8c\x05numpy\x8c" + bytes([len(name)]) + name.encode() + b"\x93.", "x")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"(ios\nsystem\n.", r"instruction b'i'"),
        (b"(cnumpy\nndarray\no.", r"instruction b'o'"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", r"instruction b'\\x81'"),
        (b"\x80\x02\x82\x01.", r"instruction b'\\x82'"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "calls numpy.ndarray"),
        (b"\x80\x02X\x01\x00\x00\x00a)R.", "calls str"),
        (b"\x80\x02]X\x01\x00\x00\x00a}b.", "sets the state of a str"),
        (b"\x80\x02]}b.", "sets the state of a list"),
        (b"\x80\x02K\x01K\x02a.", "appends to a int"),
        (b"\x80\x02]K\x01K\x02s.", "sets items of a list"),
        (b"\x80\x02}K\x01\x85K\x02s.", "odd keys"),
        (b"\x80\x02X\x01\x00\x00\x00aQ.", "outside of itself"),
        (b"\x80\x09N.", "unknown protocol"),
        (b"c_codecs\nencode\n(Va\nVrot13\ntR.", "otherwise than as latin1"),
        (b"cnumpy\ndtype\n(VO\nI00\nI01\ntR.", "dtype 'O'"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"", "no pickle"),
        (b"results", "no pickle|instruction"),
        (b"\x80\x02]q\x00", "no pickle"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fxx.", "no pickle"),
        (b"\x80\x02h\x07.", "no pickle"),
        (b"\x80\x02R.", "no pickle"),
        (b"\x80\x02t.", "no pickle"),
    ],
)
def test_other_tricks_and_damage_are_refused_in_one_line(data, reason):
    with pytest.raises(FormatError, match=reason) as caught:
        load_pickle(data, "results.pkl")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("results.pkl: ")
