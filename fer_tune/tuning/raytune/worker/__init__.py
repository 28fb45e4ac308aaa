"""What a trial's process does beside training: it writes checkpoints, and watches for notices."""
