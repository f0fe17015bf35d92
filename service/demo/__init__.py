"""The demonstration: realistic series with planted events, detected over HTTP by a real service.

planted event
    Something done to a series on purpose, so that what is found can be held against it.
false alarm
    An anomaly in a series at a time at which nothing was planted.
"""
