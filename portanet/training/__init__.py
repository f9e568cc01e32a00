"""From layers and rows to a trained run: the gradient of a batch, the loop, and what watches it."""
