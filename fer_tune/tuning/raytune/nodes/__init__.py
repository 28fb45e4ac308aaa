"""What the machines of a Ray have, and waiting for those that a trial needs."""
