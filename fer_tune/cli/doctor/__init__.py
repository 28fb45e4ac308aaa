"""`fer-tune doctor`: what is missing on this machine."""
