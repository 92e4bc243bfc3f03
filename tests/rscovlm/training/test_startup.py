"""The table that is shown before the first step."""

from rscovlm.training.modules import Rate
from rscovlm.training.startup import print_startup


def test_each_group_has_its_weights_rate_and_decay_or_is_frozen(capsys):
    rates = [
        Rate("merger", True, 2e-5, 0.1),
        Rate("merger", False, 2e-5, 0.0),
        Rate("language", False, 1e-6, 0.0),
    ]
    trainable, total = {"merger": 1200, "language": 7}, {"vision": 5000, "merger": 1200, "language": 34567}
    print_startup(rates, trainable, total, {"attention": "sdpa: as configured"})
    out, err = capsys.readouterr()
    assert out == "", "stdout is for results"
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in err.splitlines() if "│" in line]
    assert ["vision", "5,000", "0", "frozen", ""] in rows
    assert ["merger", "1,200", "1,200", "2e-05", "0.1, norms and biases 0"] in rows
    assert ["language", "34,567", "7", "1e-06", ""] in rows, "norms and biases alone have no decay"
    assert not any(row[0] == "heads" for row in rows), "there are none"
    assert "attention  sdpa: as configured" in err
