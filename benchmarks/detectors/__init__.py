"""Detectors against their peers: what the goals of their design ask, measured in one run.

A *row* measures one thing that we do against one *peer* that does the same. Each *side* runs in a
process of its own, with the versions that are pinned for it; sides take turns, so both have the
same machine. A row *checks* that both found the same before it quotes a figure. The *goals* say
what a ratio should reach. *Growth* is cost against points and series of one detector.
"""
