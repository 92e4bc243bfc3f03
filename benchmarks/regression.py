"""Heads, words and baselines on synthetic plots of known physics, one table with intervals over tiles.

    python benchmarks/regression.py --folder build/regression

writes plots split by tile, reads the hidden states of nano, frozen, once for each set of views, and trains
every trunk and output on them. The towers being frozen, these are the states that the engine would compute in
every step, so that training on kept states is the engine's second stage without its waiting
(``tests/rscovlm/reo/test_cached.py`` compares the losses). With --steps, the engine also trains nano whole to
say the number in words: with plain targets, with the number-token loss and with soft targets; words and head
of those rows come from the same weights.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
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


def baselines(data: Data) -> dict[str, Predictions]:
    """Rows without a vision-language model."""
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
    folder, started = options.folder, time.perf_counter()
    write_plots(folder, options.tiles, options.plots)
    limits = {"train": options.train, "val": options.test, "test": options.test}
    encoder = encoder_of("nano")
    found: dict[str, Predictions] = {}
    with load_model("nano", device="cpu") as engine:
        assert isinstance(engine, TransformersEngine)
        for views, shown in VIEWS.items():
            data = Data.of(folder, encoder, shown, limits)
            if views == "rgb":
                found |= baselines(data)
            states = [cached_states(engine.model, each, "center", taps="half") for each in data]
            print(f"{views}: states after {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
            found[f"embed: frozen nano + ridge, {views}"] = embedded(data, states)
            jobs = list(EVERYWHERE)
            if views == "ms+sar":
                jobs += [(trunk, "mixture") for trunk in TRUNKS if trunk != "gated"]
                jobs += [("gated", output) for output in OUTPUTS if output != "mixture"]
            for trunk, output in jobs:
                head = trained_head(engine.model, data, states, (trunk, output), options.epochs)
                name = f"frozen nano, {trunk} + {output}, {views}"
                found[name] = predicted_from(head, states[2], data.test)
                print(f"{name} after {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
                if name in RECALIBRATED:
                    validation = predicted_from(head, states[1], data.val)
                    for method in METHODS:
                        found[f"{name}, {method}"] = recalibrated(method, validation, found[name], 0, 500)
            for name, spread in (("plain", None), ("soft", (40.0, 15.0))):
                known = [torch.tensor(truth(each)).float() for each in data]
                torch.manual_seed(0)
                words = NumberWords(engine.model.lm_head.weight[number_tokens(encoder.tokenizer)].float())
                pairs = (states[0], states[1]), (known[0], known[1])
                train_words(words, *pairs, epochs=options.epochs, spread=spread)
                said_there = words.said(states[2]).double().numpy()
                found[f"frozen nano, number tokens in words, {name} targets, {views}"] = table(
                    data.test, said_there
                )
            del states
            report(folder, found)
    if options.steps:
        for name, more in WORDS.items():
            model = trained_by_engine(folder, name.replace(" ", "-"), options.steps, *more)
            own = words_and_head(model, folder, limits)
            found[f"nano whole, words, {name}, swir+sar"] = own["words"]
            found[f"nano whole, head beside words, {name}, swir+sar"] = own["head"]
            fixed = recalibrated("conformal", own["head val"], own["head"], 0, 500)
            found[f"nano whole, head beside words, {name}, conformal"] = fixed
            report(folder, found)
            print(f"{name} after {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    report(folder, found)
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
