"""The training loop, and what stands around it: steps, then a row of the history, then a checkpoint.

    batches     the rows of each step, shuffled for each epoch
    watchers    the callbacks of a run, called as one, and the metrics that they watch
    history     a row for each logging point
    guard       sees that numbers stay finite; divergence, probe: find the step and the layer where they ceased to be
    resume      what a checkpoint holds, and how a run continues from it
    loop        the loop itself, on one screen
    together    what the ranks of a run decide together

`fit`, in training/fit.py, puts them together.
"""
