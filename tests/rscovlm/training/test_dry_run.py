"""The table of what a run will learn from."""

from rscovlm.data.report import MixReport, SourceReport
from rscovlm.training.dry_run import print_report
from tests.rscovlm.training.alone import config

DOTA = SourceReport(
    "dota",
    samples=12_345,
    held_out=32,
    draws=3000,
    measured=480,
    text_tokens=1234.6,
    visual_tokens=400.0,
    label_tokens=90.0,
    root_label_tokens=9.0,
    longest=4096,
    cut_boxes=77,
    cut_visits=5,
    too_long=15,
    broken={"a": 1, "b": 2, "c": 1, "d": 0},
)
TALK = SourceReport("talk", samples=10, held_out=0, draws=1000, measured=10, label_tokens=10.0)


def rows(capsys):
    out, _ = capsys.readouterr()
    table = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line]
    return {row[0]: row[1:] for row in table}, out


def test_a_row_says_how_much_a_source_brings_and_loses(capsys):
    print_report(MixReport((DOTA, TALK)), config(reduction="token"))
    table, _ = rows(capsys)
    # Of 499 visits tried 480 can be used: 3000 * 480 / 499 * 90 against 1000 * 10.
    share = 3000 * 480 / 499 * 90 / (3000 * 480 / 499 * 90 + 1000 * 10)
    assert table["dota"] == [
        *("12,345", "32", "3,000", "1,235", "400", "90", "4,096", f"{share:.1%}"),
        *("77 in 5", "15", "4 of 499"),
    ]
    assert table["talk"][-1] == "0 of 10"


def test_shares_are_those_of_the_runs_own_reduction_and_the_commonest_reasons_come_first(capsys):
    print_report(MixReport((DOTA, TALK)), config(reduction="source"))
    table, out = rows(capsys)
    assert table["dota"][7] == table["talk"][7] == "50.0%"
    reasons = [line for line in out.splitlines() if line.startswith("dota: ")]
    assert reasons == ["dota: 2 x b", "dota: 1 x a", "dota: 1 x c"]
