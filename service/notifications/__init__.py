"""Tells people: a run's changes become messages, messages become deliveries to channels.

An *event* is what happened (started, anomaly, withdrawn, no_data, succeeded, partial, failed). A
*channel* is a destination. A *delivery* is one message to one channel, with its attempts; the
*ledger* remembers what was said, so that nothing is said twice.
"""
