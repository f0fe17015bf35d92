"""Pictures of docs/detectors/prophet.md."""

from dataclasses import replace

import numpy as np

from detector_pictures.chart import Panel, strip
from detector_pictures.made import DAY as ONE_DAY
from detector_pictures.made import Case, level, orders, quality, times_of, traffic


def draw() -> None:
    """Draw all."""
    hero()
    trends()
    changepoints()
    seasons()
    widths()
    schedules()
    engines()
    failures()


def _prophet(**parameters: object) -> dict[str, object]:
    return {"type": "prophet", **parameters}


def _growing(n: int = 200, seed: int = 3) -> Case:
    return orders(n, seed=seed, growth=0.002)


def hero() -> None:
    """Growth and a week, which a window sees as one wide band."""
    case = _growing().with_event([150], -330.0).with_event([171, 172], -300.0)
    case = replace(case.with_event([186], 330.0), shown=80)
    strip("prophet", case, [Panel("", _prophet())], height=2.6, key=True)


def _turning() -> Case:
    """Grows, then falls from row 130 on."""
    day = np.arange(220)
    trend = 100 + 0.25 * np.minimum(day, 130) - 0.35 * np.maximum(day - 130, 0)
    noise = np.random.default_rng(5).normal(0, 1.2, 220)
    return Case(times_of(220, ONE_DAY), trend + noise, unit="daily", shown=95)


def trends() -> None:
    """`growth`, `cap` and `floor`."""
    day = np.arange(220)
    saturating = 1 / (1 + np.exp(-(day - 90) / 22))
    noise = np.random.default_rng(2).normal(0, 0.012, 220)
    case = Case(times_of(220, ONE_DAY), saturating + noise, unit="roll-out share", shown=95)
    strip("prophet_growth", case, [
        Panel("growth: linear (default)", _prophet()),
        Panel("growth: flat", _prophet(growth="flat")),
        Panel("growth: logistic, cap: 1, floor: 0",
              _prophet(growth="logistic", cap=1, floor=0, refit_every="14d")),
    ])  # fmt: skip


def changepoints() -> None:
    """`n_changepoints`, `changepoint_range` and `changepoint_prior_scale`."""
    case = _turning()
    strip("prophet_changepoint_prior_scale", case, [
        Panel(f"changepoint_prior_scale: {scale}", _prophet(changepoint_prior_scale=scale))
        for scale in (0.001, 0.05, 1)
    ])  # fmt: skip
    strip("prophet_n_changepoints", case, [
        Panel(f"n_changepoints: {count}", _prophet(n_changepoints=count)) for count in (0, 5, 25)
    ])  # fmt: skip
    strip("prophet_changepoint_range", case, [
        Panel(f"changepoint_range: {share}", _prophet(changepoint_range=share))
        for share in (0.5, 0.8, 0.95)
    ])  # fmt: skip


def seasons() -> None:
    """`weekly`, `daily`, `yearly`, `seasonality_mode`, the prior scales and `holidays`."""
    case = replace(orders(160, seed=4).with_event([140], -250.0), shown=110)
    strip("prophet_weekly", case, [
        Panel("weekly: false", _prophet(weekly=False)),
        Panel("weekly: 1 (one wave)", _prophet(weekly=1)),
        Panel('weekly: "auto" (3 waves)', _prophet()),
    ])  # fmt: skip
    hourly = traffic(35).with_event(range(24 * 32 + 13, 24 * 32 + 17), -55.0)
    hourly = replace(hourly, shown=24 * 28)
    strip("prophet_daily", hourly, [
        Panel("daily: false", _prophet(daily=False)),
        Panel("daily: 1", _prophet(daily=1)),
        Panel('daily: "auto" (4 waves)', _prophet()),
    ])  # fmt: skip
    day = np.arange(830)
    summer = 100 + 15 * np.sin(2 * np.pi * day / 365.25)
    noise = np.random.default_rng(8).normal(0, 1.5, 830)
    years = Case(times_of(830, ONE_DAY), summer + noise, unit="daily", shown=400)
    years = years.with_event([790], -14.0)
    strip("prophet_yearly", years, [
        Panel("yearly: false", _prophet(yearly=False, refit_every="7d"), start=745),
        Panel('yearly: "auto", after two years', _prophet(refit_every="7d"), start=745),
    ])  # fmt: skip
    fast = _swelling()
    strip("prophet_seasonality_mode", fast, [
        Panel("seasonality_mode: additive (default)", _prophet()),
        Panel("seasonality_mode: multiplicative", _prophet(seasonality_mode="multiplicative")),
    ])  # fmt: skip
    strip("prophet_seasonality_prior_scale", case, [
        Panel(f"seasonality_prior_scale: {scale}", _prophet(seasonality_prior_scale=scale))
        for scale in (0.01, 0.1, 10)
    ])  # fmt: skip
    strip("prophet_holidays", _german_shop(), [
        Panel("no holidays", _prophet(refit_every="7d"), start=730),
        Panel('holidays: "DE"', _prophet(holidays="DE", refit_every="7d"), start=730),
        Panel("holidays_prior_scale: 0.03",
              _prophet(holidays="DE", holidays_prior_scale=0.03, refit_every="7d"), start=730),
    ])  # fmt: skip


