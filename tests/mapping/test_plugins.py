"""Functions of operators: found where they are installed or named, and refused with a reason where they are wrong."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from scimsvc.mapping.expression import ExpressionError, compile_expression
from scimsvc.mapping.functions import PluginError, installed, load_registry
from tests.cli.conftest import Run
from tests.mapping.test_inverse import inverse as rows_undone
from tests.support.server import ROOT

EXAMPLE = ROOT / "examples" / "acme-functions"
HEAD = "from scimsvc.mapping.functions import Function, FunctionError, Parameter, each, plain\n"


@pytest.fixture
def module(tmp_path: Path, request: pytest.FixtureRequest):
    """Writes a module of a name that no other test uses, and answers that name."""

    def write(text: str) -> str:
        name = f"plugin_{abs(hash((request.node.name, text)))}"
        (tmp_path / f"{name}.py").write_text(text)
        request.addfinalizer(lambda: sys.modules.pop(name, None))
        return name

    return write


def test_all_functions_of_scimsvc_itself_are_plugins_too() -> None:
    assert {"Join", "Switch", "IIF", "FormatDateTime", "AssertiveAppRoleAssignmentsComplex"} <= set(installed().names())
    assert len(installed().names()) == 49


def test_plain_module_beside_the_settings_is_found(tmp_path: Path, module) -> None:
    name = module(HEAD + 'FUNCTIONS = [Function("Twice", "Twice.", (Parameter("source"),), plain(lambda x: x * 2, 1))]\n')
    before = list(sys.path)
    assert "Twice" in load_registry([name], tmp_path).names()
    assert sys.path == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1 / 0", "ZeroDivisionError: division by zero"),
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("raise SystemError('two\\nlines')", "SystemError: two lines"),
        ("", "TypeError: a plugin must be a Function, several, or a module with FUNCTIONS"),
        ("FUNCTIONS = 'Join'", "TypeError: a plugin must be"),
        ("FUNCTIONS = []", "it has no functions"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        (HEAD + "FUNCTIONS = [Function(5, 'x', (), plain(int, 0))]", "5 is not a name"),
        (HEAD + "FUNCTIONS = [Function('F', 5, (), plain(int, 0))]", "the function F has no help"),
        (HEAD + "FUNCTIONS = [Function('F', 'x', 'xy', plain(int, 0))]", "the parameters of the function F must be a tuple"),
        (
            HEAD + "FUNCTIONS = [Function('F', 'x', (Parameter('keep', 'number'),), plain(int, 1))]",
            "the parameter keep of the function F has the unknown type 'number'; known are string, integer, boolean",
        ),
        (
            HEAD + "FUNCTIONS = [Function('F', 'x', (), plain(int, 0), result=5)]",
            "the result of the function F has the unknown type 5",
        ),
        (HEAD + "FUNCTIONS = [Function('F', 'x', (), 5)]", "the build of the function F can't be called"),
        (HEAD + "FUNCTIONS = [Function('F', 'x', (), plain(int, 0), check=5)]", "the check of the function F can't be called"),
        (HEAD + "FUNCTIONS = [Function('F', 'x', (), plain(int, 0), at_least='a')]", "at_least of the function F must be"),
        ("FUNCTIONS = [5]", "5 is not a Function"),
        (HEAD + "FUNCTIONS = [Function('a b', 'x', (), plain(int, 0))]", "'a b' is not a name that an expression could call"),
        (HEAD + "FUNCTIONS = [Function('Helpless', '', (), plain(int, 0))]", "the function Helpless has no help"),
        (
            HEAD + "FUNCTIONS = [Function('Join', 'x', (), plain(int, 0))]",
            "there is a function Join already, from text of scimsvc (scimsvc.mapping.functions.text)",
        ),
    ],
)
def test_plugin_that_is_wrong_is_named_with_the_reason(tmp_path: Path, module, text: str, message: str) -> None:
    name = module(text)
    with pytest.raises(PluginError) as caught:
        load_registry([name], tmp_path)
    assert str(caught.value).startswith(f"plugin {name} (setting plugins): ")
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        ("plain(lambda value: value.nothing, 1)", "F failed: AttributeError"),
        ("plain(lambda value: object(), 1)", "F gave a object, which an attribute can't have"),
        ("plain(lambda value: [object()], 1)", "F gave a object, which an attribute can't have"),
        ("plain(lambda value: {1: 'x'}, 1)", "F gave a key of the type int"),
        ("plain(lambda value: float('nan'), 1)", "F gave nan"),
        ("plain(lambda value: 2**63, 1)", "F gave an integer of more than 64 bits"),
        ("plain(lambda value: '\\ud800', 1)", "F gave a text with half of a character"),
        ("plain(lambda value: {'\\ud800': 1}, 1)", "F gave a text with half of a character"),
        ("plain(lambda value: (lambda own: own.append(own) or own)([]), 1)", "F gave a value that is nested more than 64 deep"),
        ("lambda arguments: 1 / 0", "F failed: ZeroDivisionError"),
        ("lambda arguments: 5", "F failed: TypeError"),
        ("plain(str, 1), check=lambda constants: 1 / 0", "F failed: ZeroDivisionError"),
        ("plain(str, 1), check=each({1: int, 0: float})", "F failed: ValueError"),
        ("plain(str, 1), check=lambda constants: (_ for _ in ()).throw(FunctionError('no', 7))", "no"),
    ],
)
def test_function_that_fails_is_a_mistake_of_the_expression(tmp_path: Path, module, build: str, message: str) -> None:
    registry = load_registry([module(HEAD + f"FUNCTIONS = Function('F', 'x', (Parameter('source'),), {build})")], tmp_path)
    with pytest.raises(ExpressionError, match=message) as caught:
        compile_expression('ToLower(F("a"))', registry).evaluate({})
    assert caught.value.column == 9


@pytest.mark.parametrize("inverse", ["lambda value: value.nothing", "lambda: 1", "lambda value: object()", "lambda value: 2**64"])
def test_inverse_that_fails_tells_nothing(tmp_path: Path, module, inverse: str) -> None:
    function = f"Function('F', 'x', (Parameter('source'),), plain(lambda value: value, 1), inverse={inverse})"
    registry = load_registry([module(f"{HEAD}FUNCTIONS = {function}")], tmp_path)
    row = "expression: 'F([x])'\n      target: title"
    assert rows_undone(row, registry=registry).source({"title": "abc"}) == {}


def test_inverse_to_what_its_function_skips_tells_nothing(tmp_path: Path, module) -> None:
    imported = "from scimsvc.mapping.functions.values import Ignored"
    skipping = "plain(lambda value: Ignored.OBJECT if str(value).startswith('z') else value, 1)"
    function = f"Function('F', 'x', (Parameter('source'),), {skipping}, inverse=lambda value: 'z' + value)"
    registry = load_registry([module(f"{HEAD}{imported}\nFUNCTIONS = {function}")], tmp_path)
    row = "expression: 'F([x])'\n      target: title"
    assert rows_undone(row, registry=registry).source({"title": "abc"}) == {}


def test_every_problem_of_every_plugin_is_told_at_once(tmp_path: Path, module) -> None:
    with pytest.raises(PluginError) as caught:
        load_registry([module("x = 1 / 0"), "absent_plugin", module("FUNCTIONS = [1, 2]")], tmp_path)
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize("command", [("expression", "functions"), ("mappings", "check"), ("init",)])
def test_command_says_which_plugin_is_missing(run: Run, command: tuple[str, ...]) -> None:
    result = run(*command, SCIMSVC_PLUGINS="absent_plugin")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: plugin absent_plugin (setting plugins): ModuleNotFoundError: No module named 'absent_plugin'\n"
    )


def test_example_is_found_beside_the_settings(run: Run, folder: Path) -> None:
    shutil.copy(EXAMPLE / "acme_functions.py", folder)
    with (folder / "config.yaml").open("a") as file:
        file.write("\nplugins: [acme_functions]\n")
    try:
        assert run("expression", "eval", 'Initials("George Bernard Shaw")').stdout == '"GBS"\n'
    finally:
        sys.modules.pop("acme_functions", None)


def test_example_is_a_package_that_installs_and_passes_its_own_test(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    shutil.copytree(EXAMPLE, source)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", target, source]
    subprocess.run(pip, check=True, capture_output=True)
    environment = os.environ | {"PYTHONPATH": str(target), "SCIMSVC_CONFIG": str(ROOT / "config.yaml")}
    command = [Path(sys.executable).with_name("scimsvc"), "expression"]
    shown = subprocess.run([*command, "functions"], env=environment, capture_output=True, text=True, check=True).stdout
    assert "Initials(source, [length])\n    The first letter of each word" in shown
    value = subprocess.run([*command, "eval", 'Initials("A B")'], env=environment, capture_output=True, text=True, check=True)
    assert value.stdout == '"AB"\n'
    own = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", source]
    subprocess.run(own, cwd=source, env=environment, check=True, capture_output=True)


MASK = (
    HEAD
    + """
