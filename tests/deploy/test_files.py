"""The files of `deploy/`, each read by the program that it is for."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from scimsvc.cli import main
from scimsvc.settings import load
from tests.support import nginx
from tests.support.server import ROOT

DEPLOY = ROOT / "deploy"
PROGRAMS = Path(sys.executable).parent
EXPOSURE = "20"
"""The most that `systemd-analyze security` may give, of 100."""


def tool(name: str) -> str:
    """Find a program; without it skip the test, or fail it if REQUIRE_DEPLOY_TOOLS is set, as .ci/run does."""
    found = shutil.which(name, path=f"{PROGRAMS}:{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        assert not os.environ.get("REQUIRE_DEPLOY_TOOLS"), f"{name} is not installed"
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path) -> str:
    """Run a program that must find nothing wrong. Return its output."""
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def test_dockerfile() -> None:
    assert run(tool("hadolint"), "--no-color", DEPLOY / "Dockerfile") == ""


def test_dockerfile_copies_all_that_a_build_needs() -> None:
    lines = [line.split()[1:-1] for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]
    copied = {name for names in lines for name in names}
    assert {"setup.py", "setup.cfg", "pyproject.toml", "config.yaml", "gunicorn.conf.py", "mappings", "scimsvc"} <= copied


def test_systemd_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "scimsvc.service").read_text()
    assert text.count("/opt/scimsvc/bin/scimsvc ") == 2
    # systemd-analyze wants programs that are there.
    unit = tmp_path / "scimsvc.service"
    unit.write_text(text.replace("/opt/scimsvc/bin/scimsvc ", f"{PROGRAMS / 'scimsvc'} "))
    assert run(tool("systemd-analyze"), "verify", unit) == ""
    run(tool("systemd-analyze"), "security", "--offline=true", f"--threshold={EXPOSURE}", unit)


@pytest.mark.parametrize("tls", [False, True])
def test_nginx_configuration(tmp_path: Path, tls: bool) -> None:
    tool("nginx")
    (port,) = nginx.free_ports(1)
    replaced = {"    listen 80;\n": f"    listen 127.0.0.1:{port};\n"}
    if tls:
        certificate, key = self_signed(tmp_path)
        replaced = {
            "    listen 80;\n": "",
            "# listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
            "# ssl_certificate     /etc/nginx/scimsvc.crt;": f"ssl_certificate {certificate};",
            "# ssl_certificate_key /etc/nginx/scimsvc.key;": f"ssl_certificate_key {key};",
            "# ssl_protocols ": "ssl_protocols ",
        }
    output = run(*nginx.command(tmp_path, replaced), "-t")
    assert "test is successful" in output
    assert "[warn]" not in output


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Make a certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "scim.example.com")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    paths = folder / "x.crt", folder / "x.key"
    paths[0].write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    kind, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, none))
    return paths


COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.mark.parametrize("name", ["init", "scimsvc"])
def test_compose_file(name: str, tmp_path: Path) -> None:
    service = COMPOSE["services"][name]
    assert (service["read_only"], service["tmpfs"], service["cap_drop"]) == (True, ["/tmp"], ["ALL"])
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert set(service["secrets"]) <= set(COMPOSE["secrets"])
    assert set(service["depends_on"]) <= set(COMPOSE["services"])
    assert {volume.partition(":")[0] for volume in service["volumes"]} <= set(COMPOSE["volumes"])
    # The secrets are files here, so that the command line and the settings are read as in the container.
    for secret in service["secrets"]:
        (tmp_path / secret).write_text("postgresql://scimsvc:x@database/scimsvc\n")

    def here(text: str) -> str:
        return text.replace("/run/secrets", str(tmp_path))

    settings = load({name: here(value) for name, value in service["environment"].items()})
    assert (settings.database.url, settings.server.trusted_proxies) == ("postgresql://scimsvc:x@database/scimsvc", 1)
    command, *arguments = map(here, service["command"])
    with main.commands[command].make_context(command, arguments) as context:
        assert isinstance(context, click.Context)
