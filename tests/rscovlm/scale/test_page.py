"""The page and the table of the experiment."""

from rscovlm.scale.methods import Budget
from rscovlm.scale.page import table, write_page


def share(value):
    group = {"objects": {"share": value, "n": 4}}
    return {"share": value, "low": value - 0.1, "high": value + 0.1, "n": 4, "tier": group, "topic": group}


def head(coverage):
    return {"error_decades": 0.15, "constant_decades": 0.68, "coverage_50": 0.5, "coverage_90": coverage}


RESULTS = {
    "budget": vars(Budget()),
    "test": 4,
    "ideal": {"accuracy": {"oracle": share(1.0), "missing": share(0.45)}},
    "lead": {"lora": share(0.25)},
    "methods": {
        "cs_hlora": {
            "accuracy": {"oracle": share(0.75), "missing": share(0.5), "x10": share(0.25)},
            "thresholds": {
                "sharpness": 5.0,
                "tiers": [
                    {"mean_m": 0.52, "deviation_decades": 0.1},
                    {"mean_m": 6.0, "deviation_decades": 0.1},
                ],
            },
            "head": {**head(0.9), "calibration": 1.7},
            "head_as_trained": head(0.59),
            "without_tier": {"objects": share(0.6)},
            "routed": share(0.625),
            "gap": {"baked_m": [0.3, 1.0], "gsd_m": 0.5, "probability": 0.125, "logit": 1.0},
        },
        "lora": {"accuracy": {"oracle": share(0.5)}},
    },
}


def test_the_table_has_a_line_for_each_method_and_a_dash_where_nothing_is_told():
    lines = table(RESULTS).splitlines()
    assert lines[1].split()[:5] == ["ideal", "100.0", "-", "-", "45.0"]
    assert lines[3].split() == ["cs_hlora", "75.0", "-", "-", "50.0", "-", "-", "-", "-", "25.0", "-"]
    assert lines[5].split()[:3] == ["lora", "50.0", "-"]
    assert lines[7] == "cs_hlora before lora: 25.0 (15 to 35) points, told the truth"


def test_the_page_shows_the_curve_the_gates_and_what_was_found(tmp_path):
    text = write_page(RESULTS, tmp_path).read_text()
    assert text.count("<svg") == 2
    for words in (
        "75.0 (65 to 85)",
        "Gates of cs_hlora as learnt, slope 5.00 a decade",
        "half open at 0.52 m",
        "0.125 (total variation",
        "without the dimensions of",
        "hold 90 % (59 % as trained",
        "25.0 (15 to 35)",
        "routed by scale they are right in 62.5 (52 to 72) %",
    ):
        assert words in text
