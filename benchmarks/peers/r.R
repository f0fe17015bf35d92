# R's own stl, then the generalized ESD test as its definition reads. Talks as worker.py says.

given <- commandArgs(trailingOnly = TRUE)
folder <- given[2]
series <- as.integer(given[3])
text <- paste(readLines(file.path(folder, "input.json"), warn = FALSE), collapse = "")
fact <- function(name) {
  as.numeric(sub(paste0('.*"', name, '": *([-0-9.e]+).*'), "\\1", text))
}
n <- fact("points")
period <- fact("period")
share <- fact("max_anomalies")
alpha <- fact("alpha")
values <- matrix(readBin(file.path(folder, "values.f64"), "double", n * series), nrow = n)

extremes <- function(residuals) {
  n <- length(residuals)
  rows <- seq_len(n)
  removed <- integer(trunc(n * share))
  last <- 0
  for (i in seq_along(removed)) {
    distance <- abs(residuals - median(residuals))
    spread <- mad(residuals)
    if (spread == 0) break
    worst <- which.max(distance)
    removed[i] <- rows[worst]
    t <- qt(1 - alpha / (2 * (n - i + 1)), n - i - 1)
    bound <- t * (n - i) / sqrt((n - i - 1 + t^2) * (n - i + 1))
    if (distance[worst] / spread > bound) last <- i
    residuals <- residuals[-worst]
    rows <- rows[-worst]
  }
  sort(removed[seq_len(last)])
}

work <- function() {
  lapply(seq_len(series), function(i) {
    x <- values[, i]
    parts <- stl(ts(x, frequency = period), s.window = "periodic", robust = TRUE)
    extremes(x - as.vector(parts$time.series[, "seasonal"]) - median(x))
  })
}

found <- work()
lines <- vapply(found, function(rows) paste0("[", paste(rows - 1, collapse = ", "), "]"), "")
answer <- paste0('{"rows": [', paste(lines, collapse = ", "), "]}")
writeLines(answer, file.path(folder, "answer-r-seasonal_esd.json"))
cat("ready\n")
orders <- file("stdin", "r")
while (length(readLines(orders, 1)) > 0) {
  began <- proc.time()
  work()
  taken <- proc.time() - began
  cat(sprintf("%.6f %.6f\n", taken[["elapsed"]], taken[["user.self"]] + taken[["sys.self"]]))
}
