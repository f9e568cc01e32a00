"""The command line. Only this package prints; each command is imported when it is used.

```console
portanet train                                    # the preset mlp on MNIST: trains on 55,000 digits, 5,000 held out
portanet train --preset classic                   # the article's network, full batch, 350 iterations
portanet train --preset cnn                       # a convolutional network, with shifted and rotated images
portanet train houses.csv --label price           # a table, with the preset table: layers and settings of RealMLP
portanet train houses.csv --label price --label area  # several targets: numbers, or yes/no labels (multi-label)
portanet train houses.csv --label price --folds 5  # cross-validation: mean and spread of the scores over five folds
portanet data describe houses.csv --label price   # the kind of each column, and the columns left out
portanet train --backend cupy                     # on a GPU; also torch, jax, strict, numpy
portanet train houses.csv --label price --resume  # resume an interrupted run: repeat its command with --resume
portanet train new.csv --from runs/mlp-1          # start from a trained model; --freeze 0,1,2 freezes layers
portanet evaluate runs/mlp-1 mnist:test --details # accuracy and loss, precision and recall of each class
portanet predict runs/mlp-1 test.csv --out submission.csv  # one prediction a line, after the row's id
portanet export runs/mlp-1 --to html              # a page to draw digits or enter values, and to watch the network
portanet export runs/mlp-1 --to onnx              # for onnxruntime; --to python: one file that needs only NumPy
portanet report runs/mlp-1                        # write its report again
portanet summary runs/mlp-1                       # layers, shapes, numbers of parameters
portanet bench                                    # the training speed of this machine's backends
portanet doctor                                   # what is installed and what works here
```

Training writes a run folder, `runs/NAME-N`: `model.safetensors` (the model), `checkpoint.safetensors` (the state to
resume from), `history.jsonl` (the curves as data), `run.json` (settings, versions and the command that repeats it) and
`report.html`, one file that opens offline: the score beside its baseline, curves, confusion matrix, calibration, the
worst mistakes, the importance of a table's columns. `portanet report A B C` shows runs side by side. `--json` prints
one JSON object with the result; `portanet COMMAND --help` shows every option.

With `--folds 5` the folder, `runs/NAME-folds-N`, contains one run folder for each fold, `fold-1` to `fold-5`, trained
on all other rows and tested on its own, and `folds.json` with the mean and the standard deviation of the scores, as
`portanet.cross_validate` computes them. Folds are stratified by class and the same for every seed. The kinds and
categories of columns are decided on all rows; `--valid` holds out a fraction of each fold's training rows. `--resume`
trains the folds that are not finished.

`--class-weight balanced` makes rare classes count as much as common ones. `--patience 5` stops when the validation
loss (or the metric of `--metric`) has not improved for five epochs, and keeps the best weights. `--accumulate 4`
computes each batch in four parts.
`--hidden 64,32 --activation tanh --dropout 0.1` gives `mlp`, `classic` and `table` other hidden layers.
Everything else goes in a configuration file:

```console
portanet train --preset mlp --print-config > mine.toml    # every setting and layer
portanet train --config mine.toml --epochs 30             # options override the file, the file the preset
```

`portanet data kaggle DIR` writes MNIST as the two files of Kaggle's Digit Recognizer, and `predict` writes submissions
for it.

The exit code is 0 on success, 1 on an error (one line on stderr says what, where and what to do), 2 on a wrong option,
and 130 or 143 after Ctrl-C or SIGTERM, with the run saved.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from typing import TextIO

import click

import portanet
from portanet._text import plain
from portanet.cli.remedies import with_flags
from portanet.cli.terminal import echo
from portanet.errors import PortanetError
from portanet.mpi import launcher

# The one-line descriptions are here so that `portanet --help` imports neither a command nor NumPy.
_COMMANDS = {
    "train": "Train a network on images or a table.",
    "evaluate": "Measure a model's accuracy and loss on labelled data.",
    "predict": "Write a model's predictions to a CSV file.",
    "summary": "Show a model's layers, shapes and numbers of parameters.",
    "report": "Write a run's report again, as one HTML file.",
    "export": "Write a model as a web page, as ONNX or as Python.",
    "rerun": "Repeat a run and say whether it gives the same result.",
    "data": "Describe a table's columns; write MNIST in other formats.",
    "compare": "Compare training steps on several backends with NumPy in float64.",
    "bench": "Time training steps on this machine's backends.",
    "gradcheck": "Check every gradient against finite differences.",
    "doctor": "Show versions and which backends work here.",
}


class _Group(click.Group):
    """A group that imports a command from the module of its name."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            context.fail(f"Unknown command {name!r}; commands are {', '.join(_COMMANDS)}.")
        command: click.Command = importlib.import_module(f"portanet.cli.{name}").command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(portanet.__version__, prog_name="portanet", message="%(prog)s %(version)s")
def commands() -> None:
    """Neural networks whose maths is written once and runs on NumPy, CuPy, PyTorch and JAX arrays.

    Start with `portanet train`: it trains on the embedded MNIST digits. `portanet COMMAND --help` says more.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 on success, 1 on an error, 2 on wrong usage, 130 if interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    _open_closed_streams()
    _escape_unknown_characters()
    try:
        code = commands.main(arguments, prog_name="portanet", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        if not launcher.follows():  # all processes would print the same message
            error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted.")
        code = 130
    except BrokenPipeError:  # the reader of stdout has closed it, as `head` does
        _drop_output(sys.stdout)
        code = 1
    except OSError as error:  # stdout cannot be written, such as on a full disk; all others become a PortanetError
        if "--debug" in arguments:
            raise
        _drop_output(sys.stdout)
        _complain(f"cannot write the output: {error.strerror or error}.")
        code = 1
    except PortanetError as error:
        if "--debug" in arguments:
            raise
        error.remedy = with_flags(error.remedy)
        _complain(" ".join(str(error).split()))
        code = 1
    finally:
        _discard_stderr()
    sys.exit(code or 0)


def _open_closed_streams() -> None:
    """Discard output to a closed stdout or stderr, which would otherwise go to the next file that is opened."""
    if os.name == "posix":
        while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
            pass
        os.close(descriptor)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the descriptor was closed, or Python runs as pythonw
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the rest of the process


def _discard_stderr() -> None:
    """Discard unwritten output to a closed stderr, or Python would retry at exit and end with code 120."""
    try:
        sys.stderr.flush()
    except OSError:
        _drop_output(sys.stderr)


def _drop_output(stream: TextIO) -> None:
    """Discard the unwritten output of a stream."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _escape_unknown_characters() -> None:
    """Let stdout escape characters that its encoding lacks, as stderr does."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):  # stderr may be closed; the exit code is set anyway
        echo(f"portanet: {plain(text, None)}", err=True)
