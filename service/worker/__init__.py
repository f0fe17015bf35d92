"""Works off the queue: submits runs, watches them, records how they end, delivers messages.

A *tick* is one look at one job under a lease: read, decide, write the effect and settle the job in
one transaction. Heavy work is in the steps, which the launcher runs elsewhere.
"""
