"""`policies:` of a profile, with a finding for each mistake."""

from __future__ import annotations

import yaml

from scimsvc.mapping.profile.policies import CHOICES, DAYS, DEFAULT, MAX_DAYS, Policies
from scimsvc.mapping.reading.yaml_text import Source, did_you_mean


def read_policies(source: Source, node: yaml.Node | None) -> Policies:
    """Return the policies of a profile; those that the block does not name are as in DEFAULT. Note mistakes."""
    if node is None or node.tag.endswith(":null"):
        return DEFAULT
    found: dict[str, str | int] = {}
    for key, value in source.mapping(node, "policies", (*CHOICES, DAYS)).items():
        if key == DAYS:
            days = source.typed(value, int, key)
            if days is not None and not 0 <= days <= MAX_DAYS:
                source.complain(value, f"{key} must be from 0 to {MAX_DAYS} days")
            found["delete_after"] = days or 0
            continue
        name, choices = CHOICES[key]
        text = source.text_of(value, key)
        if text is not None and text not in choices:
            source.complain(value, f"{key} must be {' or '.join(choices)}{did_you_mean(text, choices)}")
        found[name] = text or choices[0]
    return Policies(**found)  # type: ignore[arg-type]  # each is one of its choices, or there is a finding
