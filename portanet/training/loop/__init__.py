"""The training loop: steps, then a row of the history, then a checkpoint.

    batches     the rows of each step, shuffled for each epoch
    watchers    the callbacks of a run behind one interface, and the metrics that they watch
    history     a row for each logging point
    guard       checks that the weights stay finite; divergence, probe: find the step and layer where they did not
    resume      the content of a checkpoint, and how a run continues from it
    loop        the loop itself, on one screen
    together    decisions that the MPI ranks of a run share

training/fit.py calls them.
"""
