"""Files of launchers that recover by running the same command again: SkyPilot, Slurm, Kueue."""
