"""From batches to updated parameters: the loss, the optimiser, steps and epochs."""
