"""Searches under virtual time: the searcher, rungs, stopper and audit of real ones, without Ray.

Only training is replaced: a *world* answers what a configuration's learning curve would be.
"""
