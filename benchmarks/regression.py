"""Heads, words and baselines on synthetic plots of known physics, one table with intervals over tiles.

    python benchmarks/regression.py --folder build/regression

writes plots split by tile, reads the hidden states of nano, frozen, once for each set of views, and trains
every trunk and output on them. The towers being frozen, these are the states that the engine would compute in
every step, so that training on kept states is the engine's second stage without its waiting
(``tests/rscovlm/reo/test_cached.py`` compares the losses). With --steps, the engine also trains nano whole to
say the number in words: with plain targets, with the number-token loss and with soft targets; words and head
of those rows come from the same weights.

Trees and the heads of ``EVERYWHERE`` are trained several times; their rows are of all runs together.

Each row is kept in FOLDER/rows as soon as it is there: the same command goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detection_eval.files import write_json, write_text
from rscovlm.data.encoding import Encoder
from rscovlm.data.plot_source import PlotSource
from rscovlm.data.plot_views import shown_as
from rscovlm.data.splits import check_apart
from rscovlm.engines import load_model
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.heads.numbers.states import States
from rscovlm.models.inputs import read_inputs
from rscovlm.nano.tokenizer import number_tokens
from rscovlm.reo.baselines import SETS, baseline_rows
from rscovlm.reo.cached import cached_states, predicted_from
from rscovlm.reo.embedding import as_states, fit_embed, pooled
from rscovlm.reo.kept import KeptRows
from rscovlm.reo.made_plots import Splits, head_on, write_plots
from rscovlm.reo.predict import NOISE, TARGET, number_head, predicted, said, table
from rscovlm.reo.words import NumberWords, train_words
from rscovlm.scoring.predictions import Predictions, covered, difference, intervals, spread_scores
from rscovlm.scoring.recalibration import METHODS, Method, coverage_over_splits, recalibrated
from rscovlm.scoring.statistics import Interval
from rscovlm.synth.forest import MOST_MG_HA

VIEWS = {
    "rgb": ("natural",),
    "ms": ("natural", "red_edge", "swir"),
    "ms, all five": ("natural", "red_edge", "swir", "geology", "infrared"),
    "ms+sar": ("natural", "red_edge", "swir", "sar"),
}
"""Three of REO-VLM's five combinations, which hold 7 of its 9 bands, and all of them."""
BANDS = dict(zip(("rgb", "ms", "ms+sar"), SETS.values(), strict=True))
"""Channels that the baselines see."""
SHARED: dict[str, Any] = {"target": TARGET, "low": 0.0, "high": MOST_MG_HA, "noise": NOISE}
TRUNKS: dict[str, dict[str, Any]] = {
    **{name: {"trunk": name} for name in ("parallel", "gated", "experts", "attention")},
    "mixer": {"trunk": "mixer", "taps": "half"},
}
_EDGES = [-1.2, -0.6, 0.0, 0.6, 1.2, 2.0, 3.0, 4.2]
OUTPUTS: dict[str, dict[str, Any]] = {
    "point": {"output": "point", "loss": "mse", "noise": None},
    **{name: {"output": name} for name in ("gaussian", "mixture", "quantiles")},
    "intervals": {"output": {"intervals": {"edges": _EDGES}}},
}
WORDS = {
    "plain targets, swir+sar": ("agbd-nano",),
    "number-token loss, swir+sar": ("agbd-nano", "objective={number_loss: {unit: 50, weight: 1.0}}"),
    "soft targets, swir+sar": ("agbd-nano", "objective={soft_numbers: {first: 40, last: 20}}"),
    "plain targets, native stem": ("agbd-nano-native",),
}
"""Ways to train number tokens beside a head: a configuration, and what is laid over it."""
EVERYWHERE = (("mixer", "quantiles"), ("parallel", "quantiles"), ("gated", "mixture"))
"""Trunks and outputs in all sets of views: the best head, the default trunk, and the one of ``agbd-nano``."""
RECALIBRATED = tuple(f"frozen nano, {trunk} + {output}, ms+sar" for trunk, output in EVERYWHERE)
SATURATED = 150.0
"""Mg/ha above which the optical signal of these plots says next to nothing."""
SEED = 12


def truth(source: PlotSource) -> np.ndarray:
    return source.places.numbers[TARGET]


