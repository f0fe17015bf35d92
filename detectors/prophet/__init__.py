"""Prophet: points against the forecast of a trend with changepoints, seasons and holidays.

Two engines give one answer. ``direct`` finds the maximum of the model's posterior exactly;
``package`` is the prophet package itself, for logistic growth and sampling. Neither is imported
before something is fitted.
"""

from detectors.prophet.detector import Prophet

__all__ = ["Prophet"]
