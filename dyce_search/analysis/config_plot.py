"""`plot_config`: a picture of what one configuration does."""

from typing import TYPE_CHECKING

from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.evaluate import evaluate
from dyce_search.evaluation.outcomes import outcomes, paid_there
from dyce_search.records.records import ExitRecords

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_config(records: ExitRecords, config: ExitConfig, ax: "Axes | None" = None) -> "Axes":
    """Draws who leaves where: the share of the samples at each enabled exit, its threshold, and what leaving costs.

    Never shows the picture and never changes global settings.

    Args:
        records: to measure on.
        config: whose positions and candidates fit the records.
        ax: Matplotlib axes to draw on; new ones when None.

    Returns:
        The axes.

    Raises:
        ConfigError: the configuration belongs to another network.

    Example:
        >>> import dyce_search as ds
        >>> config = ds.ExitConfig(candidate=[2] + [-1] * 14, threshold=[0.9] + [0.0] * 14)
        >>> ds.plot_config(ds.load_example(), config).get_ylabel()
        'samples that leave (%)'
    """
    from dyce_search.drawing import axes, configs

    result = evaluate(records, config)
    costs = records.costs
    exits = config.exits(records.layout)
    ax = axes.given_or_new(ax)
    configs.draw_config(
        ax,
        names=[costs.types[e] if e >= 0 else None for e in exits],
        threshold=config.threshold,
        exit_share=result.exit_share,
        relative_cost=paid_there(records, exits, outcomes(records, exits, config.threshold).position) / costs.baseline,
    )
    return ax