def row(name: str, test: Predictions) -> dict[str, Any]:
    """One line of the table."""
    scores = intervals(test)
    high = test.of(test.truth >= SATURATED)
    return {
        "method": name,
        "n": int(test.usable.sum()),
        **{key: [each.value, each.low, each.high] for key, each in scores.items()},
        "rmse_high": [(each := intervals(high, ("rmse",))["rmse"]).value, each.low, each.high],
        **spread_scores(test),
    }


BASELINES = (
    "constant",
    "land cover",
    *(f"{kind} on bands, {views}" for views in BANDS for kind in ("ridge", "boosted trees")),
)


def embedded(model: Any, data: Splits, states: list[States]) -> Predictions:
    """The cheapest: frozen features, pooled by the readout image by image, and ridge."""
    images, known = len(data.train.views), [truth(each) for each in data]
    features = [pooled(each, images) for each in states]
    width = model.config.get_text_config().hidden_size
    own: dict[str, Any] = {"target": TARGET, "low": 0.0, "high": MOST_MG_HA, "hard": True}
    head = fit_embed(width, images, features[:2], known[:2], **own).head
    return predicted_from(head, as_states(features[2], images), data.test)


def trained_by_engine(folder: Path, name: str, steps: int, config: str, *more: str) -> Path:
    """nano trained whole by the engine; its model."""
    run = folder / f"run-{name}"
    if not (run / "model").is_dir():
        command = ["train", config, f"mix_root={folder}", f"steps={steps}", *more]
        subprocess.run(
            [sys.executable, "-m", "rscovlm", *command, "--output", str(run), "--resume"], check=True
        )
    return run / "model"


