"""One step of training: from some rows to their gradient, and from that to new weights.

    shards    sums of parts, computed by one thread or several, with the same bits
    state     what changes from step to step, and the rows of one step
    gradient  the loss of a batch and its gradient: forward, backward, the sum over its shards
    step      the gradient, then the optimizer's update: one pure function, which a backend may compile
    source    the rows, wherever they lie, and how steps read them with their labels and weights

Each file needs only those above it. What a step costs and how it is made fast: `portanet.tracing`.
"""
