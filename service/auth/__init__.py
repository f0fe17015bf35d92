"""Who asks, and what they may do.

caller
    Who a request comes from, with the sources and verbs granted.
verb
    read (GET), ingest (points), detect (detections, cancel, rerun) or manage (the rest).
way
    One manner of saying who one is; `service/auth/ways.py` lists them, nothing else decides.
"""
