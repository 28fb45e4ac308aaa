"""Ray: starting it, running trials on it, handling failures of trials and nodes."""
