"""The files that come with scimsvc and are no Python modules of it: configuration, mapping profiles, gunicorn's settings.

In a checkout, and so in an editable install, they lie beside the package. `setup.py` copies them into a wheel.
"""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).parent / "packaged"
FOLDER = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[1]
CONFIGURATION = FOLDER / "config.yaml"
GUNICORN = FOLDER / "gunicorn.conf.py"
MAPPINGS = FOLDER / "mappings"
