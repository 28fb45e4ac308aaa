"""Machines and their Rays: what they have, waiting for it, sharing it, and joining them."""
