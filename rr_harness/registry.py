"""The one door for generators, languages, selectors and rerankers: entry points.

Our own parts are declared in ``pyproject.toml`` in the groups a third party uses: a package with
``[project.entry-points."rr_harness.rerankers"]``, say, is found by name once it is installed.
"""

from __future__ import annotations

import functools
import logging
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from rr_harness.errors import BadInput, unknown_name

logger = logging.getLogger(__name__)

GROUPS = ("generators", "languages", "selectors", "rerankers")


@functools.cache
def names(kind: str) -> dict[str, EntryPoint]:
    """Return the entry points of a kind (one of ``GROUPS``) by name; nothing is imported."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=f"rr_harness.{kind}"):
        known = found.setdefault(entry.name, entry)
        if known.value != entry.value:
            # The order of installed packages is no promise, so ours wins a clash by rule.
            found[entry.name] = min(known, entry, key=_is_foreign)
            logger.warning(
                "two packages offer the name %r of rr_harness.%s: using %s",
                entry.name,
                kind,
                found[entry.name].value,
            )
    return found


def _is_foreign(entry: EntryPoint) -> bool:
    return not entry.value.startswith("rr_harness.")


def load(kind: str, name: str) -> Any:
    """Import and return what is registered under a name.

    Raises:
        BadInput: unknown name (with the nearest known one), or the plugin does not import.
    """
    known = names(kind)
    if name not in known:
        raise unknown_name(kind.removesuffix("s"), name, known)
    try:
        return known[name].load()
    except (ImportError, AttributeError) as error:
        distribution = known[name].dist
        package = distribution.name if distribution else "an unknown package"
        raise BadInput(
            f"{kind.removesuffix('s')} {name!r} of {package} does not load: {error}; "
            "update or uninstall that package"
        ) from error