def words_and_head(model: Path, folder: Path, limits: dict[str, int]) -> dict[str, Predictions]:
    """What a trained model says and what its head reads, of the test plots; and the head on validation."""
    inputs = read_inputs(model)
    assert inputs is not None, "the engine states what it has shown"
    shown = shown_as(inputs)
    with load_model(str(model), device="cpu") as engine:
        assert isinstance(engine, TransformersEngine)
        encoder = Encoder.of_checkpoint(model)
        made = {
            name: PlotSource(name, encoder, SEED, limits[name], folder, ["plots.h5"], split=name, **shown)
            for name in ("val", "test")
        }
        check_apart({"train": inputs.tiles, "test": made["test"].places.tile.tolist()})
        head = number_head(engine.heads)
        found = {name: predicted(engine.model, head, source) for name, source in made.items()}
        return {"words": said(engine, made["test"]), "head": found["test"], "head val": found["val"]}


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table as Markdown: values with 95 % intervals over tiles."""

    def cell(found: list[float], digits: int) -> str:
        value, low, high = found
        return f"{value:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"

    def plain(line: dict[str, Any], key: str, digits: int) -> str:
        return f"{line[key]:.{digits}f}" if key in line else ""

    head = f"| method | n | RMSE | MAE | bias | R2 | RMSE above {SATURATED:.0f} | CRPS | cov. 90 % | ECE |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|---|"]
    for line in rows:
        cells = [line["method"], str(line["n"]), cell(line["rmse"], 1), cell(line["mae"], 1)]
        cells += [f"{line['bias'][0]:+.1f}", cell(line["r2"], 2), cell(line["rmse_high"], 1)]
        cells += [plain(line, "crps", 1), plain(line, "coverage_90", 2), plain(line, "ece", 3)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def frozen(
    rows: KeptRows, model: Any, encoder: Encoder, views: str, options: argparse.Namespace
) -> dict[str, list[Predictions]]:
    """The rows of frozen nano in a set of views; its states are read where one of them is not kept.

    Returns:
        what each training run of ``RECALIBRATED`` says of validation and test plots together.
    """
    data = Splits.of(rows.folder / "plots.h5", encoder, SEED, limits_of(options), views=VIEWS[views])
    if views == "rgb":
        plain = cache(partial(baseline_rows, *data, sets=BANDS, seeds=options.seeds, high=MOST_MG_HA))
        for name in BASELINES:
            rows.row(name, partial(_part, plain, name))

    @cache
    def states() -> list[States]:
        return [cached_states(model, each, "center", taps="half") for each in data]

    rows.row(f"embed: frozen nano + ridge, {views}", lambda: embedded(model, data, states()))
    jobs = list(EVERYWHERE)
    if views == "ms+sar":
        jobs += [(trunk, "mixture") for trunk in TRUNKS if trunk != "gated"]
        jobs += [("gated", output) for output in OUTPUTS if output != "mixture"]
    held_out = {}
    for trunk, output in jobs:
        name = f"frozen nano, {trunk} + {output}, {views}"
        own = SHARED | TRUNKS[trunk] | OUTPUTS[output]
        tested: list[Predictions] = []
        known: list[Predictions] = []
        for seed in range(options.seeds if (trunk, output) in EVERYWHERE else 1):
            head = cache(partial(_head_of, model, data, states, options.epochs, seed, own))
            for split, parts in ((2, tested), (1, known)):
                of = f"{name}, seed {seed}, {list(data)[split].split}"
                parts.append(rows.row(of, partial(_said_of, head, data, states, split), shown=False))
        rows.row(name, partial(Predictions.joined, tested))
        if name in RECALIBRATED:
            for method in METHODS:
                rows.row(f"{name}, {method}", partial(_fitted, method, known, tested))
            pairs = zip(known, tested, strict=True)
            held_out[name] = [Predictions.joined(pair) for pair in pairs]
    for kind, spread in (("plain", None), ("soft", (40.0, 15.0))):
        name = f"frozen nano, number tokens in words, {kind} targets, {views}"
        rows.row(name, partial(_words, model, encoder, data, states, options.epochs, spread))
    return held_out


def _part(made: Callable[[], dict[str, Predictions]], name: str) -> Predictions:
    return made()[name]


def _head_of(
    model: Any, data: Splits, states: Callable[[], list[States]], epochs: int, seed: int, own: dict[str, Any]
) -> NumberHead:
    return head_on(model, data, states(), epochs=epochs, seed=seed, **own)


def _said_of(
    head: Callable[[], NumberHead], data: Splits, states: Callable[[], list[States]], split: int
) -> Predictions:
    return predicted_from(head(), states()[split], list(data)[split])


def _fitted(method: Method, known: list[Predictions], tested: list[Predictions]) -> Predictions:
    """Recalibrated, each training run on its own validation."""
    pairs = zip(known, tested, strict=True)
    return Predictions.joined([recalibrated(method, each, own, 0, MOST_MG_HA) for each, own in pairs])


def _words(
    model: Any,
    encoder: Any,
    data: Splits,
    states: Callable[[], list[States]],
    epochs: int,
    spread: tuple[float, float] | None,
) -> Predictions:
    """What number tokens say after a layer of their own on frozen states."""
    known = [torch.tensor(truth(each)).float() for each in data]
    torch.manual_seed(0)
    words = NumberWords(model.lm_head.weight[number_tokens(encoder.tokenizer)].float())
    own = states()
    train_words(words, (own[0], own[1]), (known[0], known[1]), epochs=epochs, spread=spread)
    return table(data.test, words.said(own[2]).double().numpy())


def whole(rows: KeptRows, limits: dict[str, int], steps: int) -> None:
    """The rows of nano trained whole by the engine."""
    for name, run in WORDS.items():
        own = cache(partial(_trained, rows.folder, name, steps, run, limits))
        rows.row(f"nano whole, words, {name}", partial(_part, own, "words"))
        beside = f"nano whole, head beside words, {name}"
        said_there = rows.row(beside, partial(_part, own, "head"))
        known = rows.row(f"{beside}, validation", partial(_part, own, "head val"), shown=False)
        rows.row(f"{beside}, conformal", partial(recalibrated, "conformal", known, said_there, 0, MOST_MG_HA))


def _trained(
    folder: Path, name: str, steps: int, run: tuple[str, ...], limits: dict[str, int]
) -> dict[str, Predictions]:
    model = trained_by_engine(folder, name.replace(",", "").replace(" ", "-"), steps, *run)
    return words_and_head(model, folder, limits)


def limits_of(options: argparse.Namespace) -> dict[str, int]:
    """Most plots of each split."""
    return {"train": options.train, "val": options.test, "test": options.test}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("build/regression"))
    parser.add_argument("--tiles", type=int, default=115)
    parser.add_argument("--plots", type=int, default=40, help="plots of each tile")
    parser.add_argument("--train", type=int, default=3000, help="most training plots")
    parser.add_argument("--test", type=int, default=1000, help="most test plots")
    parser.add_argument("--epochs", type=int, default=30, help="of each head on frozen states")
    parser.add_argument(
        "--seeds", type=int, default=3, help="training runs of trees, and of heads in all views"
    )
    parser.add_argument("--steps", type=int, default=0, help="of the engine on nano whole; 0 leaves it out")
    options = parser.parse_args()
    folder: Path = options.folder
    write_plots(folder / "plots.h5", SEED, options.tiles, options.plots)
    stated = {name: getattr(options, name) for name in ("tiles", "plots", "train", "test", "epochs", "seeds")}
    rows = KeptRows(folder, stated)
    held_out: dict[str, list[Predictions]] = {}
    with load_model("nano", device="cpu") as engine:
        assert isinstance(engine, TransformersEngine)
        encoder = Encoder.of_checkpoint(NANO_FOLDER)
        for views in VIEWS:
            held_out |= frozen(rows, engine.model, encoder, views, options)
            report(folder, rows.found, held_out)
    if options.steps:
        whole(rows, limits_of(options), options.steps)
        report(folder, rows.found, held_out)
    print((folder / "table.md").read_text())


BESIDE = tuple(f"nano whole, head beside words, {name}" for name in WORDS)
SAID = tuple(f"nano whole, words, {name}" for name in WORDS)
MIXER = "frozen nano, mixer + quantiles"
COMPARED = (
    *(
        (f"head against words of the same weights, {name}", head, words, 0.0)
        for name, head, words in zip(WORDS, BESIDE, SAID, strict=True)
    ),
    ("words against the constant", SAID[0], "constant", 0.0),
    ("words, number-token loss against plain", SAID[1], SAID[0], 0.0),
    ("words, soft targets against plain", SAID[2], SAID[0], 0.0),
    ("words, number-token loss against the constant", SAID[1], "constant", 0.0),
    ("native stem against pseudo-RGB images, head", BESIDE[3], BESIDE[0], 0.0),
    *(
        (f"{claim}, {trunk}", f"{head}, {one}", f"{head}, {other}", least)
        for trunk, output in EVERYWHERE
        for head in [f"frozen nano, {trunk} + {output}"]
        for claim, one, other, least in (
            ("multispectral against RGB", "ms", "rgb", 0.0),
            ("all five images against RGB", "ms, all five", "rgb", 0.0),
            ("radar beside optical, all plots", "ms+sar", "ms", 0.0),
            ("radar beside optical, saturated plots", "ms+sar", "ms", SATURATED),
        )
    ),
    ("head against boosted trees", f"{MIXER}, ms+sar", "boosted trees on bands, ms+sar", 0.0),
)
"""Claims as differences of RMSE: what is claimed, the one, the other, the least true value of the plots."""


def plainly(found: Interval) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}


def over_splits(method: Method, runs: list[Predictions]) -> list[float]:
    """Mean, 5 % and 95 % of the share inside of 90 % intervals, over draws of the tiles that fit them.

    A third of the held-out tiles fit, as many as validation has; of several training runs the mean counts.
    """
    shares = [coverage_over_splits(method, each, low=0, high=MOST_MG_HA) for each in runs]
    drawn = np.mean(shares, axis=0)
    return [float(drawn.mean()), *map(float, np.quantile(drawn, (0.05, 0.95)))]


def report(folder: Path, found: dict[str, Predictions], held_out: dict[str, list[Predictions]]) -> None:
    """Write what there is so far: ``results.json`` and ``table.md``."""
    rows = [row(name, each) for name, each in found.items()]
    apart = {}
    for claim, one, other, least in COMPARED:
        if {one, other} <= found.keys():
            high = found[one].truth >= least  # at 0 all plots, those without any biomass too
            apart[claim] = {"one": one, "other": other} | plainly(
                difference(found[one].of(high), found[other].of(high))
            )
    inside = {name: plainly(covered(each, 0.9)) for name, each in found.items() if each.quantiles is not None}
    drawn = {
        f"{name}, {method}": over_splits(method, runs)
        for name, runs in held_out.items()
        for method in METHODS
    }
    written = {
        "rows": rows,
        "rmse differences": apart,
        "coverage 90": inside,
        "coverage 90 over splits": drawn,
    }
    write_json(folder / "results.json", written, indent=2)
    lines = [
        f"- {claim}: {each['value']:+.1f} ({each['low']:+.1f} to {each['high']:+.1f}) Mg/ha "
        f"({each['one']} less {each['other']})"
        for claim, each in apart.items()
    ]
    lines += [
        f"- inside 90 % intervals, {name}: {each['value']:.3f} ({each['low']:.3f} to {each['high']:.3f})"
        for name, each in inside.items()
    ]
    lines += [
        f"- the same over draws of tiles, {name}: {mean:.3f} (of draws {low:.3f} to {high:.3f})"
        for name, (mean, low, high) in drawn.items()
    ]
    write_text(folder / "table.md", markdown(rows) + "\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
