"""`scimsvc serve`: gunicorn with the configuration that comes with scimsvc."""

from __future__ import annotations

from typing import Any

import click
from gunicorn import util
from gunicorn.app.base import Application

from scimsvc.packaged_files import GUNICORN
from scimsvc.settings import SettingsError, load

_APPLICATION = "scimsvc.web.wsgi:app"


@click.command()
def serve() -> None:
    """Start the server: gunicorn, with the packaged configuration, in this process.

    The section `server` of config.yaml says how it runs, and HOST and PORT where it listens unless server.bind is set. Further
    options of gunicorn come from the variable GUNICORN_CMD_ARGS.
    """
    try:
        configured = load()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    directory = configured.mappings.directory
    if not directory.is_dir():
        raise click.ClickException(f"there is no folder {directory.absolute()} ({configured.origin}); scimsvc init makes it")
    _Server().run()


class _Server(Application):
    """gunicorn in the process of `scimsvc serve`.

    gunicorn's own command would read the command line, which is scimsvc's. The process stays the same, so that gunicorn starts
    `scimsvc serve` again at SIGUSR2.
    """

    def load_config(self) -> None:
        """Read the packaged configuration, then GUNICORN_CMD_ARGS. gunicorn calls this at the start and at SIGHUP."""
        self.load_config_from_file(str(GUNICORN))
        given = self.cfg.parser().parse_args(self.cfg.get_cmd_args_from_env())
        for name, value in vars(given).items():
            if value is not None and name != "args":
                self.cfg.set(name.lower(), value)
        self.chdir()

    def load(self) -> Any:
        """Return the WSGI application; each worker imports it for itself."""
        return util.import_app(_APPLICATION)