def _swelling() -> Case:
    """Orders that grow threefold, the week with them."""
    day = np.arange(200)
    week = np.array([1.0, 0.95, 1.0, 1.05, 1.2, 1.7, 1.5])[day % 7]
    noise = 25 * np.random.default_rng(9).normal(size=200)
    case = Case(times_of(200, ONE_DAY), 400 * (1 + 0.015 * day) * week + noise, unit="orders")
    return replace(case, shown=150)


def _german_shop() -> Case:
    """A little over two years of orders; public holidays halve them."""
    from holidays import country_holidays

    case = orders(800, seed=12)
    free = country_holidays("DE", years=range(2026, 2030))
    closed = np.array([str(time)[:10] in free for time in case.times])
    return replace(case, values=np.where(closed, 0.5 * case.values, case.values), shown=560)


def widths() -> None:
    """`interval_width`."""
    case = replace(quality(200, seed=9).with_event([180], -0.024), shown=100)
    strip("prophet_interval_width", case, [
        Panel(f"interval_width: {width}", _prophet(interval_width=width))
        for width in (0.8, 0.95, 0.997)
    ])  # fmt: skip


def schedules() -> None:
    """`refit_every`, `history_length` and `min_points`."""
    case = level(150, seed=4)
    rise = case.values + 8.0 * (np.arange(150) >= 110)
    moved = replace(case, values=rise, events=((110, 111, 112),), shown=95)
    strip("prophet_refit_every", moved, [
        Panel(f"refit_every: {every}", _prophet(refit_every=every)) for every in ("1d", "7d", "28d")
    ])  # fmt: skip
    longer = level(300, seed=4)
    values = longer.values + 8.0 * (np.arange(300) >= 170)
    longer = replace(longer, values=values, events=((170, 171, 172),), shown=150)
    strip("prophet_history_length", longer, [
        Panel("history_length: 60d", _prophet(history_length="60d", min_points=45)),
        Panel("history_length: null (738 d)", _prophet()),
    ])  # fmt: skip
    young = level(130, seed=6).with_event([60], -8.0)
    strip("prophet_min_points", young, [
        Panel(f"min_points: {'null (90)' if n is None else n}", _prophet(min_points=n))
        for n in (30, 45, None)
    ])  # fmt: skip


def engines() -> None:
    """`engine`, `mcmc_samples` and `scaling`."""
    case = replace(_growing(130).with_event([120], -330.0), shown=95)
    strip("prophet_engine", case, [
        Panel("engine: direct (what auto takes)", _prophet(refit_every="14d")),
        Panel("engine: package", _prophet(engine="package", refit_every="14d")),
        Panel("mcmc_samples: 100", _prophet(mcmc_samples=100, refit_every="14d")),
    ])  # fmt: skip
    far = level(180, seed=2, base=10_000.0, noise=2.0)
    far = replace(far, values=far.values + 40.0 * np.sin(np.arange(180) / 25), shown=95)
    strip("prophet_scaling", far, [
        Panel('scaling: minmax (what "auto" takes)', _prophet(scaling="minmax")),
        Panel("scaling: absmax (as the package)", _prophet(scaling="absmax")),
    ])  # fmt: skip


def failures() -> None:
    """A level shift, an outage in the history, noise that is not the same all day."""
    case = level(190, seed=4)
    values = case.values + 10.0 * (np.arange(190) >= 120)
    case = replace(case, values=values, events=((120, 121, 122),), shown=95)
    strip("prophet_fails_shift", case, [
        Panel("prophet after a new level", _prophet()),
        Panel("changepoint_range: 0.95", _prophet(changepoint_range=0.95)),
        Panel("window: 28d", {"type": "window"}),
    ])  # fmt: skip
    outage = level(190, seed=12).with_event(range(110, 120), -40.0).with_event([165], -9.0)
    outage = replace(outage, shown=95)
    span = [str(outage.times[110])[:10], str(outage.times[120])[:10]]
    strip("prophet_fails_outage", outage, [
        Panel("ten days of outage stay in the fit", _prophet()),
        Panel("exclude: the outage", _prophet(exclude=[span])),
    ])  # fmt: skip
    uneven = traffic(40, seed=2, noise=0.08, weekend=1.0)
    uneven = uneven.with_event(range(24 * 37 + 2, 24 * 37 + 5), 25.0)
    strip("prophet_fails_uneven", replace(uneven, shown=24 * 34), [
        Panel("one width for day and night", _prophet()),
        Panel("window, hour_of_day, spread: per_key",
              {"type": "window", "season": "hour_of_day", "window": "28d", "spread": "per_key"}),
    ])  # fmt: skip
