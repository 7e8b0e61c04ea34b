"""The ids of resources."""

from __future__ import annotations

import os
import time


def new_id() -> str:
    """A UUID of version 7 (RFC 9562 §5.7): never used again, and in the order of creation, which keeps index pages few."""
    moment = time.time_ns() // 1_000_000
    chance = int.from_bytes(os.urandom(10))
    bits = moment << 80 | 7 << 76 | (chance >> 64 & 0xFFF) << 64 | 2 << 62 | chance & (2**62 - 1)
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
