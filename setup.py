"""The part of the build that setup.cfg can't say: the package gets a copy of the files that lie beside it in a checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
FILES = ("config.yaml", "gunicorn.conf.py", "mappings/*.yaml", "mappings/*.json")
TARGET = Path("scimsvc", "packaged")
"""The folder in the package where `scimsvc/packaged_files.py` looks for them."""


class BuildWithFiles(build_py):
    """Copy the files into the package. An editable install gets no copy: its package still lies beside them."""

    def run(self) -> None:
        """Build the package, then copy the files. What an earlier build left in the folder is removed."""
        super().run()
        if self.editable_mode:
            return
        shutil.rmtree(Path(self.build_lib, TARGET), ignore_errors=True)
        for target, source in self._copies().items():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target, preserve_mode=False)

    def get_output_mapping(self) -> dict[str, str]:
        """Return which file of the build comes from which file here."""
        mapping: dict[str, str] = super().get_output_mapping()
        return mapping if self.editable_mode else mapping | self._copies()

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return the files of the build."""
        outputs: list[str] = super().get_outputs(include_bytecode)
        return outputs if self.editable_mode else [*outputs, *self._copies()]

    def get_source_files(self) -> list[str]:
        """Return the files that a source distribution needs."""
        return [*super().get_source_files(), *self._copies().values()]

    def _copies(self) -> dict[str, str]:
        sources = sorted(path.relative_to(ROOT) for pattern in FILES for path in ROOT.glob(pattern))
        return {str(Path(self.build_lib or "", TARGET, source)): str(source) for source in sources}


setup(cmdclass={"build_py": BuildWithFiles})
