"""Chunked cross-entropy, and means that survive packing, accumulation and data parallelism."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rscovlm.data.packing import NOT_LEARNT, collate, empty_pack, model_inputs
from rscovlm.training.loss import REDUCTIONS, Reduction, linear_cross_entropy, sample_losses
from rscovlm.training.targets import WholeNumbers
from tests.rscovlm.data.examples import FAMILIES, encoded, load_subject
from tests.rscovlm.training.ranks import Ranks


def token_losses(logits, targets, soft, number_ids, spread):
    """(n,) losses in the plain way: all logits at once, a dense distribution for each coordinate."""
    wanted = torch.nn.functional.one_hot(targets, logits.shape[1]).float()
    numbers = torch.arange(len(number_ids), dtype=torch.float32)
    for row in soft.nonzero()[:, 0].tolist():
        value = int((number_ids == targets[row]).nonzero())
        density = torch.exp(-0.5 * ((numbers - value) / spread) ** 2) / (spread * math.sqrt(2 * math.pi))
        density += (1 - density.sum()).clamp_min(0) / len(number_ids)
        wanted[row] = 0
        wanted[row, number_ids] = density / density.sum()
    entropy = -(wanted * wanted.clamp_min(1e-12).log()).sum(dim=1)
    return -(wanted * logits.log_softmax(dim=1)).sum(dim=1) - entropy


def problem(dtype=torch.float32, n=37, d=16, vocabulary=1100):
    """Hidden states, weight, targets of which a third is not learnt, weights of tokens."""
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(n, d, generator=draw).to(dtype).requires_grad_()
    weight = torch.randn(vocabulary, d, generator=draw).to(dtype).requires_grad_()
    targets = torch.randint(vocabulary, (n,), generator=draw)
    targets[::3] = NOT_LEARNT
    return hidden, weight, targets, torch.rand(n, generator=draw) / n


def plain(hidden, weight, targets, token_weights):
    losses = F.cross_entropy(hidden.float() @ weight.float().T, targets, reduction="none")
    return (losses * token_weights).sum(), losses


def with_gradients(function, hidden, weight, *rest, **more):
    hidden, weight = hidden.detach().requires_grad_(), weight.detach().requires_grad_()
    loss, losses = function(hidden, weight, *rest, **more)
    (3 * loss).backward()
    return loss.detach(), losses.detach(), hidden.grad, weight.grad


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_values_and_gradients_are_those_of_plain_cross_entropy(chunk):
    arguments = problem()
    expected = with_gradients(plain, *arguments)
    found = with_gradients(linear_cross_entropy, *arguments, chunk=chunk)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)


def test_half_precision_is_as_near_to_the_truth_as_the_plain_way():
    arguments = problem(torch.bfloat16, n=300)
    truth = with_gradients(plain, *(a.float() if a.is_floating_point() else a for a in arguments))

    def plain_in_half(hidden, weight, targets, token_weights):
        losses = F.cross_entropy((hidden @ weight.T).float(), targets, reduction="none")
        return (losses * token_weights).sum(), losses

    usual = with_gradients(plain_in_half, *arguments)
    found = with_gradients(linear_cross_entropy, *arguments, chunk=64)
    assert found[0].dtype == found[1].dtype == torch.float32
    assert found[2].dtype == found[3].dtype == torch.bfloat16
    for ours, theirs, true in zip(found, usual, truth, strict=True):
        distance, allowed = (ours.float() - true).norm(), (theirs.float() - true).norm()
        assert distance <= 1.5 * allowed + 1e-6


def test_a_frozen_head_gets_no_gradient_and_evaluation_none_at_all():
    hidden, weight, targets, token_weights = problem()
    loss, _ = linear_cross_entropy(hidden, weight.detach(), targets, token_weights)
    loss.backward()
    assert hidden.grad is not None
    with torch.no_grad():
        assert not linear_cross_entropy(hidden, weight, targets, token_weights)[0].requires_grad


def test_autocast_computes_in_its_own_precision_and_gradients_keep_that_of_the_weights():
    hidden, weight, targets, token_weights = problem()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = linear_cross_entropy(hidden, weight, targets, token_weights)
    loss.backward()
    assert hidden.grad.dtype == weight.grad.dtype == torch.float32
    assert loss.item() == pytest.approx(plain(hidden, weight, targets, token_weights)[0].item(), rel=1e-2)


def test_nothing_learnt_costs_nothing_and_stays_in_the_graph():
    hidden, weight, targets, token_weights = problem()
    loss, losses = linear_cross_entropy(hidden, weight, torch.full_like(targets, NOT_LEARNT), token_weights)
    assert loss.item() == 0
    assert not losses.any()
    loss.backward()
    assert not hidden.grad.any()
    assert not weight.grad.any()


def test_logits_of_no_more_than_a_chunk_exist_at_once():
    hidden, weight, targets, token_weights = problem(n=400)
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor) and out.ndim == 2 and out.shape[1] == len(weight):
                largest = max(largest, len(out))
            return out

    with Watch():
        linear_cross_entropy(hidden, weight, targets, token_weights, chunk=32)[0].backward()
    assert largest == 32


def test_a_partitioned_weight_is_refused():
    hidden, _, targets, token_weights = problem()
    with pytest.raises(ValueError, match="ZeRO-3"):
        linear_cross_entropy(hidden, torch.empty(0), targets, token_weights)


@pytest.mark.parametrize("chunk", [5, 1000])
def test_coordinates_have_soft_targets(chunk):
    hidden, weight, targets, token_weights = problem()
    ids = torch.arange(50, 1051)
    soft = torch.rand(len(targets), generator=torch.Generator().manual_seed(1)) < 0.5
    soft &= targets.ge(50) & targets.lt(1051)
    assert soft.any()

    def reference(hidden, weight, targets, token_weights):
        logits = hidden @ weight.T
        losses = F.cross_entropy(logits, targets, reduction="none").masked_fill(soft, 0)
        wanted = torch.zeros_like(logits[soft])
        wanted[:, ids] = WholeNumbers(ids).probabilities(targets[soft] - 50, 8.0)
        # The divergence of the prediction from the wanted probabilities: cross-entropy less entropy.
        divergence = F.kl_div(logits[soft].log_softmax(dim=1), wanted, reduction="none").sum(dim=1)
        losses = losses.masked_scatter(soft, divergence)
        return (losses * token_weights).sum(), losses

    expected = with_gradients(reference, hidden, weight, targets, token_weights)
    found = with_gradients(
        linear_cross_entropy,
        hidden,
        weight,
        targets,
        token_weights,
        chunk=chunk,
        wanted=WholeNumbers(ids).targets(targets, soft, 8.0),
    )
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=2e-6, rtol=2e-5)


def test_a_coordinate_nearly_right_costs_less_than_one_far_off_and_a_perfect_guess_nothing():
    numbers = WholeNumbers(torch.arange(10, 1011))
    logits = torch.full((3, 1100), -1e4)
    for row, centre in enumerate((500, 510, 700)):
        logits[row, 10:1011] = -0.5 * ((torch.arange(1001.0) - centre) / 8) ** 2
    # With the identity as its weight, a head writes its hidden states as logits.
    targets, each = torch.full((3,), 10 + 500), torch.ones(3)
    wanted = numbers.targets(targets, torch.ones(3, dtype=torch.bool), spread=8.0)
    _, losses = linear_cross_entropy(logits, torch.eye(1100), targets, each, wanted=wanted)
    assert losses[0] == pytest.approx(0, abs=1e-4)
    # Gaussians of equal width: the divergence is (distance / spread)^2 / 2.
    assert losses[1] == pytest.approx(0.5 * (10 / 8) ** 2, rel=1e-3)
    assert losses[2] == pytest.approx(0.5 * (200 / 8) ** 2, rel=1e-3)


def test_a_coordinate_at_the_edge_shares_what_falls_outside_among_all():
    wanted = WholeNumbers(torch.arange(1001)).probabilities(torch.tensor([0, 500]), 8.0)
    torch.testing.assert_close(wanted.sum(dim=1), torch.ones(2))
    assert wanted[0, 0] == pytest.approx(wanted[1, 500].item() + 0.5 / 1001, rel=0.05)
    assert wanted[0, 1000] == pytest.approx(0.5 / 1001, rel=0.1)


# The paper's spread: a 1500-token detection, a 60-token caption, a 3-token answer.
SHARES = {
    "token": (1500 / 1563, 60 / 1563, 3 / 1563),
    "sample": (1 / 3, 1 / 3, 1 / 3),
    "sqrt": tuple(math.sqrt(n) / sum(map(math.sqrt, (1500, 60, 3))) for n in (1500, 60, 3)),
    "source": (1500 / 1560 / 2, 60 / 1560 / 2, 1 / 2),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_each_reduction_gives_each_sample_its_declared_share(name, qwen3_spec):
    spec, rope = qwen3_spec
    examples = [
        encoded(spec, rope, index, answer=answer, source=source)
        for index, (answer, source) in enumerate([(1500, "boxes"), (60, "boxes"), (3, "words")])
    ]
    pack = collate(examples, spec, rope.image_token_id)
    reduction = Reduction(name, ("boxes", "words", "absent"))
    weights = reduction.weights(pack, reduction.totals([pack]))
    assert not weights[pack.targets == NOT_LEARNT].any()
    shares = [weights[pack.sample == index].sum().item() for index in range(3)]
    assert shares == pytest.approx(SHARES[name], rel=1e-5)


@pytest.fixture(scope="module")
def qwen3_spec():
    from rscovlm.models.patches import PatchSpec
    from rscovlm.models.positions import RopeSpec

    return PatchSpec(16, 2, 2, (0.5,) * 3, (0.5,) * 3), RopeSpec(7)


def test_a_source_outside_the_mix_and_an_unknown_reduction_are_refused(qwen3_spec):
    spec, rope = qwen3_spec
    pack = collate([encoded(spec, rope, 0, source="other")], spec, rope.image_token_id)
    with pytest.raises(ValueError, match="other"):
        Reduction("source", ("noise",)).totals([pack])
    with pytest.raises(ValueError, match="token, sample, sqrt, source"):
        Reduction("mean", ("noise",))


def unlearnt(example):
    """The same example with nothing to learn."""
    return replace(example, learnt=np.zeros_like(example.learnt))


def test_a_step_in_which_nothing_is_learnt_has_weights_of_nothing_and_a_loss_of_0(qwen3_spec):
    """Not of 0 / 0: a weight that is not a number would spoil the loss and all gradients."""
    spec, rope = qwen3_spec
    samples = [unlearnt(encoded(spec, rope, index)) for index in range(2)]
    packs = [collate(samples, spec, rope.image_token_id), empty_pack(spec, rope.image_token_id)]
    assert packs[0].learnt.tolist() == [0, 0]
    for name in REDUCTIONS:
        reduction = Reduction(name, ("noise",))
        totals = reduction.totals(packs)
        assert totals.tolist() == [0, 0, 0, 0]
        for pack in packs:
            weights = reduction.weights(pack, totals)
            assert weights.tolist() == [[0.0] * pack.length]
            hidden, head = torch.randn(pack.length, 8, requires_grad=True), torch.randn(300, 8)
            loss, _ = linear_cross_entropy(hidden, head, pack.targets[0], weights[0])
            loss.backward()
            assert loss.item() == 0
            assert not hidden.grad.any()


@pytest.mark.parametrize("name", REDUCTIONS)
def test_samples_of_which_nothing_is_learnt_count_in_no_mean(name, qwen3_spec):
    spec, rope = qwen3_spec
    usual = [encoded(spec, rope, 0, answer=4, source="a"), encoded(spec, rope, 1, answer=9, source="b")]
    silent = unlearnt(encoded(spec, rope, 2, source="c"))
    with_it, without = (collate(samples, spec, rope.image_token_id) for samples in ([silent, *usual], usual))
    reduction = Reduction(name, ("a", "b", "c"))
    totals = reduction.totals([with_it])
    assert totals.tolist() == reduction.totals([without]).tolist()
    assert totals[1] == 2, "samples"
    weights = reduction.weights(with_it, totals)
    assert weights.sum().item() == pytest.approx(reduction.weights(without, totals).sum().item())
    assert weights[0, : len(silent.ids)].tolist() == [0.0] * len(silent.ids)


@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_large_logits_neither_overflow_nor_lose_the_loss(scale):
    """Softmax is taken of logits less their largest: e^89 already exceeds single precision."""
    hidden, weight, targets, token_weights = problem()
    arguments = (scale * hidden.detach()).requires_grad_(), weight, targets, token_weights
    expected, found = with_gradients(plain, *arguments), with_gradients(linear_cross_entropy, *arguments)
    assert (hidden @ weight.T).abs().max() * scale > 10
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.isfinite(ours).all()
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_the_gradient_of_a_half_precision_weight_is_summed_in_single_precision_over_chunks():
    """Thousands of small parts: a sum kept in bfloat16 would stop growing at 256 times a part."""
    hidden = torch.ones(2048, 1, dtype=torch.bfloat16)
    weight = torch.zeros(2, 1, dtype=torch.bfloat16, requires_grad=True)
    targets, each = torch.zeros(2048, dtype=torch.long), torch.ones(2048)
    loss, _ = linear_cross_entropy(hidden, weight, targets, each, chunk=1)
    loss.backward()
    # The probability of each of two tokens is one half.
    assert weight.grad[:, 0].tolist() == [-1024, 1024]


def test_losses_of_samples_are_means_of_their_tokens(qwen3_spec):
    spec, rope = qwen3_spec
    examples = [encoded(spec, rope, 0, answer=2), encoded(spec, rope, 1, answer=3)]
    pack = collate(examples, spec, rope.image_token_id)
    losses = torch.zeros(pack.length)
    losses[pack.targets[0] != NOT_LEARNT] = torch.tensor([1.0, 3.0, 4.0, 5.0, 9.0])
    assert sample_losses(losses, pack).tolist() == [2.0, 6.0]


def step_of(subject):
    """Eight samples of two sources, with answers of 1 to 40 tokens."""
    shapes = [(), ((1, 2),), (), (), ((1, 1), (2, 1)), (), (), ((1, 1),)]
    answers = [1, 40, 3, 12, 2, 25, 5, 1]
    return [
        encoded(subject.spec, subject.rope, i, answer=answers[i], images=shapes[i], source="ab"[i % 3 == 0])
        for i in range(8)
    ]


def packs_of(subject, groups):
    examples = step_of(subject)
    return [
        collate([examples[i] for i in group], subject.spec, subject.rope.image_token_id) for group in groups
    ]


def accumulate(model, reduction, packs, totals):
    """Backward passes over packs; their summed loss."""
    total = 0.0
    for pack in packs:
        hidden = model.model(**model_inputs(pack)).last_hidden_state[0]
        weights = reduction.weights(pack, totals)[0]
        loss, _ = linear_cross_entropy(hidden, model.lm_head.weight, pack.targets[0], weights, chunk=16)
        loss.backward()
        total += loss.item()
    return total


def gradients(model):
    found = torch.cat([p.grad.flatten() for p in model.parameters()])
    model.zero_grad(set_to_none=True)
    return found


def reference(subject):
    """Loss and gradients of each declared mean, spelled out, one sample at a time."""
    model = subject.model
    sums, counts, sources = [], [], []
    for pack in packs_of(subject, [[i] for i in range(8)]):
        logits = model(**model_inputs(pack)).logits[0]
        sums.append(F.cross_entropy(logits, pack.targets[0], reduction="sum"))
        counts.append(int(pack.learnt[0]))
        sources.append(pack.sources[0])
    mine = [[i for i in range(8) if sources[i] == source] for source in "ab"]
    losses = {
        "token": sum(sums) / sum(counts),
        "sample": sum(s / n for s, n in zip(sums, counts)) / 8,
        "sqrt": sum(s / math.sqrt(n) for s, n in zip(sums, counts)) / sum(map(math.sqrt, counts)),
        "source": sum(sum(sums[i] for i in m) / sum(counts[i] for i in m) for m in mine) / 2,
    }
    found = {}
    for name, loss in losses.items():
        loss.backward(retain_graph=True)
        found[name] = loss.item(), gradients(model)
    return found


ONE_RANK = [[[0, 1], [2, 3], [4, 5], [6, 7]]]
TWO_RANKS = [[[7, 2], [1, 4]], [[3], [0, 5, 6]]]
UNPACKED = [[[i] for i in range(8)]]
UNEVEN = [[list(range(8)), []], [[], []]]


@pytest.fixture(scope="module", params=FAMILIES)
def subject(request, tmp_path_factory):
    return load_subject(tmp_path_factory.mktemp("checkpoint"), request.param)


CUTS = [
    *((name, ranks) for name in REDUCTIONS for ranks in (ONE_RANK, TWO_RANKS)),
    *(("sqrt", ranks) for ranks in (UNPACKED, UNEVEN)),
]


def test_any_cut_of_a_step_has_the_declared_loss_and_gradients(subject):
    expected = reference(subject)
    for name, ranks in CUTS:
        reduction = Reduction(name, ("a", "b"))
        packs = [packs_of(subject, groups) for groups in ranks]
        totals = sum(reduction.totals(mine) for mine in packs)
        found = sum(accumulate(subject.model, reduction, mine, totals) for mine in packs)
        assert_same(found, gradients(subject.model), expected[name], f"{name} {ranks}")


def assert_same(loss, found, expected, what):
    assert loss == pytest.approx(expected[0], rel=1e-5), what
    assert (found - expected[1]).abs().max() / expected[1].abs().max() < 1e-5, what


def test_two_processes_have_the_loss_and_gradients_of_one(tmp_path):
    pytest.importorskip("deepspeed", reason="ranks import it beforehand (extra: train)")
    with Ranks(tmp_path / "log.txt") as ranks:
        ranks.run(2, "reductions", tmp_path)
    for family in FAMILIES:
        expected = reference(load_subject(tmp_path / family, family))
        for name in REDUCTIONS:
            assert_same(*torch.load(tmp_path / f"{family} {name}.pt"), expected[name], f"{family} {name}")