def mask(value):
    return value.nothing_of_that_name
FUNCTIONS = [Function("Mask", "Mask.", (Parameter("source"),), plain(mask, 1))]
"""
)


def test_functions_of_plugins_belong_in_the_record_and_not_in_rows(run: Run, folder: Path, module) -> None:
    (folder / "acme_mask.py").write_text(MASK)
    path = folder / "mappings" / "entra.yaml"
    shipped = path.read_text()
    with_plugin = {"SCIMSVC_PLUGINS": "acme_mask"}
    path.write_text(shipped.replace("login: ToLower(", "login: Mask("))
    checked = run("mappings", "check", **with_plugin)
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert run("mappings", "export", "--profile", "entra", **with_plugin).exit_code == 0
    path.write_text(
        shipped.replace(
            "{source: givenName, target: name.givenName}", "{expression: 'Mask([givenName])', target: name.givenName}"
        )
    )
    path.write_text(
        path.read_text().replace("  examples:", "  examples: []\n  # examples:").partition("    - source: {objectId")[0]
        + shipped[shipped.index("\nrecord:") :]
    )
    checked = run("mappings", "check", **with_plugin)
    assert checked.exit_code == 0
    assert (
        "warning: Entra has no function Mask, so it can't work this row out; a plugin's functions belong in record:"
        in checked.stderr
    )
    exported = run("mappings", "export", "--profile", "entra", **with_plugin)
    assert (exported.exit_code, exported.stdout) == (1, "")
    assert "users: name.givenName is worked out by Mask, which Entra does not have" in exported.stderr
    path.write_text(f"directory: other\n{path.read_text()}")
    assert run("mappings", "check", **with_plugin).stderr == ""


def test_traceback_of_a_function_that_fails_is_shown_with_debug(run: Run, folder: Path) -> None:
    (folder / "acme_mask.py").write_text(MASK)
    command = ("expression", "eval", 'Mask("a")')
    plain = run(*command, SCIMSVC_PLUGINS="acme_mask")
    assert (plain.exit_code, "Traceback" in plain.stderr) == (2, False)
    shown = run("--debug", *command, SCIMSVC_PLUGINS="acme_mask")
    assert shown.exit_code == 2
    assert 'acme_mask.py", line 4, in mask' in shown.stderr
    assert "has no attribute 'nothing_of_that_name'" in shown.stderr
    assert "Traceback" not in run(*command, SCIMSVC_PLUGINS="acme_mask").stderr


def test_log_at_debug_says_where_a_function_failed_and_no_value(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from structlog.testing import capture_logs

    from scimsvc.mapping.functions import plugins
    from scimsvc.web.app import _log_failure

    (folder / "acme_secret.py").write_text(MASK.replace("value.nothing_of_that_name", "int(value)"))
    mask = compile_expression("Mask([mail])", load_registry(["acme_secret"], folder))
    plugins.failure_reports.append(_log_failure)
    # An application that another test made may log from a higher level on.
    configured = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    try:
        with capture_logs() as lines, pytest.raises(ExpressionError, match="Mask failed: ValueError"):
            mask.evaluate({"mail": "jane@example.com"})
    finally:
        plugins.failure_reports.remove(_log_failure)
        structlog.configure(**configured)
    # The expression is worked out a second time to find the column of the call.
    line = lines[0]
    assert (line["log_level"], line["function"], line["error"]) == ("debug", "Mask", "ValueError")
    assert "in mask" in line["traceback"]
    assert "jane" not in str(lines)
