"""A request becomes plan -> detect[i] -> publish, on this machine or on Argo.

run
    One detection request and its outcome.
chunk
    A share of a run's series, given to one worker.
attempt
    One try of a step; it writes below its own nonce and counts only if it commits.
generation
    The order of runs of one rule; a newer one is never undone by an older one.
"""
