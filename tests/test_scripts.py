"""What a newcomer runs first: the example in scripts/, and the code in README.md, CONTRIBUTING.md and docstrings."""

import ast
import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from portanet import Backend
from portanet.cli import commands

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run_python(*arguments: str, folder: Path) -> str:
    own = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}  # those are for small programs
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments], cwd=folder, env=own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def documents() -> dict[str, str]:
    """README.md, CONTRIBUTING.md and every docstring of a module that has a block of code, by path."""
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in ("README.md", ".github/CONTRIBUTING.md")}
    for path in sorted((ROOT / "portanet").rglob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if "```" in text:
            texts[path.relative_to(ROOT).as_posix()] = text
    return texts


DOCUMENTS = documents()


def blocks(text: str, *languages: str) -> str:
    return "\n".join(code for language, code in BLOCK.findall(text) if language in languages)


def commands_of(text: str) -> list[str]:
    lines = blocks(text, "console", "bash", "sh").replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if re.match(r"(\$ )?(\S*/)?portanet ", line)]


@pytest.mark.slow
def test_article_learns_the_digits(backend: Backend, tmp_path: Path) -> None:
    script = str(ROOT / "scripts/article.py")
    printed = run_python(script, "--backend", backend.name, "--iterations", "101", folder=tmp_path)
    accuracies = [float(value) for value in re.findall(r"accuracy (\S+)", printed)]
    assert len(accuracies) == 11
    assert accuracies[-1] >= 0.77  # 0.774 here; 0.868 after 350


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, text in DOCUMENTS.items() if blocks(text, "python")])
def test_python_runs_from_top_to_bottom(name: str, pytestconfig: pytest.Config, tmp_path: Path) -> None:
    if pytestconfig.getoption("--backend") not in (None, "numpy"):
        pytest.skip("this code trains on NumPy: it runs with --backend numpy")
    (tmp_path / "program.py").write_text(blocks(DOCUMENTS[name], "python"), encoding="utf-8")
    printed = run_python("program.py", folder=tmp_path)
    [shown] = re.findall(r"```python\n[^`]*```\n\n```\n(.*?)```", DOCUMENTS[name], re.DOTALL) or [printed]
    assert printed.rstrip() == shown.rstrip()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_name_files_that_are_there(name: str) -> None:
    links = [path for path in re.findall(r"\]\(([^)#]+)\)", DOCUMENTS[name]) if "://" not in path]
    named = re.findall(r"(?<![\w/])(?:tests|scripts|portanet)/(?!nn/my_layer)[\w/.]+\.py", DOCUMENTS[name])
    assert [path for path in links if not ((ROOT / name).parent / path).exists()] == []
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_readme_is_one_screen() -> None:
    text = DOCUMENTS["README.md"]
    assert len(text.splitlines()) <= 130
    assert [path for path in re.findall(r'src="([^"]+)"', text) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("line", sorted({line for text in DOCUMENTS.values() for line in commands_of(text)}))
def test_command_is_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").touch()  # which is read with the options
    _, *arguments = shlex.split(re.split(r"[|<>;&]", line)[0], comments=True)
    command: click.Command | None = commands
    name = "portanet"
    above = click.Context(commands, **commands.context_settings)  # click keeps the first names of --help for good
    while isinstance(command, click.Group) and not arguments[0].startswith("-"):
        name, *arguments = arguments
        command = command.get_command(above, name)
    assert command is not None, f"there is no command {name}"
    with contextlib.suppress(click.exceptions.Exit):  # --help and --version
        command.make_context(name, arguments, parent=above)
