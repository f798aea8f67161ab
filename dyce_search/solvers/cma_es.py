"""Covariance matrix adaptation on choices and shares, by `cmaes`. Imports search_space, trade_off, run and below."""

from collections.abc import Sequence

import numpy as np

from dyce_search.errors import SolverError
from dyce_search.solvers.run import Run
from dyce_search.solvers.search_space import SearchSpace, planned
from dyce_search.solvers.trade_off import TradeOff, check_lambdas

DEFAULT_EVALUATIONS = 2000
LAMBDAS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
SMALLEST = 4
SIGMA = 0.2  # of the first normal distribution, on [0, 1]


def cma_es(run: Run, *, lambdas: Sequence[float] = LAMBDAS, population: int = 20) -> None:
    """Minimises J (see `TradeOff`) for one lambda after the other, by CMA-ES with margin for the choices.

    Vectors hold a choice and a share of the samples per position (`SearchSpace`). Choices are whole numbers, whose
    margin keeps every neighbouring value possible. The method ranks by single numbers, so it is scalarised: the budget
    is divided evenly among the lambdas. Each search draws one generation at random, few exits on, then starts from the
    lowest J of all so far.
    A search that has settled before its share is spent starts again.

    Args:
        run: the search; 2,000 evaluations where no budget is given.
        lambdas: weights of accuracy in J, in [0, 1].
        population: vectors in a generation, 4 or more; they are measured as one batch.

    Raises:
        SolverError: a lambda outside [0, 1], or a population below 4.

    Reference: Hamano 2022, "CMA-ES with Margin", arXiv 2205.13482; the package `cmaes`.
    """
    from cmaes import CMAwM

    weights = check_lambdas(lambdas)
    if not isinstance(population, (int, np.integer)) or population < SMALLEST:
        raise SolverError(f"population must be a whole number >= {SMALLEST}, got {population!r}")
    space, trade_off = SearchSpace(run.records), TradeOff.of(run.records)
    options = space.n_candidates
    scale = np.append(options + 1.0, np.ones(len(options)))  # a choice as a whole number: 0 for none
    bounds = np.stack([np.zeros(space.dimension), np.append(options, np.ones(len(options)))], axis=1)
    steps = np.append(np.ones(len(options)), np.zeros(len(options)))
    start, end = run.evaluations, run.evaluations + planned(run, DEFAULT_EVALUATIONS)
    for turn, weight in enumerate(weights, start=1):
        until = start + (end - start) * turn // len(weights)
        optimiser = None
        while run.evaluations < until:
            if optimiser is None or optimiser.should_stop():
                drawn = min(int(population), until - run.evaluations)
                run.evaluate(*space.from_vectors(space.draw(drawn, run.rng)))
                cost, accuracy = run.figures()
                best = int(np.argmin(trade_off(weight, accuracy, cost)))
                exits, threshold = run.found()
                mean = space.to_vectors(exits[[best]], threshold[[best]])[0] * scale
                mean[: len(options)] = np.floor(mean[: len(options)])
                optimiser = CMAwM(
                    mean=mean.clip(bounds[:, 0] + 1e-3, bounds[:, 1] - 1e-3),
                    sigma=SIGMA,
                    bounds=bounds,
                    steps=steps,
                    cov=np.diag(scale**2),
                    seed=int(run.rng.integers(2**31)),
                    population_size=int(population),
                )
            asked = [optimiser.ask() for _ in range(optimiser.population_size)]
            vectors = np.array([seen for seen, _ in asked])
            vectors[:, : len(options)] += 0.5
            exits, threshold = space.from_vectors(vectors / scale)
            left = until - run.evaluations
            if not left:
                break
            measured = run.evaluate(exits[:left], threshold[:left])
            if len(measured) == len(asked):
                value = trade_off(weight, measured.accuracy, measured.cost)
                optimiser.tell([(told, float(j)) for (_, told), j in zip(asked, value, strict=True)])
