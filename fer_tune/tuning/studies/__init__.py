"""Optuna studies, ASHA, the regret audit, and the choice of each study."""
