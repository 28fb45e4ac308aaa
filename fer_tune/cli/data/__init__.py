"""`fer-tune data`: importing pictures and auditing packed datasets."""
