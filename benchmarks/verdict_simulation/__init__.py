"""How often the verdict is wrong, by simulation of the whole procedure.

Each arm is tuned, chosen and confirmed; nothing is trained. A search of made-up curves takes
milliseconds, so thousands of them show how often arms without a difference are distinguished, and
how often the interval holds the difference there is. Two levels:

=============  ====================================================================================
module         what
=============  ====================================================================================
``surface``    what both levels train: the worth of a configuration, curves, splits
``studies``    level 1, arrays alone: many studies at once, with a sampler and ASHA of their own
``verdicts``   level 1: studies dealt into searches, judged by the estimators and the decision table
``hazards``    other estimators: bootstraps over five seeds, McNemar between checkpoints
``world``      level 2: the search space, the splits of a search, the curve of any run
``pictures``   level 2: answers on single test pictures
``real``       level 2: the real searcher, ASHA, audit and stopper without Ray's processes
``folders``    level 2: a whole results folder of such a search; ``manifest`` its manifest
``judged``     level 2: searches judged from their folders by ``analysis``
``tables``     Markdown
=============  ====================================================================================

The difference to be found is that of the whole procedure: expected test score of what a study of
arm A ends with, minus the same of arm B. The expectation is over all that a study draws anew
(sampler, seeds, noise of its trials); the validation and test splits are those of the search, as
the studies of a search share them. ``python -m benchmarks.verdict_simulation`` prints the tables.

Scores are macro-F1 in [0, 1]; a point is 0.01.
"""
