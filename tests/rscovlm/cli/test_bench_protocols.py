"""``rscovlm bench protocols``: identifiers and tables of disagreement."""

import pytest

from rscovlm.bench.protocols.disagreement import document
from rscovlm.cli.bench_protocols import protocols
from rscovlm.errors import UsageError


def test_identifiers_are_named(capsys):
    protocols(["lrs-vqa"])
    assert capsys.readouterr().out == "lrs-vqa: lrs-vqa/official/1, lrs-vqa/rscovlm/1, lrs-vqa/strict/1\n"
    protocols()
    assert len(capsys.readouterr().out.splitlines()) > 20


def test_tables_are_those_of_the_document(capsys):
    protocols(tables=True)
    assert capsys.readouterr().out == document() + "\n"
    protocols(["aid", "whu-rs19"], tables=True)
    assert capsys.readouterr().out.startswith("### Classes of scenes\n")


def test_what_has_no_protocol_or_no_table_is_told():
    with pytest.raises(UsageError, match="no benchmark 'lrs'; choose lrs-vqa, "):
        protocols(["lrs-vqa", "lrs"])
    with pytest.raises(UsageError, match=r"no table for dota-v1\.0: captions and detection"):
        protocols(["dota-v1.0"], tables=True)
