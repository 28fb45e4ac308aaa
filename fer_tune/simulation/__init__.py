"""Searches under virtual time: searcher, rungs, stopper, audit and choice of real ones.

Only training and machines are replaced: a *world* gives the *course* that a run would take, and a
*fleet* says how many runs there are at a time.
"""
