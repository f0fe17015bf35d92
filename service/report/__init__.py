"""The report of a detection run: one HTML page that needs nothing but itself.

`gather.py` collects what is known of a run, `page.py` and the modules that it calls turn that
into HTML: data in, text out, no store and no clock.

tile
    One number at the top of the page with the word that it counts.
card
    One series with its chart and its anomalies.
history
    Points before the run's range, drawn so that its points can be judged by eye.
"""
