"""Why a run said what it said of one point, from the value to who was told.

The steps up to the verdict are the detector's own (`detectors.explain`); here come the points that
it judged, the verdict that the run stored, and what each channel was told or not, and why.
"""
