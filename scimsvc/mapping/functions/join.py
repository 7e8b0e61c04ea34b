"""Join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scimsvc.mapping.functions.model import Function, Lazy, Parameter
from scimsvc.mapping.functions.values import as_text, as_texts


def _build(arguments: Sequence[Lazy | None]) -> Lazy:
    separator, *sources = [argument for argument in arguments if argument is not None]

    def join(attributes: Mapping[str, Any]) -> str:
        texts = [text for source in sources for text in as_texts(source(attributes)) if text]
        return (as_text(separator(attributes)) or "").join(texts)

    return join


JOIN = Function(
    "Join",
    "Puts texts together with a separator between them. Sources that are null or empty are skipped, separator "
    "included; a multi-valued source contributes each of its values.",
    (Parameter("separator"),),
    _build,
    repeating=(Parameter("source"),),
)
