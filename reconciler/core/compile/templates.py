"""Normalises each template once: documents are immutable, and thousands of tenants share one; it judges nothing."""

from collections.abc import Mapping

from reconciler.core import blueprint as language
from reconciler.core.template import Template
from reconciler.core.values import Json

KEPT_MAX = 256
"""Templates kept, the oldest leave first: as many as the store keeps parsed revisions."""
_kept: dict[tuple[int, str], tuple[Mapping[str, Json], Template]] = {}
"""By the identity of the document, which cannot be another's while it is kept alive here; never by a name."""


def template_of(document: Mapping[str, Json], environment: str) -> Template:
    """Answer `core.blueprint.normalise` of a document, from memory if this very object was read before.

    Raises Invalid as that does. Nobody may change a document or a template in place.
    """
    key = (id(document), environment)
    kept = _kept.get(key)
    if kept is not None:
        return kept[1]
    template = language.normalise(document, environment=environment)
    if len(_kept) >= KEPT_MAX:
        _kept.pop(next(iter(_kept)), None)
    _kept[key] = (document, template)
    return template
