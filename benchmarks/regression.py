"""Heads, words and baselines on synthetic plots of known physics, one table with intervals over tiles.

    python benchmarks/regression.py --folder build/regression

writes plots split by tile, reads the hidden states of nano, frozen, once for each set of views, and trains
every trunk and output on them. The towers being frozen, these are the states that the engine would compute in
every step, so that training on kept states is the engine's second stage without its waiting
(``tests/rscovlm/reo/test_cached.py`` compares the losses). With --steps, the engine also trains nano whole to
say the number in words: with plain targets, with the number-token loss and with soft targets; words and head
of those rows come from the same weights.

Each row is kept in FOLDER/rows as soon as it is there: the same command goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detection_eval.files import write_json, write_text
from rscovlm.data.agbd import write_agbd
from rscovlm.data.plot_source import PlotSource
from rscovlm.data.splits import check_apart
from rscovlm.engines import load_model
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.heads import make_heads
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.heads.numbers.states import States
from rscovlm.nano.tokenizer import number_tokens
from rscovlm.reo.baselines import OPTICAL, RGB, band_statistics, boosted, by_cover, constant, ridge
from rscovlm.reo.cached import cached_states, predicted_from, train_on
from rscovlm.reo.kept import KeptRows
from rscovlm.reo.predict import number_head, predicted, said, table
from rscovlm.reo.words import NumberWords, train_words
from rscovlm.scoring.predictions import Predictions, covered, difference, intervals, spread_scores
from rscovlm.scoring.recalibration import METHODS, recalibrated
from rscovlm.scoring.statistics import Interval
from rscovlm.synth.forest import make_plot, make_tile
from rscovlm.training.number_settings import Number

VIEWS = {
    "rgb": ("natural",),
    "ms": ("natural", "red_edge", "swir"),
    "ms+sar": ("natural", "red_edge", "swir", "sar"),
}
"""Three of REO-VLM's five combinations, which hold 7 of its 9 bands, for one busy core."""
TRUNKS: dict[str, dict[str, Any]] = {
    "parallel": {},
    "gated": {},
    "experts": {},
    "attention": {},
    "mixer": {"taps": "half"},
}
OUTPUTS: dict[str, Any] = {
    "point": "point",
    "gaussian": "gaussian",
    "mixture": "mixture",
    "quantiles": "quantiles",
    "intervals": {"intervals": {"edges": [-1.2, -0.6, 0.0, 0.6, 1.2, 2.0, 3.0, 4.2]}},
}
WORDS = {
    "plain targets": (),
    "number-token loss": ("objective={number_loss: {unit: 50, weight: 1.0}}",),
    "soft targets": ("objective={soft_numbers: {first: 40, last: 20}}",),
}
"""Ways to train number tokens, by what is laid over ``agbd-nano``."""
EVERYWHERE = (("mixer", "quantiles"), ("parallel", "quantiles"), ("gated", "mixture"))
"""Trunks and outputs in all sets of views: the best head, the default trunk, and the one of ``agbd-nano``."""
RECALIBRATED = tuple(f"frozen nano, {trunk} + {output}, ms+sar" for trunk, output in EVERYWHERE)
SATURATED = 150.0
"""Mg/ha above which the optical signal of these plots says next to nothing."""
SEED = 12


@dataclass
class Data:
    """Sources of the three splits in one set of views."""

    train: PlotSource
    val: PlotSource
    test: PlotSource

    @classmethod
    def of(cls, folder: Path, encoder: Any, views: tuple[str, ...], limits: dict[str, int]) -> Data:
        """All three; ranges of channels are those of the training plots."""
        files: dict[str, Any] = {"files": ["plots.h5"], "views": views}
        train = PlotSource("train", encoder, SEED, limits["train"], folder, split="train", **files)
        shown: dict[str, Any] = {"side": train.side, "scaling": train.scaling.model_dump()}
        val, test = (
            PlotSource(name, encoder, SEED, limits[name], folder, split=name, **files, **shown)
            for name in ("val", "test")
        )
        check_apart({each.split: each.places.tile.tolist() for each in (train, val, test)})
        return cls(train, val, test)

    def __iter__(self) -> Iterator[PlotSource]:
        return iter((self.train, self.val, self.test))


