"""Files that are whole or refused: models, checkpoints and run folders.

A model or a checkpoint is one [safetensors](https://github.com/huggingface/safetensors) file with the arrays and one
JSON header beside them. Any safetensors reader can read the arrays, under names like "2.weight"; the header, in the
metadata entry "portanet", holds the layers, the class names and the training settings, and a SHA-256 over all. Nothing
in a file is ever executed, and layers come from a fixed list of names.

```python
from portanet import fit, read
from portanet.nn import Dense, Flatten, Rescale, Sequential
from safetensors.numpy import load_file

fit(Sequential(Rescale(1 / 255), Flatten(), Dense(10)), read("mnist:test"), epochs=1).save("digits.safetensors")
print({name: array.shape for name, array in load_file("digits.safetensors").items()})
```

## Interrupting and resuming

While it trains, portanet saves its state in one file, with a checksum, often enough to cost about 1 % of the run; the
previous one is kept. `portanet train ... --resume`, the same command again, resumes in the middle of an epoch, and the
model file gets the same bytes as without it (on the same machine and libraries), with dropout and augmentation too.
Another backend can resume it: `--backend cupy --resume`. With a larger `--epochs` it trains longer, if the schedule is
constant: another would have given other learning rates so far. Other settings or other data are refused, and the
message says which. Ctrl-C or SIGTERM saves, prints the command that resumes and exits with 130 or 143; a second one
ends at once. In Python Ctrl-C ends `fit` after the step and returns the model so far, as `fit(..., time_limit=60)` and
`--time-limit 60` do after a minute; `stopped` says why a run ended, and the next call resumes.

Numbers that become infinite or NaN stop the run with the step, the layer where they began and a remedy; the last finite
model is the error's `model`. The check never stalls the device between log points. `portanet rerun RUN` repeats a run
and says whether the model has the same bytes, or what differs.

What was tested:

- runs killed at random moments, and two runs for one folder (`python scripts/torture.py --minutes 3 --seed 11`): 74
  kills, 9 runs, 9 folders wanted twice, nothing lost;
- death at every open, write, sync and rename of a run (`pytest -m slow tests/cli/test_kill.py`): all resume to the same
  bytes;
- files made by hand to break a reader (`pytest tests/data/test_hostile.py tests/storage/test_hostile_models.py`): a
  valid object, or one line that names file and place;
- the same, made by a fuzzer (`python scripts/fuzz.py --seconds 60`): 236,041 inputs to eight readers, the same rule.
"""
