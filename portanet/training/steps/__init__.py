"""One training step: the gradient of a batch, and the optimizer's update.

    shards    sums over the shards of a batch, with the same bits on one thread or several
    state     the state that a step changes, and the rows of one step
    gradient  the loss of a batch and its gradient: forward, backward, the sum over its shards
    step      the gradient, then the optimizer's update: one pure function, which a backend may compile
    source    the training rows, on the device, on the host or in a memory map, and how steps read them

Each file imports only those above it. `portanet.tracing` describes how a step is made fast.
"""
