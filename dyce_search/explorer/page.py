"""Writes the page of a front: one HTML file that holds everything and loads nothing."""

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from dyce_search.certify.certificate import CertifiedPoint
from dyce_search.errors import FrontError
from dyce_search.evaluation.drawn import Drawable
from dyce_search.evaluation.same_costs import warn_if_other_costs
from dyce_search.explorer.content import Models, explorer_content
from dyce_search.explorer.view import page_head, view_of
from dyce_search.files import PathLike, require_path, write_atomically
from dyce_search.fingerprints import warn_if_seen
from dyce_search.records.records import ExitRecords
from dyce_search.version import __version__

if TYPE_CHECKING:
    from dyce_search.front.front import ParetoFront

TITLE, TITLE_OF_ORDERS = "Early-exit configurations: explorer", "Models to ask, and in which order: explorer"


def write_explorer(
    front: "ParetoFront",
    path: PathLike,
    *,
    held_out: ExitRecords | None,
    certificate: CertifiedPoint | None,
    others: Mapping[str, Drawable] | None,
    title: str | None,
    max_accuracy_drop: float,
    drop_limit: float,
    models: Models | None = None,
) -> None:
    """Does the work of `ParetoFront.explore`, see there; of `OrderedFront.explore` with `models`."""
    require_path(path)
    if title is not None and not isinstance(title, str):
        raise FrontError(f"title must be a str, got {type(title).__name__}")
    if title is None:
        title = TITLE if models is None else TITLE_OF_ORDERS
    content = explorer_content(
        front,
        held_out=held_out,
        certificate=certificate,
        others=others,
        max_accuracy_drop=max_accuracy_drop,
        drop_limit=drop_limit,
        models=models,
    )
    if held_out is not None:
        warn_if_other_costs(front.costs, held_out, "the front", "held-out records", stacklevel=4)
        warn_if_seen(front.records_digest, front.fingerprint, held_out, "held-out records", stacklevel=3)
    view = view_of(content)
    text = (
        f'{page_head(title, [view.style], [view.script])}<body class="explorer-page">\n<h1>{escape(title)}</h1>\n'
        f"{view.body}\n<footer>Written by dyce_search {escape(__version__)}. This page loads nothing and sends nothing."
        f"</footer>\n<script>{view.script}</script>\n</body>\n</html>\n"
    )
    write_atomically(path, lambda stream: stream.write(text.encode("utf-8", "replace")))
