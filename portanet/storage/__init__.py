"""Model files, checkpoints and run folders: each file is complete, or refused.

A model or a checkpoint is one [safetensors](https://github.com/huggingface/safetensors) file with the arrays and a JSON
header. Any safetensors reader can read the arrays, under names like "2.weight". The header, in the metadata entry
"portanet", holds the layers, the class names, the training settings and a SHA-256 checksum of the whole content.
Nothing in a file is ever executed, and layers come from a fixed list of names.

```python
from portanet import fit, read
from portanet.nn import Dense, Flatten, Rescale, Sequential
from safetensors.numpy import load_file

fit(Sequential(Rescale(1 / 255), Flatten(), Dense(10)), read("mnist:test"), epochs=1).save("digits.safetensors")
print({name: array.shape for name, array in load_file("digits.safetensors").items()})
```

## Interrupting and resuming

During training the state of the run is saved in one file, with a checksum, often enough to cost about 1 % of the time;
the previous file is kept. The same command with `--resume` resumes in the middle of an epoch, and the model file has
the same bytes as that of an uninterrupted run (on the same machine and libraries), also with dropout and augmentation.
Another backend can resume the run: `--backend cupy --resume`. A larger `--epochs` trains longer, if the schedule is
constant; with another schedule the learning rates so far would have been different. Changed settings or data are
refused, and the message names them.

Ctrl-C or SIGTERM saves the run, prints the command that resumes it and exits with 130 or 143; a second signal ends it
at once. In Python, Ctrl-C ends `fit` after the current step and returns the model so far. So does a time limit,
`fit(..., time_limit=60)` or `--time-limit 60`. `stopped` says why a run ended, and the next call resumes.

If the loss or the weights become infinite or NaN, the run stops with an error that names the step, the layer and a
remedy; the last finite model is the error's `model`. The check never stalls the device between log points. `portanet
rerun RUN` repeats a run and says whether the model has the same bytes, or what differs.

What was tested:

- runs killed at random moments, and two runs in one folder (`python scripts/torture.py --minutes 3 --seed 11`): 74
  kills, 9 runs, 9 folders used twice, nothing lost;
- a run killed at every open, write, sync and rename (`pytest -m slow tests/cli/test_kill.py`): all resume to the same
  bytes;
- malicious files made by hand (`pytest tests/data/test_hostile.py tests/storage/test_hostile_models.py`): each gives a
  valid object, or an error of one line that names the file and the place;
- files made by a fuzzer (`python scripts/fuzz.py --seconds 60`): 236,041 inputs to eight readers, with the same result.
"""
