# Seasonal hybrid ESD as plain loops around R's own stl: one call per line of the file named first.
# Fields, separated by tabs: period, share, alpha, direction, chunk, threshold, values (with NA).
# Prints for each line the rows found, from 0 and separated by spaces, or "error".

farthest <- function(residuals, steps, alpha, direction) {
  n <- length(residuals)
  left <- seq_len(n)
  gone <- integer(0)
  found <- 0
  for (i in seq_len(steps)) {
    r <- residuals[left]
    centre <- median(r)
    scale <- 1.4826 * median(abs(r - centre))
    if (scale == 0) break
    distance <- switch(direction, both = abs(r - centre), up = r - centre, down = centre - r)
    worst <- which.max(distance)
    tails <- if (direction == "both") 2 else 1
    t <- qt(1 - alpha / (tails * (n - i + 1)), n - i - 1)
    lambda <- t * (n - i) / sqrt((n - i - 1 + t^2) * (n - i + 1))
    gone <- c(gone, left[worst])
    deviate <- distance[worst] / scale
    left <- left[-worst]
    if (deviate > lambda) found <- i
  }
  gone[seq_len(found)]
}

stretch <- function(values, period, share, alpha, direction) {
  known <- which(!is.na(values))
  if (length(known) == 0) stop("nothing")
  inside <- known[1]:known[length(known)]
  x <- values[inside]
  if (anyNA(x)) stop("a gap")
  steps <- trunc(length(values) * share)
  if (steps == 0) stop("no step")
  parts <- stl(ts(x, frequency = period), s.window = "periodic", robust = TRUE)$time.series
  season <- as.numeric(parts[, "seasonal"])
  inside[farthest(x - season - median(x), steps, alpha, direction)]
}

limit <- function(values, period, threshold) {
  largest <- tapply(values, (seq_along(values) - 1) %/% period, max)
  switch(threshold, med_max = median(largest), p95 = quantile(largest, 0.95),
         p99 = quantile(largest, 0.99))
}

call <- function(fields) {
  period <- as.integer(fields[1])
  direction <- fields[4]
  values <- as.numeric(strsplit(fields[7], " ")[[1]])
  n <- length(values)
  share <- max(as.numeric(fields[2]), 1 / n)
  chunk <- if (fields[5] == "NA") n else as.integer(fields[5])
  rows <- integer(0)
  for (first in seq(1, n, by = chunk)) {
    inside <- first:(first + chunk - 1)
    if (first + chunk - 1 > n) inside <- max(n - chunk + 1, 1):n
    x <- values[inside]
    found <- stretch(x, period, share, as.numeric(fields[3]), direction)
    if (fields[6] != "NA") {
      if (fields[5] != "NA" && length(x) != chunk) stop("a threshold of a short chunk")
      if (anyNA(x) && fields[6] != "med_max") stop("no quantile")
      found <- found[which(x[found] >= limit(x, period, fields[6]))]
    }
    rows <- c(rows, inside[found])
  }
  paste(sort(unique(rows)) - 1, collapse = " ")
}

for (line in readLines(commandArgs(trailingOnly = TRUE)[1])) {
  cat(tryCatch(call(strsplit(line, "\t")[[1]]), error = function(e) "error"), "\n", sep = "")
}