def write_plots(folder: Path, tiles: int = 115, plots: int = 40) -> None:
    """Write ``plots.h5`` where it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "plots.h5").is_file():
        made = [
            make_plot(SEED, make_tile(SEED, tile), index) for tile in range(tiles) for index in range(plots)
        ]
        write_agbd(folder / "plots.h5", made, lite=True)


def truth(source: PlotSource) -> np.ndarray:
    return source.places.numbers["agb_mg_per_ha"]


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
    *(f"{kind} on bands, {views}" for views in VIEWS for kind in ("ridge", "boosted trees")),
)


def baselines(data: Data) -> dict[str, Predictions]:
    """The rows ``BASELINES``, without a vision-language model."""
    found = {"constant": constant(data.train, data.test), "land cover": by_cover(data.train, data.test)}
    features = [band_statistics(each) for each in data]
    channels = features[0].shape[1] // 2
    sets = {"rgb": RGB, "ms": OPTICAL, "ms+sar": (*OPTICAL, 12, 13)}
    for views, chosen in sets.items():
        columns = [*chosen, *(channels + index for index in chosen)]
        train, val, test = (each[:, columns] for each in features)
        model = ridge(train, truth(data.train), val, truth(data.val))
        found[f"ridge on bands, {views}"] = table(data.test, np.clip(model.predict(test), 0, 500))
        trees = boosted(train, truth(data.train))
        found[f"boosted trees on bands, {views}"] = table(data.test, np.clip(trees.predict(test), 0, 500))
    return found


def embedded(data: Data, states: list[States]) -> Predictions:
    """The cheapest: frozen features, pooled by the readout image by image, and ridge."""
    features = []
    for each in states:
        images = (each.weights > 0).sum(dim=1)[0]
        picked = each.visual[:, each.weights[0] > 0]
        features.append(picked.reshape(len(picked), int(images) * picked.shape[2]).numpy())
    model = ridge(features[0], truth(data.train), features[1], truth(data.val))
    return table(data.test, np.clip(model.predict(features[2]), 0, 500))


def settings(data: Data, trunk: str, output: Any, **more: Any) -> dict[str, Any]:
    known = truth(data.train)
    stated = {
        "target": "agb_mg_per_ha",
        "trunk": trunk,
        "output": output,
        "readout": "center",
        "images": len(data.train.views),
        "loss": "mse" if output == "point" else "nll",
        "noise": None if output == "point" else "agbd_se",
        "mean": float(known.mean()),
        "deviation": float(known.std()),
        "low": 0.0,
        "high": 500.0,
        **more,
    }
    return Number.model_validate(stated).settings


def trained_by_engine(folder: Path, name: str, steps: int, *more: str) -> Path:
    """nano trained whole by the engine; its model."""
    run = folder / f"run-{name}"
    if not (run / "model").is_dir():
        command = ["train", "agbd-nano", f"mix_root={folder}", f"steps={steps}", *more]
        subprocess.run(
            [sys.executable, "-m", "rscovlm", *command, "--output", str(run), "--resume"], check=True
        )
    return run / "model"


def words_and_head(model: Path, folder: Path, limits: dict[str, int]) -> dict[str, Predictions]:
    """What a trained model says and what its head reads, of the test plots; and the head on validation."""
    inputs = json.loads((model / "rscovlm.json").read_text())["inputs"]["plots"]
    with load_model(str(model), device="cpu") as engine:
        assert isinstance(engine, TransformersEngine)
        encoder = encoder_of(model)
        shown = {name: inputs[name] for name in ("views", "side", "fit", "scaling")}
        made = {
            name: PlotSource(name, encoder, SEED, limits[name], folder, ["plots.h5"], split=name, **shown)
            for name in ("val", "test")
        }
        check_apart({"train": inputs["tiles"], "test": made["test"].places.tile.tolist()})
        head = number_head(engine.heads)
        found = {name: predicted(engine.model, head, source) for name, source in made.items()}
        return {"words": said(engine, made["test"]), "head": found["test"], "head val": found["val"]}


def encoder_of(model: Path | str) -> Any:
    from rscovlm.data.encoding import Encoder
    from rscovlm.models.checkpoints import resolve
    from rscovlm.models.patches import PatchSpec
    from rscovlm.models.weights import read_settings, read_tokenizer

    folder = resolve(str(model)).local
    return Encoder(
        read_tokenizer(folder), PatchSpec.of_checkpoint(folder, read_settings(folder).vision_config)
    )


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


def trained_head(
    model: Any, data: Data, states: list[States], kind: tuple[str, str], epochs: int
) -> NumberHead:
    """A head on kept states."""
    torch.manual_seed(0)
    trunk, output = kind
    own = settings(data, trunk, OUTPUTS[output], **TRUNKS[trunk])
    head = make_heads(model, {"numbers": {"agb": own}})["agb"]
    assert isinstance(head, NumberHead)
    numbers = [
        {key: torch.tensor(values).float() for key, values in each.places.numbers.items()} for each in data
    ]
    train_on(head, states[:2], numbers[:2], epochs=epochs)
    return head


def frozen(rows: KeptRows, model: Any, encoder: Any, views: str, limits: dict[str, int], epochs: int) -> None:
    """The rows of frozen nano in a set of views; its states are read where one of them is not kept."""
    data = Data.of(rows.folder, encoder, VIEWS[views], limits)
    if views == "rgb":
        plain = cache(partial(baselines, data))
        for name in BASELINES:
            rows.row(name, partial(_part, plain, name))

    @cache
    def states() -> list[States]:
        return [cached_states(model, each, "center", taps="half") for each in data]

    rows.row(f"embed: frozen nano + ridge, {views}", lambda: embedded(data, states()))
    jobs = list(EVERYWHERE)
    if views == "ms+sar":
        jobs += [(trunk, "mixture") for trunk in TRUNKS if trunk != "gated"]
        jobs += [("gated", output) for output in OUTPUTS if output != "mixture"]
    for trunk, output in jobs:
        name = f"frozen nano, {trunk} + {output}, {views}"
        said_of = partial(_said_of, cache(partial(_head_of, model, data, states, (trunk, output), epochs)))
        said_there = rows.row(name, partial(said_of, data, states, 2))
        if name in RECALIBRATED:
            known = rows.row(f"{name}, validation", partial(said_of, data, states, 1), shown=False)
            for method in METHODS:
                rows.row(f"{name}, {method}", partial(recalibrated, method, known, said_there, 0, 500))
    for kind, spread in (("plain", None), ("soft", (40.0, 15.0))):
        name = f"frozen nano, number tokens in words, {kind} targets, {views}"
        rows.row(name, partial(_words, model, encoder, data, states, epochs, spread))


def _part(made: Callable[[], dict[str, Predictions]], name: str) -> Predictions:
    return made()[name]


def _head_of(
    model: Any, data: Data, states: Callable[[], list[States]], kind: tuple[str, str], epochs: int
) -> NumberHead:
    return trained_head(model, data, states(), kind, epochs)


def _said_of(
    head: Callable[[], NumberHead], data: Data, states: Callable[[], list[States]], split: int
) -> Predictions:
    return predicted_from(head(), states()[split], list(data)[split])


def _words(
    model: Any,
    encoder: Any,
    data: Data,
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
    for name, more in WORDS.items():
        own = cache(partial(_trained, rows.folder, name, steps, more, limits))
        rows.row(f"nano whole, words, {name}, swir+sar", partial(_part, own, "words"))
        beside = f"nano whole, head beside words, {name}"
        said_there = rows.row(f"{beside}, swir+sar", partial(_part, own, "head"))
        known = rows.row(f"{beside}, validation", partial(_part, own, "head val"), shown=False)
        rows.row(f"{beside}, conformal", partial(recalibrated, "conformal", known, said_there, 0, 500))


def _trained(
    folder: Path, name: str, steps: int, more: tuple[str, ...], limits: dict[str, int]
) -> dict[str, Predictions]:
    return words_and_head(trained_by_engine(folder, name.replace(" ", "-"), steps, *more), folder, limits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("build/regression"))
    parser.add_argument("--tiles", type=int, default=115)
    parser.add_argument("--plots", type=int, default=40, help="plots of each tile")
    parser.add_argument("--train", type=int, default=3000, help="most training plots")
    parser.add_argument("--test", type=int, default=1000, help="most test plots")
    parser.add_argument("--epochs", type=int, default=30, help="of each head on frozen states")
    parser.add_argument("--steps", type=int, default=0, help="of the engine on nano whole; 0 leaves it out")
    options = parser.parse_args()
    folder: Path = options.folder
    write_plots(folder, options.tiles, options.plots)
    limits = {"train": options.train, "val": options.test, "test": options.test}
    stated = {name: getattr(options, name) for name in ("tiles", "plots", "train", "test", "epochs")}
    rows = KeptRows(folder, stated)
    encoder = encoder_of("nano")
    with load_model("nano", device="cpu") as engine:
        assert isinstance(engine, TransformersEngine)
        for views in VIEWS:
            frozen(rows, engine.model, encoder, views, limits, options.epochs)
            report(folder, rows.found)
    if options.steps:
        whole(rows, limits, options.steps)
        report(folder, rows.found)
    print((folder / "table.md").read_text())


HEADS = tuple(f"nano whole, head beside words, {name}, swir+sar" for name in WORDS)
SAID = tuple(f"nano whole, words, {name}, swir+sar" for name in WORDS)
MIXER = "frozen nano, mixer + quantiles"
COMPARED = (
    *(
        (f"head against words of the same weights, {name}", head, words, 0.0)
        for name, head, words in zip(WORDS, HEADS, SAID, strict=True)
    ),
    ("words against the constant", SAID[0], "constant", 0.0),
    ("words, number-token loss against plain", SAID[1], SAID[0], 0.0),
    ("words, soft targets against plain", SAID[2], SAID[0], 0.0),
    *(
        (f"{claim}, {trunk}", f"{head}, {one}", f"{head}, {other}", least)
        for trunk, output in EVERYWHERE
        for head in [f"frozen nano, {trunk} + {output}"]
        for claim, one, other, least in (
            ("multispectral against RGB", "ms", "rgb", 0.0),
            ("radar beside optical, all plots", "ms+sar", "ms", 0.0),
            ("radar beside optical, saturated plots", "ms+sar", "ms", SATURATED),
        )
    ),
    ("head against boosted trees", f"{MIXER}, ms+sar", "boosted trees on bands, ms+sar", 0.0),
)
"""Claims as differences of RMSE: what is claimed, the one, the other, the least true value of the plots."""


def plainly(found: Interval) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}


def report(folder: Path, found: dict[str, Predictions]) -> None:
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
    write_json(
        folder / "results.json", {"rows": rows, "rmse differences": apart, "coverage 90": inside}, indent=2
    )
    lines = [
        f"- {claim}: {each['value']:+.1f} ({each['low']:+.1f} to {each['high']:+.1f}) Mg/ha "
        f"({each['one']} less {each['other']})"
        for claim, each in apart.items()
    ]
    lines += [
        f"- inside 90 % intervals, {name}: {each['value']:.3f} ({each['low']:.3f} to {each['high']:.3f})"
        for name, each in inside.items()
    ]
    write_text(folder / "table.md", markdown(rows) + "\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
