"""Pages with search from the docstrings, by pdoc: `nox -s docs` writes them into the folder docs.

A docstring lists parameters as `name   text`, in aligned lines, and indents formulas. pdoc reads Markdown: such lines
become the items of a list here; indented formulas are blocks of code in Markdown already.
"""

import re
import sys
import warnings
from pathlib import Path

import pdoc
import pdoc.render

import portanet
import portanet.backends
import portanet.estimators

ROOT = Path(__file__).parent.parent
PAGES = [
    "backends", "checks", "cli", "data", "estimators", "export", "mpi", "report", "storage", "tracing", "training",
]  # fmt: skip
PARAMETER = re.compile(r"^(?P<name>[\w*][\w*, /]*?) {2,}(?P<text>\S.*)$")


def as_markdown(docstring: str) -> str:
    """The docstring with its aligned lines of parameters as a list."""
    lines: list[str] = []
    in_list = in_code = False
    for line in docstring.splitlines():
        in_code ^= line.startswith("```")
        found = None if in_code else PARAMETER.match(line)
        if found:
            if not in_list and lines and lines[-1]:
                lines.append("")
            lines.append(f"- **`{found['name']}`** {found['text']}")
            in_list = True
        elif in_list and line.startswith("   "):
            lines.append(f"  {line.strip()}")
        else:
            if in_list and line:
                lines.append("")
            in_list = False
            lines.append(line)
    return "\n".join(lines)


def main(target: Path) -> None:
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", r"Error parsing type annotation .*Statement\.__init__")  # a NamedTuple's
    pdoc.render.configure(docformat="markdown", template_directory=ROOT / "scripts" / "docs_template")
    pdoc.render.env.filters["as_markdown"] = as_markdown
    for package in (portanet, portanet.backends, portanet.estimators):
        vars(package).update({name: getattr(package, name) for name in package.__all__})  # pdoc looks for no lazy names
    inner = rf"!portanet\.({'|'.join(PAGES)})\.(?!presets$).+"  # their other files are for readers of the code
    pdoc.pdoc("portanet", *(f"portanet.{name}" for name in PAGES), inner, output_directory=target)
    print(target / "index.html")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs")
